"""How far a storm is, on standard error: one line of a terminal, or a line now and then where there is none."""

from __future__ import annotations

import sys
import time
from typing import TextIO

TERMINAL_S = 0.2
"""Seconds between two updates on a terminal; faster than one can read is waste."""

LOG_S = 5.0
"""Seconds between two lines where there is no terminal; arbitrary, a log should stay short."""


class Progress:
    """From one thread."""

    def __init__(self, screen: TextIO | None = None) -> None:
        self._screen = screen or sys.stderr
        self._is_terminal = self._screen.isatty()
        self._shown_s = float("-inf")

    def tell(self, text: str, *, now: bool = False) -> None:
        """Show `text`, unless something was shown a moment ago; `now` in any case."""
        at_s = time.monotonic()
        if not now and at_s - self._shown_s < (TERMINAL_S if self._is_terminal else LOG_S):
            return
        self._shown_s = at_s
        self._screen.write(f"\r\x1b[K{text}" if self._is_terminal else f"{text}\n")
        self._screen.flush()

    def end(self) -> None:
        """What follows begins on a line of its own."""
        if self._is_terminal:
            self._screen.write("\r\x1b[K")
            self._screen.flush()
