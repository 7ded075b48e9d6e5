"""What a store of journals does, whatever it keeps them in.

Guarantees of every store:
- All methods are called on the loop's thread and do not block it; all callbacks come on the loop's thread.
- Entries of a session are kept in the order of their appends, and callbacks of one session come in that order.
- `when_durable(None)` comes only once the entry, and all of that session before it, would survive what the
  store survives. When a commit fails, every waiting callback of the session is told why, and the entries
  that are not durable are gone from `read`, *before* the first of those callbacks; the next append is welcome.
- A session of a live host is refused to every other (`SessionOwned`); looking is always allowed.

What does not work: `append` from inside a callback that reports a failure, while other callbacks of the same
session are still to come, is fine, but its entry comes after those callbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from moonward.actors.journal.entries import Batch, Called, Entry, Started

T = TypeVar("T")

Told = Callable[[BaseException | None], None]
"""Called with None when it is done, or with what went wrong."""

Done = Callable[[T | None, BaseException | None], None]
"""Called with the outcome and None, or with None and the error."""

Entries = list[Entry]
Ids = list[str]

TERMINAL = frozenset(("completed", "failed", "cancelled"))
"""Phases that nothing follows."""


class SessionRow(msgspec.Struct, frozen=True):
    """One session in a listing. Times are Unix milliseconds; `last_ms` is that of the last entry with a time.

    `owner_alive` says whether a live host has it, this one included (`is_mine`), and `owner_pid` is that host's
    process; a session that has ended has no owner. `user` is who made it, where users are told apart. `num` counts
    up in the order of the starts.
    """

    id: str
    phase: str
    started_ms: int
    last_ms: int
    owner_alive: bool
    strategy: str | None
    entries: int
    user: str | None = None
    owner_pid: int | None = None
    is_mine: bool = False
    num: int = 0


class Page(msgspec.Struct, frozen=True):
    """A part of a listing: at most `limit` sessions behind number `after`, in one of `phases`.

    `before_ms` and `since_ms` bound the time of the last entry with one: before the one, at or after the other.
    """

    after: int = 0
    limit: int | None = None
    phases: tuple[str, ...] | None = None
    before_ms: int | None = None
    since_ms: int | None = None


ALL = Page()


class Note(msgspec.Struct, frozen=True):
    """A remark about a session; `at_ms` is Unix milliseconds."""

    title: str
    text: str
    at_ms: int


Rows = list[SessionRow]
Notes = list[Note]


class Store(Protocol):
    """A store of session journals; see the module for what holds of each."""

    @property
    def is_durable(self) -> bool:
        """Whether sessions outlive the Runtime."""

    def create(self, session_id: str, entry: Started, when_durable: Told | None = None) -> None:
        """Begin a session with its entry 0; it is open, and this host's.

        `when_durable` gets a `JournalError` for an id that is taken, or a prelude that was not kept.
        Raises `JournalError` when the entry cannot be written.
        """

    def append(
        self,
        session_id: str,
        entry: Entry,
        phase: str,
        when_durable: Told | None = None,
        *,
        more: bool = False,
    ) -> None:
        """Add to an open session, which is then in `phase`.

        `more`: another entry of the session is likely to follow at once, and nobody waits for this one alone; a
        store may let it wait a moment, so that both take one commit. See `hurry`.

        Raises `SessionNotFound` when it is not open here, `JournalError` when the entry cannot be written or
        the session has ended; nothing was changed then.
        """

    def hurry(self) -> None:
        """Somebody waits for what was appended with `more`."""

    def restore(self, session_id: str, entries: Entries, done: Told) -> None:
        """Write a whole session at once, or nothing: one that was forked or imported.

        Its phase is what its entries say. It is this host's unless it has ended, and not open.
        `JournalError` for an id that is taken, entries that are no session, or contents that were not kept.
        """

    def read(self, session_id: str) -> Sequence[Entry]:
        """Entries of an open session, durable or on their way; `SessionNotFound` when it is not open here."""

    def follow(self, session_id: str, told: Told) -> None:
        """Hear of what `read` shows now: that all of it is durable, or why some of it was taken back.

        `told` comes once, within the call if everything is durable already; of a failure, before anyone else hears
        of it. `SessionNotFound` when the session is not open here.
        """

    def open(self, session_id: str, done: Done[Entries]) -> None:
        """Load a session and make it this host's.

        `SessionNotFound`; `SessionOwned` when another live host has it; `JournalError`.
        What was on its way for it is durable, or told as failed, before `done`.
        """

    def shut(self, session_id: str) -> None:
        """Drop an open session from memory. It stays in the store, and this host's."""

    def look(self, session_id: str, done: Done[Entries]) -> None:
        """Read the durable entries of any session without changing anything."""

    def forget(self, session_id: str, done: Told | None = None) -> None:
        """Remove a session of this host, or of no live one, for good."""

    def list(self, done: Done[Rows], page: Page = ALL) -> None:
        """Sessions, oldest first: all, or those of a page."""

    def prepare(self, done: Told) -> None:
        """Make ready to write, so that what stands in the way is told now: `JournalError`. Takes no session."""

    def adopt(self, done: Done[Ids]) -> None:
        """Make every session this host's that has not ended and has no live owner; `done` gets their ids.

        Nothing needs this either: `open` takes a session whose owner is dead. It keeps other hosts away from all.
        """

    def keep(self, body: bytes) -> str:
        """Remember a prelude or a module; returns its SHA-256 in hexadecimal.

        It becomes durable together with the first entry that names it.
        """

    def content(self, sha256: str, done: Done[bytes]) -> None:
        """The body with that SHA-256; `JournalError` when it is not there."""

    def add_note(self, session_id: str, title: str, text: str, at_ms: int, done: Told | None = None) -> None:
        """Add a remark to a session; `SessionNotFound`."""

    def notes(self, session_id: str, done: Done[Notes]) -> None:
        """The remarks of a session, oldest first; `SessionNotFound`."""

    def prune(self, before_ms: int, done: Done[int]) -> None:
        """Remove the sessions that ended before `before_ms` (Unix milliseconds); `done` gets how many."""

    def close(self, timeout_s: float, done: Told) -> None:
        """Finish what was appended, then give everything back; other calls are refused from now on.

        `done` comes after every other callback, or with a `JournalError` after `timeout_s` seconds.
        """


def content_of(entry: Entry) -> str | None:
    """SHA-256 of the content that `entry` names, if it names one."""
    if isinstance(entry, Started):
        return entry.prelude or None
    return entry.module if isinstance(entry, Called) else None


def last_time(entry: Entry) -> int:
    """Unix milliseconds of `entry`, or 0 for one without a time."""
    if type(entry) is Batch:
        return max((answer.at_ms for answer in entry.answers), default=0)
    at_ms: int = getattr(entry, "at_ms", 0)
    return at_ms
