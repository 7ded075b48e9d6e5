"""A host that is about to be killed:  killed_host.py "at work" | "starting"

Writes the process id of its zygote once fifty sessions are at work, or while they are being started, and waits.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from moonward.testing import FaultyRuntime, descendants

SESSIONS = 40
CODES = [
    "return alc.llm('?')",
    "while true do end",
    "return alc.fork({ 'asks', 'asks' }, {})",
    "return alc.llm('stopped')",
]
"""One in four has two children beside its own worker: sixty workers in all."""


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    (folder / "asks.lua").write_text("return { run = function() return alc.llm('?') end }")
    runtime = FaultyRuntime(data_dir=folder, package_paths=[folder])
    pool = next(part for part in runtime.tree()["children"] if part["id"] == "pool")
    zygote = pool["stats"]["zygote_pid"]
    if sys.argv[1] == "starting":
        for number in range(SESSIONS):
            threading.Thread(target=runtime.start, args=(CODES[number % 4],), daemon=True).start()
    else:
        sessions = [runtime.start(CODES[number % 4]) for number in range(SESSIONS)]
        for number, session in enumerate(sessions):
            if number % 4 != 1:
                session.wait(30)
            if number % 4 == 3:
                for pid in runtime.workers(session.id).values():
                    os.kill(pid, signal.SIGSTOP)
        assert len(descendants(os.getpid())) > 50
    os.write(1, b"%d\n" % zygote)
    threading.Event().wait()


main()
