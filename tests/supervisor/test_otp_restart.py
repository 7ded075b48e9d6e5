"""Erlang/OTP's cases about restarts: types, strategies, escalation, loops of failing starts."""

from __future__ import annotations

import pytest

from moonward.supervisor import (
    Backoff,
    ChildKind,
    ChildSpec,
    ChildState,
    DynamicSupervisor,
    EventKind,
    ExitKind,
    ExitReason,
    GaveUp,
    Restart,
    Strategy,
    Supervisor,
)

from .fakes import ABNORMAL, KILLED, NORMAL, SHUTDOWN, FakeChild, World

SLOW = Backoff(first_s=1.0, factor=2.0, max_s=60.0, jitter=0.0)


@pytest.mark.parametrize(
    ("restart", "reason", "again"),
    [
        (Restart.PERMANENT, NORMAL, True),
        (Restart.PERMANENT, SHUTDOWN, True),
        (Restart.PERMANENT, ABNORMAL, True),
        (Restart.TRANSIENT, NORMAL, False),
        (Restart.TRANSIENT, SHUTDOWN, False),
        (Restart.TRANSIENT, ABNORMAL, True),
        (Restart.TRANSIENT, KILLED, True),
        (Restart.TEMPORARY, NORMAL, False),
        (Restart.TEMPORARY, SHUTDOWN, False),
        (Restart.TEMPORARY, ABNORMAL, False),
    ],
)
def test_permanent_transient_temporary(restart: Restart, reason: ExitReason, again: bool) -> None:
    world = World()
    supervisor = world.supervisor([world.spec("a", restart), "b"])
    world.crash("a", reason)
    assert ("a" in world.up) is again
    assert "b" in world.up
    held = [report.id for report in supervisor.which_children()]
    assert held == (["b"] if restart is Restart.TEMPORARY else ["a", "b"])
    assert len(world.told(EventKind.RESTARTING)) == int(again)


def test_multiple_restarts_that_are_spaced_out_survive() -> None:
    world = World()
    supervisor = world.supervisor(["a"], intensity=1, period_s=1.0)
    for _ in range(20):
        world.crash("a")
        world.loop.advance(1.5)
    assert not supervisor.has_ended
    assert supervisor.which_children()[0].restarts == 20


def test_one_for_one() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b", "c"])
    others = (world.up["a"], world.up["c"])
    world.lines()
    world.crash("b")
    assert world.lines() == ["start b"]
    assert (world.up["a"], world.up["c"]) == others
    assert supervisor.count_children().active == 3


def test_one_for_one_escalation() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b", "c"], intensity=1)
    world.crash("b")
    world.lines()
    world.crash("b")
    assert world.lines() == ["stop c", "stop a"]
    assert supervisor.has_ended
    assert isinstance(world.ended[0], GaveUp)
    assert world.told(EventKind.GAVE_UP) == ["b"]


def test_one_for_all() -> None:
    world = World()
    world.supervisor(["a", "b", "c"], strategy=Strategy.ONE_FOR_ALL)
    world.lines()
    world.crash("b")
    assert world.lines() == ["stop c", "stop a", "start a", "start b", "start c"]


def test_one_for_all_escalation() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b"], strategy=Strategy.ONE_FOR_ALL, intensity=1)
    world.crash("a")
    world.lines()
    world.crash("b")
    assert world.lines() == ["stop a"]
    assert supervisor.has_ended


def test_one_for_all_other_child_fails_restart() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b"], strategy=Strategy.ONE_FOR_ALL, intensity=2, backoff=SLOW)
    world.lines()
    world.failing_starts["b"] = 1
    world.crash("a")
    assert world.lines() == ["stop b", "start a", "start b", "stop a"]
    world.loop.advance(10.0)
    assert world.lines() == ["start a", "start b"]
    assert supervisor.count_children().active == 2


def test_a_restart_of_a_group_counts_once() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b", "c"], strategy=Strategy.ONE_FOR_ALL, intensity=2)
    world.crash("a")
    world.crash("c")
    assert not supervisor.has_ended


def test_rest_for_one_leaves_earlier_children_alone() -> None:
    world = World()
    world.supervisor(["a", "b", "c", "d"], strategy=Strategy.REST_FOR_ONE)
    earlier = world.up["a"]
    world.lines()
    world.crash("b")
    assert world.lines() == ["stop d", "stop c", "start b", "start c", "start d"]
    assert world.up["a"] is earlier


def test_rest_for_one_escalation() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b"], strategy=Strategy.REST_FOR_ONE, intensity=1)
    world.crash("b")
    world.lines()
    world.crash("b")
    assert world.lines() == ["stop a"]
    assert supervisor.has_ended


def test_rest_for_one_other_child_fails_restart() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b", "c"], strategy=Strategy.REST_FOR_ONE, intensity=5, backoff=SLOW)
    world.lines()
    world.failing_starts["b"] = 2
    world.crash("a")
    assert world.lines() == ["stop c", "stop b", "start a", "start b"]
    world.loop.advance(100.0)
    assert world.lines() == ["start b", "start b", "start c"]
    assert supervisor.count_children().active == 3


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
def test_temporary_bystander(strategy: Strategy) -> None:
    """A temporary child that a sibling's end took down is not started again, and is forgotten."""
    world = World()
    supervisor = world.supervisor(["a", world.spec("t", Restart.TEMPORARY), "b"], strategy=strategy)
    world.crash("a")
    assert sorted(world.up) == ["a", "b"]
    assert [report.id for report in supervisor.which_children()] == ["a", "b"]


def test_two_that_end_at_once_are_one_restart_of_their_group() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b"], strategy=Strategy.ONE_FOR_ALL, intensity=1)
    world.slow_starts = {"c"}
    supervisor.start_child(world.spec("c"))
    world.up["a"].end(ABNORMAL)
    world.up["b"].end(ABNORMAL)
    world.slow_starts = set()
    world.up["c"].ready()
    world.loop.run()
    assert supervisor.count_children().active == 3
    assert world.told(EventKind.RESTARTING) == ["a"]


def test_a_child_that_was_abandoned_is_not_listened_to_any_more() -> None:
    world = World()
    world.stop_reasons["a"] = None
    world.undying = {"a"}
    supervisor = world.supervisor(["a"])
    abandoned = world.up["a"]
    supervisor.terminate_child("a")
    world.loop.advance(6.0)
    again = world.value(supervisor.restart_child("a"))
    abandoned.exited(ABNORMAL)
    abandoned.ready()
    world.loop.run()
    assert supervisor.lookup("a") is again
    assert world.told(EventKind.RESTARTING) == []


def test_every_failed_start_counts() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b"], intensity=3, period_s=1000.0, backoff=SLOW)
    world.failing_starts["a"] = 99
    world.crash("a")
    world.loop.advance(100.0)
    assert supervisor.has_ended
    assert [line for line in world.lines() if line == "start a"] == [
        "start a"
    ] * 4  # the first, and three more


def test_failing_restarts_wait_longer_each_time_until_a_stable_run() -> None:
    world = World()
    supervisor = world.supervisor(["a"], intensity=99, backoff=SLOW)
    world.failing_starts["a"] = 3
    world.crash("a")
    world.loop.advance(100.0)
    world.crash("a")
    delays = [event.delay_s for event in world.events if event.kind is EventKind.RESTARTING]
    assert delays == [0.0, 1.0, 2.0, 4.0, 0.0]
    assert supervisor.count_children().active == 1


@pytest.mark.parametrize("strategy", list(Strategy))
def test_hanging_restart_loop_leaves_the_supervisor_free(strategy: Strategy) -> None:
    """While a start fails again and again, calls, and a stop, are answered."""
    world = World()
    supervisor = world.supervisor(
        ["a", "b"], strategy=strategy, intensity=10**6, backoff=Backoff(first_s=0.01, max_s=0.01)
    )
    world.failing_starts["b"] = 10**9
    world.crash("b")
    world.loop.advance(1.0)
    assert supervisor.count_children().specs == 2
    assert supervisor.which_children()[1].state is ChildState.RESTARTING
    assert world.value(supervisor.start_child(world.spec("c"))) is world.up["c"]
    world.value(supervisor.terminate_child("b"))
    world.lines()
    world.loop.advance(1.0)
    assert world.lines() == []
    world.value(supervisor.delete_child("b"))


def test_hanging_restart_loop_rest_for_one_can_be_stopped() -> None:
    world = World()
    supervisor = world.supervisor(
        ["a", "b"], strategy=Strategy.REST_FOR_ONE, intensity=10**6, backoff=Backoff(0.01, max_s=0.01)
    )
    world.failing_starts["b"] = 10**9
    world.crash("b")
    supervisor.begin_end(lambda: supervisor.end(None))
    assert supervisor.has_ended
    assert world.up == {}
    world.lines()
    world.loop.advance(1.0)
    assert world.lines() == []


def test_a_failing_start_without_any_backoff_goes_back_to_the_mailbox() -> None:
    world = World()
    supervisor = world.supervisor(["a"], intensity=50)
    replies = []
    world.failing_starts["a"] = 20
    world.up["a"].end(ABNORMAL)
    replies.append(supervisor.terminate_child("a"))
    world.loop.run()
    assert replies[0].is_set
    assert world.failing_starts["a"] == 19


def tree_of(world: World) -> Supervisor:
    """top ── left ── (x, y); right (dynamic) ── two children; and a plain leaf."""
    left = ChildSpec(
        "left",
        lambda: Supervisor(
            world.loop, [world.spec("x"), world.spec("y")], name="left", strategy=Strategy.ONE_FOR_ALL
        ),
        kind=ChildKind.SUPERVISOR,
    )
    template = ChildSpec("template", lambda name: FakeChild(world, name))
    right = ChildSpec(
        "right", lambda: DynamicSupervisor(world.loop, template, name="right"), kind=ChildKind.SUPERVISOR
    )
    top = world.supervisor([left, right, "leaf"], intensity=3)
    below = top.lookup("right")
    assert isinstance(below, DynamicSupervisor)
    below.start_child("d1", "d1")
    below.start_child("d2", "d2")
    return top


def test_tree_only_the_dead_part_is_restarted() -> None:
    world = World()
    top = tree_of(world)
    world.lines()
    world.crash("x")
    assert world.lines() == ["stop y", "start x", "start y"]
    world.crash("leaf")
    assert world.lines() == ["start leaf"]
    nodes = top.tree()
    assert [(node.id, [below.id for below in node.children]) for node in nodes.children] == [
        ("left", ["x", "y"]),
        ("right", ["d1", "d2"]),
        ("leaf", []),
    ]


def test_tree_a_part_that_gives_up_is_restarted_by_its_parent() -> None:
    world = World()
    top = tree_of(world)
    world.crash("x")
    world.lines()
    world.crash("y")
    assert world.lines() == ["stop x", "start x", "start y"]
    reason = world.exits()["left"]
    assert reason is not None
    assert reason.kind is ExitKind.SHUTDOWN
    assert top.count_children().active == 3


def test_tree_dynamic_children_are_not_made_again() -> None:
    world = World()
    top = tree_of(world)
    right = top.lookup("right")
    assert isinstance(right, DynamicSupervisor)
    right.end(RuntimeError("a defect"))
    world.loop.run()
    assert sorted(world.up) == ["leaf", "x", "y"]
    assert top.count_children().active == 3


def test_the_cause_of_giving_up_is_chained() -> None:
    world = World()
    world.supervisor(["a"], intensity=0)
    cause = ValueError("why")
    world.crash("a", ExitReason(ExitKind.ABNORMAL, "boom", cause))
    assert world.ended[0] is not None
    assert world.ended[0].__cause__ is cause
