"""Starts and kills hosts in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

SCRIPT = Path(__file__).with_name("host_process.py")


class HostProcess:
    """A running `host_process.py`. Use it as a context."""

    def __init__(self, path: Path, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(path), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.output: IO[str] = self._process.stdout

    def __enter__(self) -> HostProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self.output.close()

    def acknowledged(self, count: int) -> list[tuple[str, int]]:
        """The next `count` acknowledged entries, as session id and index; fewer at its end."""
        found: list[tuple[str, int]] = []
        while len(found) < count and (line := self.output.readline()):
            if line.endswith("\n") and line != "ready\n":
                session_id, index = line.split()
                found.append((session_id, int(index)))
        return found

    def kill(self) -> list[tuple[str, int]]:
        """Kill it with -9; what it had acknowledged and we had not read."""
        self._process.kill()
        self._process.wait()
        return self.acknowledged(1 << 60)
