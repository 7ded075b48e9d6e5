"""How a child ended, in the four words that restart decisions need.

- normal: it had nothing more to do, nobody asked it to end
- shutdown: it was asked to end and did (or, a supervisor, gave up in order)
- killed: it did not end in time after it was asked, and was killed by its supervisor
- abnormal: everything else, a status that nobody knows included
"""

from __future__ import annotations

import enum
import os
import signal
from dataclasses import dataclass, field, replace

from moonward.supervisor.errors import Exit


class ExitKind(enum.Enum):
    """The four ways to end."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    KILLED = "killed"
    ABNORMAL = "abnormal"


@dataclass(frozen=True, slots=True)
class ExitReason:
    """A kind, a short text for people, and the exception that did it, if one did."""

    kind: ExitKind
    detail: str = ""
    error: BaseException | None = field(default=None, compare=False)

    @property
    def is_failure(self) -> bool:
        """Whether a transient child is restarted after this."""
        return self.kind in (ExitKind.ABNORMAL, ExitKind.KILLED)

    def __str__(self) -> str:
        return f"{self.kind.value} ({self.detail})" if self.detail else self.kind.value


def reason_of_error(error: BaseException | None) -> ExitReason:
    """The reason of an actor that ended with `error`; None is an end without a failure."""
    if error is None:
        return ExitReason(ExitKind.NORMAL)
    if isinstance(error, Exit):
        return ExitReason(ExitKind(error.kind), str(error), error)
    return ExitReason(ExitKind.ABNORMAL, f"{type(error).__name__}: {error}", error)


def reason_of_status(code: int, status: int, *, asked: bool) -> ExitReason:
    """The reason of a process from `waitid`'s `si_code` and `si_status`. `asked`: its supervisor sent TERM."""
    if code == os.CLD_EXITED:
        detail = f"exit {status}"
        clean = status == 0
    elif code in (os.CLD_KILLED, os.CLD_DUMPED):
        detail = _signal_name(status)
        clean = False
    else:
        return UNKNOWN_STATUS
    if asked:
        return ExitReason(ExitKind.SHUTDOWN, detail)
    return ExitReason(ExitKind.NORMAL if clean else ExitKind.ABNORMAL, detail)


def after_request(reason: ExitReason, *, killed: bool) -> ExitReason:
    """The reason of a child that its supervisor had asked to end, or `killed` after the deadline.

    A failure of its own while it ended is kept.
    """
    if killed:
        return replace(reason, kind=ExitKind.KILLED, detail=reason.detail or "did not end when asked")
    if reason.kind is ExitKind.NORMAL:
        return replace(reason, kind=ExitKind.SHUTDOWN)
    return reason


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


UNKNOWN_STATUS = ExitReason(ExitKind.ABNORMAL, "status unknown: another part of this process reaped it")
"""Somebody else's `waitpid(-1)`, or SIGCHLD ignored: nobody can know, so it is not called a success."""
