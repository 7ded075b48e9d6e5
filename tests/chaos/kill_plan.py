"""When hosts are killed, and what their disk does before: drawn from a seed, and from nothing else."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Full = Literal["", "space", "size"]
"""What is wrong with the disk: nothing, no space is left on it, or files may not grow."""

EARLY_CHANCE = 0.15
"""Share of kills while the host is starting."""

EARLY_S = 0.6
"""Latest of those, in seconds from the start of the process: it is ready after about half of that."""

LATE_S = 0.02
"""Latest kill after the answer that it waits for, in seconds: a few answers later."""

FULL_EACH = 4
"""Every so many kills the disk is full before."""

FULL_S = 0.3
"""Longest time in seconds with a full disk before what comes next."""

MENDED_CHANCE = 0.5
"""Share of full disks that have room again under the living host; under the others it is killed first."""


@dataclass(frozen=True)
class Kill:
    """One: after `answers` acknowledged answers in all, and `delay_s` seconds more."""

    answers: int
    early: bool
    """While it starts: `delay_s` after its process began, whatever was answered."""
    delay_s: float
    full: Full = ""
    full_s: float = 0.0
    """How long the disk is full."""
    mended: bool = False
    """Whether it has room again before the kill. If not, the next host is started on the full disk first."""
    room_bytes: int = 0
    """What still fits when the disk is full."""


def plan(seed: int, kills: int, answers: int) -> list[Kill]:
    """`kills` kills, spread over `answers` answers."""
    dice = random.Random(f"kills {seed}")
    points = sorted(dice.randrange(answers) for _ in range(kills))
    planned = []
    for number, point in enumerate(points):
        full: Full = ""
        if number % FULL_EACH == 1:
            full = "space" if number // FULL_EACH % 2 == 0 else "size"
        early = dice.random() < EARLY_CHANCE and not full
        planned.append(
            Kill(
                answers=point,
                early=early,
                delay_s=dice.uniform(0, EARLY_S if early else LATE_S),
                full=full,
                full_s=dice.uniform(0.0, FULL_S),
                mended=dice.random() < MENDED_CHANCE,
                room_bytes=dice.choice((0, 0, 4096, dice.randrange(1 << 16))),
            )
        )
    return planned
