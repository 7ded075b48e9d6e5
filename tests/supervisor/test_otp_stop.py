"""Erlang/OTP's cases about stopping."""

from __future__ import annotations

import itertools

import pytest

from moonward.supervisor import (
    ChildKind,
    ChildSpec,
    EventKind,
    ExitKind,
    ExitReason,
    Restart,
    Shutdown,
    Supervisor,
)

from .fakes import ABNORMAL, NORMAL, SHUTDOWN, World


def stop(world: World, supervisor: Supervisor, timeout_s: float = float("inf")) -> None:
    """What a parent does, and its patience."""
    supervisor.begin_end(lambda: supervisor.end(None))
    if timeout_s < float("inf"):
        world.loop.call_later(timeout_s, supervisor.kill)
    world.loop.run()


def kinds(world: World) -> dict[str, ExitKind | None]:
    return {child: reason and reason.kind for child, reason in world.exits().items()}


def test_sup_stop_in_reverse_order_each_after_the_other() -> None:
    world = World()
    world.stop_reasons["b"] = None
    supervisor = world.supervisor(["a", "b", "c"])
    world.lines()
    stop(world, supervisor)
    assert world.lines() == ["stop c", "stop b"]
    world.up["b"].end(SHUTDOWN)
    assert world.lines() == ["stop a"]
    assert world.ended == [None]


def test_sup_stop_infinity_waits_as_long_as_it_takes() -> None:
    world = World()
    world.stop_reasons["a"] = None
    supervisor = world.supervisor([world.spec("a", shutdown=Shutdown.INFINITY)])
    stop(world, supervisor)
    world.loop.advance(1e6)
    assert not supervisor.has_ended
    world.up["a"].end(NORMAL)
    assert kinds(world) == {"a": ExitKind.SHUTDOWN}
    assert supervisor.has_ended


def test_sup_stop_timeout_the_well_behaved_are_shut_down_and_the_hung_are_killed() -> None:
    world = World()
    world.stop_reasons["b"] = None
    supervisor = world.supervisor([world.spec("a"), world.spec("b", shutdown=Shutdown(1.0)), world.spec("c")])
    stop(world, supervisor)
    world.loop.advance(0.9)
    assert not supervisor.has_ended
    world.loop.advance(0.1)
    assert supervisor.has_ended
    assert kinds(world) == {"a": ExitKind.SHUTDOWN, "b": ExitKind.KILLED, "c": ExitKind.SHUTDOWN}
    assert world.loop.waiting == 0


def test_sup_stop_brutal_kill_does_not_ask() -> None:
    world = World()
    supervisor = world.supervisor([world.spec("a", shutdown=Shutdown.BRUTAL_KILL)])
    world.lines()
    stop(world, supervisor)
    assert world.lines() == ["kill a"]
    assert kinds(world) == {"a": ExitKind.KILLED}


def test_a_stop_is_over_half_a_second_after_its_deadline_even_if_nothing_dies() -> None:
    world = World()
    names = [f"c{number}" for number in range(20)]
    world.stop_reasons = dict.fromkeys(names)
    world.undying = set(names)
    supervisor = world.supervisor([world.spec(name, shutdown=Shutdown.INFINITY) for name in names])
    stop(world, supervisor, timeout_s=5.0)
    world.loop.advance(5.4)
    assert not supervisor.has_ended
    world.loop.advance(0.2)
    assert supervisor.has_ended
    assert set(world.told(EventKind.ABANDONED)) == set(names)


def test_a_child_that_hangs_leaves_time_for_the_others_to_be_asked() -> None:
    world = World()
    world.stop_reasons["c"] = None
    supervisor = world.supervisor([world.spec(name, shutdown=Shutdown.INFINITY) for name in "abc"])
    supervisor._end_by(world.loop.clock() + 5.0, None, lambda: supervisor.end(None))
    world.loop.advance(5.0)
    assert supervisor.has_ended
    assert kinds(world) == {"a": ExitKind.SHUTDOWN, "b": ExitKind.SHUTDOWN, "c": ExitKind.KILLED}


def test_a_child_that_fails_when_asked_keeps_its_reason() -> None:
    world = World()
    world.stop_reasons["a"] = ABNORMAL
    supervisor = world.supervisor(["a"])
    stop(world, supervisor)
    assert world.exits() == {"a": ABNORMAL}


@pytest.mark.parametrize("order", [0, 1])
def test_sup_stop_race_children_that_end_by_themselves_meanwhile_keep_their_reasons(order: int) -> None:
    """12 children: three restart types, four reasons, all ending while the last one hangs."""
    reasons = [NORMAL, SHUTDOWN, ExitReason(ExitKind.SHUTDOWN, "done"), ABNORMAL]
    matrix = dict(enumerate(itertools.product(Restart, reasons)))
    world = World()
    world.stop_reasons["last"] = None
    specs = [world.spec(f"c{number}", restart) for number, (restart, _reason) in matrix.items()]
    supervisor = world.supervisor([*specs, world.spec("last")], intensity=0)
    world.lines()
    stop(world, supervisor)
    for number, (_restart, reason) in sorted(matrix.items(), reverse=bool(order)):
        world.up[f"c{number}"].end(reason)
    world.loop.run()
    world.up["last"].end(SHUTDOWN)
    assert world.lines() == ["stop last"]
    expected = {f"c{number}": reason for number, (_restart, reason) in matrix.items()}
    assert world.exits() == {**expected, "last": SHUTDOWN}
    assert world.ended == [None]
    assert world.told(EventKind.RESTARTING) == []


def test_a_stop_in_the_middle_of_a_start_stops_the_child_that_starts() -> None:
    world = World()
    world.slow_starts = {"b"}
    supervisor = world.supervisor(["a", "b", "c"])
    world.lines()
    stop(world, supervisor)
    assert world.lines() == ["stop b", "stop a"]
    assert supervisor.has_ended


def test_calls_that_wait_when_the_supervisor_stops_are_told() -> None:
    world = World()
    world.slow_starts = {"a"}
    supervisor = world.supervisor()
    first, second = supervisor.start_child(world.spec("a")), supervisor.start_child(world.spec("b"))
    stop(world, supervisor)
    late = supervisor.start_child(world.spec("c"))
    assert [type(reply.error).__name__ for reply in (first, second, late)] == ["SupervisorStopped"] * 3
    assert world.up == {}


def test_an_end_without_a_stop_leaves_no_child_behind() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b"])
    supervisor.end(RuntimeError("a defect"))
    assert world.up == {}


def test_a_nested_supervisor_is_over_with_its_parents_deadline() -> None:
    world = World()
    world.stop_reasons["leaf"] = None
    world.undying = {"leaf"}
    leaf = world.spec("leaf", shutdown=Shutdown.INFINITY)
    middle = ChildSpec("middle", lambda: Supervisor(world.loop, [leaf]), kind=ChildKind.SUPERVISOR)
    top = world.supervisor([middle])
    stop(world, top, timeout_s=2.0)
    world.loop.advance(2.6)
    assert top.has_ended


def test_child_unlink_a_child_that_cuts_itself_off_cannot_hang_the_supervisor() -> None:
    """It neither answers nor dies; with real processes see test_processes.py."""
    world = World()
    world.stop_reasons["a"] = None
    world.undying = {"a"}
    supervisor = world.supervisor(["a", "b"])
    reply = supervisor.terminate_child("a")
    world.loop.advance(5.6)
    assert reply.is_set
    assert supervisor.count_children().active == 1
