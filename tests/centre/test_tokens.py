from __future__ import annotations

import pytest

from moonward.actors.tokens import TokenSum, estimate_prompt_tokens, estimate_tokens, utf8_bytes


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("abcd", 1),
        ("abcde", 2),
        ("hello world", 3),
        ("あ", 1),
        ("あい", 2),
        ("あいう", 2),
        ("あいうえ", 3),
        ("hello あ", 3),
        ("😀😀😀", 2),
    ],
)
def test_tokens_of_a_text_are_estimated_as_the_contract_says(text, tokens) -> None:
    assert estimate_tokens(text) == tokens


def test_prompt_and_system_are_rounded_each_on_their_own() -> None:
    assert estimate_prompt_tokens("a", "b") == 2
    assert estimate_prompt_tokens("a", None) == 1
    assert estimate_prompt_tokens("", "") == 0


def test_sizes_are_bytes_of_utf8() -> None:
    assert [utf8_bytes(text) for text in ("abc", "é", "あ", "😀", "", None)] == [3, 2, 3, 4, 0, 0]


def test_a_text_that_is_not_valid_unicode_can_be_counted() -> None:
    assert utf8_bytes("a\ud800") == 4
    assert estimate_tokens("a\ud800") == 2


def test_an_empty_sum_is_definite() -> None:
    assert TokenSum().to_json() == {"tokens": 0, "source": "definite"}


def test_the_source_of_a_sum_is_the_weakest_of_its_parts() -> None:
    total = TokenSum()
    total.add_provided(5)
    assert total.to_json() == {"tokens": 5, "source": "provided"}
    total.add_estimate(2)
    assert total.to_json() == {"tokens": 7, "source": "estimated"}


def test_what_the_host_reports_takes_the_place_of_the_estimate() -> None:
    total = TokenSum()
    total.add_estimate(2)
    total.replace_estimate(2, 9)
    assert total.to_json() == {"tokens": 9, "source": "provided"}


def test_two_sums_make_one_that_knows_all_parts() -> None:
    prompts, responses = TokenSum(), TokenSum()
    prompts.add_provided(3)
    assert prompts.plus(responses).to_json() == {"tokens": 3, "source": "provided"}
    responses.add_estimate(4)
    assert prompts.plus(responses).to_json() == {"tokens": 7, "source": "estimated"}
    assert responses.plus(prompts).to_json() == {"tokens": 7, "source": "estimated"}
