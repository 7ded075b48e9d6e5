"""What a supervisor tells about its children."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from moonward.supervisor.exits import ExitReason


class EventKind(enum.Enum):
    """What happened."""

    STARTED = "started"
    START_FAILED = "start_failed"
    EXITED = "exited"
    RESTARTING = "restarting"
    """A restart was charged to the budget; it comes after `delay_s`."""
    GAVE_UP = "gave_up"
    """The supervisor's budget is spent; it stops its children and ends."""
    PARKED = "parked"
    """A dynamic child's own budget is spent; the child stays down."""
    ABANDONED = "abandoned"
    """The child did not end even when killed; its supervisor no longer waits for it."""


@dataclass(frozen=True, slots=True)
class SupervisionEvent:
    """One event. `count` is the number of restarts charged for the child so far; `at_s` is the loop's clock."""

    kind: EventKind
    supervisor: str
    child: str
    reason: ExitReason | None
    count: int
    at_s: float
    delay_s: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """The event as plain values, for logs."""
        return {
            "event": self.kind.value,
            "supervisor": self.supervisor,
            "child": self.child,
            "reason": None if self.reason is None else str(self.reason),
            "count": self.count,
            "at_s": self.at_s,
            "delay_s": self.delay_s,
        }


OnEvent = Callable[[SupervisionEvent], None]
