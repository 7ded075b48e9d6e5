"""A model of a dynamic supervisor, driven beside the real one: a budget for each child, and nobody notices another.

The model keeps, for each child, where it is and what was charged for it; it predicts each start and stop, in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from moonward.supervisor import Backoff, EventKind, Restart, SupervisionError

from .fakes import ABNORMAL, NORMAL, SHUTDOWN, World

FIRST_S, FACTOR, MOST_S, STABLE_S = 0.5, 2.0, 4.0, 10.0
BACKOFF = Backoff(first_s=FIRST_S, factor=FACTOR, max_s=MOST_S, jitter=0.0, stable_s=STABLE_S)
NAMES = [f"c{number}" for number in range(4)]


@dataclass
class Account:
    """What was charged for one child."""

    past: list[float] = field(default_factory=list)
    attempt: int = 0
    last_s: float = float("-inf")


@dataclass
class Place:
    """One child that is held."""

    name: str
    state: str = "running"
    due: tuple[float, int] = (0.0, 0)
    """When its restart is due, and which one that is: of two at the same time, the one charged first comes first."""
    restarts: int = 0


class Model:
    """The rules, in one place."""

    def __init__(self, restart: Restart, intensity: int, period_s: float) -> None:
        self.restart = restart
        self.intensity = intensity
        self.period_s = period_s
        self.now_s = 0.0
        self.charged = 0
        self.places: dict[str, Place] = {}
        self.accounts: dict[str, Account] = {}
        self.failing: dict[str, int] = {}
        self.log: list[str] = []
        self.parked: list[str] = []

    def launch(self, name: str) -> bool:
        self.log.append(f"start {name}")
        if self.failing.get(name, 0) > 0:
            self.failing[name] -= 1
            return False
        return True

    def drop(self, name: str) -> None:
        self.places.pop(name, None)
        self.accounts.pop(name, None)

    def charge(self, name: str) -> float | None:
        account = self.accounts.setdefault(name, Account())
        past = [at_s for at_s in account.past if self.now_s - at_s <= self.period_s] + [self.now_s]
        if len(past) > self.intensity:
            return None
        account.past = past
        account.attempt = 1 if self.now_s - account.last_s >= STABLE_S else account.attempt + 1
        wait_s = 0.0
        if account.attempt > 1:
            wait_s = min(MOST_S, FIRST_S * FACTOR ** (account.attempt - 2))
        account.last_s = self.now_s + wait_s
        return wait_s

    def restart_of(self, place: Place, *, at_once: bool) -> None:
        wait_s = self.charge(place.name)
        place.restarts += 1
        if wait_s is None:
            place.state = "parked"
            self.parked.append(place.name)
            return
        place.state = "restarting"
        self.charged += 1
        place.due = (self.now_s + wait_s, self.charged)
        if at_once and wait_s == 0.0:
            self.attempt(place)

    def attempt(self, place: Place) -> None:
        if self.launch(place.name):
            place.state = "running"
        else:
            self.restart_of(place, at_once=False)

    def advance(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while True:
            due = [p for p in self.places.values() if p.state == "restarting" and p.due[0] <= until_s]
            if not due:
                break
            first = min(due, key=lambda place: place.due)
            self.now_s = max(self.now_s, first.due[0])
            self.attempt(first)
        self.now_s = until_s


class DynamicMachine(RuleBasedStateMachine):
    """The real one and the model, side by side."""

    @initialize(
        restart=st.sampled_from(Restart),
        intensity=st.integers(0, 4),
        period_s=st.sampled_from([1.0, 5.0, 60.0]),
    )
    def begin(self, restart: Restart, intensity: int, period_s: float) -> None:
        self.world = World()
        self.model = Model(restart, intensity, period_s)
        self.supervisor = self.world.dynamic(restart, intensity=intensity, period_s=period_s, backoff=BACKOFF)

    def outcome(self, call: str, name: str) -> str:
        reply = getattr(self.supervisor, call)(name)
        assert reply.is_set
        assert reply.error is None or isinstance(reply.error, SupervisionError)
        return "ok" if reply.error is None else type(reply.error).__name__

    @rule(name=st.sampled_from(NAMES))
    def start_child(self, name: str) -> None:
        held = self.model.places.get(name)
        wanted = "ok"
        if held is not None:
            wanted = {"parked": "AlreadyPresent", "restarting": "ChildRestarting"}.get(
                held.state, "AlreadyStarted"
            )
        elif self.model.launch(name):
            self.model.places[name] = Place(name)
        else:
            self.model.drop(name)
            wanted = "StartFailed"
        assert self.outcome("start_child", name) == wanted

    @rule(name=st.sampled_from(NAMES))
    def terminate_child(self, name: str) -> None:
        held = self.model.places.get(name)
        if held is not None and held.state == "running":
            self.model.log.append(f"stop {name}")
        if held is not None:
            self.model.drop(name)
        assert self.outcome("terminate_child", name) == ("ChildNotFound" if held is None else "ok")

    @rule(name=st.sampled_from(NAMES))
    def restart_child(self, name: str) -> None:
        held = self.model.places.get(name)
        wanted = "ChildNotFound"
        if held is not None:
            wanted = {"running": "ChildRunning", "restarting": "ChildRestarting"}.get(held.state, "ok")
            if wanted == "ok":
                self.model.accounts.pop(name, None)
                if self.model.launch(name):
                    held.state = "running"
                else:
                    wanted = "StartFailed"
        assert self.outcome("restart_child", name) == wanted

    @rule(name=st.sampled_from(NAMES))
    def charge_itself(self, name: str) -> None:
        """A child replaces something of its own; one that is not held may be charged too."""
        wanted = self.model.charge(name)
        if name in self.model.places:
            self.model.places[name].restarts += 1
        assert self.supervisor.charge(name, self.world.loop.clock()) == wanted

    @rule(name=st.sampled_from(NAMES))
    def forget(self, name: str) -> None:
        held = self.model.places.get(name)
        self.model.accounts.pop(name, None)
        if held is not None and held.state == "parked":
            del self.model.places[name]
        self.supervisor.forget(name)

    @precondition(lambda self: bool(self.world.up))
    @rule(data=st.data(), reason=st.sampled_from([NORMAL, SHUTDOWN, ABNORMAL, ABNORMAL]))
    def crash(self, data: st.DataObject, reason: object) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.up)))
        clean = reason in (NORMAL, SHUTDOWN)
        restart = self.model.restart
        if restart is Restart.TEMPORARY or (restart is Restart.TRANSIENT and clean):
            self.model.drop(name)
        else:
            self.model.restart_of(self.model.places[name], at_once=True)
        self.world.up[name].end(reason)  # type: ignore[arg-type]

    @rule(name=st.sampled_from(NAMES), times=st.integers(1, 3))
    def let_starts_fail(self, name: str, times: int) -> None:
        self.model.failing[name] = times
        self.world.failing_starts[name] = times

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 4.0, 5.0, 11.0, 61.0]))
    def pass_time(self, seconds: float) -> None:
        self.model.advance(seconds)
        self.world.loop.advance(seconds)

    @invariant()
    def both_agree(self) -> None:
        if not hasattr(self, "world"):
            return
        places = list(self.model.places.values())
        assert self.world.log == self.model.log
        assert not self.supervisor.has_ended
        assert self.world.told(EventKind.PARKED) == self.model.parked
        reports = [(each.id, each.state.value, each.restarts) for each in self.supervisor.which_children()]
        assert reports == [(each.name, each.state, each.restarts) for each in places]
        running = sum(each.state == "running" for each in places)
        assert self.supervisor.count_children().active == running == len(self.world.up)

    def teardown(self) -> None:
        """Whatever has happened: a stop leaves nobody up and no timer."""
        if hasattr(self, "world"):
            self.supervisor.begin_end(lambda: self.supervisor.end(None))
            self.world.loop.advance(100.0)
            assert self.world.up == {}
            assert self.world.loop.waiting == 0


DynamicMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
test_the_dynamic_supervisor_does_what_the_model_says = DynamicMachine.TestCase
