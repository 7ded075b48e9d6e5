"""Hosts in processes of their own, which can be stopped and killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("remote_host.py")


class Refused(Exception):
    """The host raised an error; `kind` is its type."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class RemoteHost:
    """A running `remote_host.py`. Use it as a context; at its end it is killed."""

    def __init__(self, path: Path, **settings: Any) -> None:
        settings.setdefault("data_dir", str(path.parent / "data"))
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(SCRIPT), str(path), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> RemoteHost:
        assert self.answer() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()

    def ask(self, *command: Any) -> Any:
        """Let the host do something; its value, or `Refused`."""
        self.say(*command)
        return self.answer()

    def say(self, *command: Any) -> None:
        """Let the host do something, without waiting."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """What the host answers next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the host has ended"
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"], answer["text"])
        return answer["value"]

    def stop(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self.process.kill()
        self.process.wait()
