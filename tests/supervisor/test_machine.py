"""A model of a supervisor, driven by random calls, crashes and clock steps beside the real one.

The model is written from the rules, as a list of places and nothing else; it predicts each start and stop, in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from moonward.supervisor import Backoff, EventKind, Restart, Strategy, SupervisionError

from .fakes import ABNORMAL, NORMAL, SHUTDOWN, World

DELAYS = {"first_s": 0.5, "factor": 2.0, "max_s": 4.0, "jitter": 0.0, "stable_s": 10.0}
NAMES = [f"c{number}" for number in range(6)]


@dataclass
class Place:
    """What the model knows of one child."""

    name: str
    restart: Restart
    state: str = "stopped"
    attempt: int = 0
    since_s: float = 0.0
    due: tuple[float, int] = (0.0, 0)
    """When its restart is due, and which one that is: of two at the same time, the one charged first comes first."""


@dataclass
class Model:
    """The rules, in one place."""

    strategy: Strategy
    intensity: int
    period_s: float
    now_s: float = 0.0
    charged: int = 0
    places: list[Place] = field(default_factory=list)
    past: list[float] = field(default_factory=list)
    failing: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    gave_up: bool = False

    def find(self, name: str) -> Place | None:
        return next((place for place in self.places if place.name == name), None)

    def launch(self, place: Place) -> bool:
        self.log.append(f"start {place.name}")
        if self.failing.get(place.name, 0) > 0:
            self.failing[place.name] -= 1
            place.state = "stopped"
            return False
        place.state, place.since_s = "running", self.now_s
        return True

    def stop(self, place: Place) -> None:
        if place.state == "running":
            self.log.append(f"stop {place.name}")
        place.state = "stopped"

    def crash(self, name: str, reason: object) -> None:
        place = self.find(name)
        assert place is not None
        place.state = "stopped"
        clean = reason in (NORMAL, SHUTDOWN)
        if place.restart is Restart.TEMPORARY:
            self.places.remove(place)
        elif place.restart is Restart.PERMANENT or not clean:
            stable = self.now_s - place.since_s >= DELAYS["stable_s"]
            place.attempt = 1 if stable else place.attempt + 1
            self.charge(place, at_once=True)

    def charge(self, place: Place, *, at_once: bool) -> None:
        self.past = [at_s for at_s in self.past if self.now_s - at_s <= self.period_s] + [self.now_s]
        if len(self.past) > self.intensity:
            place.state = "stopped"
            self.gave_up = True
            for other in reversed(self.places):
                self.stop(other)
            return
        self.clear_group(place)
        place.state = "restarting"
        wait_s = 0.0
        if place.attempt > 1:
            wait_s = min(DELAYS["max_s"], DELAYS["first_s"] * DELAYS["factor"] ** (place.attempt - 2))
        if at_once and wait_s == 0.0:
            self.attempt(place)
        else:
            self.charged += 1
            place.due = (self.now_s + wait_s, self.charged)

    def group(self, place: Place) -> list[Place]:
        if self.strategy is Strategy.ONE_FOR_ONE:
            return [place]
        if self.strategy is Strategy.ONE_FOR_ALL:
            return list(self.places)
        return self.places[self.places.index(place) :]

    def clear_group(self, place: Place) -> None:
        for other in reversed(self.group(place)):
            if other is not place:
                self.stop(other)
                if other.restart is Restart.TEMPORARY:
                    self.places.remove(other)

    def attempt(self, place: Place) -> None:
        self.clear_group(place)
        for other in self.group(place):
            if not self.launch(other):
                other.attempt = max(2, other.attempt + 1)
                self.charge(other, at_once=False)
                return

    def advance(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while not self.gave_up:
            due = [place for place in self.places if place.state == "restarting" and place.due[0] <= until_s]
            if not due:
                break
            first = min(due, key=lambda place: place.due)
            self.now_s = max(self.now_s, first.due[0])
            self.attempt(first)
        self.now_s = until_s


class SupervisorMachine(RuleBasedStateMachine):
    """The real one and the model, side by side."""

    @initialize(
        strategy=st.sampled_from(Strategy),
        intensity=st.integers(0, 4),
        period_s=st.sampled_from([1.0, 5.0, 60.0]),
        restarts=st.lists(st.sampled_from(Restart), max_size=4),
    )
    def begin(self, strategy: Strategy, intensity: int, period_s: float, restarts: list[Restart]) -> None:
        self.world = World()
        self.model = Model(strategy, intensity, period_s)
        specs = []
        for name, restart in zip(NAMES, restarts, strict=False):
            specs.append(self.world.spec(name, restart))
            place = Place(name, restart)
            self.model.places.append(place)
            self.model.launch(place)
        self.supervisor = self.world.supervisor(
            specs, strategy=strategy, intensity=intensity, period_s=period_s, backoff=Backoff(**DELAYS)
        )

    def alive(self) -> bool:
        return not self.model.gave_up

    def outcome(self, call: str, *args: object) -> str:
        reply = getattr(self.supervisor, call)(*args)
        self.world.loop.run()
        assert reply.is_set
        assert reply.error is None or isinstance(reply.error, SupervisionError)
        return "ok" if reply.error is None else type(reply.error).__name__

    @precondition(alive)
    @rule(name=st.sampled_from(NAMES), restart=st.sampled_from(Restart))
    def start_child(self, name: str, restart: Restart) -> None:
        held = self.model.find(name)
        if held is not None:
            expected = {"running": "AlreadyStarted", "restarting": "ChildRestarting"}
            wanted = expected.get(held.state, "AlreadyPresent")
        else:
            place = Place(name, restart)
            self.model.places.append(place)
            wanted = "ok"
            if not self.model.launch(place):
                self.model.places.remove(place)
                wanted = "StartFailed"
        assert self.outcome("start_child", self.world.spec(name, restart)) == wanted

    @precondition(alive)
    @rule(name=st.sampled_from(NAMES))
    def terminate_child(self, name: str) -> None:
        place = self.model.find(name)
        if place is not None:
            self.model.stop(place)
            if place.restart is Restart.TEMPORARY:
                self.model.places.remove(place)
        assert self.outcome("terminate_child", name) == ("ChildNotFound" if place is None else "ok")

    @precondition(alive)
    @rule(name=st.sampled_from(NAMES))
    def restart_child(self, name: str) -> None:
        place = self.model.find(name)
        wanted = "ChildNotFound"
        if place is not None:
            wanted = {"running": "ChildRunning", "restarting": "ChildRestarting"}.get(place.state, "ok")
            if wanted == "ok":
                place.attempt = 0
                wanted = "ok" if self.model.launch(place) else "StartFailed"
        assert self.outcome("restart_child", name) == wanted

    @precondition(alive)
    @rule(name=st.sampled_from(NAMES))
    def delete_child(self, name: str) -> None:
        place = self.model.find(name)
        wanted = "ChildNotFound"
        if place is not None:
            wanted = {"running": "ChildRunning", "restarting": "ChildRestarting"}.get(place.state, "ok")
            if wanted == "ok":
                self.model.places.remove(place)
        assert self.outcome("delete_child", name) == wanted

    @precondition(lambda self: self.alive() and bool(self.world.up))
    @rule(data=st.data(), reason=st.sampled_from([NORMAL, SHUTDOWN, ABNORMAL, ABNORMAL]))
    def crash(self, data: st.DataObject, reason: object) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.up)))
        self.model.crash(name, reason)
        self.world.up[name].end(reason)  # type: ignore[arg-type]
        # no loop.run: without time passing, restarts that wait must not have happened

    @precondition(alive)
    @rule(name=st.sampled_from(NAMES), times=st.integers(1, 3))
    def let_starts_fail(self, name: str, times: int) -> None:
        self.model.failing[name] = times
        self.world.failing_starts[name] = times

    @precondition(alive)
    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 4.0, 5.0, 11.0, 61.0]))
    def pass_time(self, seconds: float) -> None:
        self.model.advance(seconds)
        self.world.loop.advance(seconds)

    @precondition(lambda self: not self.alive())
    @rule(call=st.sampled_from(["terminate_child", "restart_child", "delete_child"]))
    def call_after_the_end(self, call: str) -> None:
        self.world.loop.advance(100.0)
        assert self.outcome(call, NAMES[0]) == "SupervisorStopped"

    @invariant()
    def both_agree(self) -> None:
        if not hasattr(self, "world"):
            return
        model, world = self.model, self.world
        assert world.log == model.log
        assert self.supervisor.has_ended == model.gave_up
        assert sorted(world.up) == sorted(place.name for place in model.places if place.state == "running")
        if model.gave_up:
            assert world.up == {}
            assert len(world.told(EventKind.GAVE_UP)) == 1
            return
        reports = [(report.id, report.state.value) for report in self.supervisor.which_children()]
        assert reports == [(place.name, place.state) for place in model.places]
        active = sum(place.state == "running" for place in model.places)
        assert self.supervisor.count_children().active == active


SupervisorMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
test_the_supervisor_does_what_the_model_says = SupervisorMachine.TestCase
