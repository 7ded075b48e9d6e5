"""One kind of trouble, where it strikes, and whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["kill", "stop", "slow", "garble", "drop", "fail"]
"""`kill`: SIGKILL to the worker. `stop`: SIGSTOP, and SIGCONT after `for_s` seconds, or never. `slow`: the frame
arrives `for_s` seconds late. `garble`: the frame's body is replaced by noise. `drop`: the frame, and all that follow
it, never arrive. `fail`: no worker can be started."""

Point = Literal[
    "start", "begin", "begun", "reply", "replied", "notes", "noted", "ask", "asked", "call", "called", "end"
]
"""Where a strand and its worker are, each time it happens, when a session is repeated too:

`start` a worker is asked for · `begin` the script is about to be sent, `begun` it has been · `reply` an answer or a
result is about to be sent, `replied` it has been · `notes` logs or progress have come and were not looked at,
`noted` they were · `ask`, `asked` the same for a question · `call`, `called` the same for a call of the host
(`alc.state`, `require`, `alc.fork`, …) · `end` the script's last word has come and was not looked at.
"""

KINDS: tuple[Kind, ...] = get_args(Kind)
POINTS: tuple[Point, ...] = get_args(Point)

INCOMING: frozenset[Point] = frozenset(("notes", "ask", "call", "end"))
"""Points at which a frame of the worker has come and was not looked at."""

OUTGOING: frozenset[Point] = frozenset(("begin", "reply"))
"""Points at which a frame is about to be sent."""

DONE: dict[Point, Point] = {
    "begin": "begun",
    "reply": "replied",
    "notes": "noted",
    "ask": "asked",
    "call": "called",
}
"""Point before something → point after it."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Trouble of one `kind` at one `point`.

    `session` is an id, or a number counted from 0 in the order of starts, or None for all; `strand` is the name of
    a fork's child, "" the session's own, None all. `nth` (from 1) is the visit of the point by a session at which it
    strikes, None each; `times` how often it strikes a session at most, None without end; `chance` the probability
    that it strikes, drawn from the seed; `for_s` how long `stop` and `slow` last, in seconds.
    """

    kind: Kind
    point: Point
    session: str | int | None = None
    strand: str | None = None
    nth: int | None = None
    times: int | None = 1
    chance: float = 1.0
    for_s: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.point not in POINTS:
            raise ValueError(f"point must be one of {', '.join(POINTS)}, got {self.point!r}")
        possible = kinds_at(self.point)
        if self.kind not in possible:
            raise ValueError(f"at {self.point!r} there can be {', '.join(possible)}, not {self.kind!r}")
        if not 0.0 <= self.chance <= 1.0:
            raise ValueError(f"chance must be from 0 to 1, got {self.chance!r}")
        for name in ("nth", "times"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be a positive integer or None, got {value!r}")
        if self.for_s is not None and not self.for_s >= 0:
            raise ValueError(f"for_s must be a non-negative number of seconds or None, got {self.for_s!r}")
        if self.kind == "slow" and self.for_s is None:
            raise ValueError("a slow fault needs for_s, in seconds")


def kinds_at(point: Point) -> tuple[Kind, ...]:
    """The kinds of trouble that are possible at `point`."""
    if point == "start":
        return ("fail",)
    if point in INCOMING:
        return ("kill", "stop", "slow", "garble", "drop")
    if point in OUTGOING:
        return ("kill", "stop", "slow", "drop")
    return ("kill", "stop")


@dataclass(frozen=True)
class Injected:
    """A fault that struck: `number` counts sessions in the order of their starts, `visit` visits of the point."""

    session_id: str
    number: int
    strand: str
    point: Point
    visit: int
    kind: Kind
    at_s: float
    """Monotonic seconds."""
