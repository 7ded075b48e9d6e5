"""Ordinary pykka actors, which run on threads of their own, as children of a supervisor.

pykka tells nobody how an actor's life ends, so a subclass made here watches the three places where it can:

- `on_start` raised: the start has failed. (pykka: `start` has returned a reference already; nobody is told.)
- a message that was told raised: the child has failed. An exception from `ask` goes to who asked, as in pykka.
- something that is no `Exception`, anywhere: this child has failed. (pykka: every actor of the process is stopped.)

Messages to an actor that has ended: `ask` is always answered with `ActorDeadError`, also when it races with the end
(pykka: it may wait forever); messages that were told are counted in `lost`. No global registry is used.

What does not work: a thread cannot be killed. `kill` sets pykka's flag, which is looked at between two messages.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import pykka

from moonward.supervisor.child import Child, Exited, Ready
from moonward.supervisor.errors import SupervisionError
from moonward.supervisor.exits import ExitReason, reason_of_error
from moonward.supervisor.loop import Loop

A = TypeVar("A", bound=pykka.ThreadingActor)


class ActorFailed(SupervisionError):
    """An actor's handler raised something that is no `Exception`, chained here. The actor has ended."""


class ClosableInbox(queue.SimpleQueue[Any]):
    """A mailbox that refuses what comes after its end, instead of keeping it for nobody."""

    def __init__(self) -> None:
        super().__init__()
        self._door = threading.Lock()
        self._is_closed = False
        self.lost = 0
        """Messages told to the actor that it never handled."""

    def put(self, envelope: Any, block: bool = True, timeout: float | None = None) -> None:
        """Take a message, or refuse it."""
        with self._door:
            if not self._is_closed:
                super().put(envelope)
                return
        self._refuse(envelope)

    def close(self) -> None:
        """Refuse all that is left and all that comes."""
        with self._door:
            self._is_closed = True
        while not self.empty():
            self._refuse(self.get())

    def _refuse(self, envelope: Any) -> None:
        if isinstance(envelope.message, pykka.messages._ActorStop):
            if envelope.reply_to is not None:
                envelope.reply_to.set(None)
        elif envelope.reply_to is None:
            self.lost += 1
        else:
            error = pykka.ActorDeadError("the actor ended before it handled the message")
            envelope.reply_to.set_exception((pykka.ActorDeadError, error, None))


class WatchedActor(pykka.ThreadingActor):
    """Mixed into the user's class: tells its `ThreadChild` what pykka keeps to itself."""

    use_daemon_thread = True  # one that never returns must not hold up the end of the program
    watcher: ThreadChild
    failure: BaseException | None = None

    @staticmethod
    def _create_actor_inbox() -> Any:
        return ClosableInbox()

    def _actor_loop(self) -> None:
        try:
            try:
                self.on_start()
            except BaseException as error:
                self.failure = error
                self.actor_stopped.set()
                return
            self.watcher.report_ready()
            self._actor_loop_running()
        except BaseException as error:  # on_stop, on_failure: pykka catches only `Exception` there
            self.failure = self.failure or error
        finally:
            self.actor_stopped.set()
            self.actor_inbox.close()  # type: ignore[attr-defined]
            self.watcher.report_exit(self.failure)

    def _handle_receive(self, message: Any) -> Any:
        try:
            return super()._handle_receive(message)
        except Exception:
            raise
        except BaseException as error:
            self.failure = error
            self.actor_stopped.set()
            raise ActorFailed(f"{type(error).__name__}: {error}") from error

    def _handle_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.failure = self.failure or exception_value
        self.actor_stopped.set()


class ThreadChild(Child):
    """A pykka `ThreadingActor` under supervision; `start=lambda: ThreadChild(MyActor, 1, key=2)`.

    The handle is the `ActorRef`. The actor is ready when `on_start` has returned.
    """

    def __init__(self, actor_class: type[A], /, *args: Any, **kwargs: Any) -> None:
        watched: Callable[..., WatchedActor] = type(
            actor_class.__name__, (WatchedActor, actor_class), {"watcher": self}
        )
        self._make: Callable[[], WatchedActor] = lambda: watched(*args, **kwargs)
        self._ref: pykka.ActorRef[Any] | None = None
        self._loop: Loop | None = None
        self._ready: Ready | None = None
        self._exited: Exited | None = None
        self._stop_flag: threading.Event | None = None

    def begin_start(self, loop: Loop, ready: Ready, exited: Exited) -> None:
        """Make the actor and start its thread."""
        self._loop, self._ready, self._exited = loop, ready, exited
        actor = self._make()
        self._ref, self._stop_flag = actor.actor_ref, actor.actor_stopped
        actor._start_actor_loop()

    def begin_stop(self) -> None:
        """Queue pykka's stop message: what came before is handled first."""
        assert self._ref is not None
        self._ref.actor_inbox.put(pykka._envelope.Envelope(pykka.messages._ActorStop()))

    def kill(self) -> None:
        """Let the actor end after the message that it is at."""
        assert self._ref is not None
        assert self._stop_flag is not None
        self._stop_flag.set()
        self.begin_stop()  # wakes it, should it wait

    @property
    def handle(self) -> pykka.ActorRef[Any]:
        """The actor's reference."""
        assert self._ref is not None
        return self._ref

    def report_ready(self) -> None:
        """Called on the actor's thread: `on_start` has returned."""
        if self._loop is not None and self._ready is not None:
            self._loop.post(self._ready)

    def report_exit(self, failure: BaseException | None) -> None:
        """Called on the actor's thread, last."""
        reason: ExitReason = reason_of_error(failure)
        if self._loop is not None and self._exited is not None:
            exited = self._exited
            self._loop.post(lambda: exited(reason))
