"""Text of scripts, made safe to show: nothing that a script wrote can move the cursor or colour the terminal."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_BIDI: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Characters that reorder what stands beside them on the line."""

_UNSAFE: Final = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff{_BIDI}]")
_UNSAFE_IN_JSON: Final = re.compile(f"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff{_BIDI}]")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    short = {9: "\\t", 10: "\\n", 13: "\\r", 27: "\\e"}.get(code)
    return short or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def one_line(text: str, max_chars: int | None = None) -> str:
    """`text` on one line, control characters shown as escapes, cut to `max_chars` characters with an ellipsis."""
    cut = max_chars is not None and len(text) > max_chars
    shown = _UNSAFE.sub(_escaped, text[:max_chars])
    return shown + "…" if cut else shown


def block(text: str, indent: str) -> str:
    """`text` with its line breaks kept and every line indented; other control characters as escapes."""
    return "\n".join(indent + _UNSAFE.sub(_escaped, line) for line in text.split("\n"))


def json_line(value: Any, *, ascii_only: bool = False) -> str:
    """`value` as JSON on one line; what could act on a terminal is written as a `\\u` escape, so it stays JSON."""
    text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
