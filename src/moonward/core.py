"""What both front doors stand on: builds the tree, gives messages to it, and closes it.

Every reply that is asked for is tracked: when the Runtime closes, or its tree gives up, whoever waits is told.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from moonward.actors import time_travel, tree
from moonward.actors.errors import FeedTimeout, RuntimeClosed, RuntimeFailed, RuntimeUnsupported
from moonward.actors.event_stream import EventStream
from moonward.actors.faults import Faults
from moonward.actors.forked import leave_in_child
from moonward.actors.journal.store import ALL, Page, Store
from moonward.actors.messages import Observe, Waiting
from moonward.actors.registry import new_id
from moonward.actors.services import Services
from moonward.actors.session_state import Instant
from moonward.actors.settings import Settings
from moonward.actors.worker.confine import FULL, facts
from moonward.patience import timed_out
from moonward.supervisor.loop import Loop
from moonward.supervisor.reply import Reply
from moonward.supervisor.supervisor import Supervisor
from moonward.telemetry import host_log
from moonward.wakeups import Wakeups

T = TypeVar("T")

START_S = 30.0
"""Longest start of a Runtime in seconds; arbitrary, far above the tens of milliseconds that it takes."""

BURIAL_S = 0.5
"""Seconds for processes that the end of the tree has left, of a worker pool that had failed; arbitrary: they are
killed after it, and killed processes take milliseconds."""

LOOK_S = 0.5
"""Seconds in which a session is looked at for a wait whose time is up. Arbitrary: reading one that sleeps takes far
less."""


def instant() -> Instant:
    """The one clock of a Runtime."""
    return Instant(int(time.time() * 1000), time.monotonic())


class Core:
    """A running Runtime, without the names."""

    def __init__(
        self,
        settings: Settings | None,
        overrides: Mapping[str, Any],
        *,
        store: Callable[[Loop, Settings], Store] | None = None,
        now: Callable[[], Instant] = instant,
        faults: Faults | None = None,
    ) -> None:
        if not sys.platform.startswith("linux") or not hasattr(os, "pidfd_open"):
            raise RuntimeUnsupported(
                f"moonward runs on Linux with pidfd (5.3 or newer); this is {sys.platform}"
            )
        self.settings = Settings.resolve(settings, overrides, os.environ)
        if self.settings.require_confinement and (offered := facts()["confinement"]) != FULL:
            raise RuntimeUnsupported(
                f"require_confinement is set; workers would be confined by {offered}, not {FULL}"
            )
        self.log = host_log()
        self.epoch = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._waiting: set[Reply[Any]] = set()
        self._end: Callable[[], BaseException] | None = None
        self._closing = False
        self._closed = threading.Event()
        self._pid = os.getpid()
        leave_in_child(self)
        self.wakeups: Wakeups | None = None
        self.loop = Loop("moonward", on_error=self._loop_error)
        self.loop.start()
        try:
            self.services: Services = self._on_loop(lambda reply: self._build(reply, store, now, faults))
            self.root: Supervisor = self._on_loop(self._plant)
        except BaseException:
            self._abandon()
            raise

    def _on_loop(self, work: Callable[[Reply[Any]], None]) -> Any:
        """Run `work` on the loop and wait for its reply."""
        reply: Reply[Any] = Reply()

        def job() -> None:
            try:
                work(reply)
            except BaseException as error:
                reply.fail(error)

        self.loop.post(job)
        if not reply.wait(START_S):
            raise RuntimeFailed(f"the Runtime was not ready within {START_S:g} s")
        return reply.result()

    def _build(
        self,
        reply: Reply[Services],
        store: Callable[[Loop, Settings], Store] | None,
        now: Callable[[], Instant],
        faults: Faults | None,
    ) -> None:
        events = EventStream(self.epoch, self.settings.event_buffer)
        tree.build(self.loop, self.settings, self.log, events, now, store, faults, reply)

    def _plant(self, reply: Reply[Supervisor]) -> None:
        root = tree.plant(self.services)
        root.on_end(lambda actor, reason: self._tree_ended(reason))
        root.launch()
        root.begin_ready(lambda: _complete(reply, root))
        if root.has_ended:
            reply.fail(RuntimeFailed("the supervision tree did not start"))

    def _loop_error(self, error: BaseException) -> None:
        self.log.error("loop.error", error=repr(error), exc_info=error)

    def _tree_ended(self, reason: BaseException | None) -> None:
        def failure() -> RuntimeFailed:
            error = RuntimeFailed(f"the supervision tree gave up: {reason}")
            error.__cause__ = reason
            return error

        if not self._closing:
            self.log.error("runtime.failed", error=str(reason))
            self._fail_all(failure)
            self._close_streams()

    # -- asking -----------------------------------------------------------------------------------------------

    def ask(self, session_id: str, message: Any) -> Reply[Any]:
        """Give `message` to a session; its reply."""
        return self.send((session_id, message), message.reply)

    def tell(self, message: Any) -> Reply[Any]:
        """Give `message` to the registry; its reply."""
        return self.send(message, message.reply)

    def send(self, envelope: Any, reply: Reply[T]) -> Reply[T]:
        """Give `envelope` to the registry, and see that `reply` is settled whatever happens."""
        if self._track(reply):
            services = self.services
            self.loop.post(lambda: services.registry.handle(envelope))
        return reply

    def run(self, work: Callable[[Reply[Any]], None]) -> Reply[Any]:
        """Run `work(reply)` on the loop."""
        reply: Reply[Any] = Reply()

        def job() -> None:
            try:
                work(reply)
            except BaseException as error:
                reply.fail(error)

        if self._track(reply):
            self.loop.post(job)
        return reply

    def _track(self, reply: Reply[Any]) -> bool:
        with self._lock:
            if self._end is None:
                self._waiting.add(reply)
                end = None
            else:
                end = self._end
        if end is not None:
            reply.fail(end())
            return False
        reply.on_set(self._waiting.discard)
        return True

    def wait(self, reply: Reply[T], message: Any = None, timeout_s: float | None = None) -> T:
        """The outcome of `reply`; `FeedTimeout` after `timeout_s` seconds."""
        if not reply.wait(timeout_s):
            error = self.expire(reply, message, timeout_s or 0.0)
            if not reply.wait(LOOK_S):
                reply.fail(error)
        return reply.result()

    def expire(self, reply: Reply[Any], message: Any, timeout_s: float) -> FeedTimeout:
        """Fail `reply` with the error that is given back: a wait once the session was looked at, so that one of no
        seconds is told what it is in."""
        error = timed_out(message, timeout_s)
        if isinstance(message, Waiting):
            message.expire(error)
        else:
            reply.fail(error)
        return error

    def _fail_all(self, error: Callable[[], BaseException]) -> None:
        """Nothing is asked any more. Each caller gets an error of its own: one that is raised again and again would
        grow a traceback that keeps all their frames."""
        with self._lock:
            if self._end is None:
                self._end = error
            waiting, self._waiting = self._waiting, set()
        for reply in list(waiting):  # each leaves the set when it fails
            reply.fail(error())

    def _close_streams(self) -> None:
        self.services.events.close()
        self.services.streams.close()

    # -- everything else --------------------------------------------------------------------------------------

    @property
    def events(self) -> EventStream:
        """The events of all sessions."""
        return self.services.events

    def stream(self, session_id: str) -> Reply[EventStream]:
        """The events of a session."""
        return self.ask(session_id, Observe())

    def list_sessions(self, page: Page = ALL) -> Reply[Any]:
        """Rows of sessions."""
        return self.run(lambda reply: self.services.store.list(tree.settled(reply), page))

    def tree(self) -> Reply[Any]:
        """The supervision tree as plain values."""
        return self.run(lambda reply: _complete(reply, tree.picture(self.root, self.services)))

    def fork(self, session_id: str, at: int) -> Reply[Any]:
        """A new session from a point of an old one."""
        return self.run(lambda reply: time_travel.fork(self.services, session_id, at, new_id(), reply))

    def rehearse(self, session_id: str, code: str | None) -> Reply[Any]:
        """Run a journal again."""
        return self.run(lambda reply: time_travel.rehearse(self.services, session_id, code, reply))

    def export(self, session_id: str, path: Path) -> Reply[Any]:
        """Write a portable file."""
        return self.run(lambda reply: tree.export(self.services, session_id, path, reply))

    def import_(self, path: Path) -> Reply[Any]:
        """Read a portable file."""
        return self.run(lambda reply: tree.import_(self.services, path, reply))

    def add_note(self, session_id: str, title: str, text: str) -> Reply[Any]:
        """Add a remark to a session."""
        at_ms = self.services.now().wall_ms
        return self.run(
            lambda reply: self.services.store.add_note(
                session_id, title, text, at_ms, lambda error: tree.settled(reply)(None, error)
            )
        )

    def notes(self, session_id: str) -> Reply[Any]:
        """The remarks of a session, oldest first."""
        return self.run(lambda reply: self.services.store.notes(session_id, tree.settled(reply)))

    def prune(self, older_than_s: float) -> Reply[Any]:
        """Remove old journals."""
        before_ms = int(self.services.now().wall_ms - older_than_s * 1000)
        return self.run(lambda reply: self.services.store.prune(before_ms, tree.settled(reply)))

    # -- closing ----------------------------------------------------------------------------------------------

    def close(self, timeout_s: float | None) -> None:
        """End everything. Idempotent; a second caller waits for the first."""
        limit_s = self.settings.close_timeout if timeout_s is None else timeout_s
        with self._lock:
            first, self._closing = not self._closing, True
        if not first:
            self._closed.wait(limit_s + 1.0)
            return
        try:
            self._close(limit_s)
        finally:
            self._closed.set()

    def leave(self) -> None:
        """In a process that was forked from the host: every call says so, and closing is done."""
        pid = self._pid
        self._end = lambda: RuntimeClosed(
            f"this Runtime is of process {pid}, from which this process was forked"
        )
        self._lock, self._waiting = threading.Lock(), set()
        self._closing, self._closed = True, threading.Event()
        self._closed.set()
        if hasattr(self, "services"):
            self.services.events.leave()

    def _close(self, limit_s: float) -> None:
        self._fail_all(lambda: RuntimeClosed("the Runtime was closed"))
        deadline_s = time.monotonic() + limit_s
        self.loop.post(lambda: tree.retire(self.services))
        self.loop.post(self._close_streams)
        self.root.stop(limit_s)
        self._dismantle(deadline_s)

    def _dismantle(self, deadline_s: float) -> None:
        """Close what the tree stood on."""
        buried: Reply[None] = Reply()
        self.loop.post(lambda: self.services.estate.close(BURIAL_S, lambda: _complete(buried, None)))
        buried.wait(BURIAL_S + 0.2)
        closed: Reply[None] = Reply()
        left_s = max(0.2, deadline_s - time.monotonic())
        self.loop.post(lambda: self.services.store.close(left_s, lambda error: _complete(closed, None)))
        closed.wait(left_s + 0.2)
        self.services.jobs.close(0.2)
        if self.services.calls.is_used:
            self.services.files.submit(self.services.calls.close, lambda _, error: None)
        self.services.files.close(0.2)
        self.loop.stop(1.0)

    def _abandon(self) -> None:
        """It could not be started, or was interrupted: leave nothing behind."""
        self._closing = True
        if hasattr(self, "services"):
            if hasattr(self, "root"):
                self.root.stop(self.settings.close_timeout)
            self._dismantle(time.monotonic())
        else:
            self.loop.stop()


def _complete(reply: Reply[Any], value: Any) -> None:
    reply.complete(value)
