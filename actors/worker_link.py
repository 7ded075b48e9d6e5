"""One end of the pipes to a worker: frames out, typed messages in. Any doubt about the stream kills the worker.

Guarantees:
- Nothing here blocks: writes that the pipe does not take wait in a buffer, bounded by the largest frame.
- What a worker wrote before it died is read before its death is reported; its death is reported once.
- A frame is never larger than `max_frame_bytes`; nothing is allocated for one that claims to be.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable

import msgspec

from moonward.actors.losses import Loss
from moonward.actors.worker.wire import HEADER, FromWorker
from moonward.actors.worker_process import ExitStatus, WorkerProcess
from moonward.supervisor.loop import Loop

READ_BYTES = 1 << 16
"""Bytes read at once: a pipe's capacity on Linux."""

EXIT_GRACE_S = 0.25
"""Seconds between the end of a worker's output and its death, before it is killed for having closed its output. The
exit of a dead worker is reported by the zygote within milliseconds; a loaded machine may need a hundred."""

REPORT_GRACE_S = 1.0
"""Seconds after that kill until the worker counts as lost although nobody has reported its exit. Arbitrary; so late
a zygote is stopped, or stuck."""


class WorkerLink:
    """The host's end of a ready worker's pipes. Loop thread only."""

    def __init__(
        self,
        loop: Loop,
        process: WorkerProcess,
        max_frame_bytes: int,
        max_frames: int,
        on_message: Callable[[FromWorker], None],
        on_lost: Callable[[Loss], None],
    ) -> None:
        self._loop = loop
        self.process = process
        self._max_frame_bytes = max_frame_bytes
        self._max_frames = max_frames
        self._on_message = on_message
        self._on_lost = on_lost
        self._decoder = msgspec.json.Decoder(FromWorker)
        self._in = bytearray()
        self._out = bytearray()
        self._frames = 0
        self._closed = False
        self._loss: Loss | None = None
        loop.watch(process.stdout_fd, self._ready)
        process.on_exit(self._exited)

    def send(self, frame: bytes) -> None:
        """Write `frame`, now or as the pipe takes it; a new slice of the worker begins."""
        self._frames = 0
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
        try:
            data = os.read(self.process.stdout_fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(Loss("protocol", f"its pipe could not be read: {error.strerror}"))
            return
        if not data:
            self._eof()
        elif not self._in and len(data) >= 4 and HEADER.unpack_from(data)[0] + 4 == len(data):
            if self._count():
                self.receive(data[4:])  # the usual case: one whole frame
        else:
            self._in += data
            self._parse()

    def _parse(self) -> None:
        buffer = self._in
        at = 0
        while not self._closed and len(buffer) - at >= 4:
            (length,) = HEADER.unpack_from(buffer, at)
            if not 1 <= length <= self._max_frame_bytes:
                self.lose(
                    Loss("protocol", f"bad frame length {length} (1 to {self._max_frame_bytes} allowed)")
                )
                return
            if len(buffer) - at - 4 < length:
                break
            body = bytes(memoryview(buffer)[at + 4 : at + 4 + length])
            at += 4 + length
            if not self._count():
                return
            self.receive(body)
        if at:
            del buffer[:at]

    def _count(self) -> bool:
        self._frames += 1
        if self._frames > self._max_frames:
            self.lose(Loss("limit", f"max_frames_per_slice ({self._max_frames}) exceeded"))
            return False
        return True

    def receive(self, body: bytes) -> None:
        """Hand on the message that is the body of one frame."""
        try:
            message = self._decoder.decode(body)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            self.lose(Loss("protocol", f"undecodable frame: {str(error)[:200]}"))
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
        if not self._closed and self.process.exit_status is None:
            self._loss = Loss("protocol", "it closed its output without a final frame")
            self.process.kill()
            self._loop.call_later(REPORT_GRACE_S, self._lose_unreported)

    def _lose_unreported(self) -> None:
        self.lose(Loss("crash", "its output ended, and its exit is not reported"))

    def _exited(self, status: ExitStatus) -> None:
        if self._closed:
            return
        while not self._closed and self._drain():
            pass
        if not self._closed:
            self._report(status)

    def _drain(self) -> bool:
        try:
            data = os.read(self.process.stdout_fd, READ_BYTES)
        except OSError:
            return False
        if data:
            self._in += data
            self._parse()
        return bool(data)

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
