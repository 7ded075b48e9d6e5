"""Holds back what is observable until the journal says that its causes are durable.

Guarantees:
- Actions run in the order in which they were added, each after every entry appended before it is durable.
- When a commit fails, the actions that wait are told so, in order, and `on_failure` hears it once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moonward.actors.journal.entries import Entry
    from moonward.actors.journal.store import Store
    from moonward.supervisor.reply import Reply

Action = Callable[[], None]
Failure = Callable[[BaseException], None]


class Outbox:
    """The outbox of one session. Loop thread only."""

    def __init__(self, store: Store, session_id: str, on_failure: Failure) -> None:
        self._store = store
        self._session_id = session_id
        self._on_failure = on_failure
        self._appended = 0
        self._durable = 0
        self._generation = 0
        self._waiting: deque[tuple[int, Action, Failure | None]] = deque()

    def hold(self, start: Reply[None]) -> None:
        """Count the session's start, which somebody else appended, among what has to be durable first."""
        self._appended += 1
        number, generation = self._appended, self._generation
        start.on_set(lambda reply: self._done(generation, number, reply.error))

    @property
    def is_clear(self) -> bool:
        """Whether everything appended is durable and nothing waits."""
        return self._durable == self._appended

    def append(self, entry: Entry, phase: str, *, more: bool = False) -> None:
        """Hand `entry` to the journal; `phase` is the session's phase after it. `more`: see `Store.append`."""
        self._appended += 1
        number, generation = self._appended, self._generation
        self._store.append(
            self._session_id, entry, phase, lambda error: self._done(generation, number, error), more=more
        )

    def then(self, action: Action, on_failure: Failure | None = None, *, hurry: bool = False) -> None:
        """Run `action` once what was appended so far is durable: now, if it is. `hurry`: somebody waits for it."""
        if self._durable == self._appended and not self._waiting:
            action()
        else:
            self._waiting.append((self._appended, action, on_failure))
            if hurry:
                self._store.hurry()

    def _done(self, generation: int, number: int, error: BaseException | None) -> None:
        if generation != self._generation:
            return
        if error is not None:
            self._fail(error)
            return
        self._durable = number
        waiting = self._waiting
        while waiting and waiting[0][0] <= number:
            waiting.popleft()[1]()

    def _fail(self, error: BaseException) -> None:
        self._generation += 1
        self._appended = self._durable = 0
        waiting, self._waiting = self._waiting, deque()
        for _, _, on_failure in waiting:
            if on_failure is not None:
                on_failure(error)
        self._on_failure(error)
