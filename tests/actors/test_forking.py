"""One `alc.fork`: what is refused, and what the parent is given."""

from __future__ import annotations

import msgspec
import pytest

from moonward.actors.forking import Fork, child_of, refusal
from moonward.actors.tape import Outcome
from moonward.actors.worker.wire import ForkRequest


def request(*names: str, on_error: str = "skip") -> ForkRequest:
    return ForkRequest(list(names), msgspec.Raw(b"{}"), on_error)


def test_outcomes_are_in_the_order_of_the_strategies() -> None:
    fork = Fork(0, request("a", "b"))
    fork.end(1, Outcome(None, "boom"))
    assert not fork.is_over
    fork.end(0, Outcome('{"x":1}', None))
    assert fork.is_over
    assert msgspec.json.decode(fork.result()) == [
        {"strategy": "a", "ok": True, "result": {"x": 1}},
        {"strategy": "b", "ok": False, "error": "boom"},
    ]
    assert fork.failure() is None


@pytest.mark.parametrize("on_error", ["fail", "abort"])
def test_a_failed_child_fails_the_fork_when_asked_to(on_error: str) -> None:
    fork = Fork(0, request("a", on_error=on_error))
    fork.end(0, Outcome(None, "boom"))
    assert fork.failure() == "fork: strategy 'a' failed: boom"


@pytest.mark.parametrize(
    ("asked", "strand", "why"),
    [
        (request("a"), "0.0", "a forked strategy cannot fork"),
        (request(), "", "non-empty array"),
        (request("a", "b", "c"), "", r"max_strands \(2\) exceeded"),
        (request("a", on_error="maybe"), "", "on_error must be 'skip', 'fail' or 'abort'"),
        (request("../etc"), "", "must match"),
        (request("a", "b\n"), "", "must match"),
        (request("ä"), "", "must match"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(asked: ForkRequest, strand: str, why: str) -> None:
    import re

    said = refusal(asked, strand, 2)
    assert said is not None
    assert re.search(why, said)


def test_names_of_letters_digits_and_underscores_are_fine() -> None:
    assert refusal(request("a_1", "B2"), "", 2) is None


def test_strands_know_their_child() -> None:
    assert child_of("") is None
    assert child_of("3.11") == 11
