"""The budget that a session's context gives it, and when it is used up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from moonward.actors.errors import SettingsError


def _usable(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class Budget(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a session may use: queries, milliseconds of wall time since its start, tokens. None is no limit.

    `SettingsError` if a limit is neither a non-negative integer nor None.
    """

    max_llm_calls: int | None = None
    max_elapsed_ms: int | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not _usable(value):
                raise SettingsError(f"budget.{name} must be a non-negative integer or None, got {value!r}")

    @classmethod
    def from_ctx(cls, ctx: object) -> Budget | None:
        """The budget in `ctx["budget"]`, whatever `ctx` is; what is not usable is ignored. None without a limit."""
        given = ctx.get("budget") if isinstance(ctx, Mapping) else None
        if not isinstance(given, Mapping):
            return None
        usable = {name: given[name] for name in cls.__struct_fields__ if _usable(given.get(name))}
        return cls(**usable) if usable else None

    def to_json(self) -> dict[str, Any]:
        """The limits that are set."""
        limits: dict[str, Any] = msgspec.to_builtins(self)
        return limits

    def check(self, n_queries: int, *, llm_calls: int, elapsed_ms: int, tokens: int) -> str | None:
        """Why `n_queries` more may not be sent after what was used, or None.

        The text is the one that Lua raises. Several queries that would cross `max_llm_calls` are refused whole.
        """
        calls = self.max_llm_calls
        if calls is not None and llm_calls >= calls:
            return f"budget_exceeded: max_llm_calls ({calls}) reached ({llm_calls} used)"
        if calls is not None and llm_calls + n_queries > calls:
            used = f"budget_exceeded: max_llm_calls ({calls}) reached ({llm_calls} used)"
            return f"{used} by a batch of {n_queries}"
        if self.max_elapsed_ms is not None and elapsed_ms >= self.max_elapsed_ms:
            limit = self.max_elapsed_ms
            return f"budget_exceeded: max_elapsed_ms ({limit}ms) reached ({elapsed_ms}ms elapsed)"
        if self.max_tokens is not None and tokens >= self.max_tokens:
            return f"budget_exceeded: max_tokens ({self.max_tokens}) reached ({tokens} used)"
        return None

    def remaining(self, *, llm_calls: int, elapsed_ms: int, tokens: int) -> dict[str, int]:
        """What is left of the limits that are set, never below 0."""
        left = {}
        if self.max_llm_calls is not None:
            left["llm_calls"] = max(0, self.max_llm_calls - llm_calls)
        if self.max_elapsed_ms is not None:
            left["elapsed_ms"] = max(0, self.max_elapsed_ms - elapsed_ms)
        if self.max_tokens is not None:
            left["tokens"] = max(0, self.max_tokens - tokens)
        return left


class _CtxBudget(msgspec.Struct):
    budget: Any = None


def budget_of(ctx: str) -> Budget | None:
    """The budget in a context, which is JSON text; None without one."""
    try:
        given = msgspec.json.decode(ctx, type=_CtxBudget)
    except msgspec.ValidationError:  # JSON, but not an object: it holds no budget
        return None
    return Budget.from_ctx({"budget": given.budget})
