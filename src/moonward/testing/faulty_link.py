"""The pipes to a worker, with trouble on the way."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import msgspec

from moonward.actors.losses import Loss
from moonward.actors.worker.wire import AskRequest, Broke, Done, FromWorker, Notes
from moonward.actors.worker_link import WorkerLink
from moonward.actors.worker_process import ExitStatus
from moonward.testing.fault import DONE, Fault, Point

Strike = Callable[[Point], Fault | None]


class FaultyLink(WorkerLink):
    """A `WorkerLink` that asks `strike` at each point. Loop thread only."""

    def __init__(self, strike: Strike, noise: Callable[[int], bytes], *link: Any) -> None:
        self._strike = strike
        self._noise = noise
        self._sent = False
        self._is_deaf = False
        self._is_mute = False
        self._late_in: list[bytes] | None = None
        self._late_out: list[bytes] | None = None
        super().__init__(*link)

    # -- out -------------------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Send `frame`, unless something happens to it."""
        if self._is_mute:
            return
        if self._late_out is not None:
            self._late_out.append(frame)
            return
        point: Point = "reply" if self._sent else "begin"
        self._sent = True
        fault = self._strike(point)
        if fault is None:
            self._send_on(point, frame)
        elif fault.kind == "drop":
            self._is_mute = True
        elif fault.kind == "slow":
            self._late_out = [frame]
            self._loop.call_later(fault.for_s or 0.0, lambda: self._catch_up_out(point))
        else:
            self._signal(fault)
            self._send_on(point, frame)

    def _send_on(self, point: Point, frame: bytes) -> None:
        super().send(frame)
        self._after(point)

    def _catch_up_out(self, point: Point) -> None:
        frames, self._late_out = self._late_out or [], None
        for frame in frames:
            if not self._closed:
                self._send_on(point, frame)

    # -- in --------------------------------------------------------------------------------------------------------

    def receive(self, body: bytes) -> None:
        """Hand on the message in `body`, unless something happens to it."""
        if self._is_deaf:
            return
        if self._late_in is not None:
            self._late_in.append(body)
            return
        point = point_of(body)
        fault = self._strike(point) if point is not None else None
        if fault is None:
            self._receive_on(point, body)
        elif fault.kind == "garble":
            super().receive(self._noise(len(body)))
        elif fault.kind == "slow":
            self._late_in = [body]
            self._loop.call_later(fault.for_s or 0.0, self._catch_up_in)
        elif fault.kind == "stop":
            self._signal(fault)
            self._receive_on(point, body)
        else:  # what follows a lost frame is lost too: pipes keep their order
            self._is_deaf = True
            if fault.kind == "kill":
                self._signal(fault)

    def _receive_on(self, point: Point | None, body: bytes) -> None:
        super().receive(body)
        if point is not None:
            self._after(point)

    def _catch_up_in(self) -> None:
        bodies, self._late_in = self._late_in or [], None
        for body in bodies:
            if not self._closed:
                self._receive_on(point_of(body), body)

    def _report(self, status: ExitStatus) -> None:
        self._catch_up_in()  # what a worker wrote before it died comes before its death
        if not self._closed:
            super()._report(status)

    # -- both ------------------------------------------------------------------------------------------------------

    def _after(self, point: Point) -> None:
        done = DONE.get(point)
        if done is None or self._closed:
            return
        fault = self._strike(done)
        if fault is not None:
            self._signal(fault)

    def _signal(self, fault: Fault) -> None:
        process = self.process
        if fault.kind == "kill":
            process.kill()
            return
        tell(process.pidfd, signal.SIGSTOP)
        if fault.for_s is not None:
            self._loop.call_later(fault.for_s, lambda: tell(process.pidfd, signal.SIGCONT))

    def lose(self, loss: Loss) -> None:
        """Report a loss; nothing that was held back is delivered after it."""
        self._late_in = self._late_out = None
        self._is_mute = True
        super().lose(loss)


def tell(pidfd: int, number: signal.Signals) -> None:
    """Send a signal to a process, unless it has ended."""
    if pidfd >= 0:
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass  # it ended in between


def point_of(body: bytes) -> Point | None:
    """Where a frame with this body is; None for one that cannot be read."""
    try:
        message = msgspec.json.decode(body, type=FromWorker)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    if isinstance(message, Notes):
        return "notes"
    if isinstance(message, AskRequest):
        return "ask"
    if isinstance(message, Done | Broke):
        return "end"
    return "call"
