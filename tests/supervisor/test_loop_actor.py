"""Actors of a loop: what pykka leaves open, and supervision of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pykka
import pytest

from moonward.supervisor import (
    ChildSpec,
    Exit,
    ExitKind,
    Loop,
    LoopActor,
    ManualLoop,
    Restart,
    StartFailed,
    Supervisor,
)

from .fakes import World


class Echo(LoopActor):
    """Answers what it is told; raises what is raisable."""

    def __init__(self, loop: Loop, fail_start: BaseException | None = None) -> None:
        super().__init__(loop)
        self.fail_start = fail_start
        self.seen: list[Any] = []
        self.refused: list[Any] = []

    def on_start(self) -> None:
        if self.fail_start is not None:
            raise self.fail_start

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        self.seen.append(message)
        return message

    def on_refused(self, message: Any) -> None:
        self.refused.append(message)


class Neighbourhood:
    """A supervised pair of actors on a hand-moved loop."""

    def __init__(self, restart: Restart = Restart.TEMPORARY) -> None:
        self.world = World()
        specs = [ChildSpec(name, lambda: Echo(self.world.loop), restart) for name in ("a", "b")]
        self.supervisor = self.world.supervisor(specs)
        self.a, self.b = self.actor("a"), self.actor("b")

    def actor(self, name: str) -> Echo:
        actor = self.supervisor.lookup(name)
        assert isinstance(actor, Echo)
        return actor

    def reason(self) -> ExitKind:
        reason = self.world.exits()["a"]
        assert reason is not None
        return reason.kind


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_an_exception_in_a_told_message_ends_that_actor_alone(error: BaseException) -> None:
    here = Neighbourhood()
    here.a.tell(error)
    here.world.loop.run()
    assert here.a.has_ended
    assert not here.b.has_ended
    assert here.reason() is ExitKind.ABNORMAL


def test_an_exception_in_an_asked_message_goes_to_the_caller_and_ends_the_actor() -> None:
    here = Neighbourhood()
    future = here.a.actor_ref.ask(ValueError("no"), block=False)
    here.world.loop.run()
    with pytest.raises(ValueError, match="no"):
        future.get(timeout=0)
    assert here.a.has_ended
    assert here.reason() is ExitKind.ABNORMAL


def test_a_message_to_an_actor_that_has_ended_is_refused_not_lost() -> None:
    here = Neighbourhood()
    fatal = ValueError("no")
    here.a.tell(fatal)
    here.a.tell("late")
    future = here.a.actor_ref.ask("later", block=False)
    here.world.loop.run()
    assert here.a.refused == [fatal, "late", "later"]
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=0)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1)])
def test_what_a_guarded_callback_raises_ends_that_actor_alone(error: BaseException) -> None:
    def fail(message: str, *, loudly: bool) -> None:
        here.a.seen.append((message, loudly))
        raise error

    here = Neighbourhood()
    work = here.a.guarded(fail)
    here.world.loop.call_later(1.0, lambda: work("due", loudly=True))
    here.world.loop.advance(1.0)
    assert here.a.seen == [("due", True)]
    assert here.a.has_ended
    assert not here.b.has_ended
    assert here.reason() is ExitKind.ABNORMAL


def test_what_a_guarded_callback_raises_after_the_end_is_the_loops_to_report() -> None:
    def fail() -> None:
        raise ValueError("too late")

    here = Neighbourhood()
    work = here.a.guarded(fail)
    here.a.end(None)
    with pytest.raises(ValueError, match="too late"):
        work()


def test_pykkas_own_stop_and_proxies_work() -> None:
    here = Neighbourhood()
    seen = here.a.actor_ref.proxy().seen
    stopped = here.a.actor_ref.stop(block=False)
    here.world.loop.run()
    assert seen.get(timeout=0) == []
    assert stopped.get(timeout=0) is True
    assert here.reason() is ExitKind.NORMAL


def test_an_actor_can_say_how_it_ends() -> None:
    here = Neighbourhood(Restart.TRANSIENT)
    here.a.tell(Exit("enough"))
    here.world.loop.run()
    assert here.reason() is ExitKind.SHUTDOWN
    assert here.supervisor.count_children().active == 1


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1)])
def test_an_exception_in_on_start_is_a_failed_start(error: BaseException) -> None:
    world = World()
    supervisor = world.supervisor()
    with pytest.raises(StartFailed) as caught:
        world.value(supervisor.start_child(ChildSpec("a", lambda: Echo(world.loop, error))))
    assert caught.value.__cause__ is error


def test_an_actor_that_fails_to_start_gives_back_what_it_held() -> None:
    given_back: list[BaseException | None] = []

    class Holder(Echo):
        def on_ended(self, reason: BaseException | None) -> None:
            given_back.append(reason)

    error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        Holder(ManualLoop(), error).launch()
    assert given_back == [error]


def test_an_actor_that_ends_itself_in_on_start_has_not_started() -> None:
    class Brief(Echo):
        def on_start(self) -> None:
            self.end(None)

    world = World()
    supervisor = world.supervisor()
    with pytest.raises(StartFailed):
        world.value(supervisor.start_child(ChildSpec("a", lambda: Brief(world.loop))))


def test_an_actor_may_be_ready_later() -> None:
    class Late(Echo):
        def begin_ready(self, ready: Callable[[], None]) -> None:
            self.loop.call_later(1.0, ready)

    world = World()
    supervisor = world.supervisor()
    reply = supervisor.start_child(ChildSpec("a", lambda: Late(world.loop)))
    assert not reply.is_set
    world.loop.advance(1.0)
    assert reply.is_set


class Finisher(Echo):
    """Needs time to end in order."""

    finish: Callable[[], None]

    def begin_end(self, done: Callable[[], None]) -> None:
        self.finish = done


def test_an_actor_is_given_time_to_finish() -> None:
    world = World()
    supervisor = world.supervisor([ChildSpec("a", lambda: Finisher(world.loop))])
    actor = supervisor.lookup("a")
    assert isinstance(actor, Finisher)
    reply = supervisor.terminate_child("a")
    world.loop.advance(4.0)
    assert not reply.is_set
    assert not actor.has_ended
    actor.finish()
    assert reply.is_set
    assert actor.has_ended
    assert [reason and reason.kind for reason in world.exits().values()] == [ExitKind.SHUTDOWN]


def test_an_actor_that_does_not_finish_in_time_is_ended() -> None:
    world = World()
    supervisor = world.supervisor([ChildSpec("a", lambda: Finisher(world.loop))])
    actor = supervisor.lookup("a")
    assert isinstance(actor, Finisher)
    supervisor.terminate_child("a")
    world.loop.advance(5.0)
    assert actor.has_ended
    assert [reason and reason.kind for reason in world.exits().values()] == [ExitKind.KILLED]


def test_last_words_that_fail_do_not_hide_the_end() -> None:
    class Bitter(Echo):
        def on_ended(self, reason: BaseException | None) -> None:
            raise SystemExit(9)

    world = World()
    supervisor = world.supervisor([ChildSpec("a", lambda: Bitter(world.loop), Restart.TEMPORARY)])
    actor = supervisor.lookup("a")
    assert isinstance(actor, Bitter)
    actor.end(None)
    assert supervisor.which_children() == []


def test_an_actor_of_another_loop_is_refused() -> None:
    world = World()
    supervisor = world.supervisor()
    with pytest.raises(StartFailed, match="another loop"):
        world.value(supervisor.start_child(ChildSpec("a", lambda: Echo(ManualLoop()))))


def test_no_actor_of_ours_is_in_pykkas_global_registry() -> None:
    before = len(pykka.ActorRegistry.get_all())
    here = Neighbourhood()
    assert isinstance(here.supervisor, Supervisor)
    assert len(pykka.ActorRegistry.get_all()) == before
