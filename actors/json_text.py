"""What JSON text is like, before anything is made of it. Pure.

Decoding text of a few MiB can take half a second and a hundred times its size in memory, if it holds little but
brackets; and not every value that JSON can write can be kept in a journal. So text from a worker is looked at first,
with searches that run at the speed of C.
"""

from __future__ import annotations

import math
import re
from itertools import accumulate

MAX_DEPTH = 96
"""Most levels of arrays and objects: what scripts may encode (`json_encode.lua`), and any decoder surely takes."""

MAX_TABLES = 250_000
"""Most arrays and objects in one text, as for scripts. Arbitrary: they take 20 MiB here, and one byte in 16 of the
largest result."""

MAX_READ_DEPTH = 512
"""Most levels that a script reads (`json_decode.lua`)."""

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
"""What a Lua integer holds, and a journal."""

CHUNK_BYTES = 64 << 10
"""Text that is split at once. Arbitrary."""

_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19
"""The largest number of 64 bits has 19 digits."""

_HUGE = b"0" * 309
"""The largest float has 309 digits before its point."""

_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]{18,}")
"""A number of 19 characters or more, to its end."""

_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def tables(text: bytes) -> int:
    """At most so many arrays and objects does the text hold: brackets in strings count too."""
    return text.count(b"[") + text.count(b"{")


def has_more_tables(text: bytes, most: int) -> bool:
    """Whether a JSON text holds more than so many arrays and objects."""
    return tables(text) > most and tables(outside_strings(text)) > most


def members(text: bytes) -> int:
    """Members of all objects in a JSON text."""
    return outside_strings(text).count(b":")


def outside_strings(text: bytes) -> bytes:
    """The text, which is valid JSON, without what its strings hold."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    kept: list[bytes] = []
    inside = 0
    for at in range(0, len(text), CHUNK_BYTES):  # text of little but quotes makes very many parts
        parts = text[at : at + CHUNK_BYTES].split(b'"')
        kept.append(b'""'.join(parts[inside::2]))
        inside ^= (len(parts) - 1) % 2
    return b"".join(kept)


def objection(text: bytes) -> str | None:
    """Why the value of this valid JSON text cannot be kept, or None."""
    nested, wide = tables(text) > MAX_DEPTH, _LONG in text.translate(_ZEROS)
    if not nested and not wide:
        return None
    bare = outside_strings(text)
    if tables(bare) > MAX_TABLES:
        return f"more than {MAX_TABLES} arrays and objects"
    if nested and depth(bare) > MAX_DEPTH:
        return f"more than {MAX_DEPTH} levels"
    if wide and not all(map(_fits, _NUMBER.findall(bare))):
        return "an integer of more than 64 bits"
    return None


def unreadable(text: bytes) -> str | None:
    """Why a script cannot read this valid JSON text of integers and finite floats, or None."""
    nested, wide = tables(text) > MAX_READ_DEPTH, _HUGE in text.translate(_ZEROS)
    if not nested and not wide:
        return None
    bare = outside_strings(text)
    if nested and depth(bare) > MAX_READ_DEPTH:
        return f"more than {MAX_READ_DEPTH} levels"
    if wide and any(math.isinf(float(number)) for number in _NUMBER.findall(bare)):
        return "a number out of range"
    return None


def _fits(number: bytes) -> bool:
    if not number.removeprefix(b"-").isdigit():
        return True  # a float
    return len(number) <= len(str(INT64_MIN)) and INT64_MIN <= int(number) <= INT64_MAX


def depth(bare: bytes) -> int:
    """Levels of arrays and objects in a text without strings."""
    steps = bare.translate(_STEPS, _OTHERS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)
