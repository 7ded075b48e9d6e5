"""A Runtime on a real SQLite journal whose commits can be held up, and made to fail."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from moonward.actors.event_stream import Event
from moonward.actors.journal.sqlite_store import SqliteStore
from moonward.actors.journal.store import Store
from moonward.actors.services import Services
from moonward.actors.session_state import Instant
from moonward.actors.settings import Settings
from moonward.core import Core, instant
from moonward.runtime import Runtime, Session
from moonward.supervisor.loop import Loop
from moonward.supervisor.reply import Reply
from moonward.testing import descendants

T = TypeVar("T")

WAIT_S = 20.0
BUSY_S = 0.02
"""Seconds that a commit waits for a lock: past them it fails."""

LOOK_S = 0.002


class SteeredRuntime(Runtime):
    """`hold` keeps the journal's writer from working, `broken` makes every commit fail, `now` is the clock."""

    def __init__(self, path: Path, *, now: Callable[[], Instant] = instant, **overrides: Any) -> None:
        self.path = path
        overrides.setdefault("data_dir", path.parent / "data")
        self._core = Core(None, {"journal": f"sqlite:///{path}", **overrides}, store=self._store, now=now)

    def _store(self, loop: Loop, settings: Settings) -> Store:
        return SqliteStore(loop, str(self.path), busy_s=BUSY_S)

    @contextmanager
    def hold(self) -> Iterator[threading.Event]:
        """No commit begins until the block ends, or the event is set."""
        gate, held = threading.Event(), threading.Event()

        def wait(desk: object) -> None:
            held.set()
            gate.wait(WAIT_S)

        self.here(lambda services: services.store._work(wait, lambda value, error: None))  # type: ignore[attr-defined]
        assert held.wait(WAIT_S)
        try:
            yield gate
        finally:
            gate.set()

    @contextmanager
    def broken(self) -> Iterator[None]:
        """Every commit fails while this lasts: another program has locked the file."""
        other = sqlite3.connect(self.path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            yield
        finally:
            other.close()

    def here(self, work: Callable[[Services], T]) -> T:
        """Run `work` on the loop."""
        value: T = self._core.wait(
            self._core.run(lambda reply: reply.complete(work(self._core.services))), None, WAIT_S
        )
        return value

    def until(self, holds: Callable[[Services], Any]) -> None:
        """Wait until `holds`, which is asked on the loop again and again."""

        def look(reply: Reply[None]) -> None:
            if holds(self._core.services):
                reply.complete(None)
            elif not reply.is_set:
                self._core.loop.call_later(LOOK_S, lambda: look(reply))

        self._core.wait(self._core.run(look), None, WAIT_S)

    def workers(self) -> set[int]:
        """The processes that run Lua for this Runtime."""
        zygote = self._core.services.pool.stats()["zygote_pid"]
        return descendants(zygote) if zygote is not None else set()

    def actor(self, session_id: str) -> Any:
        """The actor of a session; None when it has none."""
        return self.here(lambda services: services.registry.actors.get(session_id))

    def is_in(self, session_id: str, phase: str) -> None:
        """Wait until the session's actor, whatever is durable, is in `phase`."""

        def there(services: Services) -> bool:
            actor = services.registry.actors.get(session_id)
            return actor is not None and actor.state.phase == phase

        self.until(there)

    def has_entries(self, session_id: str, count: int) -> None:
        """Wait until the session has `count` entries, durable or on their way."""

        def there(services: Services) -> bool:
            return session_id in services.registry.actors and len(services.store.read(session_id)) >= count

        self.until(there)


class Call:
    """A call that blocks, made in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._reply: Reply[Any] = Reply()
        threading.Thread(target=self._run, args=(call,), daemon=True).start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._reply.complete(call())
        except BaseException as error:
            self._reply.fail(error)

    @property
    def is_over(self) -> bool:
        """Whether it has returned or raised."""
        return self._reply.is_set

    def result(self) -> Any:
        """What it returned; raises what it raised."""
        assert self._reply.wait(WAIT_S), "the call did not return"
        return self._reply.result()

    def error(self) -> BaseException | None:
        """What it raised, if it did."""
        assert self._reply.wait(WAIT_S), "the call did not return"
        return self._reply.error


def kept(runtime: Runtime, session_id: str | None = None) -> list[Event]:
    """The events so far."""
    core = runtime._core
    stream = core.services.streams.find(session_id) if session_id else core.services.events
    return stream.read(0)[0] if stream is not None else []


def kinds(runtime: Runtime, session_id: str | None = None) -> list[str]:
    """The kinds of the events so far."""
    return [event.kind for event in kept(runtime, session_id)]


def paused(runtime: Runtime, code: str = "return alc.llm('one?') .. alc.llm('two?')") -> Session:
    """A session that is paused, durably."""
    session = runtime.start(code)
    session.wait(WAIT_S)
    return session
