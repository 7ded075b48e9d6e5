"""How an end is told."""

import pytest

from moonward.actors.plain_text import printable
from moonward.actors.worker_process import ExitStatus


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (ExitStatus(signal=9), "killed by signal 9 (SIGKILL)"),
        (ExitStatus(signal=62), "killed by signal 62 (62)"),
        (ExitStatus(code=0), "exit status 0"),
        (ExitStatus(code=1), "exit status 1"),
        (ExitStatus(), "unknown"),
        (ExitStatus(zygote_lost=True), "lost with its zygote"),
    ],
)
def test_an_end_has_a_text(status: ExitStatus, text: str) -> None:
    assert str(status) == text


def test_a_wait_status_is_a_code_or_a_signal() -> None:
    assert ExitStatus.of_wait_status(7 << 8).code == 7
    assert ExitStatus.of_wait_status(31).signal == 31
    assert ExitStatus.of_wait_status(6 | 0x80).signal == 6, "one that dumped core"


def test_last_words_are_safe_to_show() -> None:
    assert (
        printable(b"a\x1b[0m\xffb\r\nc\0".decode(errors="backslashreplace")) == "a\\x1b[0m\\xffb\\r\nc\\x00"
    )
