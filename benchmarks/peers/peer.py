"""What a peer's program has to do, so that all of them can be measured alike."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.script import ANSWER, QUESTION

DIGITS = "00001"


def question(number: int) -> str:
    """The question of that number, 64 bytes."""
    return QUESTION.replace(DIGITS, f"{number:05d}")


def number_of(text: str) -> int:
    """Which question it is; `ValueError` if it is none of ours."""
    before, after = QUESTION.split(DIGITS)
    if not (text.startswith(before) and text.endswith(after)):
        raise ValueError(f"not a question: {text!r}")
    return int(text[len(before) : len(text) - len(after)])


class LostError(Exception):
    """The unit is not there any more, or not where it was."""


class Peer(ABC):
    """One peer. A unit is whatever `start` returns beside the question.

    `packages` are the distributions whose versions belong to a figure, `unit` says what a unit is here, `memory_units`
    how many it takes for a difference in memory to say something.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    unit: ClassVar[str] = ""
    memory_units: ClassVar[int] = 64

    @abstractmethod
    def open(self, folder: Path) -> None:
        """Get ready; data is kept in `folder`, where an earlier program may have left some."""

    def expect_losses(self) -> None:  # noqa: B027 -- nothing to do is an answer
        """Called before `open` where `worker` will be."""

    def close(self) -> None:  # noqa: B027 -- nothing to do is an answer
        """End everything."""

    def ready(self) -> None:  # noqa: B027 -- nothing to do is an answer
        """Return when what is kept ready for the next start is there."""

    @abstractmethod
    def start(self) -> tuple[Any, str]:
        """Start a unit; returns it with its first question."""

    def start_many(self, count: int) -> list[Any]:
        """Start as many units; here one after another."""
        return [self.start()[0] for _ in range(count)]

    @abstractmethod
    def answer(self, unit: Any, text: str) -> str:
        """Give an answer; returns the next question."""

    def discard(self, unit: Any) -> None:  # noqa: B027 -- nothing to do is an answer
        """End a unit that has a question open."""

    def rate(self, units: Sequence[Any], seconds: float) -> float:
        """Answers a second, each unit being answered again as soon as it asks. Here: by a thread for each."""
        done = [0] * len(units)
        enough = threading.Event()
        failed: list[Exception] = []

        def keep_busy(place: int, unit: Any) -> None:
            try:
                while not enough.is_set():
                    self.answer(unit, ANSWER)
                    done[place] += 1
            except Exception as error:  # told by the thread that measures
                failed.append(error)
                enough.set()

        threads = [threading.Thread(target=keep_busy, args=each, daemon=True) for each in enumerate(units)]
        begin_s = time.perf_counter()
        for thread in threads:
            thread.start()
        enough.wait(seconds)
        total, took_s = sum(done), time.perf_counter() - begin_s
        enough.set()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        return total / took_s

    def name_of(self, unit: Any) -> str:
        """What another program finds the unit by."""
        return str(unit)

    def resume(self, name: str) -> tuple[Any, str]:
        """The unit that an earlier program left, with its open question. Raises `LostError`."""
        raise LostError("it is in the program's own memory")

    def worker(self, unit: Any) -> int | None:
        """The process that the unit runs in; None if that is this one."""
        return None
