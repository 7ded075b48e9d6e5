"""What a supervisor needs of a child, be it an actor, a thread or a process.

A child runs once: a restart makes a new one. All methods are called on the loop's thread and none may block;
`ready` and `exited` must be called on the loop's thread too, `exited` exactly once for each child that started.
"""

from __future__ import annotations

import abc
from collections.abc import Callable

from moonward.supervisor.exits import ExitReason
from moonward.supervisor.loop import Loop

Ready = Callable[[], None]
Exited = Callable[[ExitReason], None]


class Child(abc.ABC):
    """One run of a child."""

    @abc.abstractmethod
    def begin_start(self, loop: Loop, ready: Ready, exited: Exited) -> None:
        """Start it; call `ready` once it can serve, now or later. May raise: then it has not started.

        A start that fails later ends in `exited` without `ready`.
        """

    @abc.abstractmethod
    def begin_stop(self) -> None:
        """Ask it to end. It may take its time; the supervisor counts it."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End it without asking. May be called after, or instead of, `begin_stop`; also while it starts."""

    @property
    @abc.abstractmethod
    def handle(self) -> object:
        """What callers are given: the actor, its reference, the process."""
