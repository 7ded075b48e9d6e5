"""The store of journals in a SQLite file: the loop's side. Writing and reading have a thread each.

`strict`: what was told as durable survives a power cut. `relaxed`: it survives the death of the process, but a
power cut may take the last commits, as many as a few megabytes of log hold.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Literal

from moonward.actors.errors import JournalError, RuntimeClosed, SessionNotFound
from moonward.actors.journal import sqlite_reader, sqlite_work
from moonward.actors.journal.codec import encode
from moonward.actors.journal.entries import Called, Entry, Started
from moonward.actors.journal.outline import outline
from moonward.actors.journal.salvage import Report
from moonward.actors.journal.sqlite_append import Append, Held
from moonward.actors.journal.sqlite_file import BUSY_S, INDEX_BITS
from moonward.actors.journal.sqlite_reader import SqliteReader
from moonward.actors.journal.sqlite_writer import Desk, Outcomes, SqliteWriter, Stop, Work
from moonward.actors.journal.store import (
    ALL,
    TERMINAL,
    Done,
    Entries,
    Ids,
    Notes,
    Page,
    Rows,
    Told,
    last_time,
)
from moonward.supervisor.loop import Loop

MORE_S = 0.001
"""Seconds that an entry waits for the one that is likely to follow it: the shortest time that the loop can wait. A
script mostly asks again within 50 µs; a commit takes three times as long."""


class SqliteStore:
    """A journal at `path`, made when something is first written. Nothing is touched before the first call.

    The file is the one that `path` names now, links followed: its locks, its log and what is salvaged lie beside that,
    whatever name another host has for it, and wherever this process goes.

    `on_report` is called, on the loop, when the file was found damaged and was salvaged, or its log cut.
    """

    is_durable = True

    def __init__(
        self,
        loop: Loop,
        path: str,
        *,
        durability: Literal["strict", "relaxed"] = "strict",
        busy_s: float = BUSY_S,
        on_report: Callable[[Report], None] | None = None,
    ) -> None:
        self._loop = loop
        self._path = path = os.path.realpath(path)
        self._open: dict[str, Held] = {}
        self._contents: dict[str, bytes] = {}
        self._writer = SqliteWriter(
            loop,
            path,
            strict=durability == "strict",
            busy_s=busy_s,
            settle=self._settle,
            on_report=on_report or _ignore,
        )
        self._waiting: list[Append] = []
        self._is_timed = False
        self._reader = SqliteReader(loop, path)
        self._writing = False
        self._reading = False
        self._closed = False

    def create(self, session_id: str, entry: Started, when_durable: Told | None = None) -> None:
        """See `Store`."""
        self._check_open()
        body = encode(entry)
        if session_id in self._open:
            if when_durable is not None:
                taken = JournalError(f"session {session_id!r} exists already")
                self._loop.post(partial(when_durable, taken))
            return
        held = Held(session_id, 0, "running", [entry], 0)
        self._open[session_id] = held
        content = (entry.prelude, self._contents.get(entry.prelude)) if entry.prelude else None
        row = (entry.at_ms, entry.strategy, entry.user)
        self._write(Append(held, 0, body, "running", entry.at_ms, 0, when_durable, row, content))

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
        held = self._open.get(session_id)
        if held is None or self._closed:
            self._check_open()
            raise SessionNotFound(session_id)
        if held.phase in TERMINAL:
            raise JournalError(f"session {session_id!r} has ended; nothing can be added")
        entries = held.entries
        index = len(entries)
        if index >> INDEX_BITS:
            raise JournalError(f"session {session_id!r} has {index} entries; there is no room for more")
        body = encode(entry)
        content = None
        if type(entry) is Called and entry.module is not None:
            content = (entry.module, self._contents.get(entry.module))
        entries.append(entry)
        held.phase = phase
        at_ms = last_time(entry)
        item = Append(held, index, body, phase, at_ms, held.edition, when_durable, None, content)
        if more:
            self._wait_for_more(item)
        else:
            self._put(item)

    def hurry(self) -> None:
        """See `Store`."""
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            self._writer.put(item)

    def restore(self, session_id: str, entries: Entries, done: Told) -> None:
        """See `Store`."""
        try:
            self._check_open()
            found = outline(session_id, entries)
            bodies = [encode(entry) for entry in entries]
        except (JournalError, RuntimeClosed) as error:
            self._loop.post(partial(done, error))
            return
        contents = {name: self._contents.get(name) for name in found.contents}
        work = partial(sqlite_work.restore, session_id, found, bodies, contents)
        self._work(work, lambda _, error: done(error))

    def read(self, session_id: str) -> Sequence[Entry]:
        """See `Store`."""
        held = self._open.get(session_id)
        if held is None:
            raise SessionNotFound(session_id)
        return held.entries

    def follow(self, session_id: str, told: Told) -> None:
        """See `Store`."""
        held = self._open.get(session_id)
        if held is None:
            raise SessionNotFound(session_id)
        if held.durable == len(held.entries):
            told(None)
        else:
            held.followers.append((len(held.entries), told))

    def open(self, session_id: str, done: Done[Entries]) -> None:
        """See `Store`."""
        self._work(partial(sqlite_work.claim, session_id), partial(self._claimed, session_id, done))

    def shut(self, session_id: str) -> None:
        """See `Store`."""
        self._open.pop(session_id, None)

    def look(self, session_id: str, done: Done[Entries]) -> None:
        """See `Store`."""
        self._read(partial(sqlite_reader.read_entries, session_id), done)

    def forget(self, session_id: str, done: Told | None = None) -> None:
        """See `Store`."""
        self._open.pop(session_id, None)
        self._work(partial(sqlite_work.forget, session_id), partial(_tell, done))

    def list(self, done: Done[Rows], page: Page = ALL) -> None:
        """See `Store`."""
        self._read(partial(sqlite_reader.read_rows, self._path, page, lambda: self._writer.epoch), done)

    def prepare(self, done: Told) -> None:
        """See `Store`. The work is done when the file is open."""
        self._work(lambda desk: None, partial(_tell, done))

    def adopt(self, done: Done[Ids]) -> None:
        """See `Store`."""
        self._work(sqlite_work.adopt, done)

    def keep(self, body: bytes) -> str:
        """See `Store`. Bodies stay in memory: any session may name them next."""
        digest = sha256(body).hexdigest()
        self._contents.setdefault(digest, body)
        return digest

    def content(self, sha256: str, done: Done[bytes]) -> None:
        """See `Store`."""
        body = self._contents.get(sha256)
        if body is not None:
            self._loop.post(partial(done, body, None))
        else:
            self._read(partial(sqlite_reader.read_content, sha256), done)

    def add_note(self, session_id: str, title: str, text: str, at_ms: int, done: Told | None = None) -> None:
        """See `Store`."""
        self._work(partial(sqlite_work.add_note, session_id, title, text, at_ms), partial(_tell, done))

    def notes(self, session_id: str, done: Done[Notes]) -> None:
        """See `Store`."""
        self._read(partial(sqlite_reader.read_notes, session_id), done)

    def prune(self, before_ms: int, done: Done[int]) -> None:
        """See `Store`. In several transactions, so that sessions under way are not held up."""
        self._prune(before_ms, 0, done)

    def close(self, timeout_s: float, done: Told) -> None:
        """See `Store`."""
        if self._closed:
            self._loop.post(partial(done, None))
            return
        self._closed = True
        closing = _Closing(done)
        late = JournalError(f"the journal {self._path!r} did not finish writing within {timeout_s} s")
        timer = self._loop.call_later(timeout_s, partial(closing.end, late))

        def end(error: BaseException | None) -> None:
            timer.cancel()
            self._open.clear()
            closing.end(error)

        def stop_writer() -> None:
            if self._writing:
                self._put(Stop(end))
            else:
                end(None)

        # The writer last: the last connection to close tidies the log into the file.
        if self._reading:
            self._reader.close(lambda: self._loop.post(stop_writer))
        else:
            stop_writer()

    def _put(self, item: Append | Work | Stop) -> None:
        if self._waiting:
            self.hurry()
        self._writer.put(item)

    def _wait_for_more(self, item: Append) -> None:
        self._waiting.append(item)
        if not self._is_timed:
            self._is_timed = True
            self._loop.call_later(MORE_S, self._more_is_late)

    def _more_is_late(self) -> None:
        self._is_timed = False
        self.hurry()

    def _write(self, item: Append | Work) -> None:
        if not self._writing:
            self._writing = True
            self._writer.start()
        self._put(item)

    def _work(self, run: Callable[[Desk], Any], done: Callable[[Any, BaseException | None], None]) -> None:
        if self._closed:
            self._loop.post(partial(done, None, RuntimeClosed("the journal is closed")))
        else:
            self._write(Work(run, done))

    def _read(self, run: Callable[[Any], Any], done: Callable[[Any, BaseException | None], None]) -> None:
        if self._closed:
            self._loop.post(partial(done, None, RuntimeClosed("the journal is closed")))
            return
        if not self._reading:
            self._reading = True
            self._reader.start()
        self._reader.submit(run, done)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeClosed("the journal is closed")

    def _claimed(
        self,
        session_id: str,
        done: Done[Entries],
        claimed: tuple[int, str, int] | None,
        error: BaseException | None,
    ) -> None:
        """The session is ours: hand out what we have of it, or load it."""
        if claimed is None:
            done(None, error)
            return
        held = self._open.get(session_id)
        if held is not None and (held.num, held.durable) == (claimed[0], claimed[2]):
            done(held.entries.copy(), None)
            return
        self._open.pop(session_id, None)
        self._read(
            partial(sqlite_reader.read_entries, session_id), partial(self._loaded, session_id, done, claimed)
        )

    def _loaded(
        self,
        session_id: str,
        done: Done[Entries],
        claimed: tuple[int, str, int],
        entries: Entries | None,
        error: BaseException | None,
    ) -> None:
        if entries is None:
            done(None, error)
            return
        held = self._open.get(session_id)
        if held is None:
            num, phase, _ = claimed
            held = self._open[session_id] = Held(session_id, num, phase, entries, len(entries))
        done(held.entries.copy(), None)

    def _settle(self, outcomes: Outcomes) -> None:
        """Tell who waits. What failed is taken back before the first of its session is told."""
        for append, failure in outcomes:
            held = append.held
            if failure is None:
                held.durable = append.index + 1
                held.durable_phase = append.phase
            elif append.edition == held.edition:
                held.edition += 1
                held.phase = held.durable_phase
                del held.entries[held.durable :]
                if not held.durable:
                    self._drop(held)  # it never began
            if held.followers:
                self._tell_followers(held, failure)
            if append.told is not None:
                self._tell(append.told, failure)

    def _tell_followers(self, held: Held, failure: BaseException | None) -> None:
        followers, held.followers = held.followers, []
        for count, told in followers:
            if failure is not None or count <= held.durable:
                self._tell(told, failure)
            else:
                held.followers.append((count, told))

    def _tell(self, told: Told, failure: BaseException | None) -> None:
        try:
            told(failure)
        except Exception as error:  # one listener must not cost the others their outcome
            self._loop.post(partial(_raise, error))

    def _drop(self, held: Held) -> None:
        if self._open.get(held.session_id) is held:
            del self._open[held.session_id]

    def _prune(self, before_ms: int, total: int, done: Done[int]) -> None:
        def pruned(count: int | None, error: BaseException | None) -> None:
            if count:
                self._prune(before_ms, total + count, done)
            else:
                done(total if error is None else None, error)

        self._work(partial(sqlite_work.prune_some, before_ms), pruned)


class _Closing:
    """Tells the end of a store once."""

    def __init__(self, done: Told) -> None:
        self._done: Told | None = done

    def end(self, error: BaseException | None) -> None:
        """The first outcome counts."""
        done, self._done = self._done, None
        if done is not None:
            done(error)


def _ignore(report: Report) -> None:
    """What is missing stays in the notes of the sessions."""


def _tell(done: Told | None, _: object, error: BaseException | None) -> None:
    if done is not None:
        done(error)


def _raise(error: BaseException) -> None:
    raise error
