"""An entry of a journal as a line for people, and as a JSON object."""

from __future__ import annotations

from typing import Any, Final, assert_never

from moonward.actors.journal.entries import (
    MAIN,
    Answered,
    Batch,
    Called,
    ChildEnded,
    Ended,
    Entry,
    Paused,
    Started,
)
from moonward.cli.terminal_text import block, one_line

TEXT_CHARS: Final = 100
"""Characters of a text that a line shows. Arbitrary, so that a line stays one."""

INDENT: Final = " " * 8


def entry_lines(number: int, entry: Entry, *, full: bool) -> list[str]:
    """An entry for people; texts are cut to a line, or in full."""
    kind, details = _told(entry)
    first = f"{number:>5}  {kind:<8}"
    if not full:
        head = [one_line(name) + (f" {one_line(text, TEXT_CHARS)}" if text else "") for name, text in details]
        return [f"{first}  {'; '.join(head)}".rstrip()]
    lines = [f"{first}  {'; '.join(one_line(name) for name, _ in details)}".rstrip()]
    lines += [block(text, INDENT) for _, text in details if text]
    return lines


def entry_json(number: int, entry: Entry) -> dict[str, Any]:
    """An entry as a JSON object; texts are in the transcript."""
    kind, details = _told(entry)
    return {"entry": number, "kind": kind, "about": [name for name, _ in details]}


def _told(entry: Entry) -> tuple[str, list[tuple[str, str]]]:
    """What sort of entry it is, and its parts: a name and a text each."""
    match entry:
        case Started():
            return "started", [(entry.strategy or "code", "" if entry.strategy else entry.code)]
        case Paused():
            return "paused", [(query.id, query.prompt) for query in entry.queries]
        case Answered():
            return "answered", [(entry.query_id, entry.response)]
        case Batch():
            return "answered", [(answer.query_id, answer.response) for answer in entry.answers]
        case Called():
            return "called", [(_where(entry.strand) + entry.name, entry.error or entry.result or "")]
        case ChildEnded():
            return "child", [(_where(entry.strand) + "ended", entry.error or entry.result or "")]
        case Ended():
            return "ended", [(entry.state.phase, "")]
        case _:
            assert_never(entry)


def _where(strand: str) -> str:
    return "" if strand == MAIN else f"child {strand}: "
