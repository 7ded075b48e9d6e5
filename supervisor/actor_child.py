"""Actors of a loop as children of a supervisor."""

from __future__ import annotations

from moonward.supervisor.child import Child, Exited, Ready
from moonward.supervisor.errors import BadChildSpec
from moonward.supervisor.exits import reason_of_error
from moonward.supervisor.loop import Loop
from moonward.supervisor.loop_actor import LoopActor


class LoopActorChild(Child):
    """Launches an actor, waits for `begin_ready`, and ends it by way of `begin_end`."""

    def __init__(self, actor: LoopActor) -> None:
        self._actor = actor

    def begin_start(self, loop: Loop, ready: Ready, exited: Exited) -> None:
        """Launch the actor; it is ready when `begin_ready` says so, by default at once."""
        if self._actor.loop is not loop:
            raise BadChildSpec(f"{self._actor.name!r} is on another loop than its supervisor")
        self._actor.launch()
        if (
            self._actor.has_ended
        ):  # it ended itself in on_start: its listeners were told before there were any
            exited(reason_of_error(None))
            return
        self._actor.on_end(lambda _actor, error: exited(reason_of_error(error)))
        self._actor.begin_ready(ready)

    def begin_stop(self) -> None:
        """Let the actor finish what it has to, then end it."""
        self._actor.begin_end(lambda: self._actor.end(None))

    def kill(self) -> None:
        """End the actor now."""
        self._actor.kill()

    @property
    def handle(self) -> LoopActor:
        """The actor."""
        return self._actor


def as_child(started: object) -> Child:
    """What a specification's `start` has returned, as a child. Raises `BadChildSpec` for anything else."""
    if isinstance(started, LoopActor):
        return LoopActorChild(started)
    if isinstance(started, Child):
        return started
    raise BadChildSpec(f"start must return a LoopActor that is not launched, or a Child, not {started!r}")
