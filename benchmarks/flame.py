"""A flame graph as SVG without scripts: what is on top of what, as wide as it was seen often."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 1200
ROW: Final = 17
TOP: Final = 30
"""Pixels."""

LEAST: Final = 0.003
"""Share of all looks below which a frame is not drawn: less than four pixels."""

CHAR: Final = 6.6
"""Pixels of a character, about."""

FONT: Final = 'font-family="monospace" font-size="11"'
COLOURS: Final = ("#fee08b", "#fdae61", "#f4a582", "#fdd49e", "#fec44f")


@dataclass
class Frame:
    """A function, called from one above it."""

    name: str
    count: int = 0
    under: dict[str, Frame] = field(default_factory=dict)


def tree(stacks: str) -> Frame:
    """Lines of `outer;inner;innermost count`."""
    root = Frame("all")
    for line in stacks.splitlines():
        names, _, count = line.rpartition(" ")
        if not names:
            continue
        root.count += int(count)
        frame = root
        for name in names.split(";"):
            frame = frame.under.setdefault(short(name), Frame(short(name)))
            frame.count += int(count)
    return root


def short(name: str) -> str:
    """`function (file.py)`: neither folder nor line, so that lines of a function are one frame."""
    return re.sub(r"\((?:[^()]*/)?([^()/:]+)(?::\d+)?\)$", r"(\1)", name)


def svg(stacks: str, title: str) -> str:
    """The picture."""
    root = tree(stacks)
    rectangles = list(_drawn(root, 0.0, 0, max(1, root.count)))
    height = TOP + ROW * (1 + max((depth for depth, _ in rectangles), default=0)) + 10
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="4" y="18" font-size="14">{escape(title)}, {root.count:,} looks</text>',
        *(drawn for _, drawn in rectangles),
        "</svg>",
        "",
    ])  # fmt: skip


def _drawn(frame: Frame, x: float, depth: int, total: int) -> Iterator[tuple[int, str]]:
    width = frame.count / total * WIDTH
    y = TOP + ROW * depth
    room = int((width - 6) / CHAR)
    name = frame.name if len(frame.name) <= room else frame.name[: max(0, room - 1)] + "…"
    label = f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(name)}</text>' if room > 2 else ""
    colour = COLOURS[sum(frame.name.encode()) % len(COLOURS)]
    size = f'width="{max(0.1, width - 0.5):.1f}" height="{ROW - 1}"'
    box = f'<rect x="{x:.1f}" y="{y}" {size} fill="{colour}"/>'
    yield depth, f"<g><title>{escape(frame.name)}: {frame.count / total:.1%}</title>{box}{label}</g>"
    for each in sorted(frame.under.values(), key=lambda each: each.name):
        if each.count / total >= LEAST:
            yield from _drawn(each, x, depth + 1, total)
        x += each.count / total * WIDTH
