"""One end of the pipes to a worker: frames out, typed messages in. Any doubt about the stream kills the worker.

Guarantees:
- Nothing here blocks: writes that the pipe does not take wait in a buffer, bounded by the largest frame: a worker that
  asks for more before it has taken a reply is killed.
- A flood is read in turn with what others have to say: `FRAMES_PER_TURN` frames, then the others'.
- What a worker wrote before it died is read before its death is reported; its death is reported once.
- A frame is never larger than `max_frame_bytes`; nothing is allocated for one that claims to be.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable

from moonward.actors.losses import Loss
from moonward.actors.screening import Refused, Screen
from moonward.actors.worker.wire import HEADER, Broke, FromWorker
from moonward.actors.worker_process import ExitStatus, WorkerProcess
from moonward.supervisor.loop import Loop

READ_BYTES = 1 << 16
"""Bytes read at once: a pipe's capacity on Linux."""

FRAMES_PER_TURN = 64
"""Frames handled before others get their turn. Arbitrary; they take less than a millisecond."""

TURN_S = 0.001
"""Seconds until more frames of a worker are handled that has sent many. As long again as the frames have taken, so
that a flood leaves others at least half of this thread."""

DRAIN_BYTES = 1 << 20
"""Most that a dead worker's pipe is read for: the largest pipe that an unprivileged process can have."""

EXIT_GRACE_S = 0.25
"""Seconds between the end of a worker's output and its death, before it is killed for having closed its output. A
worker that ends takes milliseconds from the one to the other; on a loaded machine it may be a hundred."""

REPORT_GRACE_S = 1.0
"""Seconds after that until the worker counts as lost although nobody has reported its exit. Arbitrary; so late a
zygote is stopped, or stuck."""


class WorkerLink:
    """The host's end of a ready worker's pipes. Loop thread only."""

    def __init__(
        self,
        loop: Loop,
        process: WorkerProcess,
        screen: Screen,
        on_message: Callable[[FromWorker], None],
        on_lost: Callable[[Loss], None],
    ) -> None:
        self._loop = loop
        self.process = process
        self._screen = screen
        self._on_message = on_message
        self._on_lost = on_lost
        self._in = bytearray()
        self._out = bytearray()
        self._closed = False
        self._behind = False
        self._loss: Loss | None = None
        loop.watch(process.stdout_fd, self._ready)
        process.on_exit(self._exited)

    def send(self, frame: bytes) -> None:
        """Write `frame`, now or as the pipe takes it; a new slice of the worker begins."""
        self._screen.slice_begins()
        if self._closed:
            return
        if self._out:
            self._out += frame
            return
        try:
            written = os.write(self.process.stdin_fd, frame)
        except BlockingIOError:
            written = 0
        except OSError:
            return  # the worker has closed its end: its exit tells the rest
        if written < len(frame):
            self._out += memoryview(frame)[written:]
            self._loop.watch(self.process.stdin_fd, self._writable, select.EPOLLOUT)

    def lose(self, loss: Loss) -> None:
        """Kill the worker for `loss`, which is reported at once."""
        if not self._closed:
            self.close()
            self._on_lost(loss)

    def close(self) -> None:
        """Kill the worker and give back the descriptors; nothing is reported any more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._loop.unwatch(self.process.stdout_fd)
        self._loop.unwatch(self.process.stdin_fd)
        self.process.kill()
        self.process.close()

    def release(self) -> WorkerProcess | None:
        """Let go of a worker that is to serve another run, and report nothing more; None, the worker killed, when it
        wrote more than it should have, or has not read all that it was sent."""
        if self._closed or self._in or self._out:
            self.close()
            return None
        self._closed = True
        self._loop.unwatch(self.process.stdout_fd)
        self.process.forget_listeners()
        return self.process

    def _writable(self, events: int) -> None:
        try:
            written = os.write(self.process.stdin_fd, memoryview(self._out)[:READ_BYTES])
        except BlockingIOError:
            return
        except OSError:
            self._out.clear()
            written = 0
        if written:
            del self._out[:written]
        if not self._out:
            self._loop.unwatch(self.process.stdin_fd)

    def _ready(self, events: int) -> None:
        if self._behind:
            return
        try:
            data = os.read(self.process.stdout_fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(Loss("protocol", f"its pipe could not be read: {error.strerror}"))
            return
        if not data:
            self._eof()
        elif not self._in and self._is_whole(data):
            self.receive(data[4:])  # the usual case: one whole frame
        else:
            self._in += data
            self._parse(FRAMES_PER_TURN)

    def _is_whole(self, data: bytes) -> bool:
        """Whether the data is exactly one frame, of an allowed length."""
        size = len(data) - HEADER.size
        return 0 < size <= self._screen.max_frame_bytes and HEADER.unpack_from(data)[0] == size

    def _parse(self, most: int | None) -> None:
        """Hand on the frames that are complete; at most that many, the rest in a moment."""
        buffer = self._in
        at = taken = 0
        while not self._closed and len(buffer) - at >= 4:
            (length,) = HEADER.unpack_from(buffer, at)
            if not 1 <= length <= self._screen.max_frame_bytes:
                allowed = f"1 to {self._screen.max_frame_bytes} allowed"
                self.lose(Loss("protocol", f"bad frame length {length} ({allowed})"))
                return
            if len(buffer) - at - 4 < length:
                break
            if taken == most:
                self._behind = True
                self._loop.call_later(TURN_S, self._catch_up)
                break
            taken += 1
            body = bytes(memoryview(buffer)[at + 4 : at + 4 + length])
            at += 4 + length
            self.receive(body)
        if at:
            del buffer[:at]

    def _catch_up(self) -> None:
        self._behind = False
        if not self._closed:
            self._parse(FRAMES_PER_TURN)

    def receive(self, body: bytes) -> None:
        """Hand on the message that is the body of one frame."""
        try:
            message = self._screen.read(body)
        except Refused as refused:
            self.lose(refused.loss)
            return
        if self._out and not isinstance(message, Broke):  # a script may end because a reply does not fit
            self.lose(Loss("protocol", "it went on without having read its reply"))
            return
        self._on_message(message)

    def _eof(self) -> None:
        """EOF is not death: wait for the exit, but not for long."""
        self._loop.unwatch(self.process.stdout_fd)
        if self.process.exit_status is not None:
            self._report(self.process.exit_status)
        else:
            self._loop.call_later(EXIT_GRACE_S, self._kill_mute)

    def _kill_mute(self) -> None:
        if self._closed or self.process.exit_status is not None:
            return
        if not self.process.is_dead():  # of a dead one, the zygote will say how it died
            self._loss = Loss("protocol", "it closed its output without a final frame")
            self.process.kill()
        self._loop.call_later(REPORT_GRACE_S, self._lose_unreported)

    def _lose_unreported(self) -> None:
        self.lose(Loss("crash", "its output ended, and its exit is not reported"))

    def _exited(self, status: ExitStatus) -> None:
        if self._closed:
            return
        self._drain()
        self._parse(None)
        if not self._closed:
            self._report(status)

    def _drain(self) -> None:
        """Read what a dead worker has left in its pipe; what it left behind may hold the pipe, and go on writing."""
        left = DRAIN_BYTES
        while left > 0:
            try:
                data = os.read(self.process.stdout_fd, min(left, READ_BYTES))
            except OSError:
                return
            if not data:
                return
            left -= len(data)
            self._in += data

    def _report(self, status: ExitStatus) -> None:
        if self._loss is not None and status.signal == signal.SIGKILL:  # ours
            self.lose(self._loss)
        else:
            self.lose(loss_of(status))


def loss_of(status: ExitStatus) -> Loss:
    """What an exit that nobody asked for means."""
    if status.zygote_lost:
        return Loss("zygote", "the process that workers are forked from was lost")
    if status.signal == signal.SIGXCPU:
        return Loss("limit", "cpu_seconds exceeded")
    if status.signal == signal.SIGKILL:
        return Loss("crash", f"{status} (likely out of memory, or killed from outside)")
    return Loss("crash", str(status))
