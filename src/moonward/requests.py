"""Turns what callers give into messages; both front doors use it. All checks of arguments are here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from moonward.actors.errors import SettingsError
from moonward.actors.json_text import unreadable
from moonward.actors.limits import Limits
from moonward.actors.messages import Cancel, Feed, Look, Snap
from moonward.actors.pending_filter import PendingFilter
from moonward.actors.query import QueryResponse, TokenUsage, plain_text
from moonward.actors.registry import Start
from moonward.actors.settings import Settings
from moonward.supervisor.reply import Reply

STRATEGY_CODE = "return require({name}).run(ctx)"


def start(
    settings: Settings,
    code: str,
    ctx: Mapping[str, Any] | None,
    packages: Sequence[Path | str],
    limits: Limits | Mapping[str, Any] | None,
    strategy: str | None = None,
    user: str | None = None,
) -> Start:
    """A request to start a session."""
    code = plain_text("code", code)
    allowed = Limits.of(limits, settings.limits)
    if len(code.encode()) > allowed.max_code_bytes:
        raise SettingsError(f"code is longer than max_code_bytes ({allowed.max_code_bytes})")
    text = ctx_text(ctx)
    if len(text.encode()) + len(code.encode()) > allowed.max_frame_bytes // 2:
        raise SettingsError(
            f"code and ctx are longer than half of max_frame_bytes ({allowed.max_frame_bytes})"
        )
    if user is not None:
        user = plain_text("user", user)
    return Start(code, text, allowed, folders(packages), strategy, Reply(), user)


def advise(
    settings: Settings,
    strategy: str,
    task: str | None,
    opts: Mapping[str, Any] | None,
    packages: Sequence[Path | str],
    limits: Limits | Mapping[str, Any] | None,
    user: str | None = None,
) -> Start:
    """A request to run an installed strategy."""
    if (
        not isinstance(strategy, str)
        or not strategy.replace("_", "a").replace(".", "a").replace("-", "a").isalnum()
    ):
        raise SettingsError(f"strategy must be the name of a package, got {strategy!r}")
    if task is not None:
        task = plain_text("task", task)
    if opts is not None and not isinstance(opts, Mapping):
        raise SettingsError(f"opts must be an object or None, got {type(opts).__name__}")
    ctx = dict(opts or {})
    if task is not None:
        ctx["task"] = task
    strategy = plain_text("strategy", strategy)
    code = STRATEGY_CODE.format(name=json.dumps(strategy))
    return start(settings, code, ctx, packages, limits, strategy, user)


def ctx_text(ctx: Mapping[str, Any] | None) -> str:
    """The context as JSON text."""
    if ctx is None:
        return "{}"
    if not isinstance(ctx, Mapping):
        raise SettingsError(f"ctx must be an object (a dict) or None, got {type(ctx).__name__}")
    try:
        text = json.dumps(dict(ctx), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        problem = unreadable(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingsError(f"ctx must be a JSON object: {error}") from None
    if problem:
        raise SettingsError(f"ctx cannot be read by a script: {problem}")
    return text


def folders(packages: Iterable[Path | str]) -> list[str]:
    """Package directories as absolute paths."""
    if isinstance(packages, str | bytes | Path) or not isinstance(packages, Iterable):
        raise SettingsError(f"packages must be a sequence of directories, got {packages!r}")
    paths = []
    for each in packages:
        folder = path("packages", each).absolute()
        if not folder.is_dir():
            raise SettingsError(f"packages: {str(each)!r} is not a directory")
        paths.append(str(folder))
    return paths


def path(name: str, value: Path | str) -> Path:
    """A path of the file system."""
    if not isinstance(value, str | Path) or not str(value):
        raise SettingsError(f"{name} must be a path, got {value!r}")
    try:
        encoded = os.fsencode(value)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise SettingsError(f"{name} must be a path that the file system can name, got {str(value)!r}")
    return Path(value)


def feed(
    response: str | QueryResponse,
    query_id: str | None,
    usage: TokenUsage | Mapping[str, Any] | None,
    idempotency_key: str | None,
    shown: frozenset[str] | None,
) -> Feed:
    """A request to feed one answer; `shown` are the queries that the caller's handle has been shown."""
    if not isinstance(response, QueryResponse):
        response = QueryResponse(query_id, response, TokenUsage.of(usage), idempotency_key)
    elif (query_id, usage, idempotency_key) != (None, None, None):
        raise SettingsError(
            "query_id, usage and idempotency_key belong into the QueryResponse when one is given, not beside it"
        )
    return _feed([response], shown)


def feed_batch(responses: Iterable[QueryResponse], shown: frozenset[str] | None = None) -> Feed:
    """A request to feed several answers, all or none."""
    if isinstance(responses, str | bytes | Mapping) or not isinstance(responses, Iterable):
        raise SettingsError(f"responses must be an iterable of QueryResponse, got {type(responses).__name__}")
    all_ = list(responses)
    if not all_:
        raise SettingsError("responses must hold at least one QueryResponse, got none")
    for each in all_:
        if not isinstance(each, QueryResponse):
            raise SettingsError(f"responses must be QueryResponse objects, got {type(each).__name__}")
    return _feed(all_, shown)


def _feed(responses: list[QueryResponse], shown: frozenset[str] | None) -> Feed:
    named = all(each.query_id is not None for each in responses)
    return Feed(responses, None if named else shown)


def cancel(reason: str) -> Cancel:
    """A request to end a session."""
    return Cancel(plain_text("reason", reason))


def snap(
    settings: Settings, pending_filter: PendingFilter | str | Mapping[str, Any] | None, include_history: bool
) -> Snap:
    """A request for a snapshot."""
    if not isinstance(include_history, bool):
        raise SettingsError(f"include_history must be True or False, got {include_history!r}")
    chosen = PendingFilter.parse(pending_filter, settings.prompt_preview_chars)
    return Snap(chosen, include_history)


def expired(ttl: float | timedelta) -> Look[bool]:
    """A question whether a session has idled for `ttl`."""
    ttl_s = seconds("ttl", ttl)
    return Look(lambda state, now: state.is_expired(ttl_s, now))


def seconds(name: str, value: float | timedelta) -> float:
    """A duration in seconds."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
        raise SettingsError(f"{name} must be a non-negative number of seconds or a timedelta, got {value!r}")
    return float(value)


def timeout(value: float | timedelta | None) -> float | None:
    """A timeout in seconds; None waits for ever."""
    return None if value is None else seconds("timeout", value)


def replay_code(code: str | None) -> str | None:
    """Other code for a replay; None is the recorded one."""
    return None if code is None else plain_text("code", code)


def identity(session_id: object) -> str:
    """A session id."""
    return plain_text("session_id", session_id)
