"""The first thing that a worker says, awaited under a deadline; any doubt about it kills the worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from moonward.actors.errors import ProtocolError, StartTimeout, WorkerCrashed
from moonward.actors.worker.wire import HEADER, PROTOCOL, Hello
from moonward.actors.worker_process import ExitStatus, WorkerProcess
from moonward.supervisor.loop import Loop

MAX_HELLO_BYTES = 4096
"""Longest first frame. A hello has about 200 bytes; a page."""


@dataclass(frozen=True, slots=True)
class ReadyWorker:
    """A worker that waits for its `Begin`, and what it said of itself."""

    process: WorkerProcess
    hello: Hello


Taken = Callable[["ReadyWorker | None", Exception | None], None]


class Greeting:
    """Reads the hello of a new worker, under a deadline; `done` is called once."""

    def __init__(self, loop: Loop, process: WorkerProcess, timeout_s: float, done: Taken) -> None:
        self._loop = loop
        self._process = process
        self._done = done
        self._data = b""
        self._over = False
        self._deaf = False
        self._timer = loop.call_later(timeout_s, lambda: self._late(timeout_s))
        loop.watch(process.stdout_fd, lambda _events: self._read())
        process.on_exit(self._exited)

    def cancel(self) -> None:
        """Stop reading; `done` is not called."""
        if not self._over:
            self._over = True
            self._timer.cancel()
            self._loop.unwatch(self._process.stdout_fd)

    def _read(self) -> None:
        try:
            data = os.read(self._process.stdout_fd, MAX_HELLO_BYTES + HEADER.size + 1)
        except BlockingIOError:
            return
        if not data:
            self._loop.unwatch(self._process.stdout_fd)
            self._deaf = True
            self._process.kill()  # if it is ending by itself, that status is kept
            return
        self._data += data
        try:
            hello = decode_hello(self._data)
        except ProtocolError as error:
            self._finish(None, error)
            return
        if hello is not None:
            self._finish(ReadyWorker(self._process, hello), None)

    def _late(self, timeout_s: float) -> None:
        self._finish(None, StartTimeout(f"the worker did not say hello within {timeout_s:g} s"))

    def _exited(self, status: ExitStatus) -> None:
        closed = self._deaf and status.signal == signal.SIGKILL
        how = "closed its output" if closed else "ended"
        self._finish(None, WorkerCrashed(f"the worker {how} before its hello: {status}"))

    def _finish(self, ready: ReadyWorker | None, error: Exception | None) -> None:
        if not self._over:
            self.cancel()
            self._done(ready, error)


def decode_hello(data: bytes) -> Hello | None:
    """The hello in what a worker wrote, or None while it is incomplete. Raises `ProtocolError`."""
    if len(data) < HEADER.size:
        return None
    (size,) = HEADER.unpack_from(data)
    if not 0 < size <= MAX_HELLO_BYTES:
        raise ProtocolError(f"bad frame length of a hello: {size}")
    end = HEADER.size + size
    if len(data) < end:
        return None
    if len(data) > end:
        raise ProtocolError("a worker went on after its hello without having been asked")
    try:
        hello = msgspec.json.decode(data[HEADER.size :], type=Hello)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError("the hello of a worker could not be decoded") from error
    if hello.protocol != PROTOCOL:
        raise ProtocolError(f"a worker speaks protocol {hello.protocol}, expected {PROTOCOL}")
    return hello
