"""How to start a child, when to start it again, and how long it may take to end."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from moonward.supervisor.child import Child
from moonward.supervisor.errors import BadChildSpec
from moonward.supervisor.loop_actor import LoopActor

Startable = LoopActor | Child
"""What a specification's `start` returns: an actor that has not been launched, or a child of any kind."""


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


class Restart(enum.Enum):
    """When a child is started again after it has ended by itself."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """Unless it ended normally or by shutdown."""
    TEMPORARY = "temporary"
    """Never; its specification is forgotten."""


class ChildKind(enum.Enum):
    """Whether a child supervises others; it changes the default shutdown, and reports."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Shutdown:
    """How long a child may take to end, in seconds from being asked, before it is killed."""

    timeout_s: float = 5.0
    """Default of Erlang/OTP's workers. 0 kills without asking."""

    BRUTAL_KILL: ClassVar[Shutdown]
    INFINITY: ClassVar[Shutdown]

    def __post_init__(self) -> None:
        if not _is_duration(self.timeout_s):
            raise BadChildSpec(f"shutdown must be a number of seconds from 0 on, not {self.timeout_s!r}")


Shutdown.BRUTAL_KILL = Shutdown(0.0)
Shutdown.INFINITY = Shutdown(math.inf)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A validated child specification.

    `start` returns a new, not yet launched `LoopActor`, or a `Child`; it is called on the loop's thread for each
    start and must not block. For the template of a `DynamicSupervisor` it takes the arguments of `start_child`.
    `shutdown` is 5 s for workers and unlimited for supervisors, which wait for their own children.
    `start_timeout_s` bounds the time until the child is ready.

    Raises `BadChildSpec`.
    """

    id: str
    start: Callable[..., Startable]
    restart: Restart = Restart.PERMANENT
    shutdown: Shutdown | None = None
    kind: ChildKind = ChildKind.WORKER
    start_timeout_s: float = 5.0
    """Arbitrary; the same as the default shutdown."""

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise BadChildSpec(f"id must be a text that is not empty, not {self.id!r}")
        if not callable(self.start):
            raise BadChildSpec(f"start of {self.id!r} must be callable, not {self.start!r}")
        if not isinstance(self.restart, Restart):
            raise BadChildSpec(f"restart of {self.id!r} must be a Restart, not {self.restart!r}")
        if not isinstance(self.kind, ChildKind):
            raise BadChildSpec(f"kind of {self.id!r} must be a ChildKind, not {self.kind!r}")
        if self.shutdown is not None and not isinstance(self.shutdown, Shutdown):
            raise BadChildSpec(f"shutdown of {self.id!r} must be a Shutdown, not {self.shutdown!r}")
        if not _is_duration(self.start_timeout_s) or self.start_timeout_s == 0:
            raise BadChildSpec(
                f"start_timeout_s of {self.id!r} must be above 0, not {self.start_timeout_s!r}"
            )

    @property
    def stop_limit_s(self) -> float:
        """Seconds from being asked to being killed; `inf` for never."""
        if self.shutdown is not None:
            return self.shutdown.timeout_s
        return math.inf if self.kind is ChildKind.SUPERVISOR else Shutdown().timeout_s
