"""How long the fake model thinks before it answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Final

from moonward.actors.errors import SettingsError


@dataclass(frozen=True)
class ThinkTime:
    """Seconds, drawn evenly from a range."""

    least_s: float
    most_s: float

    @classmethod
    def parse(cls, text: str) -> ThinkTime:
        """`SECONDS` or `FROM-TO`. Raises `SettingsError`."""
        least, dash, most = text.partition("-")
        try:
            bounds = float(least), float(most if dash else least)
        except ValueError:
            raise SettingsError(f"--think must be seconds, or FROM-TO, got {text!r}") from None
        if not (0 <= bounds[0] <= bounds[1] and math.isfinite(bounds[1])):
            raise SettingsError(f"--think must be seconds, or FROM-TO with FROM not above TO, got {text!r}")
        return cls(*bounds)

    def draw(self, random: Random) -> float:
        """Seconds for one answer."""
        return random.uniform(self.least_s, self.most_s)


NONE: Final = ThinkTime(0.0, 0.0)
"""Answers at once."""
