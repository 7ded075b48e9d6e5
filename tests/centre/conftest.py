"""Sessions in any phase, made by the shortest way there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from moonward.actors.journal.entries import Answered, Started
from moonward.actors.query import QuerySpec, TokenUsage
from moonward.actors.session_state import Instant, SessionState
from moonward.actors.terminal import Cancelled, Completed, Failed

START_MS = 1_700_000_000_000


class Driver:
    """A session and a clock in the test's hand."""

    def __init__(self, ctx: Any = None) -> None:
        self.now = Instant(START_MS, 1000.0)
        self.state = SessionState(
            Started("s-1", "return 1", json.dumps(ctx or {}), "5.5", 1, 2, "prelude", START_MS), self.now
        )

    def pass_ms(self, ms: int) -> None:
        """Time passes, on both clocks."""
        self.now = Instant(self.now.wall_ms + ms, self.now.mono_s + ms / 1000)

    def ask(self, *prompts: str | QuerySpec) -> list[str]:
        """Pause with these questions; their ids."""
        specs = [QuerySpec(each) if isinstance(each, str) else each for each in prompts]
        queries = self.state.issue([(None, specs)])
        self.state.pause(queries, self.now)
        return [query.id for query in queries]

    def answer(
        self,
        query_id: str,
        text: str = "yes",
        *,
        usage: TokenUsage | None = None,
        key: str | None = None,
        named: bool = True,
        batch: int = 1,
    ) -> int:
        """Take an answer, now."""
        entry = Answered(query_id, text, self.now.wall_ms, usage, key, named, batch)
        return self.state.answer(entry, self.now)


@pytest.fixture
def session() -> Driver:
    """A session that has just started."""
    return Driver()


@pytest.fixture
def session_with() -> Callable[[Any], Driver]:
    """Makes a session with this ctx."""
    return Driver


@pytest.fixture
def session_in() -> Callable[[str], Driver]:
    """Makes a session in this phase that was asked `q-0`, and has its answer unless it is paused."""

    def make(phase: str) -> Driver:
        driver = Driver()
        driver.ask("first")
        if phase != "paused":
            driver.answer("q-0")
        if phase == "completed":
            driver.state.end(Completed(1), driver.now)
        elif phase == "failed":
            driver.state.end(Failed("boom"), driver.now)
        elif phase == "cancelled":
            driver.state.end(Cancelled("enough"), driver.now)
        assert driver.state.phase == phase
        return driver

    return make
