"""The table that a comparison prints, and the one that the documents show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.floors import spread_text
from benchmarks.peers.outcome import Comparison, Latency, Loss, Outcome
from benchmarks.table import quantity
from moonward.load.report import duration, three

HEAD: Final = (
    "",
    "start → first question",
    "answer → next question",
    "answers/s, {units} units",
    "memory of a unit",
    "kill -9 of its process",
    "kill -9 of the program",
)

NOTHING: Final = "–"


def text(comparison: Comparison) -> str:
    """The table, the machine, the floors and what went wrong, as lines of text."""
    rows = [head(comparison), *(cells(each) for each in comparison.outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines += [f"{each.title}: {each.failure}" for each in comparison.outcomes if each.failure]
    lines += ["", *losses(comparison.outcomes), "", comparison.machine.text]
    lines += [versions(comparison.outcomes), f"floors: {spread_text(comparison.floors)}"]
    return "\n".join(lines)


def markdown(comparison: Comparison) -> str:
    """The table in Markdown."""
    rows = [head(comparison), ("---",) * len(HEAD), *(cells(each) for each in comparison.outcomes)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def losses(outcomes: Sequence[Outcome]) -> list[str]:
    """How it showed what is left after something was killed."""
    return [
        f"{each.title}, kill -9 of {'its process' if loss.what == 'process' else 'the program'}: {loss.how}"
        for each in outcomes
        for loss in each.losses
        if not loss.kept
    ]


def versions(outcomes: Sequence[Outcome]) -> str:
    """The versions of all peers on a line."""
    found = {name: version for each in outcomes for name, version in each.versions.items()}
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def head(comparison: Comparison) -> tuple[str, ...]:
    """The head, with the number of units that were kept busy."""
    units = max((each.rate_units for each in comparison.outcomes), default=0)
    return tuple(each.format(units=units) for each in HEAD)


def cells(outcome: Outcome) -> tuple[str, ...]:
    """A line of the table."""
    if outcome.failure and outcome.start is None:
        return outcome.title, "could not be measured", *(NOTHING,) * (len(HEAD) - 2)
    return (
        outcome.title,
        time_text(outcome.start),
        time_text(outcome.answer),
        three(outcome.rate) if outcome.rate is not None else NOTHING,
        quantity(max(0.0, outcome.memory_bytes or 0.0), "bytes") if outcome.memory_units else NOTHING,
        kept_text(outcome.loss("process"), "has none" if outcome.loss("program") else NOTHING),
        kept_text(outcome.loss("program"), NOTHING),
    )


def time_text(latency: Latency | None) -> str:
    """A median."""
    return duration(latency.median_s) if latency is not None else NOTHING


def kept_text(loss: Loss | None, otherwise: str) -> str:
    """What became of a unit."""
    if loss is None:
        return otherwise
    return "goes on" if loss.kept else "lost"
