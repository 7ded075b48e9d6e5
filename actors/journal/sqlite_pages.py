"""Rows of a SQLite file, read page by page without SQLite, for when SQLite refuses the file.

Every leaf of every table is looked at, wherever it is; no page has to be reachable from another. What a row
is, the caller must tell from its columns. Pages on the list of free ones may hold rows that
were removed, and are read apart.

Format: https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterable, Iterator

from moonward.actors.journal.wal_log import EMPTY, Frame, WalLog

Value = int | float | str | bytes | None
Row = tuple[int, list[Value]]

LEAF = 0x0D
"""Kind of a page that holds rows of a table."""


class Pages:
    """The pages of a file and its log. Damage shows as missing rows, never as an exception."""

    def __init__(self, path: str, log_path: str, log: WalLog) -> None:
        self._file = _mapped(path)
        self._log = _mapped(log_path) if log is not EMPTY else b""
        self._frames = log
        self.page_size = _page_size(self._file) or log.page_size or 4096
        self._newest = (
            {frame.page: frame for frame in log.committed} if log.page_size == self.page_size else {}
        )

    def close(self) -> None:
        """Give the files back."""
        for mapped in (self._file, self._log):
            if isinstance(mapped, mmap.mmap):
                mapped.close()

    def rows(self) -> Iterator[Row]:
        """Rows of the file as its log leaves it."""
        last = max((-(-len(self._file) // self.page_size), *self._newest))
        free = self._free_pages()
        for number in range(1, last + 1):
            if number not in free:
                yield from self._rows_of(number, self._page(number))

    def later_rows(self) -> Iterator[Row]:
        """Rows that the log holds behind its last whole commit. To be asked for after `rows`."""
        if self._frames.page_size == self.page_size:
            frames = self._frames.unfinished + self._frames.later
            # A row may go on in any of them; the entry's checksum tells whether it went on rightly.
            self._newest.update({frame.page: frame for frame in frames})
            yield from self._rows_in(frames)

    def hidden_rows(self) -> Iterator[Row]:
        """Rows of pages that were written over or are free: those that are removed, too."""
        for number in sorted(self._free_pages()):
            yield from self._rows_of(number, self._page(number))
        for number in sorted(self._newest):
            yield from self._rows_of(number, self._from_file(number))
        if self._frames.page_size == self.page_size:
            yield from self._rows_in(self._frames.committed)

    def _rows_in(self, frames: Iterable[Frame]) -> Iterator[Row]:
        for frame in frames:
            yield from self._rows_of(frame.page, self._from_log(frame))

    def _page(self, number: int) -> bytes:
        frame = self._newest.get(number)
        return self._from_log(frame) if frame is not None else self._from_file(number)

    def _from_file(self, number: int) -> bytes:
        """A page of the file; what is cut off is zeros."""
        at = (number - 1) * self.page_size
        return self._file[at : at + self.page_size].ljust(self.page_size, b"\0")

    def _from_log(self, frame: Frame) -> bytes:
        return self._log[frame.offset : frame.offset + self.page_size]

    def _free_pages(self) -> set[int]:
        """Pages that hold nothing any more, as far as their list can be read."""
        free: set[int] = set()
        trunk = int.from_bytes(self._page(1)[32:36], "big")
        while trunk and trunk not in free:
            free.add(trunk)
            page = self._page(trunk)
            trunk, count = struct.unpack_from(">2I", page)
            count = min(count, self.page_size // 4 - 2)
            free.update(struct.unpack_from(f">{count}I", page, 8))
        return free

    def _rows_of(self, number: int, page: bytes) -> Iterator[Row]:
        at = 100 if number == 1 else 0
        if page[at] != LEAF:
            return
        count = int.from_bytes(page[at + 3 : at + 5], "big")
        for index in range(min(count, (self.page_size - at - 8) // 2)):
            cell = int.from_bytes(page[at + 8 + 2 * index : at + 10 + 2 * index], "big")
            try:
                yield self._row(page, cell)
            except (IndexError, ValueError, struct.error):
                continue  # damaged: the row is missing, and is told as such

    def _row(self, page: bytes, at: int) -> Row:
        size, at = _varint(page, at)
        row_id, at = _varint(page, at)
        if row_id >> 63:
            row_id -= 1 << 64
        if size > (1 << 31) or at > len(page):
            raise ValueError("no row is that long")
        return row_id, _columns(self._payload(page, at, size))

    def _payload(self, page: bytes, at: int, size: int) -> bytes:
        usable = self.page_size
        local = size
        if size > usable - 35:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (size - least) % (usable - 4)
            if local > usable - 35:
                local = least
        parts = [page[at : at + local]]
        left = size - local
        more = int.from_bytes(page[at + local : at + local + 4], "big") if left else 0
        while left > 0:
            if not more:
                raise ValueError("the row goes on nowhere")
            page = self._page(more)
            parts.append(page[4 : 4 + min(left, usable - 4)])
            left -= usable - 4
            more = int.from_bytes(page[:4], "big")
        return b"".join(parts)


def _columns(payload: bytes) -> list[Value]:
    end, at = _varint(payload, 0)
    if end > len(payload):
        raise ValueError("the header is longer than the row")
    columns: list[Value] = []
    body = end
    while at < end:
        kind, at = _varint(payload, at)
        value, body = _value(payload, body, kind)
        columns.append(value)
    if body > len(payload):
        raise ValueError("the row is cut")
    return columns


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    if kind < 7:
        size = (0, 1, 2, 3, 4, 6, 8)[kind]
        return int.from_bytes(payload[at : at + size], "big", signed=True), at + size
    if kind < 12:
        raise ValueError("no column is of that kind")
    end = at + (kind - 12) // 2
    data = payload[at:end]
    return (data.decode() if kind % 2 else data), end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def _page_size(file: bytes | mmap.mmap) -> int:
    """The page size that a sound header says, or 0."""
    if file[:16] != b"SQLite format 3\0" or len(file) < 18:
        return 0
    size = int.from_bytes(file[16:18], "big")
    size = 65536 if size == 1 else size
    return size if 512 <= size <= 65536 and not size & (size - 1) else 0


def _mapped(path: str) -> bytes | mmap.mmap:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        if not os.fstat(fd).st_size:
            return b""
        return mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(fd)
