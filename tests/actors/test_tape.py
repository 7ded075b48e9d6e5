"""What a strand did before, and comparing what it does now."""

from __future__ import annotations

import msgspec
import pytest

from moonward.actors import tape as tapes
from moonward.actors.errors import ReplayDiverged
from moonward.actors.journal.entries import (
    MAIN,
    Answered,
    Ask,
    Batch,
    Called,
    ChildEnded,
    Entry,
    Paused,
    Started,
)
from moonward.actors.query import LlmQuery, QuerySpec
from moonward.actors.tape import Tape
from moonward.actors.worker.wire import AskRequest, CallRequest, ForkRequest, RequireRequest

STARTED = Started("s-1", "return 1", "{}", "Lua 5.5", 1, 2, "p", 0)


def call(name: str, args: str, clocks: list[tuple[int, int]] | None = None) -> CallRequest:
    return CallRequest(name, msgspec.Raw(args.encode()), clocks or [])


def recorded(request: CallRequest, strand: str = MAIN) -> Called:
    return Called(strand, request.name, tapes.digest_of(request), result="1", clocks=request.clocks)


def journal(*entries: Entry) -> Tape:
    return Tape([STARTED, *entries])


def test_steps_are_kept_for_each_strand_in_order() -> None:
    queries = [LlmQuery("f-0-0", "a"), LlmQuery("f-1-0", "b"), LlmQuery("f-1-1", "c")]
    tape = journal(
        recorded(call("state.get", '["default","k"]')),
        Paused(queries, [Ask("0.0", 1), Ask("0.1", 2)], 5),
        recorded(call("state.keys", '["default"]'), "0.1"),
    )
    assert [step.entry for step in tape.of(MAIN)] == [1]
    assert [step.query_ids for step in tape.of("0.0")] == [("f-0-0",)]
    assert [step.entry for step in tape.of("0.1")] == [2, 3]
    assert tape.of("0.1")[0].query_ids == ("f-1-0", "f-1-1")


def test_answers_are_there_when_all_are() -> None:
    queries = [LlmQuery("q-0", "a"), LlmQuery("q-1", "b")]
    paused = Paused(queries, [Ask(MAIN, 2)], 5)
    assert journal(paused, Answered("q-1", "two", 6)).answers(["q-0", "q-1"]) is None
    both = journal(paused, Answered("q-1", "two", 6), Answered("q-0", "one", 7))
    assert both.answers(["q-0", "q-1"]) == ["one", "two"]
    together = journal(paused, Batch([Answered("q-1", "two", 6), Answered("q-0", "", 6)]))
    assert together.answers(["q-0", "q-1"]) == ["", "two"]


def test_ends_of_children_are_kept() -> None:
    tape = journal(ChildEnded("0.0", result="1"), ChildEnded("0.1", error="boom"))
    assert tape.children["0.0"].result == "1"
    assert tape.children["0.1"].error == "boom"


def test_the_same_question_agrees_whatever_the_clock_said() -> None:
    tape = journal(Paused([LlmQuery("q-0", "a")], [Ask(MAIN, 1, [(3, 1)])], 5))
    tapes.check(tape.of(MAIN)[0], AskRequest([QuerySpec("a")], [(9, 4)]))


def test_another_question_diverges_and_says_where_and_what() -> None:
    tape = journal(Paused([LlmQuery("q-0", "before")], [Ask(MAIN, 1)], 5))
    with pytest.raises(
        ReplayDiverged, match="entry 1: expected the question 'before', came the question 'after'"
    ):
        tapes.check(tape.of(MAIN)[0], AskRequest([QuerySpec("after")]))


LONG = "the same text " * 40


@pytest.mark.parametrize(
    ("recorded", "asked", "expected", "came"),
    [
        ([QuerySpec("a"), QuerySpec("b")], [QuerySpec("a"), QuerySpec("c")], "2 of 2 'b'", "2 of 2 'c'"),
        ([QuerySpec("a")], [QuerySpec("a"), QuerySpec("c")], "no question after the first 1", "2 of 2 'c"),
        ([QuerySpec("a", "be brief")], [QuerySpec("a")], "be brief", "question 'a"),
        ([QuerySpec(LONG + "old")], [QuerySpec(LONG + "new")], "same text old'", "same text new'"),
    ],
)
def test_the_first_question_that_differs_is_told_from_where_it_does(
    recorded: list[QuerySpec], asked: list[QuerySpec], expected: str, came: str
) -> None:
    queries = [LlmQuery.of(f"q-{n}", spec) for n, spec in enumerate(recorded)]
    step = journal(Paused(queries, [Ask(MAIN, len(queries))], 5)).of(MAIN)[0]
    with pytest.raises(ReplayDiverged) as caught:
        tapes.check(step, AskRequest(asked))
    assert expected in caught.value.expected
    assert came in caught.value.actual
    assert caught.value.expected != caught.value.actual
    assert max(len(caught.value.expected), len(caught.value.actual)) < 300
    assert all(spec.prompt in caught.value.texts[0] for spec in recorded)


@pytest.mark.parametrize(
    "other",
    [
        call("state.set", '["default","k"]'),
        call("state.get", '["default","x"]'),
        RequireRequest("state.get"),
        AskRequest([QuerySpec("state.get")]),
        ForkRequest(["a"], msgspec.Raw(b"{}")),
    ],
)
def test_another_request_diverges(other: CallRequest) -> None:
    request = call("state.get", '["default","k"]')
    step = journal(recorded(request)).of(MAIN)[0]
    tapes.check(step, request)
    with pytest.raises(ReplayDiverged):
        tapes.check(step, other)


@pytest.mark.parametrize(
    "change", [{"system": "x"}, {"max_tokens": 5}, {"grounded": True}, {"extra": {"t": 1}}]
)
def test_every_part_of_a_question_counts(change: dict[str, object]) -> None:
    spec = QuerySpec("a")
    step = journal(Paused([LlmQuery.of("q-0", spec)], [Ask(MAIN, 1)], 5)).of(MAIN)[0]
    with pytest.raises(ReplayDiverged):
        tapes.check(step, AskRequest([msgspec.structs.replace(spec, **change)]))
