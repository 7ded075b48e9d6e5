"""Each gap that pykka leaves, reproduced, and what closes it here. Should pykka close one itself, the first half of its
test fails and tells so."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

import moonward
from moonward.supervisor import (
    ChildSpec,
    EventKind,
    Exit,
    Loop,
    LoopActor,
    Reply,
    Restart,
    Shutdown,
    StartFailed,
    SupervisionEvent,
    Supervisor,
    ThreadChild,
)

WAIT_S = 10.0
SOON_S = 0.2


class Trouble(pykka.ThreadingActor):
    """Raises what it is told, waits for what it is told, and notes which hooks were called."""

    use_daemon_thread = True

    def __init__(self, fail_start: BaseException | None = None) -> None:
        super().__init__()
        self.fail_start = fail_start
        self.failed = threading.Event()
        self.stopped = threading.Event()

    def on_start(self) -> None:
        if self.fail_start is not None:
            raise self.fail_start

    def on_stop(self) -> None:
        self.stopped.set()

    def on_failure(self, *_: Any) -> None:
        self.failed.set()

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

    def start(self, *args: Any, restart: Restart = Restart.TEMPORARY, **more: Any) -> Any:
        reply = self.supervisor.start_child(
            ChildSpec("a", lambda: ThreadChild(Trouble, *args), restart, **more)
        )
        assert reply.wait(WAIT_S)
        return reply.result()

    def wait_for(self, kind: EventKind, count: int = 1) -> SupervisionEvent:
        def seen() -> list[SupervisionEvent]:
            return [event for event in self.events if event.kind is kind]

        with self.news:
            assert self.news.wait_for(lambda: len(seen()) >= count, WAIT_S), self.events
            return seen()[count - 1]


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.supervisor.stop(2.0)


def test_an_exception_in_an_ask_is_told_to_no_hook_but_every_end_is_told_to_the_supervisor(
    watch: Watch,
) -> None:
    alone = Trouble.start()
    actor: Any = alone._actor_weakref()
    with pytest.raises(ValueError, match="no"):
        alone.ask(ValueError("no"), timeout=WAIT_S)
    assert alone.ask(1, timeout=WAIT_S) == 1
    assert not actor.failed.is_set(), "pykka has learnt to tell"
    alone.stop(timeout=WAIT_S)
    ref = watch.start()
    with pytest.raises(ValueError, match="no"):
        ref.ask(ValueError("no"), timeout=WAIT_S)
    ref.tell(ValueError("told"))
    reason = watch.wait_for(EventKind.EXITED).reason
    assert reason is not None
    assert reason.detail == "ValueError: told"


def test_a_failed_start_is_told_to_nobody_but_start_child_waits_for_it(watch: Watch) -> None:
    alone = Trouble.start(ValueError("no"))
    actor: Any = alone._actor_weakref()
    assert actor.actor_stopped.wait(WAIT_S)
    assert not actor.failed.is_set()
    assert not actor.stopped.is_set(), "pykka has learnt to tell"
    with pytest.raises(StartFailed, match="ValueError: no"):
        watch.start(ValueError("no"))


ALONE = """
import pykka, sys, threading

class Trouble(pykka.ThreadingActor):
    def __init__(self, fail_start=None):
        super().__init__()
        self.fail_start = fail_start
    def on_start(self):
        if self.fail_start is not None:
            raise self.fail_start
    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        return message

threading.excepthook = lambda hook: None
if sys.argv[1] == "message":
    bystander, fatal = Trouble.start(), Trouble.start()
    thread = bystander._actor_weakref()
    fatal.tell(SystemExit(1))
    print("stopped" if thread.actor_stopped.wait(10) else "alive")
else:
    ghost = Trouble.start(SystemExit(1))
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(10)
    print("alive" if ghost.is_alive() else "stopped")
"""


@pytest.mark.parametrize(("where", "told"), [("message", "stopped"), ("start", "alive")])
def test_a_base_exception_stops_every_actor_or_leaves_a_ghost_but_here_that_child_alone(
    watch: Watch, where: str, told: str
) -> None:
    program = [sys.executable, "-c", textwrap.dedent(ALONE), where]
    done = subprocess.run(program, capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == told, "pykka has learnt it"
    bystander = Trouble.start()
    try:
        if where == "message":
            ref = watch.start()
            ref.tell(SystemExit(1))
            watch.wait_for(EventKind.EXITED)
            assert not ref.is_alive()
        else:
            with pytest.raises(StartFailed):
                watch.start(SystemExit(1))
        assert bystander.ask(1, timeout=WAIT_S) == 1
    finally:
        bystander.stop(timeout=WAIT_S)


def test_the_registry_is_global_but_a_runtime_neither_uses_it_nor_suffers_from_it() -> None:
    stranger = Trouble.start()
    before = len(pykka.ActorRegistry.get_all())
    with moonward.Runtime(warm_workers=0) as other:
        session = other.start("return alc.llm('?')")
        with moonward.Runtime(warm_workers=0) as runtime:
            runtime.start("return alc.llm('?')").wait(WAIT_S)
            assert len(pykka.ActorRegistry.get_all()) == before
        assert stranger.ask(1, timeout=WAIT_S) == 1, "closing a Runtime stops its own actors only"
        pykka.ActorRegistry.stop_all(timeout=WAIT_S)
        assert not stranger.is_alive()
        session.wait(WAIT_S)
        assert session.feed("yes", timeout=WAIT_S) == session.finished()


def test_a_stop_queues_behind_everything_but_a_supervisor_gives_a_busy_actor_up_in_time(watch: Watch) -> None:
    gate = threading.Event()
    alone = Trouble.start()
    alone.tell(gate)
    with pytest.raises(pykka.Timeout):
        alone.stop(timeout=SOON_S)
    ref = watch.start(shutdown=Shutdown(SOON_S))
    ref.tell(gate)
    reply = watch.supervisor.terminate_child("a")
    assert reply.wait(SOON_S + 1.0)
    assert watch.wait_for(EventKind.ABANDONED).child == "a"
    gate.set()
    assert ref.actor_stopped.wait(WAIT_S)


def test_a_busy_script_is_stopped_because_its_process_is_killed() -> None:
    """No actor ever waits for Lua, so none is ever blocked by it."""
    with moonward.Runtime(warm_workers=0) as runtime:
        session = runtime.start("while true do end")
        assert session.cancel("enough").state == moonward.Cancelled("enough")


def test_messages_to_a_dying_actor_vanish_but_here_they_are_refused_or_counted(watch: Watch) -> None:
    class Echo(LoopActor):
        def __init__(self, loop: Loop) -> None:
            super().__init__(loop)
            self.refused: list[Any] = []

        def on_receive(self, message: Any) -> Any:
            raise Exit("enough")

        def on_refused(self, message: Any) -> None:
            self.refused.append(message)

    supervisor = watch.supervisor
    reply = supervisor.start_child(ChildSpec("echo", lambda: Echo(supervisor.loop), Restart.TEMPORARY))
    assert reply.wait(WAIT_S)
    echo = reply.result()
    assert isinstance(echo, Echo)
    echo.tell("last")
    echo.tell("late")
    later: Reply[None] = Reply()
    supervisor.loop.post(lambda: later.complete(None) and None)
    assert later.wait(WAIT_S)
    assert echo.refused == ["last", "late"]
    ref = watch.start()
    gate = threading.Event()
    for message in (gate, ValueError("no"), "lost"):
        ref.tell(message)
    future = ref.ask("asked", block=False)
    gate.set()
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=WAIT_S)
    watch.wait_for(EventKind.EXITED, 2)
    assert ref.actor_inbox.lost == 1


def test_awaiting_a_future_blocks_the_event_loop_but_awaiting_a_session_does_not() -> None:
    """The script waits until the event loop has done something else meanwhile."""

    async def pykkas() -> list[str]:
        seen: list[str] = []
        future = pykka.ThreadingFuture[str]()
        threading.Timer(SOON_S, lambda: future.set("done")).start()
        asyncio.get_running_loop().call_later(SOON_S / 10, lambda: seen.append("meanwhile"))
        seen.append(await future)
        return list(seen)

    async def ours() -> list[str]:
        seen: list[str] = []
        async with moonward.AsyncRuntime(warm_workers=0) as runtime:
            session = await runtime.start("return alc.llm('?')")
            await session.wait()

            async def answer() -> None:
                seen.append("meanwhile")
                await session.feed("done")

            task = asyncio.create_task(answer())
            finished = await session.finished()
            await task
            seen.append(finished.state.result)  # type: ignore[union-attr]
        return seen

    assert asyncio.run(pykkas()) == ["done"], "pykka has learnt it"
    assert asyncio.run(ours()) == ["meanwhile", "done"]


def test_an_actor_costs_a_thread_but_a_session_does_not() -> None:
    before = threading.active_count()
    actors = [Trouble.start() for _ in range(10)]
    assert threading.active_count() == before + 10
    for each in actors:
        each.stop(timeout=WAIT_S)
    with moonward.Runtime(warm_workers=0) as runtime:
        first = runtime.start("return alc.llm(tostring(alc.state.get('x')))")
        first.wait(WAIT_S)
        held = threading.active_count()
        sessions = [runtime.start("return alc.llm('?')") for _ in range(20)]
        for session in sessions:
            session.wait(WAIT_S)
        assert threading.active_count() == held
