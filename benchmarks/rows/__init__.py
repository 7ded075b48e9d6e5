"""The rows, in the order of the table of targets; further ones after them."""

from __future__ import annotations

from typing import Final

from benchmarks.row import Row
from benchmarks.rows import feed, lives, start, throughput

ROWS: Final = (
    Row("1", "feed → next pause, memory journal", feed.in_memory),
    Row("2", "feed → next pause, strict SQLite journal", feed.on_disk),
    Row("3", "start → first pause, warm worker", start.warm),
    Row("4", "start → first pause, empty pool", start.cold),
    Row("5", "feeds/s, 64 sessions, memory journal", throughput.in_memory),
    Row("6", "feeds/s, 64 sessions, strict SQLite journal", throughput.on_disk),
    Row("7", "whole lives/s", lives.whole),
)
