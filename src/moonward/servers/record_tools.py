"""The tools that read what is kept of sessions: notes, transcripts, totals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from moonward.actors.errors import JournalError, SessionNotFound, SettingsError
from moonward.actors.journal.store import Note, SessionRow
from moonward.actors.query import plain_text
from moonward.actors.session_state import Instant, SessionState
from moonward.servers.answering import Result
from moonward.servers.desk import MAX_LISTED, Desk, is_active
from moonward.servers.session_tools import SESSION_ID
from moonward.servers.tool import Tool, ToolCall, output, text, whole

LIST_LIMIT: Final = 50
"""Sessions that a list of logs shows unless asked for more. The contract's figure."""

MAX_CHARS: Final = 100_000
"""Characters of one session's log unless asked for more. The contract's figure."""

HINT_CHARS: Final = 100
"""Characters of the first prompt by which a list recalls what a session was about. The seed system's figure."""

MAX_REMEMBERED: Final = 20_000
"""Ended sessions whose figures are remembered, so that totals do not read their journals again; some megabytes."""

DAY_MS: Final = 86_400_000

UNKNOWN: Final = "unknown"
"""The strategy of a session that was none, in totals; the seed system's word."""


class Figures(NamedTuple):
    """What a list shows of an ended session. Times are milliseconds; `stats` is `stats.auto` of its end."""

    hint: str | None
    stats: dict[str, Any]


class RecordTools:
    """The tools of this module, on one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._figures: dict[str, Figures] = {}

    def tools(self) -> list[Tool]:
        """Each with what it tells a host."""
        return [
            Tool(
                name="alc_note",
                title="Add a note to a session",
                description="Keep a remark with a session, for later readers of its log.",
                run=self.note,
                properties={
                    "session_id": SESSION_ID,
                    "content": text("The remark."),
                    "title": text("What it is about, in a few words."),
                },
                required=("session_id", "content"),
                output=output(
                    {"session_id": {"type": "string"}, "notes_count": {"type": "integer"}},
                    "session_id",
                    "notes_count",
                ),
            ),
            Tool(
                name="alc_log_view",
                title="Read logs of sessions",
                description="Without session_id: the sessions that have ended, newest last, with a summary of each. "
                "With one: its whole transcript (every question with its answer), figures and notes; when that is "
                "longer than max_chars, the oldest rounds are left out.",
                run=self.log_view,
                properties={
                    "session_id": SESSION_ID,
                    "limit": whole(
                        f"Most sessions in the list, the newest; at most {MAX_LISTED}.", default=LIST_LIMIT
                    ),
                    "max_chars": whole(
                        "Most characters of one session's log; 0 is no limit.", default=MAX_CHARS
                    ),
                },
                output=output(
                    {
                        "sessions": {"type": "array", "items": {"type": "object"}},
                        "session_id": {"type": "string"},
                        "transcript": {"type": "array", "items": {"type": "object"}},
                        "notes": {"type": "array", "items": {"type": "object"}},
                    }
                ),
                reads_only=True,
                is_idempotent=True,
            ),
            Tool(
                name="alc_stats",
                title="Totals by strategy",
                description="How many sessions have ended, and what they used, for each strategy. Scripts that "
                f"were run without one count as `{UNKNOWN}`.",
                run=self.stats,
                properties={
                    "strategy": text("Only this strategy."),
                    "days": whole("Only sessions that ended in the last so many days."),
                },
                output=output(
                    {"total_sessions": {"type": "integer"}, "strategies": {"type": "object"}},
                    "total_sessions",
                    "strategies",
                ),
                reads_only=True,
                is_idempotent=True,
            ),
        ]

    async def note(self, call: ToolCall) -> Result:
        """`alc_note`."""
        session_id = call.arguments.name("session_id")
        content = call.arguments.text("content")
        if content is None:
            raise SettingsError("content is missing: a string is needed")
        await self._desk.check(call.guest, session_id)
        title = plain_text("title", call.arguments.text("title") or "")
        await self._desk.add_note(session_id, title, plain_text("content", content))
        return {"session_id": session_id, "notes_count": len(await self._desk.notes(session_id))}

    async def log_view(self, call: ToolCall) -> Result:
        """`alc_log_view`."""
        session_id = call.arguments.optional_name("session_id")
        limit = call.arguments.whole("limit", LIST_LIMIT) or 0
        max_chars = call.arguments.whole("max_chars", MAX_CHARS) or 0
        if session_id is None:
            return await self._list(call, min(limit, MAX_LISTED))
        await self._desk.check(call.guest, session_id)
        log = await self._desk.look(session_id, _log)
        log["notes"] = [_shown(note) for note in await self._desk.notes(session_id)]
        return cut(log, max_chars)

    async def stats(self, call: ToolCall) -> Result:
        """`alc_stats`."""
        strategy = call.arguments.optional_name("strategy")
        days = call.arguments.whole("days")
        since_ms = 0 if days is None else self._desk.core.services.now().wall_ms - days * DAY_MS
        totals: dict[str, dict[str, int]] = {}
        count = 0
        for row in await self._ended(call):
            name = row.strategy or UNKNOWN
            if row.last_ms < since_ms or strategy not in (None, name):
                continue
            try:
                figures = await self._figures_of(row)
            except JournalError:  # what cannot be read cannot be counted
                continue
            if figures is not None:
                count += 1
                _add(totals.setdefault(name, {}), row.phase, figures.stats)
        return {"total_sessions": count, "strategies": {name: _averaged(totals[name]) for name in totals}}

    async def _list(self, call: ToolCall, limit: int) -> Result:
        rows = sorted(await self._ended(call), key=lambda row: row.last_ms)
        sessions: list[dict[str, Any]] = []
        for row in rows[-limit:] if limit else []:
            try:
                figures = await self._figures_of(row)
            except JournalError as error:  # one that cannot be read must not hide the others
                sessions.append({"session_id": row.id, "phase": row.phase, "error": str(error)})
                continue
            if figures is None:
                continue
            sessions.append(
                {
                    "session_id": row.id,
                    "strategy": row.strategy,
                    "phase": row.phase,
                    "task_hint": figures.hint,
                    "started_at": row.started_ms,
                    "ended_at": row.last_ms,
                    "elapsed_ms": figures.stats["elapsed_ms"],
                    "rounds": figures.stats["rounds"],
                    "llm_calls": figures.stats["llm_calls"],
                    "notes_count": len(await self._desk.notes(row.id)),
                }
            )
        return {"sessions": sessions, "total": len(rows)}

    async def _ended(self, call: ToolCall) -> list[SessionRow]:
        return [row for row in await self._desk.rows(call.guest) if not is_active(row)]

    async def _figures_of(self, row: SessionRow) -> Figures | None:
        """The figures of an ended session, which do not change any more; None if it has been removed."""
        known = self._figures.get(row.id)
        if known is None:
            try:
                known = await self._desk.look(row.id, _figures)
            except SessionNotFound:
                return None
            if len(self._figures) >= MAX_REMEMBERED:
                self._figures.pop(next(iter(self._figures)))
            self._figures[row.id] = known
        return known


def _hint(transcript: Sequence[dict[str, Any]]) -> str | None:
    if not transcript:
        return None
    prompt: str = transcript[0]["prompt"]
    return prompt if len(prompt) <= HINT_CHARS else prompt[:HINT_CHARS] + "..."


def _figures(state: SessionState, now: Instant) -> Figures:
    return Figures(_hint(state.transcript()), state.stats(now)["auto"])


def _log(state: SessionState, now: Instant) -> dict[str, Any]:
    transcript, stats = state.transcript(), state.stats(now)
    log = {
        "session_id": state.session_id,
        "strategy": state.started.strategy,
        "phase": state.phase,
        "task_hint": _hint(transcript),
        "stats": stats["auto"],
        "custom": stats["custom"],
        "transcript": transcript,
    }
    return log if stats["custom"] else {key: value for key, value in log.items() if key != "custom"}


def _shown(note: Note) -> dict[str, Any]:
    """A note as the seed system shows it: the time in whole Unix seconds."""
    return {"timestamp": note.at_ms // 1000, "title": note.title or None, "content": note.text}


def cut(log: dict[str, Any], max_chars: int) -> dict[str, Any]:
    """`log`, without the oldest rounds of its transcript that do not fit in `max_chars` characters; 0: no limit."""
    size = _chars(log)
    if not max_chars or size <= max_chars:
        return log
    transcript = log["transcript"]
    kept = len(transcript)
    told = {"truncated": True, "original_rounds": kept, "returned_rounds": kept}
    size += _chars(told) - 1  # two braces less, a comma more
    for index, entry in enumerate(transcript):
        if size <= max_chars:
            break
        size -= _chars(entry) + 1
        kept = len(transcript) - index - 1
    return log | {"transcript": transcript[len(transcript) - kept :]} | told | {"returned_rounds": kept}


def _chars(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _add(total: dict[str, int], phase: str, stats: dict[str, Any]) -> None:
    total["count"] = total.get("count", 0) + 1
    total[phase] = total.get(phase, 0) + 1
    for name in ("elapsed_ms", "llm_calls", "rounds", "total_prompt_chars", "total_response_chars"):
        total[name] = total.get(name, 0) + stats[name]


def _averaged(total: dict[str, int]) -> dict[str, int]:
    count = total["count"]
    averages = {
        f"avg_{name}": (total[name] + count // 2) // count for name in ("elapsed_ms", "llm_calls", "rounds")
    }
    phases = {phase: total.get(phase, 0) for phase in ("completed", "failed", "cancelled")}
    return {
        "count": count,
        **phases,
        **averages,
        "total_llm_calls": total["llm_calls"],
        "total_prompt_chars": total["total_prompt_chars"],
        "total_response_chars": total["total_response_chars"],
    }
