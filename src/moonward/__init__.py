"""Supervised, durable Lua sessions for Python hosts.

    import moonward

    with moonward.Runtime() as runtime:
        session = runtime.start("return alc.llm('What is 2+2?')")
        session.wait()
        print(session.feed("4"))

Everything public is a name of this package. Importing it loads nothing else: each worker process imports it too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moonward.actors.budget import Budget
    from moonward.actors.errors import (
        AlreadyResponded,
        AmbiguousQuery,
        FeedError,
        FeedTimeout,
        IdempotencyConflict,
        JournalError,
        PackageError,
        PendingFilterError,
        ProtocolError,
        ReplayDiverged,
        RuntimeClosed,
        RuntimeFailed,
        RuntimeUnsupported,
        SessionNotFound,
        SessionOwned,
        SessionRestarting,
        SettingsError,
        StartTimeout,
        TooManySessions,
        TransitionError,
        UnknownQuery,
        WorkerCrashed,
        WorkerError,
    )
    from moonward.actors.interaction import Accepted, Finished, Paused
    from moonward.actors.limits import Limits
    from moonward.actors.pending_filter import PendingFilter, PromptProjection
    from moonward.actors.query import LlmQuery, QueryResponse, TokenUsage
    from moonward.actors.settings import Settings
    from moonward.actors.terminal import Cancelled, Completed, Failed
    from moonward.aio import AsyncRuntime, AsyncSession
    from moonward.driving import adrive, drive
    from moonward.runtime import Runtime, Session
    from moonward.supervisor.errors import MoonwardError

    __version__: str

_ERRORS = "moonward.actors.errors"

_HOMES = {
    "Accepted": "moonward.actors.interaction",
    "AlreadyResponded": _ERRORS,
    "AmbiguousQuery": _ERRORS,
    "AsyncRuntime": "moonward.aio",
    "AsyncSession": "moonward.aio",
    "Budget": "moonward.actors.budget",
    "Cancelled": "moonward.actors.terminal",
    "Completed": "moonward.actors.terminal",
    "Failed": "moonward.actors.terminal",
    "FeedError": _ERRORS,
    "FeedTimeout": _ERRORS,
    "Finished": "moonward.actors.interaction",
    "IdempotencyConflict": _ERRORS,
    "JournalError": _ERRORS,
    "Limits": "moonward.actors.limits",
    "LlmQuery": "moonward.actors.query",
    "MoonwardError": "moonward.supervisor.errors",
    "PackageError": _ERRORS,
    "Paused": "moonward.actors.interaction",
    "PendingFilter": "moonward.actors.pending_filter",
    "PendingFilterError": _ERRORS,
    "PromptProjection": "moonward.actors.pending_filter",
    "ProtocolError": _ERRORS,
    "QueryResponse": "moonward.actors.query",
    "ReplayDiverged": _ERRORS,
    "Runtime": "moonward.runtime",
    "RuntimeClosed": _ERRORS,
    "RuntimeFailed": _ERRORS,
    "RuntimeUnsupported": _ERRORS,
    "Session": "moonward.runtime",
    "SessionNotFound": _ERRORS,
    "SessionOwned": _ERRORS,
    "SessionRestarting": _ERRORS,
    "Settings": "moonward.actors.settings",
    "SettingsError": _ERRORS,
    "StartTimeout": _ERRORS,
    "TokenUsage": "moonward.actors.query",
    "TooManySessions": _ERRORS,
    "TransitionError": _ERRORS,
    "UnknownQuery": _ERRORS,
    "WorkerCrashed": _ERRORS,
    "WorkerError": _ERRORS,
    "adrive": "moonward.driving",
    "drive": "moonward.driving",
}
"""Public name → the module that holds it."""

__all__ = [
    "Accepted",
    "AlreadyResponded",
    "AmbiguousQuery",
    "AsyncRuntime",
    "AsyncSession",
    "Budget",
    "Cancelled",
    "Completed",
    "Failed",
    "FeedError",
    "FeedTimeout",
    "Finished",
    "IdempotencyConflict",
    "JournalError",
    "Limits",
    "LlmQuery",
    "MoonwardError",
    "PackageError",
    "Paused",
    "PendingFilter",
    "PendingFilterError",
    "PromptProjection",
    "ProtocolError",
    "QueryResponse",
    "ReplayDiverged",
    "Runtime",
    "RuntimeClosed",
    "RuntimeFailed",
    "RuntimeUnsupported",
    "Session",
    "SessionNotFound",
    "SessionOwned",
    "SessionRestarting",
    "Settings",
    "SettingsError",
    "StartTimeout",
    "TokenUsage",
    "TooManySessions",
    "TransitionError",
    "UnknownQuery",
    "WorkerCrashed",
    "WorkerError",
    "__version__",
    "adrive",
    "drive",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'moonward' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("moonward")
    except metadata.PackageNotFoundError:  # run from sources that are on the path, not installed
        return "0+sources"


def __dir__() -> list[str]:
    return sorted(__all__)
