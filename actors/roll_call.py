"""Asks all sessions that have not ended, and those that have and are still held."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moonward.actors.errors import JournalError
from moonward.actors.journal.store import Page, Rows
from moonward.actors.messages import Look, Snap
from moonward.supervisor.reply import Reply

if TYPE_CHECKING:
    from moonward.actors.services import Services

PAGE = 100
"""Sleeping sessions of one look at the listing; arbitrary."""

AWAKE = ("running", "paused")
"""Phases of sessions that have not ended."""


class RollCall:
    """One question to all; the reply maps ids to outcomes. `make` gives each its message. Loop thread only.

    First those with an actor, then those that sleep, one after the other, so that nothing else waits for long. What
    another live host has is left out.
    """

    def __init__(
        self, services: Services, make: Callable[[], Look[Any] | Snap], reply: Reply[dict[str, Any]]
    ) -> None:
        self._services = services
        self._make = make
        self._reply = reply
        self._outcomes: dict[str, Any] = {}
        self._left = 0

    def begin(self) -> None:
        """Ask."""
        actors = self._services.registry.actors
        self._left = len(actors) + 1
        for session_id, actor in list(actors.items()):
            self._outcomes[session_id] = None  # keeps the order
            message = self._make()
            message.reply.on_set(lambda reply, session_id=session_id: self._awake(session_id, reply))  # type: ignore[misc]
            actor.handle(message)
        self._one_less()

    def _awake(self, session_id: str, reply: Reply[Any]) -> None:
        if reply.error is None:
            self._outcomes[session_id] = reply.result()
        else:
            del self._outcomes[session_id]
        self._one_less()

    def _one_less(self) -> None:
        self._left -= 1
        if self._left:
            return
        if self._services.store.is_durable:
            self._list(0)
        else:
            self._reply.complete(self._outcomes)

    def _list(self, after: int) -> None:
        self._services.store.list(self._listed, Page(after, PAGE, AWAKE))

    def _listed(self, rows: Rows | None, error: BaseException | None) -> None:
        if rows is None:
            self._reply.fail(error or JournalError("the sessions could not be listed"))
        elif not rows:
            self._reply.complete(self._outcomes)
        else:
            ids = [row.id for row in rows if row.is_mine or not row.owner_alive]
            self._ask([each for each in reversed(ids) if each not in self._outcomes], rows[-1].num)

    def _ask(self, ids: list[str], last: int) -> None:
        if self._reply.is_set:  # nobody waits any more
            return
        if not ids:
            self._list(last)
            return
        session_id = ids.pop()

        def came(reply: Reply[Any]) -> None:
            if reply.error is None:
                self._outcomes[session_id] = reply.result()
            self._services.loop.post(lambda: self._ask(ids, last))

        message = self._make()
        message.reply.on_set(came)
        self._services.sleepers.look(session_id, message)
