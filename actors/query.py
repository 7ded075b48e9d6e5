"""A question of a script, and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from moonward.actors.errors import SettingsError

DEFAULT_MAX_TOKENS = 1024
"""Tokens; the contract's default for a query that names no limit."""

MOST_TOKENS = 1 << 53
"""Largest count of tokens that is believed: whole numbers above it are not the same to every reader of JSON."""

Scalar = str | int | float | bool

Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""What Lua's integers can be, and a journal holds."""


class QuerySpec(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """What a script asks, before the session has given it an id. This is also its form on the wire."""

    prompt: str
    system: str | None = None
    max_tokens: Tokens = DEFAULT_MAX_TOKENS
    grounded: bool = False
    underspecified: bool = False
    extra: dict[str, str | Int64 | float | bool] = {}


class LlmQuery(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One pending question.

    `id` is unique in the session's whole life (`q-<n>`, or `f-<child>-<n>` for a forked child).
    `max_tokens` is in tokens. `extra` holds other scalar options that the script gave. `SettingsError` for a field of a
    wrong type.
    """

    id: str
    prompt: str
    system: str | None = None
    max_tokens: int = DEFAULT_MAX_TOKENS
    grounded: bool = False
    underspecified: bool = False
    extra: dict[str, Scalar] = {}

    def __post_init__(self) -> None:
        # a session makes its queries of checked parts: this looks at types alone, and is cheap
        if type(self.id) is not str or type(self.prompt) is not str:
            plain_text("id", self.id)
            plain_text("prompt", self.prompt)
        if self.system is not None and type(self.system) is not str:
            plain_text("system", self.system)
        if type(self.max_tokens) is not int:
            raise SettingsError(f"max_tokens must be an integer, got {self.max_tokens!r}")
        if type(self.grounded) is not bool or type(self.underspecified) is not bool:
            raise SettingsError("grounded and underspecified must be True or False")
        if self.extra.__class__ is not dict or not all(
            isinstance(each, Scalar) for each in self.extra.values()
        ):
            raise SettingsError(
                f"extra must be an object of strings, numbers and booleans, got {self.extra!r}"
            )

    def own(self) -> LlmQuery:
        """The same, for a caller who may do with `extra` what he likes."""
        return msgspec.structs.replace(self, extra=dict(self.extra)) if self.extra else self

    @classmethod
    def of(cls, query_id: str, spec: QuerySpec) -> LlmQuery:
        """The query `query_id` that asks `spec`."""
        return cls(
            query_id,
            spec.prompt,
            spec.system,
            spec.max_tokens,
            spec.grounded,
            spec.underspecified,
            spec.extra,
        )

    def spec(self) -> QuerySpec:
        """What is asked, without the id."""
        return QuerySpec(
            self.prompt, self.system, self.max_tokens, self.grounded, self.underspecified, self.extra
        )

    def to_json(self, id_key: str = "id") -> dict[str, Any]:
        """The JSON of the contract; flags and `extra` are left out when they say nothing."""
        body: dict[str, Any] = {
            id_key: self.id,
            "prompt": self.prompt,
            "system": self.system,
            "max_tokens": self.max_tokens,
        }
        if self.grounded:
            body["grounded"] = True
        if self.underspecified:
            body["underspecified"] = True
        if self.extra:
            body["extra"] = dict(self.extra)
        return body


class TokenUsage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Tokens that the model's provider counted; each part is optional and replaces our estimate."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "completion_tokens"):
            value: object = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
                raise SettingsError(
                    f"usage.{name} must be a non-negative integer up to 2^53 or None, got {value!r}"
                )
            if type(value) is not int:
                msgspec.structs.force_setattr(self, name, int(value))

    @classmethod
    def of(cls, value: TokenUsage | Mapping[str, Any] | None) -> TokenUsage | None:
        """A usage from what a caller gave: itself, a mapping of its fields, or None."""
        if value is None or isinstance(value, TokenUsage):
            return value
        if not isinstance(value, Mapping):
            raise SettingsError(f"usage must be a TokenUsage, an object or None, got {type(value).__name__}")
        return cls(value.get("prompt_tokens"), value.get("completion_tokens"))


class QueryResponse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An answer to the query `query_id`. Text is UTF-8 without lone surrogates."""

    query_id: str | None
    response: str
    usage: TokenUsage | None = None
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        for name in ("query_id", "response", "idempotency_key"):
            value: object = getattr(self, name)
            if value is None and name != "response":
                continue
            text = plain_text(name, value)
            if text is not value:
                msgspec.structs.force_setattr(self, name, text)
        if self.usage is not None and not isinstance(self.usage, TokenUsage):
            raise SettingsError(f"usage must be a TokenUsage or None, got {type(self.usage).__name__}")


def plain_text(name: str, value: object) -> str:
    """`value` if it is text that every journal can hold: a `str`, not of a subclass, without lone surrogates.

    Else a `SettingsError` that names it; text of a subclass becomes a plain `str`.
    """
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be a string, got {type(value).__name__}")
    try:
        encoded = value.encode()
    except UnicodeEncodeError as error:
        raise SettingsError(
            f"{name} holds a lone surrogate at character {error.start}; text must be valid Unicode"
        ) from None
    return value if type(value) is str else encoded.decode()
