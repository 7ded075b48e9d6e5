"""A Runtime whose parts can be lost on purpose."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, Literal

from moonward.actors.errors import SessionNotFound
from moonward.actors.services import Services
from moonward.actors.session_actor import SessionActor
from moonward.actors.settings import Settings
from moonward.core import Core
from moonward.runtime import Runtime
from moonward.supervisor.errors import MoonwardError
from moonward.supervisor.loop_actor import LoopActor
from moonward.supervisor.reply import Reply
from moonward.testing.faults import Faults
from moonward.testing.faulty_link import tell

Part = Literal["pool", "sessions", "registry", "reaper"]
"""The parts of the supervision tree that every Runtime has."""


class PartLost(MoonwardError):
    """A part of the tree was ended by a test, as a fault in it would have. Trying again helps."""


class FaultyRuntime(Runtime):
    """A `Runtime` with a plan of `faults`, and with switches to lose each of its parts at once."""

    def __init__(
        self, faults: Faults | None = None, settings: Settings | None = None, **overrides: Any
    ) -> None:
        self.faults = faults if faults is not None else Faults()
        self._core = Core(settings, overrides, faults=self.faults)

    def workers(self, session_id: str) -> dict[str, int]:
        """Process ids of the workers that a session has now, by the name of the strand ("" is its own)."""

        def read(services: Services) -> dict[str, int]:
            engine = _actor(services, session_id).script.engine
            strands = engine.strands() if engine is not None else []
            return {strand.name: strand.pid for strand in strands if strand.pid is not None}

        found: dict[str, int] = self._on_loop(read)
        return found

    def kill_worker(self, session_id: str, strand: str = "") -> bool:
        """SIGKILL to a worker of a session; False when it has none."""
        return self.signal_worker(session_id, signal.SIGKILL, strand)

    def stop_worker(self, session_id: str, strand: str = "") -> bool:
        """SIGSTOP to a worker of a session; False when it has none."""
        return self.signal_worker(session_id, signal.SIGSTOP, strand)

    def continue_worker(self, session_id: str, strand: str = "") -> bool:
        """SIGCONT to a worker of a session; False when it has none."""
        return self.signal_worker(session_id, signal.SIGCONT, strand)

    def signal_worker(self, session_id: str, number: signal.Signals, strand: str = "") -> bool:
        """Send a signal to a worker of a session; False when it has none."""
        pid = self.workers(session_id).get(strand)
        if pid is None:
            return False
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            tell(pidfd, number)
        finally:
            os.close(pidfd)
        return True

    def lose_zygote(self) -> int:
        """SIGKILL to the process that workers are forked from, which takes them all along; its process id."""

        def kill(services: Services) -> int:
            pid: int | None = services.pool.stats()["zygote_pid"]
            if pid is None:
                raise PartLost("there is no zygote now: it is being replaced")
            os.kill(pid, signal.SIGKILL)
            return pid

        killed: int = self._on_loop(kill)
        return killed

    def lose(self, part: Part) -> None:
        """End a part of the supervision tree as a fault in it would: its supervisor has to mend it."""

        def end(_services: Services) -> None:
            actor = self._core.root.lookup(part)
            assert isinstance(actor, LoopActor)
            actor.end(PartLost(f"a test ended the {part}"))

        self._on_loop(end)

    def lose_session(self, session_id: str) -> None:
        """End the actor of a session as a fault in it would."""
        self._on_loop(lambda services: _actor(services, session_id).end(PartLost("a test ended its actor")))

    def _on_loop(self, work: Callable[[Services], Any]) -> Any:
        core = self._core

        def job(reply: Reply[Any]) -> None:
            reply.complete(work(core.services))

        return core.wait(core.run(job))


def _actor(services: Services, session_id: str) -> SessionActor:
    actor = services.registry.actors.get(session_id)
    if actor is None:
        raise SessionNotFound(session_id)
    return actor
