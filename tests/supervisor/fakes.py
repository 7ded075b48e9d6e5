"""Children that do as they are told, on a loop whose clock is moved by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from moonward.supervisor import (
    Backoff,
    Child,
    ChildSpec,
    DynamicSupervisor,
    EventKind,
    ExitKind,
    ExitReason,
    ManualLoop,
    Reply,
    Restart,
    SupervisionEvent,
    Supervisor,
)
from moonward.supervisor.child import Exited, Ready
from moonward.supervisor.loop import Loop

NORMAL = ExitReason(ExitKind.NORMAL)
SHUTDOWN = ExitReason(ExitKind.SHUTDOWN)
ABNORMAL = ExitReason(ExitKind.ABNORMAL, "boom")
KILLED = ExitReason(ExitKind.KILLED, "killed")
NO_BACKOFF = Backoff(first_s=0.0, max_s=0.0, jitter=0.0)


class FakeChild(Child):
    """A child of a `World`; it counts as running from `begin_start` until it says that it has ended."""

    def __init__(self, world: World, name: str, args: tuple[Any, ...] = ()) -> None:
        self.world = world
        self.name = name
        self.args = args
        self.stop_reason: ExitReason | None = SHUTDOWN
        """How it ends when asked; None: it does not."""
        self.dies_of_kill = True

    def begin_start(self, loop: Loop, ready: Ready, exited: Exited) -> None:
        self.loop, self.ready, self.exited = loop, ready, exited
        self.world.log.append(f"start {self.name}")
        if self.world.failing_starts[self.name] > 0:
            self.world.failing_starts[self.name] -= 1
            raise RuntimeError(f"{self.name} cannot start")
        self.world.up[self.name] = self
        self.stop_reason = self.world.stop_reasons.get(self.name, SHUTDOWN)
        self.dies_of_kill = self.name not in self.world.undying
        if self.name not in self.world.slow_starts:
            ready()

    def begin_stop(self) -> None:
        self.world.log.append(f"stop {self.name}")
        if self.stop_reason is not None:
            self.end(self.stop_reason)

    def kill(self) -> None:
        self.world.log.append(f"kill {self.name}")
        if self.dies_of_kill:
            self.end(KILLED)

    def end(self, reason: ExitReason) -> None:
        """End by itself."""
        if self.world.up.get(self.name) is self:
            del self.world.up[self.name]
            self.exited(reason)

    @property
    def handle(self) -> FakeChild:
        return self


class NamedDynamic(DynamicSupervisor):
    """Passes a child's id to the template, before the other arguments: fake children know their names."""

    def start_child(self, child_id: str, *args: Any, **kwargs: Any) -> Reply[object]:
        return super().start_child(child_id, child_id, *args, **kwargs)


class World:
    """A loop, what happened on it, and how its children are to behave."""

    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.log: list[str] = []
        self.up: dict[str, FakeChild] = {}
        self.failing_starts: dict[str, int] = defaultdict(int)
        self.slow_starts: set[str] = set()
        self.stop_reasons: dict[str, ExitReason | None] = {}
        self.undying: set[str] = set()
        self.events: list[SupervisionEvent] = []
        self.ended: list[BaseException | None] = []

    def spec(self, name: str, restart: Restart = Restart.PERMANENT, **more: Any) -> ChildSpec:
        """A specification of a fake child."""
        return ChildSpec(name, lambda: FakeChild(self, name), restart, **more)

    def supervisor(self, specs: Sequence[ChildSpec | str] = (), **settings: Any) -> Supervisor:
        """A launched supervisor of these; texts are permanent children."""
        settings = {"backoff": NO_BACKOFF, "random": lambda: 0.5, **settings}
        full = [self.spec(spec) if isinstance(spec, str) else spec for spec in specs]
        supervisor = Supervisor(self.loop, full, on_event=self.events.append, **settings)
        supervisor.on_end(lambda _actor, reason: self.ended.append(reason))
        supervisor.launch()
        self.loop.run()
        return supervisor

    def dynamic(self, restart: Restart = Restart.PERMANENT, **settings: Any) -> DynamicSupervisor:
        """A launched dynamic supervisor of fake children."""
        more = {name: settings.pop(name) for name in ("shutdown", "start_timeout_s") if name in settings}
        settings = {"backoff": NO_BACKOFF, "random": lambda: 0.5, **settings}
        template = ChildSpec("template", lambda name, *args: FakeChild(self, name, args), restart, **more)
        supervisor = NamedDynamic(self.loop, template, on_event=self.events.append, **settings)
        supervisor.on_end(lambda _actor, reason: self.ended.append(reason))
        supervisor.launch()
        return supervisor

    def crash(self, name: str, reason: ExitReason = ABNORMAL) -> None:
        """Let a child end by itself, and what follows of it at once."""
        self.up[name].end(reason)
        self.loop.run()

    def value(self, reply: Reply[Any]) -> Any:
        """The outcome of a call that needs no time."""
        self.loop.run()
        return reply.result()

    def lines(self) -> list[str]:
        """What happened since this was asked last."""
        taken, self.log = self.log, []
        return taken

    def told(self, kind: EventKind) -> list[str]:
        """The children of which such an event told."""
        return [event.child for event in self.events if event.kind is kind]

    def exits(self) -> dict[str, ExitReason | None]:
        """The last exit reason told of each child."""
        return {event.child: event.reason for event in self.events if event.kind is EventKind.EXITED}
