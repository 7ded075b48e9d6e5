"""The one thread of a host that writes its SQLite journal.

It takes everything that is queued, commits the appends among it as one transaction, and posts the outcomes to
the loop; nothing waits for more to come. Other work (claims, notes, removal) runs between, in order, in
transactions of its own.

Guarantees:
- Outcomes are posted in the order in which the work was put.
- After a failed commit, what was appended to the same session before it was told is not written.
- The journal file that outcomes speak of is the one at its path: a file that was moved away fails the commit.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from moonward.actors.errors import JournalError
from moonward.actors.journal.host_lock import HostLock, anyone_lives
from moonward.actors.journal.salvage import Report, examine, salvage_if_damaged
from moonward.actors.journal.sqlite_append import MAX_GROUP, Append, prepare, write_group
from moonward.actors.journal.sqlite_file import (
    Damaged,
    check_through,
    explained,
    hosts_path,
    open_for_writing,
    transaction,
)
from moonward.supervisor.loop import Loop

CHECKPOINT_BYTES = 4 << 20
"""Log written between two checkpoints: SQLite's own default of 1000 pages."""

Outcomes = list[tuple[Append, BaseException | None]]
Settle = Callable[[Outcomes], None]
OnReport = Callable[[Report], None]


class Desk:
    """What work of the writer has at hand: the connection, this host's epoch, and who is alive."""

    __slots__ = ("connection", "epoch", "locks", "path")

    def __init__(self, connection: sqlite3.Connection, epoch: int, locks: HostLock, path: str) -> None:
        self.connection = connection
        self.epoch = epoch
        self.locks = locks
        self.path = path


class Work(msgspec.Struct):
    """A transaction that is not an append."""

    run: Callable[[Desk], Any]
    done: Callable[[Any, BaseException | None], None]


class Stop(msgspec.Struct):
    """Give everything back and end the thread."""

    done: Callable[[BaseException | None], None]


class SqliteWriter:
    """`settle` gets the outcomes of appends, on the loop. `on_report`, on the loop, what a salvage found.

    `epoch` is this host's number; 0 before the journal was opened.
    """

    def __init__(
        self, loop: Loop, path: str, *, strict: bool, busy_s: float, settle: Settle, on_report: OnReport
    ) -> None:
        self._loop = loop
        self._path = path
        self._strict = strict
        self._busy_s = busy_s
        self._settle = settle
        self._on_report = on_report
        self._queue: SimpleQueue[Append | Work | Stop] = SimpleQueue()
        self.put = self._queue.put
        self._desk: Desk | None = None
        self._locks: HostLock | None = None
        self.epoch = 0
        self._inode = (0, 0)
        self._log_bytes = 0
        self._thread = threading.Thread(target=self._run, name="moonward-journal", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def _run(self) -> None:
        while True:
            batch: list[Append | Work | Stop] = [self._queue.get()]
            try:
                while len(batch) < MAX_GROUP:
                    batch.append(self._queue.get_nowait())
            except Empty:
                pass
            if self._handle(batch):
                return

    def _handle(self, batch: list[Append | Work | Stop]) -> bool:
        """Do `batch` in order; True at its end."""
        appends: list[Append] = []
        for item in batch:
            if type(item) is Append:
                appends.append(item)
                continue
            if appends:
                self._append(appends)
                appends = []
            if type(item) is Stop:
                self._close()
                self._loop.post(partial(item.done, None))
                return True
            assert type(item) is Work
            self._work(item)
        if appends:
            self._append(appends)
        if self._log_bytes >= CHECKPOINT_BYTES:
            self._checkpoint()
        return False

    def _append(self, appends: list[Append]) -> None:
        outcomes: Outcomes = []
        fresh: list[Append] = []
        for append in appends:
            held = append.held
            if append.edition <= held.broken:
                outcomes.append((append, held.failure))
            else:
                fresh.append(append)
        if fresh:
            failures = self._commit(fresh)
            for append, failure in zip(fresh, failures, strict=True):
                if failure is not None:
                    append.held.broken = append.edition
                    append.held.failure = failure
                outcomes.append((append, failure))
        self._loop.post(partial(self._settle, outcomes))

    def _commit(self, appends: list[Append]) -> list[BaseException | None]:
        try:
            desk = self._ready()
            failures = write_group(desk.connection, self._path, desk.epoch, appends)
        except Exception as error:  # whatever it is, those who wait must be told
            self._after(error)
            return [error] * len(appends)
        # A page of each session's entries and of the list of sessions, and the bodies.
        self._log_bytes += sum(len(append.body) + 4096 for append in appends)
        return failures

    def _work(self, work: Work) -> None:
        try:
            desk = self._ready()
            with explained(self._path):
                outcome, failure = work.run(desk), None
        except Exception as error:
            self._after(error)
            outcome, failure = None, error
        self._log_bytes += 4096
        self._loop.post(partial(work.done, outcome, failure))

    def _ready(self) -> Desk:
        """The open journal, opened if need be; an error when its file is not in its place."""
        if self.epoch and self._look_at_file() != self._inode:
            self._shut()
            raise JournalError(f"the journal {self._path!r} was replaced by another file while it was in use")
        if self._desk is None:
            self._desk = self._open()
            self._inode = self._look_at_file()
        return self._desk

    def _look_at_file(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise JournalError(
                f"the journal {self._path!r} is not there any more: {error.strerror}"
            ) from error
        return found.st_dev, found.st_ino

    def _open(self) -> Desk:
        try:
            connection = self._open_sound()
        except Damaged:
            if self.epoch:  # sessions of this host are under way; what they know must not change under them
                raise
            report = salvage_if_damaged(self._path)
            if report is not None:
                self._report(report)
            connection = self._open_sound()
        try:
            if self._locks is None:
                self._locks = HostLock(hosts_path(self._path))
            if not self.epoch:
                self.epoch = _new_epoch(connection, self._path, self._locks)
                self._locks.hold(self.epoch)
            with explained(self._path):
                prepare(connection, self.epoch)
        except BaseException:
            connection.close()
            raise
        return Desk(connection, self.epoch, self._locks, self._path)

    def _open_sound(self) -> sqlite3.Connection:
        missing: list[str] = []
        if not self.epoch and not anyone_lives(hosts_path(self._path)):
            missing = examine(self._path)
        connection = open_for_writing(self._path, strict=self._strict, busy_s=self._busy_s)
        try:
            if not self.epoch:
                check_through(connection, self._path)
        except BaseException:
            connection.close()
            raise
        if missing:
            self._report(Report(self._path, "", 0, 0, missing))
        return connection

    def _report(self, report: Report) -> None:
        self._loop.post(partial(self._on_report, report))

    def _after(self, error: Exception) -> None:
        """Open the file anew after errors that the connection may not get over."""
        cause = error.__cause__
        if isinstance(cause, sqlite3.Error):
            name = getattr(cause, "sqlite_errorname", None) or ""
            if not name.startswith(("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_CONSTRAINT")):
                self._shut()

    def _checkpoint(self) -> None:
        """Move the log into the file, and begin the log anew.

        Anew at once, by a commit that says nothing: a log whose pages are in the file already would, if it
        were cut, hide what is newer in the file.
        """
        self._log_bytes = 0
        try:
            desk = self._ready()
            desk.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            desk.connection.execute("UPDATE hosts SET pid=pid WHERE epoch=?", (desk.epoch,))
        except (sqlite3.Error, JournalError):
            pass  # the log stays longer; whatever is wrong will be told by the next commit

    def _shut(self) -> None:
        desk, self._desk = self._desk, None
        if desk is not None:
            try:
                desk.connection.close()
            except sqlite3.Error:
                pass  # nothing of it is waited for

    def _close(self) -> None:
        self._shut()
        if self._locks is not None:
            self._locks.close()


def _new_epoch(connection: sqlite3.Connection, path: str, locks: HostLock) -> int:
    """A number that no host of this journal has had; dead hosts that own nothing are forgotten."""
    with transaction(connection, path):
        known = [row[0] for row in connection.execute("SELECT epoch FROM hosts")]
        dead = [(epoch,) for epoch in known if not locks.is_alive(epoch)]
        connection.executemany("DELETE FROM hosts WHERE epoch=?", dead)
        epoch = connection.execute("INSERT INTO hosts(pid) VALUES (?)", (os.getpid(),)).lastrowid
    assert epoch is not None
    return epoch
