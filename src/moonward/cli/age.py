"""How long ago, as people write and read it: `90s`, `15m`, `2h`, `7d`."""

from __future__ import annotations

import re
from typing import Final

from moonward.actors.errors import SettingsError

UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"""Seconds of each unit."""

_AGE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])")

LARGEST: Final = 2
"""A unit is used from two of it on: 90 minutes say more than 1 hour."""


def seconds_of(option: str, text: str) -> float:
    """The seconds that `text` means. Raises `SettingsError`, which names the option."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise SettingsError(f"{option} must be a number and a unit, as 90s, 15m, 2h or 7d, got {text!r}")
    return float(match[1]) * UNITS_S[match[2]]


def ago(then_ms: int, now_ms: int) -> str:
    """How long before `now_ms` the moment `then_ms` was (both Unix milliseconds), in the largest unit that fits."""
    past_s = max(0, now_ms - then_ms) // 1000
    unit = "s"
    for name, length_s in UNITS_S.items():
        if past_s >= LARGEST * length_s:
            unit = name
    return f"{past_s // UNITS_S[unit]} {unit} ago"
