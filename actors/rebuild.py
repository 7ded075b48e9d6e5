"""A session's state from its journal: the same as that of the live session that wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from moonward.actors.errors import FeedError, JournalError, TransitionError
from moonward.actors.journal.entries import (
    Answered,
    Batch,
    Called,
    ChildEnded,
    Ended,
    Entry,
    Paused,
    Started,
    View,
)
from moonward.actors.session_state import Instant, SessionState


def rebuild(entries: Sequence[Entry], at: Instant) -> SessionState:
    """The state after `entries`, the first of which is `Started`.

    `at` is the present: only time spent in a live host counts as idle. Entries that no session could have written
    are `JournalError`, which names the first of them.
    """
    if not entries or not isinstance(entries[0], Started):
        raise JournalError("a journal must begin with a started entry")
    try:
        state = SessionState(entries[0], at)
    except msgspec.DecodeError as error:
        raise JournalError(f"entry 0 holds a ctx that is not JSON: {error}") from error
    view = View()
    for number, entry in enumerate(entries[1:], 1):
        try:
            _apply(state, entry, at.mono_s)
        except (TransitionError, FeedError, ValueError) as error:
            raise JournalError(f"entry {number} cannot follow those before it: {error}") from error
        if isinstance(entry, (Paused, Ended)):
            view = entry.view
    state.restore_view(view)
    return state


def _apply(state: SessionState, entry: Entry, mono_s: float) -> None:
    match entry:
        case Answered():
            state.answer(entry, Instant(entry.at_ms, mono_s))
        case Paused():
            state.pause(entry.queries, Instant(entry.at_ms, mono_s))
        case Called() | ChildEnded():
            pass  # requests that the host answered at once: they concern the replay of a strand alone
        case Batch():
            for answer in entry.answers:
                state.answer(answer, Instant(answer.at_ms, mono_s))
        case Ended():
            state.end(entry.state, Instant(entry.at_ms, mono_s))
        case Started():
            raise ValueError("a second started entry")
        case _:
            assert_never(entry)
