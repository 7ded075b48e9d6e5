"""Erlang/OTP's cases about dynamic supervisors, and what ours does differently: a budget for each child."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from time import thread_time

import pytest

from moonward.supervisor import (
    AlreadyPresent,
    AlreadyStarted,
    Backoff,
    ChildNotFound,
    ChildRestarting,
    ChildSpec,
    ChildState,
    DynamicSupervisor,
    EventKind,
    ExitKind,
    ExitReason,
    LoopActor,
    ManualLoop,
    Restart,
    Shutdown,
    StartFailed,
    Supervisor,
)

from .fakes import ABNORMAL, NORMAL, SHUTDOWN, World

SLOW = Backoff(first_s=1.0, factor=2.0, max_s=60.0, jitter=0.0)


def test_dynamic_restart_with_the_same_arguments() -> None:
    world = World()
    supervisor = world.dynamic()
    world.value(supervisor.start_child("a", 1, 2))
    first = world.up["a"]
    world.crash("a")
    assert world.up["a"] is not first
    assert world.up["a"].args == (1, 2)
    assert supervisor.lookup("a") is world.up["a"]


@pytest.mark.parametrize(
    ("restart", "reason", "again"),
    [
        (Restart.PERMANENT, NORMAL, True),
        (Restart.TRANSIENT, NORMAL, False),
        (Restart.TRANSIENT, SHUTDOWN, False),
        (Restart.TRANSIENT, ABNORMAL, True),
        (Restart.TEMPORARY, ABNORMAL, False),
    ],
)
def test_dynamic_children_that_are_not_restarted_are_forgotten(
    restart: Restart, reason: ExitReason, again: bool
) -> None:
    world = World()
    supervisor = world.dynamic(restart)
    supervisor.start_child("a")
    world.crash("a", reason)
    assert ("a" in world.up) is again
    assert len(supervisor.which_children()) == int(again)


def test_dynamic_escalation_parks_the_child_and_its_neighbours_never_notice() -> None:
    world = World()
    parked: list[tuple[str, ExitReason]] = []
    supervisor = world.dynamic(intensity=2, on_parked=lambda child, why: parked.append((child, why)))
    for name in ("a", "b", "c"):
        supervisor.start_child(name)
    neighbours = (world.up["a"], world.up["c"])
    for _ in range(3):
        world.crash("b")
    assert parked == [("b", ABNORMAL)]
    assert not supervisor.has_ended
    assert (world.up["a"], world.up["c"]) == neighbours
    reports = {report.id: report for report in supervisor.which_children()}
    assert {name: report.state.value for name, report in reports.items()} == {
        "a": "running",
        "b": "parked",
        "c": "running",
    }
    assert [reports[name].restarts for name in "abc"] == [0, 3, 0]
    assert world.told(EventKind.PARKED) == ["b"]


def test_a_listener_for_parked_children_that_fails_hurts_nobody() -> None:
    def fail(_child: str, _why: ExitReason) -> None:
        raise RuntimeError("listener")

    world = World()
    supervisor = world.dynamic(intensity=0, on_parked=fail)
    supervisor.start_child("a")
    supervisor.start_child("b")
    world.crash("a")
    assert supervisor.which_children()[0].state is ChildState.PARKED
    assert "b" in world.up


def test_a_child_that_is_parked_may_be_replaced_by_who_is_told() -> None:
    world = World()
    supervisor = world.dynamic(intensity=0)

    def replace(child: str, _why: ExitReason) -> None:
        supervisor.forget(child)
        supervisor.start_child(child, "instead")

    supervisor._on_parked = replace
    supervisor.start_child("a", "first")
    world.crash("a")
    assert world.up["a"].args == ("instead",)


def test_a_parked_child_is_present_and_can_be_restarted_with_a_new_budget() -> None:
    world = World()
    supervisor = world.dynamic(intensity=1)
    supervisor.start_child("a", 7)
    world.crash("a")
    world.crash("a")
    with pytest.raises(AlreadyPresent):
        world.value(supervisor.start_child("a"))
    with pytest.raises(ChildNotFound, match="parked"):
        supervisor.lookup("a")
    assert world.value(supervisor.restart_child("a")) is world.up["a"]
    assert world.up["a"].args == (7,)
    world.crash("a")
    assert "a" in world.up


def test_a_parked_child_can_be_terminated_or_forgotten() -> None:
    world = World()
    supervisor = world.dynamic(intensity=0)
    for name in ("a", "b"):
        supervisor.start_child(name)
        world.crash(name)
    world.value(supervisor.terminate_child("a"))
    supervisor.forget("b")
    assert supervisor.which_children() == []


def test_forget_leaves_a_running_child_alone() -> None:
    world = World()
    supervisor = world.dynamic()
    supervisor.start_child("a")
    supervisor.forget("a")
    assert supervisor.count_children().active == 1


def test_a_restart_that_a_child_does_itself_is_charged_to_the_same_budget() -> None:
    world = World()
    supervisor = world.dynamic(intensity=3, backoff=SLOW)
    supervisor.start_child("a")
    assert supervisor.charge("a", world.loop.clock()) == 0.0
    assert supervisor.charge("a", world.loop.clock()) == 1.0
    world.crash("a")
    world.loop.advance(2.0)
    assert "a" in world.up
    assert supervisor.charge("a", world.loop.clock()) is None
    assert "a" in world.up
    assert supervisor.charge("b", world.loop.clock()) == 0.0
    supervisor.forget("a")
    assert supervisor.charge("a", world.loop.clock()) == 0.0


def test_old_charges_no_longer_count() -> None:
    world = World()
    supervisor = world.dynamic(intensity=1, period_s=60.0)
    assert supervisor.charge("a", 0.0) == 0.0
    assert supervisor.charge("a", 60.0) is None
    assert supervisor.charge("a", 60.5) == 0.0


def test_dynamic_start_error_keeps_nothing() -> None:
    world = World()
    supervisor = world.dynamic()
    world.failing_starts["a"] = 1
    with pytest.raises(StartFailed):
        world.value(supervisor.start_child("a"))
    assert supervisor.which_children() == []
    assert world.value(supervisor.start_child("a")) is world.up["a"]


def test_dynamic_already_started() -> None:
    world = World()
    supervisor = world.dynamic()
    supervisor.start_child("a")
    with pytest.raises(AlreadyStarted):
        world.value(supervisor.start_child("a"))


def test_simple_one_for_one_corruption_a_message_that_means_nothing_is_ignored() -> None:
    world = World()
    supervisor = world.dynamic()
    supervisor.start_child("a")
    supervisor.tell({"not": "for supervisors"})
    supervisor.actor_ref.tell("neither")
    world.loop.run()
    assert not supervisor.has_ended
    assert supervisor.count_children().active == 1


def test_dynamic_terminate_forgets_and_is_then_not_found() -> None:
    world = World()
    supervisor = world.dynamic()
    supervisor.start_child("a")
    world.value(supervisor.terminate_child("a"))
    with pytest.raises(ChildNotFound):
        world.value(supervisor.terminate_child("a"))
    assert world.up == {}


def test_dynamic_terminate_twice_at_once_answers_both() -> None:
    world = World()
    world.stop_reasons["a"] = None
    supervisor = world.dynamic()
    supervisor.start_child("a")
    replies = [supervisor.terminate_child("a"), supervisor.terminate_child("a")]
    assert [reply.is_set for reply in replies] == [False, False]
    world.up["a"].end(NORMAL)
    assert [reply.error for reply in replies] == [None, None]


def test_dynamic_terminate_of_a_child_that_starts_tells_who_started_it() -> None:
    world = World()
    world.slow_starts = {"a"}
    supervisor = world.dynamic()
    start = supervisor.start_child("a")
    stop = supervisor.terminate_child("a")
    assert isinstance(start.error, StartFailed)
    assert stop.is_set
    assert supervisor.which_children() == []


def test_hanging_restart_loop_dynamic() -> None:
    world = World()
    supervisor = world.dynamic(intensity=10**6, backoff=Backoff(first_s=0.01, max_s=0.01))
    supervisor.start_child("a")
    world.failing_starts["a"] = 10**9
    world.crash("a")
    world.loop.advance(1.0)
    with pytest.raises(ChildRestarting):
        supervisor.lookup("a")
    assert world.value(supervisor.start_child("b")) is world.up["b"]
    world.value(supervisor.terminate_child("a"))
    world.lines()
    world.loop.advance(1.0)
    assert world.lines() == []


def test_arguments_of_temporary_children_are_not_retained() -> None:
    class Argument:
        pass

    class Quiet(LoopActor):
        def __init__(self, loop: ManualLoop, argument: Argument) -> None:
            super().__init__(loop)

    def held_after_start(restart: Restart) -> bool:
        loop = ManualLoop()
        supervisor = DynamicSupervisor(loop, ChildSpec("t", lambda what: Quiet(loop, what), restart))
        supervisor.launch()
        argument = Argument()
        witness = weakref.ref(argument)
        supervisor.start_child("a", argument)
        del argument
        gc.collect()
        return witness() is not None

    assert not held_after_start(Restart.TEMPORARY)
    assert held_after_start(Restart.PERMANENT)


def test_sup_stop_timeout_dynamic_children_stop_together_under_one_deadline() -> None:
    world = World()
    supervisor = world.dynamic(shutdown=Shutdown(2.0))
    names = [f"c{number}" for number in range(10)]
    world.stop_reasons = dict.fromkeys(names[:5])
    for name in names:
        supervisor.start_child(name)
    world.lines()
    supervisor.begin_end(lambda: supervisor.end(None))
    assert world.lines() == [f"stop {name}" for name in names]
    world.loop.advance(1.9)
    assert not supervisor.has_ended
    world.loop.advance(0.1)
    assert supervisor.has_ended
    kinds = [reason.kind for reason in world.exits().values() if reason is not None]
    assert sorted(kind.value for kind in kinds) == ["killed"] * 5 + ["shutdown"] * 5


def test_sup_stop_brutal_kill_dynamic() -> None:
    world = World()
    supervisor = world.dynamic(shutdown=Shutdown.BRUTAL_KILL)
    supervisor.start_child("a")
    supervisor.start_child("b")
    world.lines()
    supervisor.begin_end(lambda: supervisor.end(None))
    assert world.lines() == ["kill a", "kill b"]
    assert supervisor.has_ended


def test_sup_stop_non_shutdown_exit_dynamic() -> None:
    """A child that ends with a reason of its own while all stop keeps it, and nothing is restarted."""
    world = World()
    supervisor = world.dynamic()
    world.stop_reasons = {"a": ABNORMAL, "b": None}
    supervisor.start_child("a")
    supervisor.start_child("b")
    supervisor.begin_end(lambda: supervisor.end(None))
    world.up["b"].end(ExitReason(ExitKind.ABNORMAL, "own"))
    assert world.exits() == {"a": ABNORMAL, "b": ExitReason(ExitKind.ABNORMAL, "own")}
    assert supervisor.has_ended
    assert world.told(EventKind.RESTARTING) == []


def test_dynamic_stop_forgets_pending_restarts_and_parked_children() -> None:
    world = World()
    supervisor = world.dynamic(intensity=5, backoff=SLOW)
    supervisor.start_child("a")
    world.failing_starts["a"] = 1
    world.crash("a")
    assert supervisor.which_children()[0].state is ChildState.RESTARTING
    supervisor.begin_end(lambda: supervisor.end(None))
    assert supervisor.has_ended
    assert world.loop.waiting == 0


def seconds_for(children: int, work: Callable[[int], None]) -> float:
    """Processor time, the best of three: what others do on this machine does not count."""
    times = []
    gc.disable()
    try:
        for _ in range(3):
            begun_s = thread_time()
            work(children)
            times.append(thread_time() - begun_s)
    finally:
        gc.enable()
    return min(times)


def test_scale_start_stop_many_children() -> None:
    """Ten times as many children take at most some ten times as long (a square would take a hundred)."""

    def dynamic(children: int) -> None:
        world = World()
        supervisor = world.dynamic()
        for number in range(children):
            supervisor.start_child(f"c{number}")
        assert supervisor.count_children().active == children
        supervisor.begin_end(lambda: supervisor.end(None))
        assert world.up == {}

    def static(children: int) -> None:
        world = World()
        supervisor: Supervisor = world.supervisor([f"c{number}" for number in range(children)])
        assert supervisor.count_children().active == children
        supervisor.begin_end(lambda: supervisor.end(None))
        assert world.up == {}

    for work in (dynamic, static):
        assert seconds_for(3000, work) < 30 * seconds_for(300, work)
