"""One life of a host, as its client sees it: a process that is given commands, and that may be gone at any moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import Any

HOST = Path(__file__).with_name("host.py")

PATIENCE_S = 90.0
"""Seconds after which a host that is alive and does not answer counts as hanging: longer than its own patience."""


class HostLost(Exception):
    """The host was gone before it answered: what was asked of it may be done, or not."""


class Refused(Exception):
    """The host answered with an error; `kind` is its type."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class HostLink:
    """A running `host.py`. Calls from any thread; one thread kills."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(HOST), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.woken = 0
        self._lock = threading.Lock()
        self._last = 0
        self._lost = False
        self._asked: dict[int, Future[Any]] = {0: Future()}
        self._ready = self._asked[0]
        self._stderr = b""
        self._readers = [
            threading.Thread(target=each, name=f"host {self.process.pid}")
            for each in (self._read, self._listen)
        ]
        for reader in self._readers:
            reader.start()

    def wait_until_ready(self) -> None:
        """Return when it is; `Refused` when it cannot be, `HostLost` when it is gone."""
        self._ready.result(PATIENCE_S)

    def call(self, name: str, *arguments: Any) -> Any:
        """Let the host do something: its value, `Refused` or `HostLost`."""
        future: Future[Any] = Future()
        with self._lock:
            if self._lost:
                raise HostLost
            self._last += 1
            self._asked[self._last] = future
            line = json.dumps([self._last, name, *arguments]).encode() + b"\n"
            try:
                assert self.process.stdin is not None
                self.process.stdin.write(line)
                self.process.stdin.flush()
            except OSError:
                raise HostLost from None
        return future.result(PATIENCE_S)

    def kill(self) -> None:
        """SIGKILL, and wait for its end. What it had said is heard."""
        self.process.kill()
        self._bury()

    def close(self) -> int:
        """Let it end in order; its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._bury()
        return self.process.returncode

    @property
    def complaints(self) -> str:
        """What it wrote to standard error; whole once it has ended."""
        return self._stderr.decode(errors="replace")

    def _bury(self) -> None:
        self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:  # a line that was being written when it died
                pass

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):  # else it was killed while it said this: it did not say it
                self._hear(json.loads(line))
        with self._lock:
            self._lost = True
            left = list(self._asked.values())
        for future in left:
            self._settle(future, error=HostLost())

    def _hear(self, answer: dict[str, Any]) -> None:
        self.woken = answer.get("woken", self.woken)
        with self._lock:
            future = self._asked.pop(answer["number"])
        if "error" in answer:
            self._settle(future, error=Refused(answer["error"], answer["text"]))
        else:
            self._settle(future, answer["value"])

    def _settle(self, future: Future[Any], value: Any = None, error: Exception | None = None) -> None:
        try:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)
        except InvalidStateError:
            pass  # nobody waits any more

    def _listen(self) -> None:
        assert self.process.stderr is not None
        fd = self.process.stderr.fileno()
        while heard := os.read(fd, 1 << 16):
            self._stderr += heard
