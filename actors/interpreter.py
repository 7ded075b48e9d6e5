"""Starts the clean interpreter that becomes the zygote: no site, no environment, no inherited descriptor."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

CONTROL_FD = 3

LOW_FD = 10
"""Descriptors are moved above this first, so that placing one at 0 to 3 overwrites none of the others."""

BOOT = """
import os
os.closerange({first}, 1 << 20)
import sys
sys.path += {paths!r}
import moonward
moonward.__path__ += {parts!r}
from moonward.actors.worker.zygote import start_of_interpreter
start_of_interpreter({argument!r})
"""

INHERITED = ("LD_LIBRARY_PATH",)
"""Variables without which the interpreter might not start."""


def spawn_interpreter(
    control_fd: int,
    stderr_fd: int,
    entry: str,
    executable: str | None = None,
    entry_paths: Sequence[str] = (),
) -> int:
    """Start it with `control_fd` as descriptor 3 and `stderr_fd` as 2; its process id. Raises `OSError`.

    `entry_paths`: where the entry's module is found, when that is none of ours.
    """
    program = executable or sys.executable
    if not program:
        raise FileNotFoundError("this interpreter does not know its own executable (sys.executable is empty)")
    argument = json.dumps([CONTROL_FD, os.getpid(), entry])
    paths, parts = import_paths()
    boot = BOOT.format(first=CONTROL_FD + 1, paths=[*paths, *entry_paths], parts=parts, argument=argument)
    environment = {"TZ": "UTC0"} | {name: os.environ[name] for name in INHERITED if name in os.environ}
    moved: list[int] = []
    try:
        moved += [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, LOW_FD) for fd in (control_fd, stderr_fd)]
        return os.posix_spawn(
            program,
            [program, "-I", "-S", "-c", boot],
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, moved[1], 2),
                (os.POSIX_SPAWN_DUP2, moved[0], CONTROL_FD),
            ],
            setpgroup=0,
            setsigmask=[],
            setsigdef=sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}),
        )
    finally:
        for fd in moved:
            os.close(fd)


def import_paths() -> tuple[list[str], list[str]]:
    """Where a bare interpreter finds our modules: entries for `sys.path`, and further ones for the package's own
    path (an editable install keeps `moonward.actors` elsewhere than `moonward`)."""
    tops = [_folder(name) for name in ("moonward", "lupa", "msgspec")]
    parts = [_folder("moonward.actors"), _folder("moonward.supervisor")]
    return sorted({str(each.parent) for each in tops}), sorted({str(each.parent) for each in parts})


def _folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {name} is not installed as a folder")
    return Path(next(iter(spec.submodule_search_locations)))
