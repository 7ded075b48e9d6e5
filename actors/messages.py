"""What a session can be asked. Each message carries the place where its outcome goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from moonward.actors.event_stream import EventStream
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.pending_filter import PendingFilter
from moonward.actors.query import QueryResponse
from moonward.actors.session_state import Instant, SessionState
from moonward.supervisor.reply import Reply

T = TypeVar("T")

Interaction = Accepted | Paused | Finished


class Feed:
    """Answers to pending queries. `shown` are the queries that the caller's handle has been shown, if it keeps that.

    `query_id` is the query of the first answer, as soon as it is known which. `accepted` says whether the answers are
    durable; `withdraw` takes back a feed that nobody has looked at yet.
    """

    __slots__ = ("_lock", "_state", "accepted", "query_id", "reply", "responses", "shown")

    def __init__(self, responses: list[QueryResponse], shown: frozenset[str] | None = None) -> None:
        self.responses = responses
        self.shown = shown
        self.query_id = responses[0].query_id
        self.reply: Reply[Interaction] = Reply()
        self.accepted = False
        self._lock = threading.Lock()
        self._state = "new"

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


class Wait:
    """The current interaction, or the next."""

    __slots__ = ("reply",)

    def __init__(self) -> None:
        self.reply: Reply[Interaction] = Reply()


class WaitForEnd:
    """How the session ended, once it has."""

    __slots__ = ("reply",)

    def __init__(self) -> None:
        self.reply: Reply[Interaction] = Reply()


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
