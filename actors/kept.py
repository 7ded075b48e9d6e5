"""What a session makes its host keep, in bytes: memory, or the journal's disk, and what its calls store. Pure.

Answers are not counted: those the host gives by itself. On the contrary, each pays for a question of usual size, so
that a session which asks for years is not ended for it. The figures are near what the entries take in memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from moonward.actors.journal.entries import Answered, Batch, Called, ChildEnded, Clocks, Entry, Paused, View
from moonward.actors.query import LlmQuery, QuerySpec
from moonward.actors.tokens import utf8_bytes

ITEM_BYTES = 512
"""A query or a call beside its texts: objects for the journal, the transcript and the state. Measured: 350 to 1200."""

ANSWER_BYTES = 16 << 10
"""What an answer pays for. Arbitrary: four thousand tokens, a long prompt or some host calls."""

READING_BYTES = 64
"""A clock reading: a tuple in a list, and its numbers, most of which are shared."""

LINE_BYTES = 256
"""A log line beside its text: a dictionary of four."""


def kept_after(kept: int, entry: Entry) -> int:
    """What a session keeps that kept `kept` bytes before `entry`."""
    return max(0, kept + kept_bytes(entry))


def kept_bytes(entry: Entry) -> int:
    """What keeping `entry` takes, and what its call has stored; negative for what an answer pays for."""
    if isinstance(entry, Answered):
        return -ANSWER_BYTES
    if isinstance(entry, Paused):
        readings = 0
        for ask in entry.asks:
            readings += len(ask.clocks)
        return questions_bytes(entry.queries) + READING_BYTES * readings + view_bytes(entry.view)
    if isinstance(entry, Called):
        texts = utf8_bytes(entry.result) + utf8_bytes(entry.error)
        return ITEM_BYTES + texts + entry.sent + clocks_bytes(entry.clocks)
    if isinstance(entry, ChildEnded):
        return ITEM_BYTES + utf8_bytes(entry.result) + utf8_bytes(entry.error)
    if isinstance(entry, Batch):
        return -ANSWER_BYTES * len(entry.answers)
    return 0


def questions_bytes(queries: Sequence[LlmQuery] | Sequence[QuerySpec]) -> int:
    """What keeping these queries takes."""
    total = ITEM_BYTES * len(queries)
    for query in queries:
        total += utf8_bytes(query.prompt) + utf8_bytes(query.system)
        if query.extra:
            total += sum(ITEM_BYTES // 4 + len(str(value)) for value in query.extra.values())
    return total


def clocks_bytes(clocks: Clocks) -> int:
    """What keeping these readings takes."""
    return READING_BYTES * len(clocks)


def view_bytes(view: View) -> int:
    """What keeping logs, progress and statistics takes."""
    total = 0
    for line in view.logs:
        total += LINE_BYTES + utf8_bytes(line["message"])
    if view.custom:
        total += len(msgspec.json.encode(view.custom))
    return total
