"""A Runtime whose journal says "durable" when the test does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import moonward
from moonward.actors.journal.entries import Entry, Started
from moonward.actors.journal.memory_store import MemoryStore
from moonward.actors.journal.store import Told
from moonward.core import Core
from moonward.supervisor.reply import Reply


class HeldStore(MemoryStore):
    """While held, entries are there and not durable. Loop thread."""

    def __init__(self) -> None:
        super().__init__()
        self.is_holding = False
        self._waiting: list[tuple[str, str | None, Told | None]] = []
        self._followers: list[Told] = []

    def create(self, session_id: str, entry: Started, when_durable: Told | None = None) -> None:
        """See `Store`."""
        self._put(
            session_id, None, when_durable, lambda told: MemoryStore.create(self, session_id, entry, told)
        )

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
        before = self._held[session_id].phase if session_id in self._held else "running"
        self._put(
            session_id,
            before,
            when_durable,
            lambda told: MemoryStore.append(self, session_id, entry, phase, told),
        )

    def follow(self, session_id: str, told: Told) -> None:
        """See `Store`."""
        if session_id in {each for each, _, _ in self._waiting}:
            self._followers.append(told)
        else:
            super().follow(session_id, told)

    def _put(
        self, session_id: str, before: str | None, told: Told | None, put: Callable[[Told | None], None]
    ) -> None:
        if not self.is_holding:
            put(told)
            return
        put(None)
        self._waiting.append((session_id, before, told))

    def release(self) -> None:
        """Everything is durable."""
        self.is_holding = False
        waiting, self._waiting = self._waiting, []
        self._tell_followers(None)
        for _, _, told in waiting:
            if told is not None:
                told(None)

    def _tell_followers(self, error: BaseException | None) -> None:
        followers, self._followers = self._followers, []
        for told in followers:
            told(error)

    def lose(self, error: BaseException) -> None:
        """The commit fails: what was not durable is gone, then those who wait are told."""
        self.is_holding = False
        waiting, self._waiting = self._waiting, []
        for session_id, before, _ in reversed(waiting):
            if before is None:
                del self._held[session_id]
            else:
                self._held[session_id].entries.pop()
                self._held[session_id].phase = before
        self._tell_followers(error)
        for _, _, told in waiting:
            if told is not None:
                told(error)


class HeldRuntime(moonward.Runtime):
    """A Runtime with a `HeldStore`."""

    def __init__(self, **overrides: Any) -> None:
        self.store = HeldStore()
        self._core = Core(None, overrides, store=lambda loop, settings: self.store)

    def hold(self) -> None:
        """From now on nothing is durable."""
        self._do(lambda: setattr(self.store, "is_holding", True))

    def release(self) -> None:
        """Everything is."""
        self._do(self.store.release)

    def lose(self, error: BaseException) -> None:
        """Everything since `hold` is lost."""
        self._do(lambda: self.store.lose(error))

    def entries(self, session_id: str) -> int:
        """How many entries of a session there are, durable or not."""
        count: int = self._do(lambda: len(self.store.read(session_id)))
        return count

    def held(self) -> list[str]:
        """The sessions that there are, durable or not."""
        ids: list[str] = self._do(lambda: list(self.store._held))
        return ids

    def _do(self, work: Callable[[], Any]) -> Any:
        def job(reply: Reply[Any]) -> None:
            reply.complete(work())

        return self._core.wait(self._core.run(job))
