from __future__ import annotations

import re

import pytest

from moonward.actors.errors import PendingFilterError
from moonward.actors.pending_filter import PendingFilter, PromptProjection
from moonward.actors.query import LlmQuery

LONG = LlmQuery("q-7", "é" * 300, None, 64, grounded=True)
PLAIN = LlmQuery("q-0", "why?", "be brief")


def project(value: object, query: LlmQuery = LONG) -> dict:
    pending_filter = PendingFilter.parse(value)
    assert pending_filter is not None
    return pending_filter.project(query)


def test_the_presets_show_what_the_contract_says() -> None:
    meta = {"query_id": "q-7", "max_tokens": 64}
    assert project("meta") == meta
    assert project("preview") == meta | {"prompt_preview": "é" * 200}
    assert project("full") == meta | {"prompt": "é" * 300, "system": None, "grounded": True}
    assert project("full", PLAIN) == {
        "query_id": "q-0",
        "prompt": "why?",
        "system": "be brief",
        "max_tokens": 1024,
    }


def test_the_length_of_a_preview_can_be_configured() -> None:
    assert PendingFilter.parse("preview", 3) == PendingFilter(
        query_id=True, max_tokens=True, prompt=PromptProjection("preview", 3)
    )
    assert PendingFilter.preset("preview", 0).project(PLAIN)["prompt_preview"] == ""


def test_a_preview_is_cut_at_code_points() -> None:
    query = LlmQuery("q-0", "a😀あb")
    assert project({"prompt": {"mode": "preview", "chars": 2}}, query) == {"prompt_preview": "a😀"}


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("query_id", {"query_id": "q-7"}),
        ("max_tokens", {"max_tokens": 64}),
        ("system", {"system": None}),
        ("grounded", {"grounded": True}),
        ("underspecified", {}),
    ],
)
def test_an_object_turns_on_what_it_names(field, shown) -> None:
    assert project({field: True}) == shown
    assert project({field: False}) == {}


def test_the_prompt_has_three_modes() -> None:
    assert project({"prompt": {"mode": "off"}}, PLAIN) == {}
    assert project({"prompt": {"mode": "full"}}, PLAIN) == {"prompt": "why?"}
    assert project({"prompt": {"mode": "preview", "chars": 3}}, PLAIN) == {"prompt_preview": "why"}


def test_none_is_no_filter_and_an_empty_object_is_one_that_shows_nothing() -> None:
    assert PendingFilter.parse(None) is None
    assert PendingFilter.parse({}) == PendingFilter()
    assert project({}) == {}


def test_a_filter_is_taken_as_it_is() -> None:
    mine = PendingFilter(system=True)
    assert PendingFilter.parse(mine) is mine


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(PendingFilterError, match=r"^unknown pending_filter preset 'ful'; there are: meta, "):
        PendingFilter.parse("ful")


@pytest.mark.parametrize(
    ("value", "kind"), [(True, "bool"), (3, "number"), (1.5, "number"), ([], "array"), (None, "null")]
)
def test_another_type_is_named(value, kind) -> None:
    with pytest.raises(PendingFilterError, match=rf"^pending_filter must be a preset name .* got {kind}$"):
        PendingFilter.of(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"promt": {"mode": "full"}}, "unknown pending_filter field 'promt'"),
        ({"query_id": 1}, "pending_filter query_id must be true or false, got number"),
        ({"prompt": "full"}, "pending_filter prompt must be an object with a mode, got string"),
        ({"prompt": {}}, "pending_filter prompt needs a mode"),
        ({"prompt": {"mode": "all"}}, "unknown pending_filter prompt mode 'all'"),
        ({"prompt": {"mode": "preview"}}, "prompt.chars must be a non-negative integer, got None"),
        ({"prompt": {"mode": "preview", "chars": -1}}, "prompt.chars must be a non-negative integer, got -1"),
        ({"prompt": {"mode": "preview", "chars": True}}, "must be a non-negative integer, got True"),
        ({"prompt": {"mode": "full", "chars": 3}}, "prompt.chars goes with mode 'preview', not 'full'"),
        ({"prompt": {"mode": "full", "char": 3}}, "unknown pending_filter prompt field 'char'"),
    ],
)
def test_what_is_wrong_is_never_replaced_by_a_default(value, text) -> None:
    with pytest.raises(PendingFilterError, match=re.escape(text)):
        PendingFilter.parse(value)
