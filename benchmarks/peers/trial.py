"""What is measured of a peer, in the peer's own process: `python -m benchmarks.peers.trial KEY PHASE FOLDER AMOUNTS`.

It tells what it finds as JSON, a line each, on the standard output that it was started with; whatever the peer prints
goes to standard error. Who started it kills it when it has said that it is done.

- `start`: from the call to the first question. One unit after another; what the peer keeps ready is ready.
- `answer`: from an answer to the next question, one unit, one caller.
- `memory`: how much more all its processes take with the units than without, divided by the units.
- `rate`: answers a second with many units, each answered again as soon as it asks, in the way that suits the peer.
- phases `before` and `after`: what is left of a unit that was given three answers when its program is killed, and,
  where the unit has a process of its own, when that is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TextIO

from benchmarks.peers.peer import Peer, number_of
from benchmarks.peers.programs import BY_KEY
from benchmarks.script import ANSWER

FEWEST: Final = 3
"""Samples that are taken however long they take."""

ANSWERS_BEFORE: Final = 3
"""Answers that a unit is given before something is killed."""

LOSS_S: Final = 20.0
"""Seconds after which a unit whose process was killed counts as lost."""


@dataclass(frozen=True)
class Amounts:
    """How much to do: samples at most and seconds at most of starts and of answers, units and seconds of the rate."""

    starts: int = 100
    start_s: float = 8.0
    answers: int = 5_000
    answer_s: float = 6.0
    memory_units: int = 1_000
    rate_units: int = 64
    rate_s: float = 4.0


QUICK: Final = Amounts(5, 1.0, 200, 0.5, 8, 4, 0.3)


class Trial:
    """One peer, measured."""

    def __init__(self, peer: Peer, amounts: Amounts, screen: TextIO) -> None:
        self._peer = peer
        self._amounts = amounts
        self._screen = screen

    def measure(self, folder: Path) -> None:
        """Everything but losses."""
        self._peer.open(folder)
        self.tell(
            versions={name: metadata.version(name) for name in self._peer.packages}, what=self._peer.unit
        )
        amounts = self._amounts
        self._start()  # the first one loads what is loaded late
        self.tell(found="start", samples_s=samples(self._start, amounts.starts, amounts.start_s))
        self._answers()
        units = self._memory()
        units += self._peer.start_many(max(0, amounts.rate_units - len(units)))
        busy = units[: amounts.rate_units]
        self.tell(found="rate", value=self._peer.rate(busy, amounts.rate_s), units=len(busy))

    def _start(self) -> float:
        self._peer.ready()
        begin_s = time.perf_counter()
        unit, asked = self._peer.start()
        took_s = time.perf_counter() - begin_s
        expect(1, asked)
        self._peer.discard(unit)
        return took_s

    def _answers(self) -> None:
        unit, _ = self._peer.start()
        number = 1

        def one() -> float:
            nonlocal number
            number += 1
            begin_s = time.perf_counter()
            asked = self._peer.answer(unit, ANSWER)
            took_s = time.perf_counter() - begin_s
            expect(number, asked)
            return took_s

        amounts = self._amounts
        samples(one, amounts.answers // 10, amounts.answer_s / 10, 1)  # warm-up
        self.tell(found="answer", samples_s=samples(one, amounts.answers, amounts.answer_s))
        self._peer.discard(unit)

    def _memory(self) -> list[Any]:
        count = min(self._peer.memory_units, self._amounts.memory_units)
        self._peer.ready()
        self.ask("memory-without")
        units = self._peer.start_many(count)
        self._peer.ready()
        self.ask("memory-with", units=count)
        return units

    def before(self, folder: Path) -> None:
        """Kill a unit's process, then wait to be killed."""
        self._peer.expect_losses()
        self._peer.open(folder)
        first, _ = self._peer.start()
        for _ in range(ANSWERS_BEFORE):
            self._peer.answer(first, ANSWER)
        self.tell(unit=self._peer.name_of(first))
        second, _ = self._peer.start()
        for _ in range(ANSWERS_BEFORE):
            self._peer.answer(second, ANSWER)
        pid = self._peer.worker(second)
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        kept, how = outcome(lambda: expect(ANSWERS_BEFORE + 2, self._peer.answer(second, ANSWER)))
        self.tell(loss="process", kept=kept, how=how)

    def after(self, folder: Path, name: str) -> None:
        """Find the unit of a program that was killed."""
        self._peer.open(folder)

        def go_on() -> None:
            unit, asked = self._peer.resume(name)
            expect(ANSWERS_BEFORE + 1, asked)
            expect(ANSWERS_BEFORE + 2, self._peer.answer(unit, ANSWER))

        kept, how = outcome(go_on)
        self.tell(loss="program", kept=kept, how=how)

    def close(self) -> None:
        """End what was opened."""
        self._peer.close()

    def tell(self, **what: Any) -> None:
        """A line."""
        print(json.dumps(what), file=self._screen, flush=True)

    def ask(self, what: str, **more: Any) -> None:
        """A line, and wait until it was read."""
        self.tell(ask=what, **more)
        sys.stdin.readline()


def samples(one: Callable[[], float], most: int, seconds: float, fewest: int = FEWEST) -> list[float]:
    """Samples of `one`, as many as are wanted or as many as fit into the time."""
    taken: list[float] = []
    end_s = time.monotonic() + seconds
    while len(taken) < most and (len(taken) < fewest or time.monotonic() < end_s):
        taken.append(one())
    return taken


def expect(number: int, asked: str) -> None:
    """Raise `ValueError` unless that is the question of that number."""
    if number_of(asked) != number:
        raise ValueError(f"asked question {number_of(asked)}, not {number}")


def outcome(go_on: Callable[[], None]) -> tuple[bool, str]:
    """Whether a unit goes on, and how that showed."""
    result: list[tuple[bool, str]] = []

    def attempt() -> None:
        try:
            go_on()
        except Exception as error:
            result.append((False, f"{type(error).__name__}: {error}"[:200]))
        else:
            result.append((True, "asked the next question, with all its answers"))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(LOSS_S)
    return result[0] if result else (False, f"no question within {LOSS_S:g} s")


def main(argv: list[str]) -> None:
    """One phase."""
    key, phase, folder, amounts, *name = argv
    screen = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    trial = None
    try:
        trial = Trial(BY_KEY[key].peer(), Amounts(**json.loads(amounts)), screen)
        if phase == "measure":
            trial.measure(Path(folder))
        elif phase == "before":
            trial.before(Path(folder))
        else:
            trial.after(Path(folder), *name)
    except BaseException as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), file=screen, flush=True)
        raise
    print(json.dumps({"done": True}), file=screen, flush=True)
    sys.stdin.readline()  # until it is killed, or may close what it opened
    trial.close()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
