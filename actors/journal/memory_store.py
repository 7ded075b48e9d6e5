"""A store that keeps journals in this process only: durable at once, gone with the Runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256

from moonward.actors.errors import JournalError, RuntimeClosed, SessionNotFound
from moonward.actors.journal.entries import Entry, Started
from moonward.actors.journal.outline import outline
from moonward.actors.journal.store import (
    ALL,
    TERMINAL,
    Done,
    Entries,
    Ids,
    Note,
    Notes,
    Page,
    Rows,
    SessionRow,
    Told,
    last_time,
)


class _Held:
    """One session."""

    __slots__ = ("entries", "notes", "num", "phase")

    def __init__(self, num: int, entries: Entries) -> None:
        self.num = num
        self.entries = entries
        self.phase = "running"
        self.notes: Notes = []

    def last_ms(self) -> int:
        """Time of the last entry that has one."""
        return next(at_ms for at_ms in map(last_time, reversed(self.entries)) if at_ms)


class MemoryStore:
    """All callbacks come before the call returns. `shut` keeps the session: only `forget` and `prune` free it."""

    is_durable = False

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._contents: dict[str, bytes] = {}
        self._closed = False
        self._count = 0

    def create(self, session_id: str, entry: Started, when_durable: Told | None = None) -> None:
        """See `Store`."""
        self._check_open()
        failure = self._why_not(session_id, [entry.prelude] if entry.prelude else [])
        if failure is None:
            self._hold(session_id, [entry])
        if when_durable is not None:
            when_durable(failure)

    def append(
        self,
        session_id: str,
        entry: Entry,
        phase: str,
        when_durable: Told | None = None,
        *,
        more: bool = False,
    ) -> None:
        """See `Store`."""
        held = self._held.get(session_id)
        if held is None:
            self._check_open()
            raise SessionNotFound(session_id)
        if held.phase in TERMINAL:
            raise JournalError(f"session {session_id!r} has ended; nothing can be added")
        held.entries.append(entry)
        held.phase = phase
        if when_durable is not None:
            when_durable(None)

    def hurry(self) -> None:
        """See `Store`."""

    def restore(self, session_id: str, entries: Entries, done: Told) -> None:
        """See `Store`."""
        try:
            self._check_open()
            found = outline(session_id, entries)
        except (JournalError, RuntimeClosed) as error:
            done(error)
            return
        failure = self._why_not(session_id, found.contents)
        if failure is not None:
            done(failure)
            return
        self._hold(session_id, entries.copy()).phase = found.phase
        done(None)

    def read(self, session_id: str) -> Sequence[Entry]:
        """See `Store`."""
        return self._find(session_id).entries

    def follow(self, session_id: str, told: Told) -> None:
        """See `Store`."""
        self._find(session_id)
        told(None)

    def open(self, session_id: str, done: Done[Entries]) -> None:
        """See `Store`. There is no other host."""
        self.look(session_id, done)

    def shut(self, session_id: str) -> None:
        """See `Store`. Memory is all there is, so the session stays."""

    def look(self, session_id: str, done: Done[Entries]) -> None:
        """See `Store`."""
        try:
            found = self._find(session_id).entries.copy()
        except (SessionNotFound, RuntimeClosed) as error:
            done(None, error)
            return
        done(found, None)

    def forget(self, session_id: str, done: Told | None = None) -> None:
        """See `Store`."""
        held = self._held.pop(session_id, None)
        if done is not None:
            done(None if held is not None else SessionNotFound(session_id))

    def list(self, done: Done[Rows], page: Page = ALL) -> None:
        """See `Store`."""
        rows: Rows = []
        for session_id, held in self._held.items():
            if len(rows) == page.limit:
                break
            if not _is_on(page, held):
                continue
            first = held.entries[0]
            assert isinstance(first, Started)
            alive = held.phase not in TERMINAL
            rows.append(
                SessionRow(
                    session_id,
                    held.phase,
                    first.at_ms,
                    held.last_ms(),
                    alive,
                    first.strategy,
                    len(held.entries),
                    first.user,
                    os.getpid() if alive else None,
                    alive,
                    held.num,
                )
            )
        done(rows, None)

    def prepare(self, done: Told) -> None:
        """See `Store`. Nothing can stand in the way."""
        done(None)

    def adopt(self, done: Done[Ids]) -> None:
        """See `Store`. Nothing outlived an earlier Runtime."""
        done([], None)

    def keep(self, body: bytes) -> str:
        """See `Store`."""
        digest = sha256(body).hexdigest()
        self._contents.setdefault(digest, body)
        return digest

    def content(self, sha256: str, done: Done[bytes]) -> None:
        """See `Store`."""
        body = self._contents.get(sha256)
        done(body, None if body is not None else JournalError(f"no content with SHA-256 {sha256}"))

    def add_note(self, session_id: str, title: str, text: str, at_ms: int, done: Told | None = None) -> None:
        """See `Store`."""
        held = self._held.get(session_id)
        if held is not None:
            held.notes.append(Note(title, text, at_ms))
        if done is not None:
            done(None if held is not None else SessionNotFound(session_id))

    def notes(self, session_id: str, done: Done[Notes]) -> None:
        """See `Store`."""
        held = self._held.get(session_id)
        if held is None:
            done(None, SessionNotFound(session_id))
        else:
            done(held.notes.copy(), None)

    def prune(self, before_ms: int, done: Done[int]) -> None:
        """See `Store`."""
        old = [
            session_id
            for session_id, held in self._held.items()
            if held.phase in TERMINAL and held.last_ms() < before_ms
        ]
        for session_id in old:
            del self._held[session_id]
        done(len(old), None)

    def close(self, timeout_s: float, done: Told) -> None:
        """See `Store`."""
        self._closed = True
        self._held.clear()
        self._contents.clear()
        done(None)

    def _hold(self, session_id: str, entries: Entries) -> _Held:
        self._count += 1
        held = self._held[session_id] = _Held(self._count, entries)
        return held

    def _why_not(self, session_id: str, contents: Sequence[str]) -> JournalError | None:
        if session_id in self._held:
            return JournalError(f"session {session_id!r} exists already")
        for name in contents:
            if name not in self._contents:
                return JournalError(f"no content with SHA-256 {name}: keep it before naming it")
        return None

    def _find(self, session_id: str) -> _Held:
        self._check_open()
        held = self._held.get(session_id)
        if held is None:
            raise SessionNotFound(session_id)
        return held

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeClosed("the journal is closed")


def _is_on(page: Page, held: _Held) -> bool:
    if held.num <= page.after or (page.phases is not None and held.phase not in page.phases):
        return False
    last_ms = held.last_ms()
    return (page.before_ms is None or last_ms < page.before_ms) and (
        page.since_ms is None or last_ms >= page.since_ms
    )
