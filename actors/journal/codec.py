"""Entries as bytes, and back.

Form: one byte of version, four bytes of CRC-32 (little-endian) of what follows, then the entry in MessagePack.
The version must change with every change of the entries that an older reader would misread. The checksum is
what tells a row that a disk has damaged from one that it has not.
"""

from __future__ import annotations

from zlib import crc32

import msgspec

from moonward.actors.errors import JournalError
from moonward.actors.journal.entries import Entry

VERSION = 1
"""Version of the entries' form; written by this program, and the newest it reads."""

HEADER_BYTES = 5
"""Bytes before the MessagePack: version and checksum."""

_VERSION_BYTE = bytes((VERSION,))
_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """`entry` as bytes; `JournalError` when a value in it has no such form."""
    try:
        body = _encode(entry)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise JournalError(f"a {type(entry).__name__} entry cannot be written: {error}") from error
    return _VERSION_BYTE + crc32(body).to_bytes(4, "little") + body


def decode(data: bytes) -> Entry:
    """The entry that `data` holds; `JournalError` for bytes that are none."""
    if len(data) <= HEADER_BYTES:
        raise JournalError(f"an entry of {len(data)} bytes is cut short")
    if data[0] != VERSION:
        raise JournalError(f"an entry has version {data[0]}; this program reads version {VERSION}")
    body = memoryview(data)[HEADER_BYTES:]
    if crc32(body) != int.from_bytes(data[1:HEADER_BYTES], "little"):
        raise JournalError("an entry is damaged: its checksum does not match")
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise JournalError(f"an entry has a wrong form: {error}") from error


def decode_all(bodies: list[bytes], session_id: str) -> list[Entry]:
    """The entries of `session_id`; an error says which of them is wrong."""
    entries: list[Entry] = []
    for body in bodies:
        try:
            entries.append(decode(body))
        except JournalError as error:
            raise JournalError(f"session {session_id!r}, entry {len(entries)}: {error}") from error
    return entries
