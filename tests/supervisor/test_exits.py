"""What an end is called."""

from __future__ import annotations

import os
import signal

import pytest

from moonward.supervisor import Exit, ExitKind, ExitReason, GaveUp
from moonward.supervisor.exits import UNKNOWN_STATUS, after_request, reason_of_error, reason_of_status


@pytest.mark.parametrize(
    ("code", "status", "asked", "kind", "detail"),
    [
        (os.CLD_EXITED, 0, False, ExitKind.NORMAL, "exit 0"),
        (os.CLD_EXITED, 1, False, ExitKind.ABNORMAL, "exit 1"),
        (os.CLD_EXITED, 0, True, ExitKind.SHUTDOWN, "exit 0"),
        (os.CLD_EXITED, 1, True, ExitKind.SHUTDOWN, "exit 1"),
        (os.CLD_KILLED, signal.SIGTERM, True, ExitKind.SHUTDOWN, "SIGTERM"),
        (os.CLD_KILLED, signal.SIGTERM, False, ExitKind.ABNORMAL, "SIGTERM"),
        (os.CLD_KILLED, signal.SIGKILL, False, ExitKind.ABNORMAL, "SIGKILL"),
        (os.CLD_DUMPED, signal.SIGSEGV, False, ExitKind.ABNORMAL, "SIGSEGV"),
        (os.CLD_KILLED, 40, False, ExitKind.ABNORMAL, "signal 40"),
    ],
)
def test_the_status_of_a_process(code: int, status: int, asked: bool, kind: ExitKind, detail: str) -> None:
    assert reason_of_status(code, status, asked=asked) == ExitReason(kind, detail)


def test_a_status_that_is_not_understood_is_abnormal() -> None:
    assert reason_of_status(99, 0, asked=False).kind is ExitKind.ABNORMAL
    assert UNKNOWN_STATUS.is_failure


def test_the_end_of_an_actor() -> None:
    error = ValueError("no")
    assert reason_of_error(None).kind is ExitKind.NORMAL
    assert reason_of_error(error) == ExitReason(ExitKind.ABNORMAL, "ValueError: no")
    assert reason_of_error(error).error is error
    assert reason_of_error(Exit("enough")) == ExitReason(ExitKind.SHUTDOWN, "enough")
    assert reason_of_error(Exit("bad", "abnormal")).is_failure
    assert reason_of_error(GaveUp("often")).kind is ExitKind.SHUTDOWN


def test_after_a_request_a_normal_end_is_a_shutdown_and_a_failure_stays_one() -> None:
    failure = ExitReason(ExitKind.ABNORMAL, "own")
    assert after_request(ExitReason(ExitKind.NORMAL), killed=False).kind is ExitKind.SHUTDOWN
    assert after_request(failure, killed=False) == failure
    assert after_request(ExitReason(ExitKind.SHUTDOWN, "exit 0"), killed=True).kind is ExitKind.KILLED


@pytest.mark.parametrize(("kind", "failure"), list(zip(ExitKind, [False, False, True, True], strict=True)))
def test_what_restarts_a_transient_child(kind: ExitKind, failure: bool) -> None:
    assert ExitReason(kind).is_failure is failure
