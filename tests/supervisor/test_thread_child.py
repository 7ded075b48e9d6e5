"""Ordinary pykka actors under supervision: each gap that pykka leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from moonward.supervisor import (
    ActorFailed,
    ChildSpec,
    EventKind,
    ExitKind,
    Restart,
    Shutdown,
    StartFailed,
    SupervisionEvent,
    Supervisor,
    ThreadChild,
)

WAIT_S = 10.0


class Worker(pykka.ThreadingActor):
    """Raises what it is told; waits for the gate it is told."""

    def __init__(self, fail_start: BaseException | None = None, gate: threading.Event | None = None) -> None:
        super().__init__()
        self.fail_start = fail_start
        self.gate = gate

    def on_start(self) -> None:
        if self.gate is not None:
            self.gate.wait(WAIT_S)
        if self.fail_start is not None:
            raise self.fail_start

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, threading.Event):
            message.wait(WAIT_S)
        return message


class Watch:
    """A standalone supervisor, and its events as they come."""

    def __init__(self) -> None:
        self.events: list[SupervisionEvent] = []
        self.news = threading.Condition()
        self.supervisor = Supervisor.start(on_event=self.hear, intensity=10)

    def hear(self, event: SupervisionEvent) -> None:
        with self.news:
            self.events.append(event)
            self.news.notify_all()

    def start(self, name: str, *args: Any, restart: Restart = Restart.TEMPORARY, **more: Any) -> Any:
        reply = self.supervisor.start_child(
            ChildSpec(name, lambda: ThreadChild(Worker, *args), restart, **more)
        )
        assert reply.wait(WAIT_S)
        return reply.result()

    def seen(self, kind: EventKind, child: str) -> list[SupervisionEvent]:
        return [event for event in self.events if event.kind is kind and event.child == child]

    def wait_for(self, kind: EventKind, child: str, count: int = 1) -> SupervisionEvent:
        with self.news:
            assert self.news.wait_for(lambda: len(self.seen(kind, child)) >= count, WAIT_S), self.events
            return self.seen(kind, child)[-1]

    def exit_kind(self, child: str) -> ExitKind:
        reason = self.wait_for(EventKind.EXITED, child).reason
        assert reason is not None
        return reason.kind


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.supervisor.stop(2.0)


def test_a_threaded_actor_serves_and_is_shut_down(watch: Watch) -> None:
    ref = watch.start("a")
    assert ref.ask("hello", timeout=WAIT_S) == "hello"
    assert watch.supervisor.terminate_child("a").wait(WAIT_S)
    assert watch.exit_kind("a") is ExitKind.SHUTDOWN


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1)])
def test_an_exception_in_on_start_is_a_failed_start(watch: Watch, error: BaseException) -> None:
    with pytest.raises(StartFailed) as caught:
        watch.start("a", error)
    assert caught.value.__cause__ is error
    assert watch.supervisor.which_children() == []


def test_the_supervisor_waits_until_on_start_has_returned(watch: Watch) -> None:
    gate = threading.Event()
    spec = ChildSpec("a", lambda: ThreadChild(Worker, None, gate))
    reply = watch.supervisor.start_child(spec)
    assert watch.supervisor.which_children()[0].state.value == "starting"
    gate.set()
    assert reply.wait(WAIT_S)


def test_a_start_that_never_returns_is_given_up(watch: Watch) -> None:
    gate = threading.Event()
    with pytest.raises(StartFailed, match="not ready"):
        watch.start("a", None, gate, start_timeout_s=0.05)
    gate.set()


def test_an_exception_in_a_told_message_ends_the_actor_and_it_is_restarted(watch: Watch) -> None:
    ref = watch.start("a", restart=Restart.PERMANENT)
    ref.tell(ValueError("no"))
    assert watch.exit_kind("a") is ExitKind.ABNORMAL
    watch.wait_for(EventKind.STARTED, "a", 2)
    again: Any = watch.supervisor.lookup("a")
    assert again.actor_urn != ref.actor_urn
    assert again.ask(1, timeout=WAIT_S) == 1


def test_an_exception_in_an_asked_message_goes_to_the_caller_and_the_actor_lives(watch: Watch) -> None:
    ref = watch.start("a")
    with pytest.raises(ValueError, match="no"):
        ref.ask(ValueError("no"), timeout=WAIT_S)
    assert ref.ask(1, timeout=WAIT_S) == 1


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
def test_a_base_exception_ends_that_actor_alone(watch: Watch, error: BaseException) -> None:
    stranger = Worker.start()
    ref, neighbour = watch.start("a"), watch.start("b")
    try:
        with pytest.raises(ActorFailed):
            ref.ask(error, timeout=WAIT_S)
        assert watch.exit_kind("a") is ExitKind.ABNORMAL
        assert neighbour.ask(1, timeout=WAIT_S) == 1
        assert stranger.ask(1, timeout=WAIT_S) == 1
    finally:
        stranger.stop(timeout=WAIT_S)


def test_messages_to_a_dying_actor_are_answered_or_counted(watch: Watch) -> None:
    ref = watch.start("a")
    gate = threading.Event()
    ref.tell(gate)
    ref.tell(ValueError("no"))
    futures = [ref.ask(number, block=False) for number in range(5)]
    ref.tell("lost")
    gate.set()
    watch.exit_kind("a")
    late = pykka.ThreadingFuture[Any]()
    ref.actor_inbox.put(pykka._envelope.Envelope("raced", reply_to=late))
    for future in [*futures, late]:
        with pytest.raises(pykka.ActorDeadError):
            future.get(timeout=WAIT_S)
    assert ref.actor_inbox.lost == 1


def test_a_thread_that_never_returns_is_abandoned_and_later_ends(watch: Watch) -> None:
    ref = watch.start("a", shutdown=Shutdown(0.05))
    gate = threading.Event()
    ref.tell(gate)
    assert watch.supervisor.terminate_child("a").wait(WAIT_S)
    watch.wait_for(EventKind.ABANDONED, "a")
    gate.set()
    assert ref.actor_stopped.wait(WAIT_S)


def test_a_failure_in_on_stop_is_an_abnormal_end(watch: Watch) -> None:
    class Bitter(Worker):
        def on_stop(self) -> None:
            raise SystemExit(4)

    reply = watch.supervisor.start_child(ChildSpec("a", lambda: ThreadChild(Bitter), Restart.TEMPORARY))
    assert reply.wait(WAIT_S)
    ref: Any = reply.result()
    ref.stop(block=False)
    assert watch.exit_kind("a") is ExitKind.ABNORMAL


def test_supervised_actors_are_in_no_global_registry(watch: Watch) -> None:
    before = len(pykka.ActorRegistry.get_all())
    watch.start("a")
    assert len(pykka.ActorRegistry.get_all()) == before


def test_cycles_leave_no_thread(watch: Watch) -> None:
    for number in range(100):
        ref = watch.start(f"c{number}")
        ref.tell(ValueError("no"))
        watch.wait_for(EventKind.EXITED, f"c{number}")
    workers = [thread for thread in threading.enumerate() if thread.name.startswith("Worker-")]
    for thread in workers:
        thread.join(WAIT_S)
    assert not any(thread.is_alive() for thread in workers)
