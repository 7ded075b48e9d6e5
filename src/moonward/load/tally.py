"""What happened under a load, counted as it happens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from moonward.load.spread import Spread

LATENCIES: Final = {
    "start": "due → first question, or the end",
    "answer": "last answer of a pause due → next question, or the end",
    "accept": "another answer of a pause due → accepted",
    "life": "due → the end, without the model's thinking",
    "lag": "due → done by this generator: how late it was itself",
}
"""What is measured, and from when to when. Everything counts from when it was *due*: a generator that is held up by a
slow answer and then measures only what it still asks for leaves out the waiting (coordinated omission)."""


@dataclass
class Tally:
    """Samples in seconds, and counts of sessions.

    `ends` by phase, `errors` by type; `unfinished` were under way when the load ended, `unstarted` still waited for a
    place. All of these, and the samples, are of sessions that were due after the warm-up. `elapsed_s` is the time from
    the warm-up to the last arrival, `ended_meanwhile` and `answered_meanwhile` what happened in it.
    """

    samples: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LATENCIES})
    ends: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    arrived: int = 0
    unfinished: int = 0
    unstarted: int = 0
    waiting: int = 0
    under_way: int = 0
    most_under_way: int = 0
    ended_meanwhile: int = 0
    answered_meanwhile: int = 0
    elapsed_s: float = 0.0
    is_interrupted: bool = False

    def took(self, name: str, seconds: float) -> None:
        """A latency of `LATENCIES` was measured."""
        self.samples[name].append(max(0.0, seconds))

    def began(self) -> None:
        """A session starts."""
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)

    def spreads(self) -> dict[str, Spread]:
        """The latencies of which there are samples."""
        return {name: Spread(samples) for name, samples in self.samples.items() if samples}

    def rate(self, count: int) -> float:
        """How many a second."""
        return count / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def text(self) -> str:
        """Where it stands, on one line."""
        parts = [f"{self.arrived} arrived", f"{self.under_way} under way"]
        if self.waiting:
            parts.append(f"{self.waiting} waiting")
        parts += [f"{count} {phase}" for phase, count in sorted(self.ends.items())]
        parts += [f"{count} × {name}" for name, count in sorted(self.errors.items())]
        return ", ".join(parts)
