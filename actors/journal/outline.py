"""What a list of sessions shows of one, from its entries alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from moonward.actors.errors import JournalError
from moonward.actors.journal.entries import Answered, Batch, Ended, Entry, Paused, Started
from moonward.actors.journal.store import content_of, last_time


class Outline(msgspec.Struct, frozen=True):
    """Times are Unix milliseconds; `contents` are the SHA-256 of the bodies that the entries name, in order."""

    phase: str
    started_ms: int
    last_ms: int
    strategy: str | None
    user: str | None
    contents: list[str]


def outline(session_id: str, entries: Sequence[Entry]) -> Outline:
    """The outline of a session; `JournalError` when `entries` cannot be the entries of `session_id`."""
    first = entries[0] if entries else None
    if not isinstance(first, Started):
        raise JournalError(f"session {session_id!r} does not begin with its start")
    if first.session_id != session_id:
        raise JournalError(f"these are the entries of session {first.session_id!r}, not of {session_id!r}")
    phase = "running"
    pending: set[str] = set()
    for index, entry in enumerate(entries):
        if phase not in ("running", "paused"):
            raise JournalError(f"session {session_id!r} goes on after its end, at entry {index}")
        if isinstance(entry, Started) and index:
            raise JournalError(f"session {session_id!r} starts again at entry {index}")
        if isinstance(entry, Paused):
            pending.update(query.id for query in entry.queries)
        elif isinstance(entry, Answered):
            pending.discard(entry.query_id)
        elif isinstance(entry, Batch):
            pending.difference_update(answer.query_id for answer in entry.answers)
        phase = entry.state.phase if isinstance(entry, Ended) else "paused" if pending else "running"
    named = dict.fromkeys(name for name in map(content_of, entries) if name is not None)
    last_ms = max(map(last_time, entries))
    return Outline(phase, first.at_ms, last_ms, first.strategy, first.user, list(named))
