"""moonward: a session that asks, in a confined process of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.peers.peer import DIGITS, LostError, Peer
from benchmarks.row import wait_until_warm
from benchmarks.script import ANSWER, QUESTION
from moonward import AsyncRuntime, MoonwardError, Paused, Runtime
from moonward.aio import AsyncSession
from moonward.runtime import Session
from moonward.testing import FaultyRuntime

CODE = f"""
local number = 0
while true do
  number = number + 1
  alc.llm(string.format("{QUESTION.replace(DIGITS, "%05d")}", number))
end
"""


class InMemory(Peer):
    """Sessions in a memory journal."""

    packages: ClassVar[tuple[str, ...]] = ("moonward", "lupa")
    unit: ClassVar[str] = "a session: Lua in a confined process of its own"

    def __init__(self) -> None:
        self._kind: type[Runtime] = Runtime
        self._settings: dict[str, Any] = {}
        self._runtime: Any = None

    def journal(self, folder: Path) -> str:
        """Where sessions are kept."""
        return "memory:"

    def expect_losses(self) -> None:
        """A Runtime that says where its workers are."""
        self._kind = FaultyRuntime

    def open(self, folder: Path) -> None:
        """Open the Runtime; the journal is strict, as it is unless told otherwise."""
        self._settings = {"journal": self.journal(folder), "data_dir": folder}
        self._runtime = self._kind(**self._settings)

    def close(self) -> None:
        """Close it."""
        self._runtime.close()

    def ready(self) -> None:
        """Wait for the warm workers."""
        wait_until_warm(self._runtime)

    def start(self) -> tuple[Session, str]:
        """Start a session, wait for its question."""
        session = self._runtime.start(CODE)
        return session, asked(session.wait())

    def answer(self, unit: Session, text: str) -> str:
        """Feed."""
        return asked(unit.feed(text))

    def discard(self, unit: Session) -> None:
        """Cancel."""
        unit.cancel()

    def name_of(self, unit: Session) -> str:
        """Its id."""
        return unit.id

    def worker(self, unit: Session) -> int | None:
        """Its worker."""
        pid: int = self._runtime.workers(unit.id)[""]
        return pid

    def rate(self, units: Sequence[Session], seconds: float) -> float:
        """By a task for each, of an `AsyncRuntime` beside the one that is open: the way to hold many sessions."""
        return asyncio.run(self._rate(len(units), seconds))

    async def _rate(self, count: int, seconds: float) -> float:
        done = [0] * count
        enough = asyncio.Event()
        # a host of its own: two Runtimes share no journal file without leases to wait for
        settings = {**self._settings, "data_dir": self._settings["data_dir"] / "many"}
        settings["data_dir"].mkdir()
        async with AsyncRuntime(**{**settings, "journal": self.journal(settings["data_dir"])}) as runtime:
            sessions = [await runtime.start(CODE) for _ in range(count)]
            for session in sessions:
                await session.wait()

            async def keep_busy(place: int, session: AsyncSession) -> None:
                while not enough.is_set():
                    await session.feed(ANSWER)
                    done[place] += 1

            async with asyncio.TaskGroup() as group:
                for place, session in enumerate(sessions):
                    group.create_task(keep_busy(place, session))
                begin_s = time.perf_counter()
                await asyncio.sleep(seconds)
                total, took_s = sum(done), time.perf_counter() - begin_s
                enough.set()
            return total / took_s


class OnDisk(InMemory):
    """Sessions in a SQLite journal, each answer on the disk before it is acknowledged."""

    def journal(self, folder: Path) -> str:
        """A file."""
        return f"sqlite:///{folder}/journal.db"

    def resume(self, name: str) -> tuple[Session, str]:
        """The session of the journal."""
        session = self._runtime.session(name)
        try:
            return session, asked(session.wait(30))
        except MoonwardError as error:
            raise LostError(f"{type(error).__name__}: {error}") from None


def asked(event: object) -> str:
    """The question of a pause."""
    if not isinstance(event, Paused):
        raise LostError(f"expected a question, got {event}")
    return event.queries[0].prompt
