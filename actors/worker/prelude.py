"""The Lua library that every session is given, as named sources: the installed one, or one that a journal kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from importlib.resources import files

import msgspec

ORDER = (
    "boot",
    "text",
    "json_encode",
    "json_decode",
    "clock",
    "channel",
    "notes",
    "address",
    "sandbox",
    "strings",
    "sort",
    "random",
    "time",
    "require",
    "query",
    "llm",
    "later",
    "run",
)
"""Files of `actors/lua` that every VM runs at once, in the order in which they build on each other."""

LATER = (
    "host_call",
    "state",
    "card",
    "stats",
    "budget",
    "fork",
    "fingerprint",
    "cache",
    "combinators",
    "parallel",
    "vote",
    "parse",
    "json_extract",
    "asking",
    "chunk",
    "match",
    "tuning",
    "pipe",
    "eval",
)
"""Files that wait until a script asks for something of `alc` that is not there; `math_*` follow them, by name."""


class Prelude:
    """Immutable. `sources` are (name, Lua source), in order, `boot` first."""

    def __init__(self, sources: Iterable[tuple[str, str]]) -> None:
        self.sources = tuple((name, source) for name, source in sources)

    @classmethod
    def installed(cls) -> Prelude:
        """The one that this version of moonward comes with. Reads its files: call it before confinement."""
        folder = files("moonward.actors.lua")
        found = {
            file.name.removesuffix(".lua"): file.read_text(encoding="utf-8")
            for file in folder.iterdir()
            if file.name.endswith(".lua")
        }
        names = [*ORDER, *LATER, *sorted(name for name in found if name.startswith("math_"))]
        return cls((name, found[name]) for name in names)

    @cached_property
    def body(self) -> bytes:
        """The sources as JSON, `[[name, source], …]`: what a journal keeps, by content."""
        return msgspec.json.encode(self.sources)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of `body`, in hexadecimal: what the greeting of a worker names."""
        return hashlib.sha256(self.body).hexdigest()
