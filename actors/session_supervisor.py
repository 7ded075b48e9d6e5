"""The supervisor of all session actors: a restart budget for each session, never a shared one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from moonward.actors.errors import SessionRestarting
from moonward.actors.journal.entries import Ended, Paused, View
from moonward.actors.session_actor import SessionActor
from moonward.actors.terminal import Failed
from moonward.supervisor.child_spec import ChildSpec, Restart
from moonward.supervisor.dynamic_supervisor import DynamicSupervisor
from moonward.supervisor.errors import MoonwardError
from moonward.supervisor.event import OnEvent
from moonward.supervisor.exits import ExitReason
from moonward.supervisor.report import ChildState

if TYPE_CHECKING:
    from moonward.actors.services import Services
    from moonward.actors.worker_pool import ReadyWorker


class Birth:
    """How a session actor begins the first time; a restarted one finds everything in the journal."""

    def __init__(self, ready: ReadyWorker | None, asleep: bool) -> None:
        self._ready = ready
        self._asleep = asleep

    def take(self) -> tuple[ReadyWorker | None, bool]:
        """The worker to adopt, if any, and whether to begin asleep; only the first time."""
        ready, self._ready = self._ready, None
        asleep, self._asleep = self._asleep, False
        return ready, asleep


class SessionSupervisor(DynamicSupervisor):
    """The dynamic supervisor of a Runtime's sessions."""

    def __init__(self, services: Services, on_event: OnEvent | None = None) -> None:
        settings = services.settings
        self._services = services
        super().__init__(
            services.loop,
            ChildSpec("session", self._make, Restart.TRANSIENT),
            name="sessions",
            intensity=settings.restart_intensity,
            period_s=settings.restart_period,
            on_event=on_event,
            on_parked=self._parked,
        )

    def on_start(self) -> None:
        """Take in the sessions of a predecessor that failed."""
        orphans, self._services.orphans = self._services.orphans, {}
        for session_id, asleep in orphans.items():
            try:
                self.add(session_id, asleep=asleep)
            except MoonwardError as error:
                self._services.log.error("session.lost", session_id=session_id, error=str(error))
        super().on_start()

    def on_ended(self, reason: BaseException | None) -> None:
        """Leave the sessions to a successor, unless the Runtime closes."""
        if not self._services.is_closing:
            self._services.orphans |= {slot.id: _sleeps(slot.handle) for slot in self._slots.values()}
        super().on_ended(reason)

    def _make(self, session_id: str, birth: Birth) -> SessionActor:
        ready, asleep = birth.take()
        return SessionActor(self._services, session_id, ready=ready, asleep=asleep)

    def add(
        self,
        session_id: str,
        *,
        ready: ReadyWorker | None = None,
        asleep: bool = False,
    ) -> None:
        """Give an open journal its actor, now. Raises what its start raises, or `SessionRestarting`. Loop thread."""
        self.check_serving()
        reply = self.start_child(session_id, session_id, Birth(ready, asleep))
        if reply.is_set and reply.error is not None:
            raise reply.error

    def check_serving(self) -> None:
        """Raise `SessionRestarting` when this supervisor has ended, and another one is to come."""
        if self.has_ended:
            raise SessionRestarting("the supervisor of the sessions is being restarted; try again")

    def remove(self, session_id: str) -> None:
        """End an actor and forget its budget. Harmless if there is none. Loop thread."""
        if session_id in self._slots:
            self.terminate_child(session_id)

    def actors(self) -> Iterator[SessionActor]:
        """The actors that run. Loop thread."""
        for slot in self._slots.values():
            if isinstance(slot.handle, SessionActor) and not slot.handle.has_ended:
                yield slot.handle

    def is_restarting(self, session_id: str) -> bool:
        """Whether the session's actor waits for its next start. Loop thread."""
        if session_id in self._services.orphans:
            return True
        slot = self._slots.get(session_id)
        return slot is not None and slot.state in (ChildState.RESTARTING, ChildState.STARTING)

    def _parked(self, session_id: str, reason: ExitReason) -> None:
        """An actor failed once too often: its session ends, and is held by a new actor that only tells so."""
        self._services.log.error("session.given_up", session_id=session_id, reason=str(reason))
        self.forget(session_id)
        services = self._services
        try:
            entries = services.store.read(session_id)
            if isinstance(entries[-1], Ended):
                self.add(session_id)
                return
            now = services.now()
            view = next((each.view for each in reversed(entries) if isinstance(each, Paused)), View())
            state = Failed(f"the session's actor failed too often: {reason}", "internal")
            services.store.append(session_id, Ended(state, now.wall_ms, view), state.phase)
            self.add(session_id)
            data = {"phase": state.phase, "state": state}
            services.registry.actors[session_id].tell_all("finished", data, now)
        except MoonwardError as error:
            services.log.error("session.lost", session_id=session_id, error=str(error))


def _sleeps(actor: object) -> bool:
    """Whether a session waits for answers without a worker."""
    return isinstance(actor, SessionActor) and bool(actor.state.pending) and not actor.has_worker
