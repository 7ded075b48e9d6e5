"""Jupyter: a kernel for each unit, which asks with `input()` and is answered as a notebook answers it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

import zmq
from jupyter_client.manager import KernelManager

from benchmarks.peers.peer import DIGITS, LostError, Peer
from benchmarks.script import ANSWER, QUESTION

CODE = f"""
number = 0
while True:
    number += 1
    input({QUESTION!r}.replace({DIGITS!r}, format(number, "05d")))
"""

PATIENCE_S = 20.0

Unit = tuple[Any, Any]


class Kernels(Peer):
    """Kernels. A unit is a manager and its client."""

    packages: ClassVar[tuple[str, ...]] = ("jupyter_client", "ipykernel")
    unit: ClassVar[str] = "a kernel: a Python process"

    def open(self, folder: Path) -> None:
        """Nothing is kept ready."""

    def start(self) -> tuple[Unit, str]:
        """Start a kernel, wait for it, run the cell."""
        manager = KernelManager()
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute(CODE, allow_stdin=True)
        unit = manager, client
        return unit, self._asked(unit)

    def answer(self, unit: Unit, text: str) -> str:
        """Type it."""
        unit[1].input(text)
        return self._asked(unit)

    def discard(self, unit: Unit) -> None:
        """Kill the kernel."""
        unit[1].stop_channels()
        unit[0].shutdown_kernel(now=True)

    def rate(self, units: Sequence[Unit], seconds: float) -> float:
        """From one thread that waits for all channels at once: sockets belong to the thread that made them."""
        poller, by_socket = zmq.Poller(), {}
        for _, client in units:
            socket = client.stdin_channel.socket
            poller.register(socket, zmq.POLLIN)
            by_socket[socket] = client
            client.input(ANSWER)
        done, begin_s = 0, time.perf_counter()
        while time.perf_counter() - begin_s < seconds:
            for socket, _ in poller.poll(1000):
                client = by_socket[socket]
                client.get_stdin_msg(timeout=PATIENCE_S)
                done += 1
                client.input(ANSWER)
        return done / (time.perf_counter() - begin_s)

    def worker(self, unit: Unit) -> int | None:
        """The kernel's process."""
        pid: int = unit[0].provisioner.process.pid
        return pid

    def _asked(self, unit: Unit) -> str:
        try:
            return str(unit[1].get_stdin_msg(timeout=PATIENCE_S)["content"]["prompt"])
        except Empty:
            raise LostError(f"no question within {PATIENCE_S:g} s") from None
