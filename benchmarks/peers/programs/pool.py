"""A pool by hand, as one writes it in an afternoon: `multiprocessing` processes with lupa, a pipe to each.

Processes are forked from a server that has loaded lupa, and two are kept ready, as many as moonward keeps. Nothing is
confined, limited, kept on disk or started again.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

from lupa import lua55

from benchmarks.peers.peer import DIGITS, LostError, Peer
from benchmarks.script import QUESTION

CODE = f"""
return coroutine.wrap(function()
  local number = 0
  while true do
    number = number + 1
    coroutine.yield(string.format("{QUESTION.replace(DIGITS, "%05d")}", number))
  end
end)
"""

READY = 2
"""Processes kept ready."""

Unit = tuple[BaseProcess, Connection]


def serve(pipe: Connection) -> None:
    """A process: says that it is there, then runs the script that it is sent, answer by answer."""
    vm = lua55.LuaRuntime()
    pipe.send("ready")
    step = vm.execute(pipe.recv())
    pipe.send(step())
    while True:
        pipe.send(step(pipe.recv()))


class Pool(Peer):
    """Processes with a Lua VM each."""

    packages: ClassVar[tuple[str, ...]] = ("lupa",)
    unit: ClassVar[str] = "a process with a Lua VM"

    def __init__(self) -> None:
        self._context: Any = multiprocessing.get_context("forkserver")
        self._ready: deque[Unit] = deque()

    def open(self, folder: Path) -> None:
        """Fork the first ones."""
        self._context.set_forkserver_preload([__name__])
        self._refill()

    def close(self) -> None:
        """Kill them."""
        for unit in self._ready:
            self.discard(unit)

    def ready(self) -> None:
        """Start others for those that were taken, and wait for their word."""
        self._refill()
        for _, pipe in self._ready:
            pipe.poll(None)

    def start(self) -> tuple[Unit, str]:
        """Take one and send it the script."""
        if not self._ready:
            self._refill()
        unit = self._ready.popleft()
        pipe = unit[1]
        pipe.recv()
        pipe.send(CODE)
        asked: str = pipe.recv()
        return unit, asked

    def answer(self, unit: Unit, text: str) -> str:
        """Send, receive."""
        try:
            unit[1].send(text)
            asked: str = unit[1].recv()
        except (EOFError, OSError) as error:
            raise LostError(f"{type(error).__name__}: {error}") from None
        return asked

    def discard(self, unit: Unit) -> None:
        """Kill it."""
        unit[0].kill()
        unit[0].join()
        unit[1].close()

    def worker(self, unit: Unit) -> int | None:
        """It is one."""
        return unit[0].pid

    def _refill(self) -> None:
        while len(self._ready) < READY:
            here, there = self._context.Pipe()
            process = self._context.Process(target=serve, args=(there,), daemon=True)
            process.start()
            there.close()
            self._ready.append((process, here))
