"""What a session can be asked. Each message carries the place where its outcome goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from moonward.actors.errors import JournalError, SessionRestarting
from moonward.actors.event_stream import EventStream
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.pending_filter import PendingFilter
from moonward.actors.query import QueryResponse
from moonward.actors.session_state import Instant, SessionState
from moonward.supervisor.reply import Reply

T = TypeVar("T")

Interaction = Accepted | Paused | Finished


class FeedReply(Reply[Interaction]):
    """The outcome of a feed. Once its answers are durable, a journal that fails is no refusal any more: what was fed
    is there and is going to be used, only what follows is not known yet."""

    __slots__ = ("accepted",)

    def __init__(self) -> None:
        super().__init__()
        self.accepted = False

    def fail(self, error: BaseException) -> bool:
        """See `Reply`."""
        if self.accepted and isinstance(error, JournalError):
            error = SessionRestarting(
                f"the answer is in the journal, what followed could not be written; try again ({error})"
            )
        return super().fail(error)


class Feed:
    """Answers to pending queries. `shown` are the queries that the caller's handle has been shown, if it keeps that.

    `query_id` is the query of the first answer, as soon as it is known which. `withdraw` takes back a feed that
    nobody has looked at yet.
    """

    __slots__ = ("_lock", "_state", "query_id", "reply", "responses", "shown")

    def __init__(self, responses: list[QueryResponse], shown: frozenset[str] | None = None) -> None:
        self.responses = responses
        self.shown = shown
        self.query_id = responses[0].query_id
        self.reply = FeedReply()
        self._lock = threading.Lock()
        self._state = "new"

    @property
    def accepted(self) -> bool:
        """Whether the answers are durable."""
        return self.reply.accepted

    def take(self) -> bool:
        """Begin to apply it; False if it was withdrawn."""
        with self._lock:
            if self._state == "new":
                self._state = "taken"
            return self._state == "taken"

    def withdraw(self) -> bool:
        """Take it back; False if it is being applied already."""
        with self._lock:
            if self._state == "new":
                self._state = "withdrawn"
            return self._state == "withdrawn"


class Waiting:
    """A wait for what a session comes to. One whose time is up fails once the session was looked at."""

    __slots__ = ("_error", "_lock", "_looked", "reply")

    def __init__(self) -> None:
        self.reply: Reply[Interaction] = Reply()
        self._lock = threading.Lock()
        self._looked = False
        self._error: BaseException | None = None

    def looked(self) -> None:
        """The session was looked at: what it is in is told, unless it is not durable yet."""
        with self._lock:
            self._looked = True
        self._give_up()

    def expire(self, error: BaseException) -> None:
        """Fail with `error` once the session was looked at."""
        with self._lock:
            self._error = error
        self._give_up()

    def _give_up(self) -> None:
        with self._lock:
            error = self._error if self._looked else None
        if error is not None:
            self.reply.fail(error)


class Wait(Waiting):
    """The current interaction, or the next."""

    __slots__ = ()


class WaitForEnd(Waiting):
    """How the session ended, once it has."""

    __slots__ = ()


class Cancel:
    """End the session."""

    __slots__ = ("reason", "reply")

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.reply: Reply[Interaction] = Reply()


class Wake:
    """Have a worker, as a paused session that sleeps has none."""

    __slots__ = ("reply",)

    def __init__(self) -> None:
        self.reply: Reply[None] = Reply()


class Look(Generic[T]):
    """Read from the session's state without changing or waking it."""

    __slots__ = ("read", "reply")

    def __init__(self, read: Callable[[SessionState, Instant], T]) -> None:
        self.read = read
        self.reply: Reply[T] = Reply()


class Observe:
    """The session's stream of events."""

    __slots__ = ("reply",)

    def __init__(self) -> None:
        self.reply: Reply[EventStream] = Reply()


class Snap:
    """A snapshot."""

    __slots__ = ("filter", "history", "reply")

    def __init__(self, filter_: PendingFilter | None, history: bool) -> None:
        self.filter = filter_
        self.history = history
        self.reply: Reply[dict[str, Any]] = Reply()


Message = Feed | Wait | WaitForEnd | Cancel | Wake | Look[Any] | Observe | Snap
