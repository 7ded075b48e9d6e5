"""Which fields of a pending query a snapshot shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import msgspec

from moonward.actors.errors import PendingFilterError
from moonward.actors.query import LlmQuery

PROMPT_PREVIEW_CHARS: Final = 200
"""Code points of a prompt in the preset `preview`, unless configured; the contract's figure."""

PromptMode = Literal["off", "preview", "full"]
PROMPT_MODES: Final[tuple[str, ...]] = get_args(PromptMode)
PRESETS: Final = ("meta", "preview", "full")


class PromptProjection(msgspec.Struct, frozen=True):
    """How much of a prompt is shown: nothing, its first `chars` code points, or all.

    `PendingFilterError` for an unknown mode, or `chars` that is not a non-negative integer for a preview.
    """

    mode: PromptMode = "off"
    chars: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in PROMPT_MODES:
            known = ", ".join(PROMPT_MODES)
            raise PendingFilterError(f"unknown pending_filter prompt mode {self.mode!r}; there are: {known}")
        chars: object = self.chars
        if self.mode == "preview":
            if isinstance(chars, bool) or not isinstance(chars, int) or chars < 0:
                raise PendingFilterError(
                    f"pending_filter prompt.chars must be a non-negative integer, got {chars!r}"
                )
        elif chars is not None:
            raise PendingFilterError(
                f"pending_filter prompt.chars goes with mode 'preview', not {self.mode!r}"
            )

    @classmethod
    def of(cls, value: object) -> PromptProjection:
        """A projection from what a caller gave: itself, or an object `{"mode", "chars"?}`."""
        if isinstance(value, PromptProjection):
            return value
        if not isinstance(value, Mapping):
            raise PendingFilterError(
                f"pending_filter prompt must be an object with a mode, got {json_type(value)}"
            )
        _refuse_unknown(value, cls.__struct_fields__, "pending_filter prompt field")
        if "mode" not in value:
            raise PendingFilterError("pending_filter prompt needs a mode: off, preview or full")
        return cls(**value)

    def project(self, prompt: str) -> dict[str, str]:
        """The keys that show `prompt`."""
        if self.mode == "full":
            return {"prompt": prompt}
        if self.mode == "preview":
            return {"prompt_preview": prompt[: self.chars]}
        return {}


class PendingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of each pending query that a snapshot lists under `pending`; all are off unless asked for."""

    query_id: bool = False
    prompt: PromptProjection = PromptProjection()
    system: bool = False
    max_tokens: bool = False
    grounded: bool = False
    underspecified: bool = False

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name == "prompt":
                if not isinstance(value, PromptProjection):
                    raise PendingFilterError(
                        f"pending_filter prompt must be a PromptProjection, got {json_type(value)}"
                    )
            elif not isinstance(value, bool):
                raise PendingFilterError(
                    f"pending_filter {name} must be true or false, got {json_type(value)}"
                )

    @classmethod
    def preset(cls, name: str, preview_chars: int = PROMPT_PREVIEW_CHARS) -> PendingFilter:
        """The preset `meta`, `preview` (its prompts cut at `preview_chars` code points) or `full`."""
        if name == "meta":
            return cls(query_id=True, max_tokens=True)
        if name == "preview":
            return cls(query_id=True, max_tokens=True, prompt=PromptProjection("preview", preview_chars))
        if name == "full":
            return cls(
                query_id=True,
                prompt=PromptProjection("full"),
                system=True,
                max_tokens=True,
                grounded=True,
                underspecified=True,
            )
        raise PendingFilterError(f"unknown pending_filter preset '{name}'; there are: {', '.join(PRESETS)}")

    @classmethod
    def parse(cls, value: object, preview_chars: int = PROMPT_PREVIEW_CHARS) -> PendingFilter | None:
        """A filter from an argument: itself, a preset name, an object of its fields; None is no filter."""
        return None if value is None else cls.of(value, preview_chars)

    @classmethod
    def of(cls, value: object, preview_chars: int = PROMPT_PREVIEW_CHARS) -> PendingFilter:
        """The same for JSON that is there: null is an error like any other wrong type."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls.preset(value, preview_chars)
        if not isinstance(value, Mapping):
            raise PendingFilterError(
                f"pending_filter must be a preset name or an object of its fields, got {json_type(value)}"
            )
        _refuse_unknown(value, cls.__struct_fields__, "pending_filter field")
        fields: dict[str, Any] = dict(value)
        if "prompt" in fields:
            fields["prompt"] = PromptProjection.of(fields["prompt"])
        return cls(**fields)

    def project(self, query: LlmQuery) -> dict[str, Any]:
        """The fields of `query` that this filter shows. An absent `system` is null; flags only when true."""
        shown: dict[str, Any] = {}
        if self.query_id:
            shown["query_id"] = query.id
        shown |= self.prompt.project(query.prompt)
        if self.system:
            shown["system"] = query.system
        if self.max_tokens:
            shown["max_tokens"] = query.max_tokens
        if self.grounded and query.grounded:
            shown["grounded"] = True
        if self.underspecified and query.underspecified:
            shown["underspecified"] = True
        return shown


def json_type(value: object) -> str:
    """What JSON calls this value; the Python type's name for what JSON does not have."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (list, tuple)):
        return "array"
    return "object" if isinstance(value, Mapping) else type(value).__name__


def _refuse_unknown(value: Mapping[Any, Any], known: tuple[str, ...], what: str) -> None:
    unknown = sorted(str(name) for name in value if name not in known)
    if unknown:
        raise PendingFilterError(f"unknown {what} {unknown[0]!r}; there are: {', '.join(known)}")
