"""The answers to `which_children`, `count_children` and `tree`."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass

from moonward.supervisor.child_spec import ChildKind, Restart


class ChildState(enum.Enum):
    """Where a child is between its specification and its end."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    EXITED = "exited"
    """Gone by itself; its supervisor has not dealt with that yet."""
    RESTARTING = "restarting"
    """Down, with a start to come."""
    STOPPED = "stopped"
    """Down, specification kept."""
    PARKED = "parked"
    """Down: its budget is spent (dynamic children only)."""


@dataclass(frozen=True, slots=True)
class ChildReport:
    """One child. `handle` is None while it does not run; `restarts` are all that were charged for it."""

    id: str
    state: ChildState
    kind: ChildKind
    restart: Restart
    restarts: int
    handle: object | None


@dataclass(frozen=True, slots=True)
class ChildCounts:
    """How many specifications are held, how many children run, and of which kind the specifications are."""

    specs: int
    active: int
    supervisors: int
    workers: int


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A child and, if it is a supervisor, what is below it."""

    id: str
    kind: str
    state: str
    restarts: int
    children: tuple[TreeNode, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The whole subtree as plain values."""
        return asdict(self)
