"""The rows, in the order of the table of targets; further ones after them."""

from __future__ import annotations

from typing import Final

from benchmarks.row import Row
from benchmarks.rows import (
    feed,
    growth,
    live_memory,
    lives,
    neighbour,
    recovery,
    sleeping_memory,
    start,
    throughput,
    values,
    wake,
)

ROWS: Final = (
    Row("1", "feed → next pause, memory journal", feed.in_memory),
    Row("2", "feed → next pause, strict SQLite journal", feed.on_disk),
    Row("3", "start → first pause, warm worker", start.warm),
    Row("4", "start → first pause, empty pool", start.cold),
    Row("5", "feeds/s, 64 sessions, memory journal", throughput.in_memory),
    Row("6", "feeds/s, 64 sessions, strict SQLite journal", throughput.on_disk),
    Row("7", "whole lives/s", lives.whole),
    Row("8", "memory of a live session, at 1,000", live_memory.live),
    Row("9", "memory of a hibernated session, at 100,000", sleeping_memory.sleeping),
    Row("10", "wake with 100 recorded answers", wake.wake),
    Row("11", "worker killed → session paused again", recovery.recovery),
    Row("12", "feed beside 4 spinning sessions", neighbour.neighbour),
    Row("13", "growth of a feed's cost", growth.growth),
    Row("values", "values of a megabyte, of ten thousand elements", values.sized),
)
