"""A picture of distributions: SVG by hand, other formats by matplotlib where that is installed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from moonward.actors.errors import SettingsError
from moonward.load.report import duration
from moonward.load.spread import Spread

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
"""Okabe and Ito's, which people who confuse colours can tell apart."""

WIDTH: Final = 800
HEIGHT: Final = 450
LEFT: Final = 60
RIGHT: Final = 20
TOP: Final = 40
BOTTOM: Final = 50
"""Pixels: of the picture, and around the plot in it."""

Table = list[tuple[float, float]]


def check(path: Path) -> None:
    """Raise `SettingsError` unless a picture of this kind can be made."""
    if path.suffix == ".svg":
        return
    if path.suffix not in (".png", ".pdf"):
        raise SettingsError(f"--plot: a .svg, .png or .pdf can be drawn, not {path.name}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise SettingsError(
            f"--plot: a {path.suffix} needs matplotlib (pip install 'moonward[bench]'); a .svg needs nothing"
        ) from None


def draw(spreads: Mapping[str, Spread], title: str, path: Path) -> None:
    """Write a picture of the cumulative distributions. Raises `OSError`."""
    tables = {name: list(spread.table()) for name, spread in spreads.items()}
    if path.suffix == ".svg":
        path.write_text(svg(tables, title), encoding="utf-8")
    else:
        _with_matplotlib(tables, title, path)


def _with_matplotlib(tables: Mapping[str, Table], title: str, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), layout="constrained")
    axes = figure.subplots()
    for (name, table), colour in zip(tables.items(), COLOURS, strict=False):
        axes.plot([value * 1e3 for _, value in table], [rank for rank, _ in table], label=name, color=colour)
    axes.set(xscale="log", xlabel="milliseconds", ylabel="percent at most that long", ylim=(0, 100))
    axes.grid(alpha=0.3)
    axes.set_title(title, loc="left")
    if tables:
        axes.legend(frameon=False)
    figure.savefig(path)


def svg(tables: Mapping[str, Table], title: str) -> str:
    """The picture as SVG: percent of samples over time, on a logarithmic scale."""
    values = [value for table in tables.values() for _, value in table if value > 0] or [1e-3]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    scale = _Scale(low, max(high, low + 1))
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="15">{escape(title)}</text>',
        *_grid(scale),
    ]
    for place, (name, table) in enumerate(tables.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(f"{scale.x(value):.1f},{scale.y(rank):.1f}" for rank, value in table)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{LEFT + 12}" y="{TOP + 20 + 18 * place}" fill="{colour}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Scale:
    """From seconds and percents to pixels; `low` and `high` are powers of ten."""

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def x(self, seconds: float) -> float:
        power = math.log10(seconds) if seconds > 0 else self.low
        share = (max(power, self.low) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, rank: float) -> float:
        return TOP + (1 - rank / 100) * (HEIGHT - TOP - BOTTOM)


def _grid(scale: _Scale) -> Sequence[str]:
    parts = []
    for rank in range(0, 101, 20):
        y = scale.y(rank)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{rank}%</text>')
    for power in range(scale.low, scale.high + 1):
        for digit in (1, 2, 5):
            seconds = digit * 10.0**power
            if math.log10(seconds) > scale.high + 1e-9:
                continue
            x = scale.x(seconds)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
            parts.append(
                f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_tick(seconds)}</text>'
            )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">at most that long</text>'
    )
    return parts


def _tick(seconds: float) -> str:
    """A round time without needless digits."""
    number, unit = duration(seconds).split(" ")
    return f"{float(number.replace(',', '')):g} {unit}"
