"""Erlang/OTP's cases about starting and about specifications."""

from __future__ import annotations

import math

import pytest

from moonward.supervisor import (
    AlreadyStarted,
    BadChildSpec,
    ChildKind,
    ChildSpec,
    ChildState,
    EventKind,
    ManualLoop,
    Restart,
    Shutdown,
    StartFailed,
    Strategy,
    Supervisor,
)

from .fakes import FakeChild, World


def start_nothing() -> FakeChild:
    raise AssertionError("never called")


def test_sup_start_normal() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b"])
    assert world.lines() == ["start a", "start b"]
    assert not supervisor.has_ended
    assert supervisor.tree().state == "running"


def test_sup_start_error_return_stops_what_had_started_and_leaves_nothing() -> None:
    world = World()
    world.failing_starts["c"] = 1
    supervisor = world.supervisor(["a", "b", "c", "d"])
    assert world.lines() == ["start a", "start b", "start c", "stop b", "stop a"]
    assert supervisor.has_ended
    assert isinstance(world.ended[0], StartFailed)
    assert isinstance(world.ended[0].__cause__, RuntimeError)
    assert world.loop.waiting == 0


def test_sup_start_fail_of_a_standalone_supervisor_is_raised_and_its_loop_is_gone() -> None:
    made: list[FakeChild] = []

    def fail() -> FakeChild:
        raise RuntimeError("no")

    with pytest.raises(StartFailed, match="no") as caught:
        Supervisor.start([ChildSpec("a", fail)])
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert made == []


def test_sup_start_is_not_retried_the_first_time() -> None:
    world = World()
    world.failing_starts["a"] = 1
    world.supervisor(["a"], intensity=10)
    assert world.lines() == ["start a"]
    assert world.told(EventKind.RESTARTING) == []


def test_a_child_must_be_ready_before_the_next_starts() -> None:
    world = World()
    world.slow_starts = {"a"}
    supervisor = world.supervisor(["a", "b"])
    assert world.lines() == ["start a"]
    assert [child.state for child in supervisor.which_children()] == [ChildState.STARTING, ChildState.STOPPED]
    world.up["a"].ready()
    assert world.lines() == ["start b"]


def test_sup_start_timeout_a_child_that_is_never_ready_is_killed() -> None:
    world = World()
    world.slow_starts = {"b"}
    supervisor = world.supervisor([world.spec("a"), world.spec("b", start_timeout_s=2.0)])
    world.loop.advance(1.9)
    assert not supervisor.has_ended
    world.loop.advance(0.2)
    assert supervisor.has_ended
    assert world.lines() == ["start a", "start b", "kill b", "stop a"]
    assert "not ready within 2.0 s" in str(world.ended[0])


def test_sup_start_child_returns_error_and_the_spec_is_not_kept() -> None:
    world = World()
    supervisor = world.supervisor()
    world.failing_starts["a"] = 1
    with pytest.raises(StartFailed):
        world.value(supervisor.start_child(world.spec("a")))
    assert supervisor.which_children() == []
    assert world.value(supervisor.start_child(world.spec("a"))) is world.up["a"]


def test_sup_start_restart_child_returns_error_and_the_spec_stays_stopped() -> None:
    world = World()
    supervisor = world.supervisor(["a"])
    world.value(supervisor.terminate_child("a"))
    world.failing_starts["a"] = 1
    with pytest.raises(StartFailed):
        world.value(supervisor.restart_child("a"))
    assert [(child.id, child.state) for child in supervisor.which_children()] == [("a", ChildState.STOPPED)]


def test_child_specs_defaults() -> None:
    spec = ChildSpec("a", start_nothing)
    assert spec.restart is Restart.PERMANENT
    assert spec.kind is ChildKind.WORKER
    assert spec.stop_limit_s == 5.0
    assert ChildSpec("a", start_nothing, kind=ChildKind.SUPERVISOR).stop_limit_s == math.inf
    brief = ChildSpec("a", start_nothing, kind=ChildKind.SUPERVISOR, shutdown=Shutdown(1.0))
    assert brief.stop_limit_s == 1.0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"start": "a"}, "start"),
        ({"restart": "permanent"}, "restart"),
        ({"shutdown": 5.0}, "shutdown"),
        ({"kind": "worker"}, "kind"),
        ({"start_timeout_s": 0}, "start_timeout_s"),
        ({"start_timeout_s": float("nan")}, "start_timeout_s"),
        ({"start_timeout_s": True}, "start_timeout_s"),
    ],
)
def test_child_specs_that_are_faulty_are_refused_by_name(wrong: dict[str, object], named: str) -> None:
    good: dict[str, object] = {"id": "a", "start": start_nothing}
    with pytest.raises(BadChildSpec, match=named):
        ChildSpec(**{**good, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout_s", [-1, float("nan"), "5", None, True])
def test_a_shutdown_that_is_no_duration_is_refused(timeout_s: object) -> None:
    with pytest.raises(BadChildSpec, match="shutdown"):
        Shutdown(timeout_s)  # type: ignore[arg-type]


def test_two_children_of_one_id_are_refused() -> None:
    with pytest.raises(BadChildSpec, match="'a'"):
        World().supervisor(["a", "b", "a"])


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"strategy": "one_for_one"}, "strategy"),
        ({"intensity": -1}, "intensity"),
        ({"intensity": 1.5}, "intensity"),
        ({"period_s": 0}, "period_s"),
        ({"period_s": -5}, "period_s"),
    ],
)
def test_sup_flags_that_are_wrong_are_refused(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(BadChildSpec, match=named):
        Supervisor(ManualLoop(), [], **wrong)  # type: ignore[arg-type]


def test_sup_flags_default_to_one_for_one_with_one_restart_in_five_seconds() -> None:
    world = World()
    supervisor = world.supervisor(["a", "b"])
    assert supervisor.strategy is Strategy.ONE_FOR_ONE
    world.crash("a")
    world.loop.advance(5.5)
    world.crash("a")
    assert not supervisor.has_ended
    world.loop.advance(5.0)
    world.crash("a")
    assert supervisor.has_ended


def test_what_start_returns_must_be_a_child() -> None:
    world = World()
    supervisor = world.supervisor()
    with pytest.raises(StartFailed) as caught:
        world.value(supervisor.start_child(ChildSpec("a", lambda: "no child")))  # type: ignore[arg-type, return-value]
    assert isinstance(caught.value.__cause__, BadChildSpec)


def test_a_base_exception_in_start_is_that_childs_failure_alone() -> None:
    def leave() -> FakeChild:
        raise SystemExit(3)

    world = World()
    supervisor = world.supervisor(["a"])
    with pytest.raises(StartFailed):
        world.value(supervisor.start_child(ChildSpec("b", leave)))
    assert list(world.up) == ["a"]


def test_already_started_outside_supervisor() -> None:
    """A child whose resource somebody else holds says so from its start; nothing of it is kept."""
    world = World()
    taken = AlreadyStarted("the port is taken")

    def refuse() -> FakeChild:
        raise taken

    supervisor = world.supervisor(["a"])
    with pytest.raises(StartFailed) as caught:
        world.value(supervisor.start_child(ChildSpec("b", refuse)))
    assert caught.value.__cause__ is taken
    assert [child.id for child in supervisor.which_children()] == ["a"]
