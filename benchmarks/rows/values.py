"""Row `values`: what values cost on their way into Lua and back, by their size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from benchmarks.figure import Curve, Figure
from benchmarks.row import Run, wait_until_warm
from moonward.runtime import Runtime

KIB = 1024
SIZES: tuple[int, ...] = (64 * KIB, 128 * KIB, 256 * KIB, 512 * KIB, 1024 * KIB)
"""Bytes of a context and of an answer, each twice the one before; a megabyte is the largest."""

LENGTHS: tuple[int, ...] = (1_250, 2_500, 5_000, 10_000, 20_000)
"""Elements of a result; around ten thousand."""

REPEATS, QUICK_REPEATS = 15, 3
"""Times of which the median is taken."""

ITEM: dict[str, Any] = {
    "id": 12345,
    "score": 0.25,
    "tags": ["a", "b"],
    "text": "a line of text, as contexts hold",
}
ITEM_BYTES = 80
"""Of one item as JSON, about."""

LINE = 'A line of an answer, with "quotes", an é and an end.\n'


def sized(run: Run) -> Iterator[Figure | Curve]:
    """Median time of a whole session that is given a context, fed an answer, or returns an array of tables, by size.

    Warm workers, memory journal, 15 sessions for each size. Sizes double; each figure is the time at the largest size
    per megabyte or per thousand elements. Its note says how much longer that is than at the smallest size, both
    without the time of an empty session: 1 is proportional.
    """
    for name, unit, sizes, one in (
        ("context", "MB", SIZES, context),
        ("answer", "MB", SIZES, answer),
        ("result", "1,000 elements", LENGTHS, result),
    ):
        with run.runtime(warm_workers=2) as runtime:
            empty_s = typical(run, runtime, lambda runtime: whole(runtime, "return 0", None))
            times = [typical(run, runtime, one(size)) for size in sizes]
        per = 1024 * KIB if unit == "MB" else 1000
        first, last = ((times[at] - empty_s) / sizes[at] for at in (0, -1))
        growth = f"{last / first:.2f} times" if first > 0 else "immeasurably longer than"
        yield run.figure(
            f"{name}, per {unit}",
            times[-1] / sizes[-1] * per,
            "s",
            samples=len(sizes),
            note=f"{growth} what a {unit} takes at a sixteenth of the size",
        )
        points = [(float(size), time_s * 1000) for size, time_s in zip(sizes, times, strict=True)]
        yield run.curve(f"values-{name}", name, "bytes" if unit == "MB" else "elements", "ms", points)


def typical(run: Run, runtime: Runtime, one: Callable[[Runtime], float]) -> float:
    """The median time of `one`, in seconds."""
    samples = []
    for _ in range(run.amount(REPEATS, QUICK_REPEATS)):
        wait_until_warm(runtime)
        samples.append(one(runtime))
    return median(samples)


def whole(runtime: Runtime, code: str, ctx: dict[str, Any] | None, reply: str | None = None) -> float:
    """The time of a session from its start to its end, in seconds."""
    begin_s = time.perf_counter()
    session = runtime.start(code, ctx)
    if reply is not None:
        session.wait()
        session.feed(reply)
    session.finished()
    return time.perf_counter() - begin_s


def context(size: int) -> Callable[[Runtime], float]:
    """A session that is given a context of `size` bytes."""
    ctx = {"items": [ITEM] * (size // ITEM_BYTES)}
    return lambda runtime: whole(runtime, "return #ctx.items", ctx)


def answer(size: int) -> Callable[[Runtime], float]:
    """A session that is fed an answer of `size` bytes."""
    text = LINE * (size // len(LINE.encode()))
    return lambda runtime: whole(runtime, "return #alc.llm('?')", None, text)


def result(length: int) -> Callable[[Runtime], float]:
    """A session that returns `length` tables."""
    code = f"local t = {{}} for i = 1, {length} do t[i] = {{id = i, score = i / 4, name = 'n' .. i}} end return t"
    return lambda runtime: whole(runtime, code, None)
