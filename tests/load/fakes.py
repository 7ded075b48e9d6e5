"""A Runtime in virtual time: each step of a session takes as long as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from moonward.actors.errors import TooManySessions, TransitionError
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.actors.query import LlmQuery, QueryResponse
from moonward.actors.terminal import Cancelled, Completed, TerminalState


class FakeSession:
    """Asks `pauses` times, `width` questions each; an answer takes `answer_s`."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self._runtime = runtime
        self._pauses = runtime.pauses
        self._open = runtime.width
        self.state: TerminalState | None = None

    async def wait(self) -> Paused | Finished:
        await asyncio.sleep(self._runtime.first_s)
        return self._event()

    def _event(self) -> Paused | Finished:
        if self.state is not None:
            return Finished(self.state, {})
        queries = tuple(LlmQuery(f"q-{place}", "?") for place in range(self._runtime.width))
        return Paused(queries)

    async def feed(self, response: QueryResponse) -> Accepted | Paused | Finished:
        if self.state is not None:
            raise TransitionError("paused", self.state.phase)
        self._runtime.answers.append(response.response)
        self._open -= 1
        if self._open:
            return Accepted(self._open)
        await asyncio.sleep(self._runtime.answer_s)
        self._open = self._runtime.width
        self._pauses -= 1
        if not self._pauses:
            self.state = Completed("done")
        return self._event()

    async def cancel(self, reason: str = "") -> Finished:
        if self.state is not None:
            raise TransitionError("running or paused", self.state.phase)
        self.state = Cancelled(reason)
        return Finished(self.state, {})


class FakeRuntime:
    """`start_s`, `first_s` (until the first question) and `answer_s` are seconds; at most `room` sessions ever start."""

    def __init__(
        self,
        *,
        start_s: float = 0.0,
        first_s: float = 0.0,
        answer_s: float = 0.0,
        pauses: int = 1,
        width: int = 1,
        room: int = 1 << 30,
    ) -> None:
        self.start_s = start_s
        self.first_s = first_s
        self.answer_s = answer_s
        self.pauses = pauses
        self.width = width
        self.room = room
        self.sessions: list[FakeSession] = []
        self.answers: list[str] = []

    async def start(
        self, code: str, ctx: Mapping[str, Any] | None, *, packages: Sequence[str]
    ) -> FakeSession:
        if len(self.sessions) >= self.room:
            raise TooManySessions("full")
        self.sessions.append(FakeSession(self))
        session = self.sessions[-1]
        await asyncio.sleep(self.start_s)
        return session
