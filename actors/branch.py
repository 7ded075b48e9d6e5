"""The beginning of a session that takes another one's past."""

from __future__ import annotations

import msgspec

from moonward.actors.errors import SettingsError
from moonward.actors.journal.entries import Ended, Entry, Started


def branch(entries: list[Entry], at: int, session_id: str) -> list[Entry]:
    """A copy of `entries` up to and including number `at`, for another session.

    The copy keeps the original's start: its clock readings count from there.
    """
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < len(entries):
        raise SettingsError(f"at must be the number of an entry, 0 to {len(entries) - 1}, got {at!r}")
    if isinstance(entries[at], Ended):
        raise SettingsError(f"entry {at} is the end of the session; fork before it, at {at - 1} or less")
    started = entries[0]
    assert isinstance(started, Started)
    first = msgspec.structs.replace(
        started, session_id=session_id, forked_from=started.session_id, forked_at=at
    )
    return [first, *entries[1 : at + 1]]
