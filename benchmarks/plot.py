"""Draws a record as SVG: distributions of latencies, and curves. Needs matplotlib (the `bench` extra)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.figure import Curve, Figure
from benchmarks.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES: Final = (8.0, 4.5)
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which people who confuse colours can tell apart."""

STYLE: Final[Any] = {
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "moonward",
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
"""Text stays text, and the same record gives the same file."""


@dataclass(frozen=True)
class Distributions:
    """Cumulative distributions of the times of some rows."""

    file: str
    title: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Lines:
    """The curves that belong to a plot."""

    file: str
    title: str
    log_x: bool = True
    factor: float = 1.0
    y: str = ""


PLOTS: Final = (
    Distributions(
        "latency", "An answer to the next question, a start to the first one", ("1", "2", "3", "4")
    ),
    Distributions("recovery", "A killed worker, a sleeping session: until the next question", ("10", "11")),
    Lines("throughput", "Answers a second, by sessions that are kept busy"),
    Lines("memory", "Memory of a live session", factor=1e-6, y="MB per session"),
    Lines("growth", "A feed, by live sessions", factor=1e6, y="µs per feed (median)"),
    Lines("length", "A feed, by recorded answers"),
)
"""Every plot of a run. One without anything to show is not drawn."""


def draw(record: Record, folder: Path) -> list[Path]:
    """Draw what there is into `folder`; returns the files. `ImportError` without matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    with mpl.rc_context(STYLE):
        return [path for plot in PLOTS for path in _drawn(plot, record, folder)]


def _drawn(plot: Distributions | Lines, record: Record, folder: Path) -> Iterator[Path]:
    from matplotlib import pyplot

    canvas, axes = pyplot.subplots(figsize=SIZE_INCHES, layout="constrained")
    try:
        if isinstance(plot, Distributions):
            figures = [each for each in record.figures if each.row in plot.rows and each.percentiles]
            empty = not figures
            _distributions(axes, figures)
        else:
            curves = [each for each in record.curves if each.plot == plot.file]
            empty = not curves
            _lines(axes, curves, plot)
        if not empty:
            axes.set_title(plot.title, loc="left")
            axes.legend(frameon=False)
            path = folder / f"{plot.file}.svg"
            canvas.savefig(path, metadata={"Date": None, "Creator": None})
            yield path
    finally:
        pyplot.close(canvas)


def _distributions(axes: Axes, figures: Sequence[Figure]) -> None:
    for place, figure in enumerate(figures):
        ranks, values = zip(*figure.percentiles, strict=True)
        axes.plot([value * 1e3 for value in values], ranks, label=figure.name, color=_colour(place))
    axes.set(
        xscale="log", xlabel="milliseconds", ylabel="percent of samples at most that long", ylim=(0, 100)
    )
    _plain(axes)


def _lines(axes: Axes, curves: Sequence[Curve], plot: Lines) -> None:
    for place, curve in enumerate(curves):
        x, y = zip(*curve.points, strict=True)
        axes.plot(x, [each * plot.factor for each in y], marker="o", label=curve.name, color=_colour(place))
        axes.set(xlabel=curve.x, ylabel=plot.y or curve.y)
        if plot.log_x:
            axes.set_xscale("log")
            axes.set_xticks(x)
    axes.set_ylim(bottom=0)
    _plain(axes)


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _plain(axes: Axes) -> None:
    """Numbers as numbers, not as powers; between tens, too, where the numbers do not choose their own places."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    plain = FuncFormatter(lambda value, _: f"{value:,g}")
    axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_formatter(plain)
    if isinstance(axes.xaxis.get_major_locator(), LogLocator):
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_formatter(NullFormatter())
