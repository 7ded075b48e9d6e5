"""The frames between a host and its workers.

A frame is a length (unsigned 32 bits, little endian, at least 1) and a body of that many bytes.

Worker to host: each body is a JSON object, one of the messages below, told apart by `"t"`.
    `hello` comes first, from the worker's Python; everything later is written by Lua itself.
    `notes` needs no reply. `ask`, `fork`, `call`, `require` are requests: exactly one is outstanding
    at a time, and Lua waits for its reply. `done` and `failed` are final.

Host to worker: the first body is a `Begin` as JSON. Every later one is the reply to a request, read by Lua:

    reply = kind:u8  now_ms:u64  clocks:s4  rest        (little endian; s4 = u32 length and bytes)
    kind 0 ANSWERS   rest = n:u32, then n times s4      the answers, in the order asked
    kind 1 VALUE     rest = s4                          JSON text of the result
    kind 2 REFUSED   rest = s4                          message of a Lua error, raised at the caller's line
    kind 3 NOTHING   rest = empty                       nil

`now_ms` is the host's wall clock. `clocks` is empty, or JSON text `[[delta, count], ...]`: readings that the script
must be given, in this order, before it may read the clock itself; that is how a replay repeats them.
"""

from __future__ import annotations

import struct
from typing import Annotated, Any

import msgspec

from moonward.actors.query import QuerySpec

PROTOCOL = 1
"""Raised with every change of this page that an older side would not understand."""

HEADER = struct.Struct("<I")
REPLY_HEAD = struct.Struct("<BQI")

ANSWERS, VALUE, REFUSED, NOTHING = range(4)

Clocks = list[tuple[int, int]]

MAX_COUNT = (1 << 53) - 1
"""Largest number of milliseconds or readings; what every reader of JSON takes."""

Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
Readings = list[tuple[Count, Count]]
"""Clock readings as a worker sends them: (milliseconds after the one before, count)."""

LIMIT_NAMES = (
    "max_frame_bytes",
    "max_result_bytes",
    "max_query_bytes",
    "max_queries",
    "max_error_bytes",
    "max_log_bytes",
    "max_code_bytes",
    "max_notes_bytes",
    "max_stats_bytes",
    "max_calls",
    "max_strands",
)
"""Limits that a worker is told, and holds by itself; fields of `Limits` and of `Begin`."""

Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class Hello(msgspec.Struct, frozen=True, tag_field="t", tag="hello", forbid_unknown_fields=True):
    """The worker is ready: confined, its VM built with `hash_seed` and the prelude named by content hash."""

    protocol: int
    lua: str
    hash_seed: Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
    prelude: str
    confinement: str


class LogNote(msgspec.Struct, frozen=True, array_like=True, tag="log", forbid_unknown_fields=True):
    """`["log", level, source, message]`"""

    level: str
    source: str
    message: str


class ProgressNote(msgspec.Struct, frozen=True, array_like=True, tag="progress", forbid_unknown_fields=True):
    """`["progress", step, total, message|null]`"""

    step: Int64 | float
    total: Int64 | float
    message: str | None


class StatNote(msgspec.Struct, frozen=True, array_like=True, tag="stat", forbid_unknown_fields=True):
    """`["stat", key, value]`"""

    key: str
    value: Any


Note = LogNote | ProgressNote | StatNote


class Notes(msgspec.Struct, frozen=True, tag_field="t", tag="notes", forbid_unknown_fields=True):
    """Gathered one-way notes."""

    notes: list[Note]


class AskRequest(msgspec.Struct, frozen=True, tag_field="t", tag="ask", forbid_unknown_fields=True):
    """Questions for the host's model; the reply is ANSWERS, or REFUSED (budget, limits)."""

    queries: Annotated[list[QuerySpec], msgspec.Meta(min_length=1)]
    clocks: Readings = []


class ForkRequest(msgspec.Struct, frozen=True, tag_field="t", tag="fork", forbid_unknown_fields=True):
    """Run strategies side by side, each in a worker of its own; the reply is VALUE: an array of outcomes."""

    strategies: list[str]
    ctx: msgspec.Raw
    on_error: str = "skip"
    clocks: Readings = []


class CallRequest(msgspec.Struct, frozen=True, tag_field="t", tag="call", forbid_unknown_fields=True):
    """A call of the host (`state.get`, `card.create`, `budget.remaining`, ...); the reply is VALUE, NOTHING or
    REFUSED. Arguments are a JSON array."""

    name: str
    args: msgspec.Raw
    clocks: Readings = []


class RequireRequest(msgspec.Struct, frozen=True, tag_field="t", tag="require", forbid_unknown_fields=True):
    """The source of a module; the reply is VALUE `{"path": ..., "source": ...}` or REFUSED."""

    name: str
    clocks: Readings = []


class Done(msgspec.Struct, frozen=True, tag_field="t", tag="done", forbid_unknown_fields=True):
    """The script returned."""

    value: msgspec.Raw
    clocks: Readings = []


class Broke(msgspec.Struct, frozen=True, tag_field="t", tag="failed", forbid_unknown_fields=True):
    """The script ended in an error. `kind` is `syntax`, `lua` or `limit`."""

    error: str
    kind: str
    clocks: Readings = []


FromWorker = Hello | Notes | AskRequest | ForkRequest | CallRequest | RequireRequest | Done | Broke
Request = AskRequest | ForkRequest | CallRequest | RequireRequest


class Begin(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker needs to run one strand.

    `hash_seed` None adopts the VM that is there; another seed or `prelude` sources make a new VM.
    `strategy` set: a forked child, that runs `require(strategy).run(ctx)` instead of `code`.
    `clocks`: see the module. `stay`: after a run that ended with a result, greet again and serve another.
    """

    code: str
    ctx: msgspec.Raw
    random_seed: int
    now_ms: int
    started_ms: int
    hash_seed: int | None = None
    prelude: list[tuple[str, str]] | None = None
    stay: bool = False
    strategy: str | None = None
    clocks: Clocks = []
    memory_bytes: int = 0
    max_frame_bytes: int = 0
    max_result_bytes: int = 0
    max_query_bytes: int = 0
    max_queries: int = 0
    max_error_bytes: int = 0
    max_log_bytes: int = 0
    max_code_bytes: int = 0
    max_notes_bytes: int = 0
    max_stats_bytes: int = 0
    max_calls: int = 0
    max_strands: int = 0
    dirs: dict[str, str] = {}


_clocks_json = msgspec.json.Encoder()


def frame(body: bytes) -> bytes:
    """A frame around `body`."""
    return HEADER.pack(len(body)) + body


def reply(kind: int, now_ms: int, clocks: Clocks, rest: bytes) -> bytes:
    """The frame of a reply."""
    readings = _clocks_json.encode(clocks) if clocks else b""
    return frame(REPLY_HEAD.pack(kind, now_ms, len(readings)) + readings + rest)


def text(value: bytes) -> bytes:
    """A string as s4."""
    return HEADER.pack(len(value)) + value


def answers(texts: list[str]) -> bytes:
    """The rest of an ANSWERS reply."""
    return HEADER.pack(len(texts)) + b"".join(text(each.encode()) for each in texts)
