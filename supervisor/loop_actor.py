"""A pykka actor that runs on a shared loop instead of a thread of its own.

What pykka leaves open, and what this class does about it:
- An exception in a handler ends the actor, whether it came by `tell` or `ask`; `on_end` hears the reason.
- An exception in `on_start` is raised from `launch`, and leaves nothing behind.
- No handler can stop other actors: only this actor ends, whatever it raises.
- Messages left when an actor ends are not lost in silence: `on_refused` is told each of them, and later ones, and
  first the one whose handling ended it.
- A callback outside of any message (a timer, a pipe) is part of the actor too when it is `guarded`.
- No global registry is used.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, ParamSpec

import pykka

from moonward.supervisor.loop import Loop

P = ParamSpec("P")

EndListener = Callable[["LoopActor", BaseException | None], None]


class LoopInbox:
    """The mailbox: `put` from any thread, read on the loop."""

    __slots__ = ("messages", "owner")

    def __init__(self) -> None:
        self.messages: deque[Any] = deque()
        self.owner: LoopActor | None = None

    def put(self, envelope: Any, /) -> None:
        """Take a message from pykka's reference."""
        assert self.owner is not None
        self.owner.deliver(envelope.message, envelope.reply_to)

    def get(self) -> Any:
        """The next message."""
        return self.messages.popleft()

    def empty(self) -> bool:
        """Whether no message waits."""
        return not self.messages


class LoopActor(pykka.Actor):
    """An actor on `loop`. Subclasses write `on_start`, `on_receive`, `on_ended`, `on_refused`.

    Create it with `launch`, on the loop's thread; give it messages with `tell` from anywhere.
    """

    use_daemon_thread = True

    def __init__(self, loop: Loop, name: str = "") -> None:
        super().__init__()
        self.loop = loop
        self.name = name or type(self).__name__
        self.actor_inbox.owner = self  # type: ignore[attr-defined]
        self._ended = False
        self._end_listeners: list[EndListener] = []

    @staticmethod
    def _create_actor_inbox() -> Any:
        return LoopInbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return pykka.ThreadingFuture()

    def _start_actor_loop(self) -> None:
        raise RuntimeError("use launch(): an actor of a loop is never started by pykka")

    def launch(self) -> None:
        """Run `on_start` now, on the loop's thread; ready when this returns. What it raises is raised here.

        The actor has ended then: `on_ended` gives back what it held already.
        """
        assert self.loop.is_here, "launch on the loop's thread"
        try:
            self.on_start()
        except BaseException as error:
            self.end(error)
            raise

    def tell(self, message: Any) -> None:
        """Deliver `message` later, in order with others of this thread. From any thread."""
        self.loop.post(lambda: self._handle(message, None, self.on_receive))

    def handle(self, message: Any) -> None:
        """Handle `message` now. Loop thread only, for other actors of the same loop."""
        self._handle(message, None, self.on_receive)

    def deliver(self, message: Any, reply_to: pykka.Future[Any] | None) -> None:
        """Deliver a message of pykka's own `ActorRef`: its `stop` and its proxies work too."""
        self.loop.post(lambda: self._handle(message, reply_to, self._handle_receive))

    @property
    def has_ended(self) -> bool:
        """Whether this actor takes no more messages."""
        return self._ended

    def on_end(self, listener: EndListener) -> None:
        """Call `listener(actor, reason)` when the actor has ended; the reason is None when it was asked to."""
        self._end_listeners.append(listener)

    def end(self, reason: BaseException | None = None) -> None:
        """End this actor now. Loop thread. Idempotent."""
        if self._ended:
            return
        self._ended = True
        self.actor_stopped.set()
        try:
            self.on_ended(reason)
        except BaseException as error:  # its end must be told, whatever its last words do
            reason = reason or error
        listeners, self._end_listeners = self._end_listeners, []
        for listener in listeners:
            listener(self, reason)

    def on_ended(self, reason: BaseException | None) -> None:
        """Hook: give back what this actor holds. `reason` is None when it was asked to end."""

    def begin_ready(self, ready: Callable[[], None]) -> None:
        """Hook for a supervisor: call `ready` once this actor can serve. By default it can after `launch`.

        An actor that finds out that it cannot ends itself instead.
        """
        ready()

    def begin_end(self, done: Callable[[], None]) -> None:
        """Hook for a supervisor: finish in order, without blocking, then call `done`, which ends this actor.

        By default there is nothing to finish. The supervisor's patience is limited: see `kill`.
        """
        done()

    def kill(self) -> None:
        """Hook for a supervisor: end now, the time for `begin_end` is over. Must end the actor before long."""
        self.end(None)

    def on_refused(self, message: Any) -> None:
        """Hook: `message` came after the end, or its handling ended this actor. Whoever waits for an answer to it
        should be told, if that has not been done."""

    def guarded(self, work: Callable[P, None]) -> Callable[P, None]:
        """`work` as a callback of this actor: what it raises ends the actor, as in a handler. Loop thread."""

        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                work(*args, **kwargs)
            except BaseException as error:
                if self._ended:
                    raise  # to the loop's own report: there is no actor left to blame
                self.end(error)

        return run

    def _stop(self) -> None:
        self.end(None)  # by way of pykka's `ActorRef.stop`

    def _handle(
        self, message: Any, reply_to: pykka.Future[Any] | None, receive: Callable[[Any], Any]
    ) -> None:
        if self._ended:
            self.on_refused(message)
            if reply_to is not None:
                reply_to.set_exception(
                    (pykka.ActorDeadError, pykka.ActorDeadError(f"{self} has ended"), None)
                )
            return
        try:
            result = receive(message)
        except BaseException as error:  # pykka would stop every actor of the process
            if reply_to is not None:
                reply_to.set_exception((type(error), error, error.__traceback__))
            self.end(error)
            self.on_refused(message)
            return
        if reply_to is not None:
            reply_to.set(result)
