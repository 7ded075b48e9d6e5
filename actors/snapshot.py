"""What an observer sees of a session, without waiting for it and without changing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moonward.actors.metrics import Metrics
from moonward.actors.notes import Notes
from moonward.actors.pending_filter import PendingFilter
from moonward.actors.phase import Phase, state_label
from moonward.actors.query import LlmQuery
from moonward.actors.transcript import Transcript


def snapshot(
    *,
    phase: Phase,
    started_ms: int,
    last_activity_ms: int,
    metrics: dict[str, Any],
    pending: Sequence[LlmQuery],
    pending_filter: PendingFilter | None,
) -> dict[str, Any]:
    """The snapshot of the contract; `metrics` comes from `running_metrics`, times are Unix milliseconds."""
    shown: dict[str, Any] = {
        "state": state_label(phase),
        "phase": phase,
        "started_at": started_ms,
        "last_activity_at": last_activity_ms,
        "metrics": metrics,
    }
    if phase == "paused":
        shown["pending_queries"] = len(pending)
        if pending_filter is not None:
            shown["pending"] = [pending_filter.project(query) for query in pending]
    return shown


def running_metrics(
    metrics: Metrics,
    transcript: Transcript,
    notes: Notes,
    *,
    elapsed_ms: int,
    budget_remaining: dict[str, int] | None,
    include_history: bool,
) -> dict[str, Any]:
    """The `metrics` of a snapshot; keys that say nothing are left out."""
    shown: dict[str, Any] = {
        "elapsed_ms": elapsed_ms,
        "llm_calls": metrics.llm_calls,
        "rounds": metrics.rounds,
        "tokens": {
            "prompt_total": metrics.prompt_tokens.tokens,
            "response_total": metrics.response_tokens.tokens,
            "total": metrics.total_tokens,
            "current_query": _current_query(transcript),
        },
        "recent_logs": notes.logs(),
    }
    progress = notes.progress()
    if progress is not None:
        shown["progress"] = progress
    if budget_remaining is not None:
        shown["budget_remaining"] = budget_remaining
    if include_history:
        shown["conversation_history"] = transcript.history()
    return shown


def _current_query(transcript: Transcript) -> dict[str, Any] | None:
    newest = transcript.newest()
    if newest is None or newest.response is not None:
        return None
    return {
        "query_id": newest.query.id,
        "prompt_tokens": newest.prompt_tokens,
        "started_waiting_at": newest.started_ms,
    }
