"""`moonward show`: one session, as its journal tells it."""

from __future__ import annotations

import argparse
import time
from typing import Any

from moonward.actors.journal.entries import Entry, Started
from moonward.actors.journal.store import Notes, SessionRow
from moonward.actors.rebuild import rebuild
from moonward.actors.session_state import Instant, SessionState
from moonward.actors.terminal import Cancelled, Completed, Failed
from moonward.cli.age import ago
from moonward.cli.entry_line import entry_json, entry_lines
from moonward.cli.exit_status import COMPLETED
from moonward.cli.operating import add_session, archive, print_json
from moonward.cli.sessions import to_json
from moonward.cli.terminal_text import block, json_line, one_line

WIDTH = 10
"""Characters of the column of names."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `show`."""
    parser = commands.add_parser(
        "show",
        help="show one session",
        description="Show one session: its phase, what it waits for, what it came to, and each entry of its journal by "
        "number. It is not woken, and it does not matter whether a host has it.",
    )
    add_session(parser)
    parser.add_argument("--full", action="store_true", help="prompts, answers and code in full")
    parser.add_argument("--json", action="store_true", help="print everything as a JSON object")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Print the session; returns the exit status."""
    with archive(arguments) as shelf:
        session_id = shelf.find(arguments.session)
        entries = shelf.entries(session_id)
        notes = shelf.notes(session_id)
        (row,) = shelf.row(session_id)
    now_ms = int(time.time() * 1000)
    state = rebuild(entries, Instant(now_ms, 0.0))
    if arguments.json:
        print_json(_json(row, entries, notes, state, now_ms))
    else:
        print("\n".join(_lines(row, entries, notes, state, now_ms, full=arguments.full)))
    return COMPLETED


def _json(
    row: SessionRow, entries: list[Entry], notes: Notes, state: SessionState, now_ms: int
) -> dict[str, Any]:
    started = entries[0]
    assert isinstance(started, Started)
    event = state.event()
    return {
        **to_json(row),
        "code": started.code,
        "forked_from": started.forked_from,
        "forked_at": started.forked_at,
        "snapshot": _snapshot(state, now_ms),
        "event": event.to_json(row.id) if event is not None else None,
        "transcript": state.transcript(),
        "notes": [{"title": note.title, "text": note.text, "at": note.at_ms} for note in notes],
        "journal": [entry_json(number, entry) for number, entry in enumerate(entries)],
    }


def _lines(
    row: SessionRow, entries: list[Entry], notes: Notes, state: SessionState, now_ms: int, *, full: bool
) -> list[str]:
    started = entries[0]
    assert isinstance(started, Started)
    host = f", process {row.owner_pid} has it" if row.owner_pid is not None else ""
    lines = [
        _field("session", one_line(row.id)),
        _field("phase", row.phase + host),
        _field("started", ago(row.started_ms, now_ms)),
        _field("last", ago(row.last_ms, now_ms)),
    ]
    if started.strategy is not None:
        lines.append(_field("strategy", one_line(started.strategy)))
    if started.user is not None:
        lines.append(_field("user", one_line(started.user)))
    if started.forked_from is not None:
        lines.append(_field("forked", f"from {one_line(started.forked_from)} at {started.forked_at}"))
    lines += _figures(state, now_ms)
    lines += _outcome(state)
    for note in notes:
        lines += [_field("note", one_line(note.title)), block(note.text, " " * (WIDTH + 2))]
    lines += ["", f"{len(entries)} entries:"]
    for number, entry in enumerate(entries):
        lines += entry_lines(number, entry, full=full)
    return lines


def _field(name: str, text: str) -> str:
    return f"{name:<{WIDTH}}{text}"


def _figures(state: SessionState, now_ms: int) -> list[str]:
    shot = _snapshot(state, now_ms)["metrics"]
    tokens = state.stats(Instant(now_ms, 0.0))["auto"]["total_tokens"]
    lines = [
        _field(
            "counted",
            f"{shot['llm_calls']} queries, {state.pauses} pauses, {shot['rounds']} rounds,"
            f" {tokens['tokens']} tokens ({tokens['source']})",
        )
    ]
    if "progress" in shot:
        progress = shot["progress"]
        text = one_line(str(progress["message"] or ""))
        lines.append(_field("progress", f"[{progress['step']}/{progress['total']}] {text}".rstrip()))
    lines += [
        _field("log", f"{one_line(log['level'])}: {one_line(log['message'])}") for log in shot["recent_logs"]
    ]
    return lines


def _snapshot(state: SessionState, now_ms: int) -> dict[str, Any]:
    return state.snapshot(None, include_history=False, at=Instant(now_ms, 0.0))


def _outcome(state: SessionState) -> list[str]:
    indent = " " * (WIDTH + 2)
    lines = []
    for query in state.pending:
        lines.append(_field("waits for", one_line(query.id)))
        if query.system:
            lines.append(block(f"(system) {query.system}", indent))
        lines.append(block(query.prompt, indent))
    match state.terminal:
        case Completed(result=result):
            lines.append(_field("result", json_line(result)))
        case Failed(error=error, error_kind=kind):
            lines += [_field("error", f"({kind})"), block(error, indent)]
        case Cancelled(reason=reason):
            lines.append(_field("cancelled", one_line(reason)).rstrip())
        case None:
            pass
    return lines
