"""Entries for tests of the journal."""

from __future__ import annotations

from hashlib import sha256

from moonward.actors.journal.entries import (
    Answered,
    Ask,
    Batch,
    Called,
    ChildEnded,
    Ended,
    Entry,
    Paused,
    Started,
    View,
)
from moonward.actors.query import LlmQuery, TokenUsage
from moonward.actors.terminal import Completed

PRELUDE_BODY = b"-- a prelude"
PRELUDE = sha256(PRELUDE_BODY).hexdigest()


def started(
    session_id: str,
    prelude: str = PRELUDE,
    at_ms: int = 1000,
    strategy: str | None = None,
    user: str | None = None,
) -> Started:
    """Entry 0 of `session_id`."""
    return Started(session_id, "return 1", "{}", "5.5", 7, 8, prelude, at_ms, strategy=strategy, user=user)


def paused(number: int, at_ms: int = 1001) -> Paused:
    """A pause that asks `q-<number>`."""
    view = View(logs=[{"ts": 1, "level": "info", "message": "m"}], progress={"step": 1})
    return Paused([LlmQuery(f"q-{number}", f"prompt {number}")], [Ask("", 1, [(1, 2)])], at_ms, view)


def answered(number: int, at_ms: int = 1002, text: str | None = None) -> Answered:
    """An answer to `q-<number>`."""
    return Answered(f"q-{number}", text or f"answer {number}", at_ms, TokenUsage(1, 2), f"key-{number}")


def called(number: int, module: str | None = None) -> Called:
    """A host call."""
    return Called("", f"state.get {number}", "d" * 64, "null", module=module)


def ended(at_ms: int = 1003) -> Ended:
    """The end, completed."""
    return Ended(Completed({"a": [1, 2.5, None, "é"]}), at_ms)


def one_of_each() -> list[Entry]:
    """An entry of each sort."""
    return [
        started("s-1"),
        paused(0),
        answered(0),
        Batch([answered(1), answered(2)]),
        called(0),
        ChildEnded("0.1", "1"),
        ended(),
    ]
