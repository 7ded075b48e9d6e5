"""Erlang/OTP's cases about the calls: child_adm, counts, reports."""

from __future__ import annotations

import pytest

from moonward.supervisor import (
    AlreadyPresent,
    AlreadyStarted,
    Backoff,
    ChildCounts,
    ChildKind,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    ChildSpec,
    ChildState,
    EventKind,
    Restart,
    Strategy,
    Supervisor,
)

from .fakes import ABNORMAL, NO_BACKOFF, NORMAL, World


def restarting(world: World) -> Supervisor:
    """A supervisor whose child `a` waits for its next start."""
    supervisor = world.supervisor(["a"], intensity=100, backoff=Backoff(first_s=1.0, jitter=0.0))
    world.failing_starts["a"] = 1
    world.crash("a")
    return supervisor


def test_child_adm_unknown_children_are_not_found() -> None:
    world = World()
    supervisor = world.supervisor(["a"])
    for call in (supervisor.terminate_child, supervisor.restart_child, supervisor.delete_child):
        with pytest.raises(ChildNotFound):
            world.value(call("b"))
    with pytest.raises(ChildNotFound):
        supervisor.lookup("b")


def test_child_adm_of_a_running_child() -> None:
    world = World()
    supervisor = world.supervisor(["a"])
    with pytest.raises(AlreadyStarted):
        world.value(supervisor.start_child(world.spec("a")))
    with pytest.raises(ChildRunning):
        world.value(supervisor.restart_child("a"))
    with pytest.raises(ChildRunning):
        world.value(supervisor.delete_child("a"))
    assert supervisor.lookup("a") is world.up["a"]


def test_child_adm_of_a_stopped_child() -> None:
    world = World()
    supervisor = world.supervisor(["a"])
    world.value(supervisor.terminate_child("a"))
    world.value(supervisor.terminate_child("a"))
    with pytest.raises(AlreadyPresent):
        world.value(supervisor.start_child(world.spec("a")))
    with pytest.raises(ChildNotFound, match="stopped"):
        supervisor.lookup("a")
    assert world.value(supervisor.restart_child("a")) is world.up["a"]
    world.value(supervisor.terminate_child("a"))
    world.value(supervisor.delete_child("a"))
    assert supervisor.which_children() == []
    world.value(supervisor.start_child(world.spec("a")))
    assert supervisor.count_children().active == 1


def test_child_adm_of_a_restarting_child() -> None:
    world = World()
    supervisor = restarting(world)
    with pytest.raises(ChildRestarting):
        world.value(supervisor.start_child(world.spec("a")))
    with pytest.raises(ChildRestarting):
        world.value(supervisor.restart_child("a"))
    with pytest.raises(ChildRestarting):
        world.value(supervisor.delete_child("a"))
    with pytest.raises(ChildRestarting):
        supervisor.lookup("a")


def test_terminate_cancels_a_pending_restart() -> None:
    world = World()
    supervisor = restarting(world)
    world.value(supervisor.terminate_child("a"))
    world.lines()
    assert world.loop.waiting == 0
    world.loop.advance(100.0)
    assert world.lines() == []
    assert [child.state for child in supervisor.which_children()] == [ChildState.STOPPED]


def test_terminate_is_no_failure_whatever_the_restart_type() -> None:
    for restart in Restart:
        world = World()
        supervisor = world.supervisor([world.spec("a", restart)], intensity=0)
        world.value(supervisor.terminate_child("a"))
        world.loop.advance(10.0)
        assert world.up == {}
        assert not supervisor.has_ended


def test_a_temporary_child_that_is_terminated_is_forgotten() -> None:
    world = World()
    supervisor = world.supervisor([world.spec("a", Restart.TEMPORARY)])
    world.value(supervisor.terminate_child("a"))
    assert supervisor.which_children() == []


def test_which_children_tells_in_start_order() -> None:
    world = World()
    supervisor = world.supervisor(["b", "a"])
    world.value(supervisor.start_child(world.spec("c", Restart.TRANSIENT)))
    world.value(supervisor.terminate_child("a"))
    reports = supervisor.which_children()
    assert [report.id for report in reports] == ["b", "a", "c"]
    assert [report.state for report in reports] == [
        ChildState.RUNNING,
        ChildState.STOPPED,
        ChildState.RUNNING,
    ]
    assert [report.handle for report in reports] == [world.up["b"], None, world.up["c"]]
    assert reports[2].restart is Restart.TRANSIENT


def test_order_of_children_is_kept_over_restarts() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b", "c"], strategy=Strategy.ONE_FOR_ONE, intensity=9)
    world.crash("a")
    world.value(supervisor.terminate_child("b"))
    world.value(supervisor.restart_child("b"))
    assert [report.id for report in supervisor.which_children()] == ["a", "b", "c"]


def test_count_children_by_kind_and_activity() -> None:
    world = World()
    below = ChildSpec("s", lambda: Supervisor(world.loop, []), kind=ChildKind.SUPERVISOR)
    supervisor = world.supervisor(["a", "b", below])
    world.value(supervisor.terminate_child("b"))
    assert supervisor.count_children() == ChildCounts(specs=3, active=2, supervisors=1, workers=2)


def test_count_restarting_children_are_not_active() -> None:
    world = World()
    supervisor = restarting(world)
    assert supervisor.count_children() == ChildCounts(specs=1, active=0, supervisors=0, workers=1)
    world.loop.advance(1.0)
    assert supervisor.count_children().active == 1


@pytest.mark.parametrize("how", ["crash", "normal end", "terminate"])
def test_names_lead_to_the_new_child_after_each_kind_of_death(how: str) -> None:
    world = World()
    supervisor = world.supervisor(["a"])
    before = supervisor.lookup("a")
    if how == "terminate":
        world.value(supervisor.terminate_child("a"))
        world.value(supervisor.restart_child("a"))
    else:
        world.crash("a", ABNORMAL if how == "crash" else NORMAL)
    assert supervisor.lookup("a") is world.up["a"]
    assert supervisor.lookup("a") is not before


def test_report_fields_of_events() -> None:
    world = World()
    supervisor = world.supervisor(["a"], name="top", intensity=1)
    world.loop.advance(2.0)
    world.crash("a")
    world.crash("a")
    assert supervisor.has_ended
    told = [event.as_dict() for event in world.events]
    assert [(event["event"], event["count"], event["reason"]) for event in told] == [
        ("started", 0, None),
        ("exited", 0, "abnormal (boom)"),
        ("restarting", 1, "abnormal (boom)"),
        ("started", 1, None),
        ("exited", 1, "abnormal (boom)"),
        ("gave_up", 2, "abnormal (boom)"),
    ]
    assert {(event["supervisor"], event["child"]) for event in told} == {("top", "a")}
    assert [event["at_s"] for event in told] == [0.0, 2.0, 2.0, 2.0, 2.0, 2.0]


def test_a_listener_that_fails_hurts_nobody() -> None:
    world = World()

    def fail(_event: object) -> None:
        raise RuntimeError("listener")

    supervisor = Supervisor(world.loop, [world.spec("a")], on_event=fail, backoff=NO_BACKOFF)
    supervisor.launch()
    world.crash("a")
    assert supervisor.count_children().active == 1


def test_a_failed_start_is_told() -> None:
    world = World()
    world.failing_starts["a"] = 1
    world.supervisor(["a"])
    assert world.told(EventKind.START_FAILED) == ["a"]


def test_calls_are_dealt_with_in_order_while_a_child_starts_slowly() -> None:
    world = World()
    supervisor = world.supervisor()
    world.slow_starts = {"a"}
    first = supervisor.start_child(world.spec("a"))
    second = supervisor.terminate_child("a")
    assert not first.is_set
    assert supervisor.which_children()[0].state is ChildState.STARTING
    world.up["a"].ready()
    world.loop.run()
    assert first.error is None
    assert second.is_set
    assert world.up == {}
