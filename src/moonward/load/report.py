"""A tally for people and for programs: a table, a distribution in text, JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from moonward.load.plan import Plan
from moonward.load.spread import Spread
from moonward.load.tally import LATENCIES, Tally

SHOWN: Final = (50, 90, 99, 99.9, 100)
"""Percentiles of the table."""

BINS: Final = 16
"""Lines of a distribution; arbitrary, a third of a screen."""

BAR_CHARS: Final = 40
"""Characters of the longest bar."""

EIGHTHS: Final = " ▏▎▍▌▋▊▉"
"""Parts of a character, for the end of a bar."""

VERSION: Final = 1
"""Of the shape of the JSON."""


def table(plan: Plan, tally: Tally) -> str:
    """What happened, as lines of text."""
    lines = [_summary(plan, tally), ""]
    head = ("", "count", "mean", *(f"p{rank:g}" if rank < 100 else "max" for rank in SHOWN))
    rows = [head, *(_row(name, spread) for name, spread in tally.spreads().items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    lines += ["", *(f"{name:<6}  {LATENCIES[name]}" for name in tally.spreads())]
    return "\n".join(lines)


def _summary(plan: Plan, tally: Tally) -> str:
    how = (
        f"{plan.rate:g} sessions/s ({plan.arrivals})"
        if plan.rate is not None
        else f"{plan.concurrency} sessions, one after another (no --rate: a closed loop)"
    )
    lives, answers = tally.rate(tally.ended_meanwhile), tally.rate(tally.answered_meanwhile)
    parts = [
        f"{how}, {tally.elapsed_s:.1f} s",
        f"done: {lives:,.1f} sessions/s, {answers:,.1f} answers/s; at most {tally.most_under_way} under way",
        ", ".join(f"{count} {what}" for what, count in counts(tally).items() if count) or "nothing happened",
    ]
    if tally.is_interrupted:
        parts.append("interrupted: this is what happened until then")
    return "\n".join(parts)


def counts(tally: Tally) -> dict[str, int]:
    """What became of the sessions that were due after the warm-up."""
    return {
        "arrived": tally.arrived,
        **dict(sorted(tally.ends.items())),
        **dict(sorted(tally.errors.items())),
        "unfinished": tally.unfinished,
        "unstarted": tally.unstarted,
    }


def _row(name: str, spread: Spread) -> tuple[str, ...]:
    values = (spread.mean, *(spread.percentile(rank) for rank in SHOWN))
    return name, f"{len(spread):,}", *(duration(value) for value in values)


def duration(seconds: float) -> str:
    """A time with the unit that suits it: three digits that matter."""
    seconds = float(f"{seconds:.3g}") if seconds < 1 else seconds
    for factor, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= factor:
            return f"{three(seconds / factor)} {unit}"
    return f"{three(seconds * 1e6)} µs"


def three(value: float) -> str:
    """Three digits that matter, thousands set apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def distribution(samples: Sequence[float]) -> str:
    """How the samples (seconds, at least one) lie between fastest and slowest, as bars on a logarithmic scale."""
    spread = Spread(samples)
    low, high = max(spread.percentile(0), 1e-9), max(spread.percentile(100), 1e-9)
    bins = BINS if high > low else 1
    ratio = math.log(high / low)
    heights = [0] * bins
    for sample in samples:
        place = int(bins * math.log(max(sample, low) / low) / ratio) if ratio else 0
        heights[min(place, bins - 1)] += 1
    lines = []
    for place, height in enumerate(heights):
        edge = low * math.exp(ratio * (place + 1) / bins)
        lines.append(f"≤ {duration(edge):>8}  {_bar(height / max(heights))} {height or ''}".rstrip())
    return "\n".join(lines)


def _bar(share: float) -> str:
    whole, rest = divmod(round(share * BAR_CHARS * 8), 8)
    return ("█" * whole + (EIGHTHS[rest] if rest else "")) or ("▏" if share else "")


def as_json(plan: Plan, tally: Tally, environment: dict[str, Any]) -> dict[str, Any]:
    """Everything, with all percentiles; times are seconds."""
    return {
        "version": VERSION,
        "environment": environment,
        "plan": {
            "rate": plan.rate,
            "arrivals": plan.arrivals if plan.rate is not None else None,
            "concurrency": plan.concurrency,
            "duration_s": plan.duration_s,
            "warm_up_s": plan.warm_up_s,
            "think_s": [plan.think.least_s, plan.think.most_s],
            "seed": plan.seed,
        },
        "interrupted": tally.is_interrupted,
        "elapsed_s": tally.elapsed_s,
        "sessions": counts(tally),
        "most_under_way": tally.most_under_way,
        "sessions_per_s": tally.rate(tally.ended_meanwhile),
        "answers_per_s": tally.rate(tally.answered_meanwhile),
        "latencies": {
            name: {
                "what": LATENCIES[name],
                "count": len(spread),
                "mean_s": spread.mean,
                "percentiles_s": [[rank, value] for rank, value in spread.table()],
            }
            for name, spread in tally.spreads().items()
        },
    }
