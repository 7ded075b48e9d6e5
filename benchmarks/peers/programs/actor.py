"""Thespian: an actor of the system base `multiprocTCPBase`, a process each."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from thespian.actors import Actor, ActorExitRequest, ActorSystem

from benchmarks.peers.peer import LostError, Peer, question
from benchmarks.script import ANSWER

PATIENCE_S = 20.0


class Unit(Actor):
    """Asks question after question; to "pid" it says where it is."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 1

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 -- Thespian's name
        """`start`, `pid`, or an answer."""
        if not isinstance(message, tuple):
            return
        kind, place = message[0], message[1]
        if kind == "pid":
            self.send(sender, os.getpid())
            return
        if kind == "answer":
            self.number += 1
        self.send(sender, (place, question(self.number)))


class Actors(Peer):
    """Actors. A unit is an actor's address."""

    packages: ClassVar[tuple[str, ...]] = ("thespian",)
    unit: ClassVar[str] = "an actor: a Python process"

    def __init__(self) -> None:
        self._system: Any = None
        self._names: dict[str, str] = {}
        self._count = 0

    def open(self, folder: Path) -> None:
        """Start the system, or find that of an earlier program by its port."""
        kept = folder / "port"
        if not kept.exists():
            kept.write_text(str(free_port()))
        self._system = ActorSystem("multiprocTCPBase", {"Admin Port": int(kept.read_text())})

    def close(self) -> None:
        """End the system."""
        self._system.shutdown()

    def start(self) -> tuple[Any, str]:
        """Create an actor and ask it."""
        self._count += 1
        name = f"unit-{os.getpid()}-{self._count}"
        unit = self._system.createActor(Unit, globalName=name)
        self._names[str(unit)] = name
        return unit, self._ask(unit, ("start", 0))

    def answer(self, unit: Any, text: str) -> str:
        """Ask."""
        return self._ask(unit, ("answer", 0, text))

    def discard(self, unit: Any) -> None:
        """Tell it to end."""
        self._system.tell(unit, ActorExitRequest())

    def rate(self, units: Sequence[Any], seconds: float) -> float:
        """From one thread, as the system is not for several: tell all, then listen and tell again."""
        for place, unit in enumerate(units):
            self._system.tell(unit, ("answer", place, ANSWER))
        done, begin_s = 0, time.perf_counter()
        while time.perf_counter() - begin_s < seconds:
            heard = self._system.listen(PATIENCE_S)
            done += 1
            self._system.tell(units[heard[0]], ("answer", heard[0], ANSWER))
        total = done / (time.perf_counter() - begin_s)
        for _ in units:
            self._system.listen(PATIENCE_S)
        return total

    def name_of(self, unit: Any) -> str:
        """Its global name."""
        return self._names[str(unit)]

    def resume(self, name: str) -> tuple[Any, str]:
        """The actor of that name, if its system is still there; else a new one, which begins anew."""
        unit = self._system.createActor(Unit, globalName=name)
        return unit, self._ask(unit, ("look", 0))

    def worker(self, unit: Any) -> int | None:
        """It says so itself."""
        pid: int = self._system.ask(unit, ("pid", 0), PATIENCE_S)
        return pid

    def _ask(self, unit: Any, message: tuple[Any, ...]) -> str:
        heard = self._system.ask(unit, message, PATIENCE_S)
        if not isinstance(heard, tuple):
            raise LostError(f"no reply within {PATIENCE_S:g} s, but {heard!r}")
        return str(heard[1])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
