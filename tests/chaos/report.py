"""What a storm came to: the one format of every storm's report, as lines for people and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

PERCENTILES = (50, 90, 99, 100)

SHOWN_PROBLEMS = 20
"""Problems that are shown in full; arbitrary, a screen."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` percent of `values` do not exceed; 0.0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass
class Report:
    """One storm. Filled while it blows, so that an interrupted one can be reported too."""

    title: str
    seed: int
    sessions: int = 0
    queries: int = 0
    """Answers that were acknowledged."""
    completed: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    """By kind: what was done to the sessions, and to parts of the host."""
    fewest_faults: int = 0
    """Faults of the session that has met the fewest."""
    restarts: int = 0
    """Lost workers that were charged to a session's budget and replaced."""
    replays: int = 0
    """Runs of a strand from its start, the first ones not counted."""
    calls: Counter[str] = field(default_factory=Counter)
    """How calls of clients ended."""
    recovery_s: list[float] = field(default_factory=list)
    """Seconds from each loss to the moment when the session had got as far again."""
    recovery_means: str = "from a loss until another worker has got as far"
    leaked: dict[str, int] = field(default_factory=dict)
    """What was left behind, by kind; all zero when nothing was."""
    problems: list[str] = field(default_factory=list)
    """Every way in which the storm's history is not what it has to be."""
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        """Whether everything is as it has to be."""
        whole = not self.interrupted and self.completed == self.sessions
        return whole and not self.problems and not any(self.leaked.values())

    def lines(self) -> list[str]:
        """For people."""
        found = [
            f"{self.title}, SEED={self.seed}, {self.seconds:.1f} s",
            f"  sessions   {self.sessions}, of which {self.completed} completed as they do without faults",
            *self.figures(),
            f"  calls      {counted(self.calls)}",
            f"  leaked     {counted(Counter(self.leaked)) if any(self.leaked.values()) else 'nothing'}",
        ]
        found += [f"  PROBLEM    {each}" for each in self.problems[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            found.append(f"  … and {len(self.problems) - SHOWN_PROBLEMS} more problems")
        verdict = "interrupted" if self.interrupted else "passed" if self.passed else "FAILED"
        return [*found, f"  {verdict}"]

    def figures(self) -> list[str]:
        """What is particular to this kind of storm."""
        return [
            f"  queries    {self.queries} answers acknowledged",
            f"  faults     {sum(self.faults.values())}: {counted(self.faults)}; fewest for a session: {self.fewest_faults}",
            f"  restarts   {self.restarts} charged; {self.replays} replays",
            f"  recovery   {times(self.recovery_s)} ({self.recovery_means})",
        ]

    def to_json(self) -> dict[str, Any]:
        """For machines; latencies as percentiles."""
        return {
            "title": self.title,
            "seed": self.seed,
            "passed": self.passed,
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 3),
            "sessions": self.sessions,
            "completed": self.completed,
            "queries": self.queries,
            "faults": dict(self.faults),
            "fewest_faults": self.fewest_faults,
            "restarts": self.restarts,
            "replays": self.replays,
            "recovery_ms": {
                f"p{percent}": round(percentile(self.recovery_s, percent) * 1000, 1)
                for percent in PERCENTILES
            },
            "calls": dict(self.calls),
            "leaked": self.leaked,
            "problems": self.problems,
        }


def counted(counts: Counter[str]) -> str:
    """Counts by name, in a line."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def times(values_s: Sequence[float]) -> str:
    """How many, and percentiles in milliseconds, in a line."""
    shown = ", ".join(f"p{percent} {percentile(values_s, percent) * 1000:.0f} ms" for percent in PERCENTILES)
    return f"{len(values_s)}: {shown}"
