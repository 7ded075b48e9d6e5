"""The table that a run prints: value, ratio and target of each figure, met or missed."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.record import Record
from moonward.load.report import duration, three

HEAD = ("row", "what", "value", "ratio", "target", "", "p99", "samples")


def text(record: Record) -> str:
    """The table as lines of text."""
    rows = [HEAD, *(cells(figure) for figure in record.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines += [f"row {failure.row} could not be measured: {failure.error}" for failure in record.failures]
    return "\n".join(lines)


def markdown(figures: Sequence[Figure]) -> str:
    """The table in Markdown."""
    rows = [HEAD, ("---",) * len(HEAD), *(cells(figure) for figure in figures)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def cells(figure: Figure) -> tuple[str, ...]:
    """A line of the table."""
    bound, verdict = figure.bound, {True: "met", False: "MISSED", None: ""}[figure.is_met]
    ratio = ratio_text(bound, figure.ratio) if bound is not None and figure.ratio is not None else ""
    target = f"{target_text(bound, figure.unit)}" if bound is not None else ""
    tail = next((quantity(value, figure.unit) for rank, value in figure.percentiles if rank == 99), "")
    value = quantity(figure.value, figure.unit)
    if figure.percentiles and figure.rank != 50:
        value += f" (p{figure.rank:g})"
    count = f"{figure.samples:,}" if figure.samples > 1 else ""
    return figure.row, figure.name, value, ratio, target, verdict, tail, count


def ratio_text(bound: Bound, ratio: float) -> str:
    """A ratio to its floor, or to an absolute limit."""
    return (
        f"{ratio:.2f} ({bound.of.replace('+', ' + ')})"
        if "+" in bound.of
        else f"{ratio:.2f} {bound.of}"
        if bound.of
        else f"{ratio:.0%}"
    )


def target_text(bound: Bound, unit: str) -> str:
    """A target as people write it."""
    sign = "≤" if bound.sense == "at_most" else "≥"
    if not bound.of:
        return f"{sign} {quantity(bound.factor, unit)}"
    floor = f"({bound.of.replace('+', ' + ')})" if "+" in bound.of else bound.of
    return f"{sign} {bound.factor:g} {floor}"


def quantity(value: float, unit: str) -> str:
    """A value with the unit that suits its size: three digits that matter."""
    if unit == "s":
        return duration(value)
    if unit == "bytes":
        for factor, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
            if value >= factor:
                return f"{three(value / factor)} {name}"
        return f"{value:.0f} bytes"
    return f"{three(value)} {unit}".rstrip()
