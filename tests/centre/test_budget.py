from __future__ import annotations

import pytest

from moonward.actors.budget import Budget
from moonward.actors.errors import SettingsError


def check(budget: Budget, n: int = 1, *, calls: int = 0, elapsed: int = 0, tokens: int = 0) -> str | None:
    return budget.check(n, llm_calls=calls, elapsed_ms=elapsed, tokens=tokens)


def test_refusals_have_the_texts_of_the_contract() -> None:
    assert check(Budget(2), calls=2) == "budget_exceeded: max_llm_calls (2) reached (2 used)"
    assert check(Budget(None, 5000), elapsed=5120) == (
        "budget_exceeded: max_elapsed_ms (5000ms) reached (5120ms elapsed)"
    )
    assert (
        check(Budget(None, None, 100), tokens=104) == "budget_exceeded: max_tokens (100) reached (104 used)"
    )


def test_a_limit_is_reached_when_it_is_used_up_and_not_before() -> None:
    assert check(Budget(2, 10, 10), calls=1, elapsed=9, tokens=9) is None
    assert check(Budget(2), calls=2) is not None
    assert check(Budget(None, 10), elapsed=10) is not None
    assert check(Budget(None, None, 10), tokens=10) is not None


def test_nothing_is_let_through_by_a_budget_of_nothing() -> None:
    for budget in (Budget(0), Budget(None, 0), Budget(None, None, 0)):
        assert check(budget) is not None


def test_a_batch_that_would_cross_the_limit_is_refused_whole() -> None:
    assert check(Budget(5), 2, calls=3) is None
    refusal = check(Budget(5), 3, calls=3)
    assert refusal == "budget_exceeded: max_llm_calls (5) reached (3 used) by a batch of 3"


def test_the_first_limit_in_the_order_of_the_contract_is_named() -> None:
    everything = {"calls": 9, "elapsed": 9, "tokens": 9}
    for budget, name in [
        (Budget(1, 1, 1), "max_llm_calls"),
        (Budget(None, 1, 1), "max_elapsed_ms"),
        (Budget(None, None, 1), "max_tokens"),
    ]:
        assert (check(budget, **everything) or "").startswith(f"budget_exceeded: {name} (")


def test_what_remains_is_told_of_the_limits_that_are_set_and_never_below_zero() -> None:
    used = {"llm_calls": 7, "elapsed_ms": 70, "tokens": 700}
    assert Budget(10, 50, 1000).remaining(**used) == {"llm_calls": 3, "elapsed_ms": 0, "tokens": 300}
    assert Budget(5).remaining(**used) == {"llm_calls": 0}
    assert Budget(None, None, 700).remaining(**used) == {"tokens": 0}


@pytest.mark.parametrize("unusable", [-1, 1.0, 2.5, True, "3", None, [], {}])
def test_an_unusable_limit_in_a_ctx_is_ignored(unusable) -> None:
    assert Budget.from_ctx({"budget": {"max_llm_calls": unusable}}) is None
    both = {"max_llm_calls": unusable, "max_tokens": 0, "other": 1}
    assert Budget.from_ctx({"budget": both}) == Budget(None, None, 0)


@pytest.mark.parametrize("ctx", [{}, {"budget": None}, {"budget": 5}, {"budget": []}, [], None, "budget"])
def test_a_ctx_without_a_budget_has_none(ctx) -> None:
    assert Budget.from_ctx(ctx) is None


def test_a_budget_made_by_hand_is_checked() -> None:
    with pytest.raises(
        SettingsError, match=r"budget\.max_tokens must be a non-negative integer or None, got -1"
    ):
        Budget(max_tokens=-1)


def test_the_json_of_a_budget_holds_the_limits_that_are_set() -> None:
    assert Budget(3, None, 0).to_json() == {"max_llm_calls": 3, "max_tokens": 0}
