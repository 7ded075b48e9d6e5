"""The command line as a user meets it: a process with arguments, streams and an exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "moonward"]


def moonward(
    *arguments: str | Path, status: int = 0, given: str | bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run a command with `given` on its standard input; its exit status must be `status`."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        timeout=50,
        input=given.encode() if isinstance(given, str) else given,
        check=False,
    )
    output, errors = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, (output, errors)
    return subprocess.CompletedProcess(done.args, done.returncode, output, errors)
