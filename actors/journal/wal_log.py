"""The write-ahead log of a SQLite file, read without SQLite: what of it is whole.

SQLite itself stops at the first frame whose checksum is wrong, as if the log ended there. After a crash that
is right, since a commit that was under way ends so. After damage it hides commits that were acknowledged; they
show in that frames of the same log, a finished commit among them, come after the wrong one.

Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import msgspec

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
MAGIC = 0x377F0682
"""With the lowest bit: checksums are over big-endian words."""


class Frame(msgspec.Struct, frozen=True):
    """One page in the log: its number, where its bytes are, and whether a commit ends with it."""

    page: int
    offset: int
    is_commit: bool


class WalLog(msgspec.Struct, frozen=True):
    """A log. `committed` is what SQLite would see, `later` are frames of the same log behind a wrong one.

    `odd_bytes` counts what is behind the last whole frame: a log whose last write was cut, or that was cut.
    """

    page_size: int
    committed: list[Frame]
    unfinished: list[Frame]
    later: list[Frame]
    odd_bytes: int

    @property
    def is_damaged(self) -> bool:
        """Whether commits follow a wrong frame."""
        return any(frame.is_commit for frame in self.later)


EMPTY = WalLog(0, [], [], [], 0)


def read_log(path: str) -> WalLog:
    """The log at `path`; `EMPTY` when there is none, or not even its header is whole."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return EMPTY
    try:
        header = os.pread(fd, HEADER_BYTES, 0)
        if len(header) < HEADER_BYTES:
            return EMPTY
        magic, _, page_size, _, salt1, salt2, sum1, sum2 = struct.unpack(">8I", header)
        if magic & ~1 != MAGIC or not 512 <= page_size <= 65536:
            return EMPTY
        order = ">" if magic & 1 else "<"
        if _checksum(header[:24], (0, 0), order) != (sum1, sum2):
            return EMPTY
        size = os.fstat(fd).st_size
        step = FRAME_HEADER_BYTES + page_size
        raw = ((at, os.pread(fd, step, at)) for at in range(HEADER_BYTES, size - step + 1, step))
        return _sort(raw, page_size, (salt1, salt2), (sum1, sum2), order, (size - HEADER_BYTES) % step)
    finally:
        os.close(fd)


def _sort(
    raw: Iterator[tuple[int, bytes]],
    page_size: int,
    salts: tuple[int, int],
    sums: tuple[int, int],
    order: str,
    odd_bytes: int,
) -> WalLog:
    committed: list[Frame] = []
    unfinished: list[Frame] = []
    later: list[Frame] = []
    is_whole = True
    for at, data in raw:
        page, pages_after, salt1, salt2, sum1, sum2 = struct.unpack_from(">6I", data)
        if (salt1, salt2) != salts:  # left from before the log was last begun anew
            is_whole = False
            continue
        frame = Frame(page, at + FRAME_HEADER_BYTES, pages_after > 0)
        if is_whole:
            sums = _checksum(data[FRAME_HEADER_BYTES:], _checksum(data[:8], sums, order), order)
            is_whole = sums == (sum1, sum2)
        if not is_whole:
            later.append(frame)
            continue
        unfinished.append(frame)
        if frame.is_commit:
            committed += unfinished
            unfinished = []
    return WalLog(page_size, committed, unfinished, later, odd_bytes)


def _checksum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    """SQLite's checksum of `data`, a multiple of eight bytes, going on from `start`."""
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for left, right in zip(words[::2], words[1::2], strict=True):
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return first, second
