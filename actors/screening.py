"""Whether what a worker says is what a worker would say. Pure.

A worker checks limits itself, in Lua, where a script can be told which one it crossed. Here they are checked again,
for a worker that a script has taken over: no frame costs the host more time and memory than an honest one, and
nothing comes in that a journal cannot hold.
"""

from __future__ import annotations

import re

import msgspec

from moonward.actors import json_text
from moonward.actors.limits import Limits
from moonward.actors.losses import Loss
from moonward.actors.plain_text import one_line
from moonward.actors.query import QuerySpec
from moonward.actors.worker.wire import (
    AskRequest,
    CallRequest,
    Done,
    ForkRequest,
    FromWorker,
    LogNote,
    Note,
    Notes,
    ProgressNote,
    Request,
    RequireRequest,
)

LARGE_BYTES = 64 << 10
"""Frames above this are looked at before they are decoded: their parts are weighed, which takes a millisecond a MiB."""

FLUSH_BYTES = 8192
"""Notes that a worker gathers at most (`notes.lua`)."""

ESCAPED = 6
"""Bytes that one byte of text can take in JSON: `\\u001b`."""

MAX_OPTIONS = 100
"""Options of one question, as in `query.lua`."""

MAX_CLOCKS_BYTES = 4 << 20
"""Clock readings of one request; `clock.lua` keeps them below a few hundred KiB."""

MAX_LEVEL_CHARS = 16
"""Longest name of a level or a source of log lines; the longest that are used have 13 characters."""

MAX_NAME_BYTES = 1024
"""Longest name of a call or a module in a request; the host knows none of more than 255."""

MAX_NAMES_BYTES = 64 << 10
"""All strategies of a fork. Arbitrary; a thousand names."""

CALL_CPU_S = 0.001
"""Seconds of the host's processor for each of which a call counts for one more. An ordinary call takes a tenth."""

CALLS_PER_CHILD = 100
"""Calls that a child of a fork counts for: a process takes that much longer than a call."""

CALL_NAME = re.compile(r"[a-z_]{1,32}(\.[a-z_]{1,32})?")
"""What names of calls look like."""


class _Shell(msgspec.Struct):
    """A message whose parts are not looked into."""

    t: str
    notes: msgspec.Raw = msgspec.Raw(b"")
    queries: msgspec.Raw = msgspec.Raw(b"")
    strategies: msgspec.Raw = msgspec.Raw(b"")
    ctx: msgspec.Raw = msgspec.Raw(b"")
    args: msgspec.Raw = msgspec.Raw(b"")
    value: msgspec.Raw = msgspec.Raw(b"")
    clocks: msgspec.Raw = msgspec.Raw(b"")
    name: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    kind: msgspec.Raw = msgspec.Raw(b"")
    on_error: msgspec.Raw = msgspec.Raw(b"")


class _QueryShell(msgspec.Struct):
    prompt: msgspec.Raw
    extra: msgspec.Raw = msgspec.Raw(b"")


_shell = msgspec.json.Decoder(_Shell)
_query_shells = msgspec.json.Decoder(list[_QueryShell])
_message = msgspec.json.Decoder(FromWorker)


class Refused(Exception):
    """A frame that is not taken; `loss` says why the worker is given up for it."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss.detail)
        self.loss = loss


def odd(what: str) -> Refused:
    """For what no worker writes."""
    return Refused(Loss("protocol", what))


def over(name: str, limit: int) -> Refused:
    """For a limit that the worker should have held by itself."""
    return Refused(Loss("limit", f"{name} ({limit}) exceeded"))


class Screen:
    """Takes the frames of one strand's workers under its `limits`."""

    def __init__(self, limits: Limits) -> None:
        self.max_frame_bytes = limits.max_frame_bytes
        self._limits = limits
        self._frames = 0
        self._notes_bytes = 0
        self._requests = self._extra = 0
        line = ESCAPED * max(limits.max_log_bytes, 1) + MAX_NAME_BYTES
        self._max_notes_frame = FLUSH_BYTES + MAX_NAME_BYTES + max(line, limits.max_stats_bytes)
        self._max_notes = 2 * (limits.max_notes_bytes + self._max_notes_frame)

    def begin(self) -> None:
        """Another worker begins: it will say again what was said."""
        self._frames = self._notes_bytes = 0

    def slice_begins(self) -> None:
        """The worker has been given something to go on with."""
        self._frames = 0

    def answered(self) -> None:
        """The model's answers are there: logs and calls are counted anew."""
        self._notes_bytes = self._requests = self._extra = 0

    def spent(self, cpu_s: float) -> None:
        """A call has kept the host's processor busy for so many seconds: it counts for more than one."""
        self._extra += int(cpu_s / CALL_CPU_S)

    def charge(self, request: Request) -> None:
        """Count a request that is not a repeated one. Raises `Refused`."""
        if isinstance(request, ForkRequest):
            self._requests += CALLS_PER_CHILD * len(request.strategies)
        else:
            self._requests += 1
        # a question must be possible after the last call; if the budget refuses it, it is one more call
        most = self._limits.max_calls * (2 if isinstance(request, AskRequest) else 1)
        if self._requests + self._extra > most:
            raise self._too_many_calls()

    def _too_many_calls(self) -> Refused:
        what = f"max_calls ({self._limits.max_calls}) exceeded"
        if self._extra:
            busy_s = self._extra * CALL_CPU_S
            what += f": {self._requests} calls, and {busy_s:.1f} s of the host's processor for them"
        return Refused(Loss("limit", what))

    def read(self, body: bytes) -> FromWorker:
        """The message in the body of a frame. Raises `Refused`."""
        self._frames += 1
        if self._frames > self._limits.max_frames_per_slice:
            raise over("max_frames_per_slice", self._limits.max_frames_per_slice)
        try:
            if len(body) > LARGE_BYTES:
                self._weigh(_shell.decode(body))
            message: FromWorker = _message.decode(body)
            self._check(message, len(body))
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise odd(f"undecodable frame: {one_line(str(error)[:200])}") from None
        return message

    def _weigh(self, shell: _Shell) -> None:
        """Look at the size of a large message's parts."""
        limits = self._limits
        most = {
            "notes": self._max_notes_frame,
            "strategies": MAX_NAMES_BYTES,
            "clocks": MAX_CLOCKS_BYTES,
            "name": ESCAPED * MAX_NAME_BYTES,
            "error": ESCAPED * limits.max_error_bytes + MAX_NAME_BYTES,
            "kind": MAX_NAME_BYTES,
            "on_error": MAX_NAME_BYTES,
        }
        for name, limit in most.items():
            size = memoryview(getattr(shell, name)).nbytes
            if size > limit:
                raise odd(f"{name} of {size} bytes")
        if json_text.has_more_tables(bytes(shell.args), json_text.MAX_TABLES):
            raise odd(f"arguments of more than {json_text.MAX_TABLES} arrays and objects")
        queries = bytes(shell.queries)
        if queries:
            self._weigh_queries(queries)

    def _weigh_queries(self, queries: bytes) -> None:
        most = self._limits.max_queries
        if json_text.has_more_tables(queries, 1 + 2 * most):  # the list, and each with its options
            raise over("max_queries", most)
        shells = _query_shells.decode(queries)
        if any(json_text.members(bytes(each.extra)) > MAX_OPTIONS for each in shells):
            raise odd(f"more than {MAX_OPTIONS} options in a question")

    def _check(self, message: FromWorker, size: int) -> None:
        if isinstance(message, Notes):
            self._check_notes(message.notes, size)
            return
        if isinstance(message, AskRequest):
            self._check_queries(message.queries)
        elif isinstance(message, Done):
            self._check_value(bytes(message.value))
        elif isinstance(message, CallRequest):
            if not CALL_NAME.fullmatch(message.name):
                raise odd(f"a call named {message.name[:MAX_LEVEL_CHARS]!r}")
        elif isinstance(message, RequireRequest) and len(message.name) > MAX_NAME_BYTES:
            raise odd(f"a module name of {len(message.name)} characters")

    def _check_notes(self, notes: list[Note], size: int) -> None:
        limits = self._limits
        if not notes or size > self._max_notes_frame:
            raise odd(f"{len(notes)} notes in {size} bytes")
        self._notes_bytes += size
        if self._notes_bytes > self._max_notes:
            raise over("max_notes_bytes", limits.max_notes_bytes)
        for note in notes:
            if isinstance(note, LogNote):
                if len(note.level) > MAX_LEVEL_CHARS or len(note.source) > MAX_LEVEL_CHARS:
                    raise odd("a log line of no known source")
            elif not isinstance(note, ProgressNote):
                wrong = json_text.objection(msgspec.json.encode(note.value))
                if wrong is not None:
                    raise odd(f"a statistic with {wrong}")

    def _check_queries(self, queries: list[QuerySpec]) -> None:
        limits = self._limits
        if len(queries) > limits.max_queries:
            raise over("max_queries", limits.max_queries)
        for query in queries:
            if len(query.prompt) + len(query.system or "") > limits.max_query_bytes:
                raise over("max_query_bytes", limits.max_query_bytes)
            if len(query.extra) > MAX_OPTIONS:
                raise odd(f"{len(query.extra)} options in a question")

    def _check_value(self, value: bytes) -> None:
        if len(value) > self._limits.max_result_bytes:
            raise over("max_result_bytes", self._limits.max_result_bytes)
        wrong = json_text.objection(value)
        if wrong is not None:
            raise odd(f"a result with {wrong}")
        msgspec.json.decode(value)  # its strings were not looked at yet
