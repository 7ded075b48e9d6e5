"""Tells on standard error how far a measurement is: on one line of a terminal, or now and then on lines of its own."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Final, TextIO, TypeVar

T = TypeVar("T")

TERMINAL_S: Final = 0.1
"""Seconds between two updates on a terminal; faster than one can read is waste."""

LOG_S: Final = 10.0
"""Seconds between two lines where there is no terminal; arbitrary, a log should stay short."""


class Progress:
    """`step` says what is being done, `count` how much of it."""

    def __init__(self, screen: TextIO | None = None) -> None:
        self._screen = screen or sys.stderr
        self._is_terminal = self._screen.isatty()
        self._what = ""
        self._shown_s = -math.inf

    def step(self, what: str) -> None:
        """Something new begins."""
        self._what = what
        self._shown_s = time.monotonic()
        self._show(what, last=False)

    def count(self, done: int, total: int) -> None:
        """`done` of `total`; cheap enough to be called for each sample."""
        if self._is_due():
            self._show(f"{self._what}: {done} of {total}", last=False)

    def now(self, text: str) -> None:
        """Where it stands; not shown when something was shown just before."""
        if self._is_due():
            self._show(text, last=False)

    def each(self, items: Iterable[T], total: int) -> Iterator[T]:
        """The items, counted as they are taken."""
        for done, item in enumerate(items):
            self.count(done, total)
            yield item

    def end(self, text: str) -> None:
        """It is done, and this is what came of it."""
        self._show(text, last=True)

    def _is_due(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._shown_s < (TERMINAL_S if self._is_terminal else LOG_S):
            return False
        self._shown_s = now_s
        return True

    def _show(self, text: str, *, last: bool) -> None:
        if self._is_terminal:
            self._screen.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        else:
            self._screen.write(text + "\n")
        self._screen.flush()
