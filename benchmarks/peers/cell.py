"""Runs a peer's program in a process of its own, hears what it finds, and leaves nothing of it behind.

Some peers detach processes from the program that starts them. So this process adopts orphans (it is a subreaper):
whatever a peer starts stays below it, where its memory is counted and where it is killed in the end. What does not
work: two cells at once.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks import memory
from benchmarks.peers.trial import Amounts
from moonward.testing.leftovers import descendants

PR_SET_CHILD_SUBREAPER: Final = 36
"""<linux/prctl.h>."""

TREE: Final = Path(__file__).parents[2]
START: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
    "from benchmarks.peers import trial; trial.main(sys.argv[1:])"
)
CLOSE_S: Final = 3.0
"""Seconds for a program that is done to close what it opened; then it is killed."""


def adopt_orphans() -> None:
    """Become the parent of whatever loses its own below this process."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Cell:
    """One program of one peer. `lines` yields what it tells; a line that asks for memory has it in `bytes`.

    At the end of its context it is ended, and all that it started.
    """

    def __init__(
        self, interpreter: Path, key: str, phase: str, folder: Path, amounts: Amounts, name: str = ""
    ) -> None:
        self._before = descendants(os.getpid())
        self._log = folder / f"{phase}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(interpreter), "-P", "-c", START, str(TREE),
                    key, phase, str(folder), json.dumps(asdict(amounts)), *([name] if name else []),
                ],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0, start_new_session=True,
            )  # fmt: skip

        self.unit = ""
        self._is_done = False

    def __enter__(self) -> Cell:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def lines(self, seconds: float) -> Iterator[dict[str, Any]]:
        """What it tells, until it is done. `TimeoutError` after `seconds`; `RuntimeError` says what went wrong."""
        deadline_s = time.monotonic() + seconds
        for text in self._texts(deadline_s):
            line: dict[str, Any] = json.loads(text)
            if "error" in line:
                raise RuntimeError(line["error"])
            if "ask" in line:
                line["bytes"], line["kind"] = self._memory()
                self._reply()
            self.unit = line.get("unit", self.unit)
            yield line
            if "done" in line:
                self._is_done = True
                return
        raise RuntimeError(f"it ended unasked; {self.last_words()}")

    def _texts(self, deadline_s: float) -> Iterator[bytes]:
        assert self._process.stdout is not None
        fd, buffer = self._process.stdout.fileno(), b""
        while True:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([fd], [], [], left_s)[0]:
                raise TimeoutError("it took too long")
            data = os.read(fd, 1 << 16)
            if not data:
                return
            *whole, buffer = (buffer + data).split(b"\n")
            yield from whole

    def _reply(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    def _memory(self) -> tuple[int, str]:
        try:
            return memory.family_bytes(os.getpid()), "PSS"
        except memory.Unreadable:
            return -memory.available_bytes(), "MemAvailable"

    def last_words(self) -> str:
        """The last line that it wrote to standard error."""
        words = self._log.read_text(errors="replace").strip().splitlines()
        return words[-1][:200] if words else "it said nothing"

    def kill(self) -> None:
        """SIGKILL to the program alone."""
        self._process.kill()
        self._process.wait()

    def _end(self) -> None:
        """One that is done may close what it opened first."""
        if self._is_done:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._reply()
                self._process.wait(CLOSE_S)
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        while left := descendants(os.getpid()) - self._before:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0 if pid in _children() else os.WNOHANG)


def _children() -> set[int]:
    return {
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


def interpreter_of(environment: Path | None) -> Path:
    """The interpreter of a virtual environment, by default this one."""
    return Path(sys.executable) if environment is None else environment / "bin" / "python"
