"""Holds back what is observable until the journal says that its causes are durable.

Guarantees:
- Actions run in the order in which they were added, each after every entry appended before it is durable.
- When a commit fails, `on_failure` hears it, once, and then the actions that wait are told so, in order.
- An action that raises keeps no other from being run; what it raised is raised when all have run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moonward.actors.journal.entries import Entry
    from moonward.actors.journal.store import Store

Action = Callable[[], object]
Failure = Callable[[BaseException], object]


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

    @property
    def is_clear(self) -> bool:
        """Whether everything appended is durable and nothing waits."""
        return self._durable == self._appended and not self._waiting

    @property
    def is_begun(self) -> bool:
        """Whether what there was at first is durable, the session's start at the least."""
        return self._durable > 0 or self._appended == 0

    def follow(self) -> None:
        """Count what is in the journal already, but perhaps not durable, among the entries."""
        self._appended += 1
        number, generation = self._appended, self._generation
        self._store.follow(self._session_id, lambda error: self._done(generation, number, error))

    def append(self, entry: Entry, phase: str, *, more: bool = False) -> None:
        """Hand `entry` to the journal; `phase` is the session's phase after it. `more`: see `Store.append`."""
        self._appended += 1
        number, generation = self._appended, self._generation
        self._store.append(
            self._session_id, entry, phase, lambda error: self._done(generation, number, error), more=more
        )

    def then(self, action: Action, on_failure: Failure | None = None, *, hurry: bool = False) -> None:
        """Run `action` once what was appended so far is durable: now, if it is. `hurry`: somebody waits for it."""
        if self.is_clear:
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
        waiting, raised = self._waiting, None
        while waiting and waiting[0][0] <= number:
            try:
                waiting.popleft()[1]()
            except Exception as error:
                raised = raised or error
        if raised is not None:
            raise raised

    def _fail(self, error: BaseException) -> None:
        self._generation += 1
        self._appended = self._durable = 0
        waiting, self._waiting = self._waiting, deque()
        self._on_failure(error)
        for _, _, on_failure in waiting:
            if on_failure is not None:
                on_failure(error)
