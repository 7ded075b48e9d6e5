"""A supervisor without a parent, used from other threads; and the public names."""

from __future__ import annotations

import importlib
import threading
from typing import Any

import pytest

import moonward.supervisor
from moonward.supervisor import (
    ChildSpec,
    DynamicSupervisor,
    GaveUp,
    Loop,
    LoopActor,
    Restart,
    StartFailed,
    Supervisor,
    SupervisorStopped,
)

WAIT_S = 10.0


class Server(LoopActor):
    """Fails when it is told to."""

    def on_receive(self, message: Any) -> Any:
        raise message


def spec(loop: Loop, name: str = "a", restart: Restart = Restart.PERMANENT) -> ChildSpec:
    return ChildSpec(name, lambda: Server(loop), restart)


def test_every_public_name_can_be_imported() -> None:
    for name in moonward.supervisor.__all__:
        assert getattr(moonward.supervisor, name).__name__ == name
    with pytest.raises(AttributeError):
        moonward.supervisor.Nothing  # type: ignore[attr-defined]


def test_the_supervisor_module_and_its_class_do_not_hide_each_other() -> None:
    module = importlib.import_module("moonward.supervisor.supervisor")
    assert module.Supervisor is moonward.supervisor.Supervisor


def test_calls_from_another_thread_block_only_their_caller() -> None:
    with Supervisor.start() as supervisor:
        reply = supervisor.start_child(spec(supervisor.loop))
        assert reply.wait(WAIT_S)
        assert supervisor.lookup("a") is reply.result()
        assert [child.id for child in supervisor.which_children()] == ["a"]
        assert supervisor.tree().children[0].state == "running"


def test_after_a_stop_calls_are_refused_and_questions_answered() -> None:
    supervisor = Supervisor.start()
    supervisor.start_child(spec(supervisor.loop)).wait(WAIT_S)
    assert supervisor.stop()
    assert supervisor.stop()
    assert supervisor.count_children().active == 0
    assert isinstance(supervisor.start_child(spec(supervisor.loop, "b")).error, SupervisorStopped)


def test_a_supervisor_that_gives_up_can_be_waited_for() -> None:
    ended: list[BaseException | None] = []
    told = threading.Event()
    supervisor = Supervisor.start(intensity=0)
    supervisor.on_end(lambda _actor, reason: (ended.append(reason), told.set()))
    supervisor.start_child(spec(supervisor.loop)).wait(WAIT_S)
    server: Any = supervisor.lookup("a")
    server.tell(ValueError("no"))
    assert supervisor.wait_ended(WAIT_S)
    assert told.wait(WAIT_S)
    assert isinstance(ended[0], GaveUp)
    assert isinstance(ended[0].__cause__, ValueError)
    assert supervisor.stop()


def test_a_start_that_takes_too_long_is_given_up_and_leaves_nothing() -> None:
    class Late(LoopActor):
        def begin_ready(self, ready: object) -> None:
            """Never."""

    loop = Loop()
    loop.start()
    threads = threading.active_count()
    with pytest.raises(StartFailed, match=r"within 0\.05 s"):
        Supervisor.start([ChildSpec("a", lambda: Late(loop))], loop=loop, timeout_s=0.05)
    assert threading.active_count() == threads
    assert loop.stop()


def test_wrong_settings_leave_no_thread_behind() -> None:
    threads = threading.active_count()
    with pytest.raises(ValueError, match="intensity"):
        Supervisor.start(intensity=-1)
    assert threading.active_count() == threads


def test_a_dynamic_supervisor_alone() -> None:
    loop = Loop()
    loop.start()
    template = ChildSpec("template", lambda: Server(loop), Restart.TRANSIENT)
    with DynamicSupervisor.start(template, loop=loop) as supervisor:
        for number in range(20):
            assert supervisor.start_child(f"c{number}").wait(WAIT_S)
        assert supervisor.count_children().active == 20
    assert supervisor.count_children().active == 0
    assert loop.stop()


def test_many_threads_may_call_at_once() -> None:
    with Supervisor.start() as supervisor:

        def work(thread: int) -> None:
            for number in range(20):
                supervisor.start_child(spec(supervisor.loop, f"{thread}-{number}")).wait(WAIT_S)
                supervisor.which_children()
                supervisor.terminate_child(f"{thread}-{number}").wait(WAIT_S)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        assert (supervisor.count_children().specs, supervisor.count_children().active) == (100, 0)
