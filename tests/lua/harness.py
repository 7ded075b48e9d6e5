"""Runs scripts in a real worker process, with a host that answers from a table."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from moonward.actors.worker import wire
from moonward.actors.worker.wire import (
    AskRequest,
    Begin,
    Broke,
    CallRequest,
    Done,
    ForkRequest,
    FromWorker,
    Hello,
    Notes,
    Request,
    RequireRequest,
)

NURSERY = str(Path(__file__).with_name("nursery.py"))
START_MS = 1_700_000_000_000

Answer = bytes
"""A reply's kind and rest, made by the functions below."""


class Refused(Exception):
    """Raised by a fake host: the request is refused with this text."""


class Ended:
    """How a run ended: `value` or `error` and `kind`, and all that was seen on the way."""

    def __init__(self, final: Done | Broke, seen: list[FromWorker]) -> None:
        self.final = final
        self.seen = seen
        self.value: Any = msgspec.json.decode(bytes(final.value)) if isinstance(final, Done) else None
        self.error: str | None = final.error if isinstance(final, Broke) else None
        self.kind: str | None = final.kind if isinstance(final, Broke) else None

    @property
    def requests(self) -> list[Request]:
        return [
            each
            for each in self.seen
            if isinstance(each, AskRequest | ForkRequest | CallRequest | RequireRequest)
        ]

    @property
    def prompts(self) -> list[str]:
        return [query.prompt for each in self.seen if isinstance(each, AskRequest) for query in each.queries]

    @property
    def notes(self) -> list[list[Any]]:
        return [
            msgspec.to_builtins(note) for each in self.seen if isinstance(each, Notes) for note in each.notes
        ]

    @property
    def logs(self) -> list[tuple[str, str, str]]:
        return [(note[1], note[2], note[3]) for note in self.notes if note[0] == "log"]


@cache
def nursery() -> socket.socket:
    """The process that forks workers; it ends when this one does."""
    ours, theirs = socket.socketpair()
    environment = {"TZ": "UTC0", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, NURSERY, str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
    theirs.close()

    def close() -> None:
        ours.close()
        process.wait()

    atexit.register(close)
    return ours


class Worker:
    """A worker process on two pipes."""

    def __init__(self) -> None:
        their_in, self._in = os.pipe()
        self._out, their_out = os.pipe()
        socket.send_fds(nursery(), [b"w"], [their_in, their_out])
        os.close(their_in)
        os.close(their_out)
        hello = self.read()
        assert isinstance(hello, Hello)
        self.hello = hello

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._in)
        os.close(self._out)

    def read(self) -> FromWorker:
        """The next message."""
        (length,) = wire.HEADER.unpack(self._exactly(4))
        message: FromWorker = msgspec.json.decode(self._exactly(length), type=FromWorker)
        return message

    def _exactly(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            part = os.read(self._out, count - len(parts))
            if not part:
                raise EOFError("the worker closed its output")
            parts += part
        return parts

    def write(self, frame: bytes) -> None:
        """Send one frame; a worker that ends without reading it is not an error here."""
        rest = memoryview(frame)
        try:
            while rest:
                rest = rest[os.write(self._in, rest) :]
        except BrokenPipeError:
            pass  # its last frame is still there to be read


class Host:
    """A fake host: a model, modules, and calls by name."""

    def __init__(
        self,
        llm: Callable[[str], str] | None = None,
        modules: Mapping[str, str] | None = None,
        calls: Mapping[str, Callable[..., Any]] | None = None,
        fork: Callable[[ForkRequest], Any] | None = None,
    ) -> None:
        self.llm = llm or (lambda prompt: f"re: {prompt}")
        self.modules = modules or {}
        self.calls = calls or {}
        self.fork = fork
        self.now_ms = START_MS
        self.clocks: list[wire.Clocks] = []

    def reply(self, request: Request) -> bytes:
        """The frame that answers `request`."""
        clocks = self.clocks.pop(0) if self.clocks else []
        try:
            kind, rest = self.outcome(request)
        except Refused as refused:
            kind, rest = wire.REFUSED, wire.text(str(refused).encode())
        return wire.reply(kind, self.now_ms, clocks, rest)

    def outcome(self, request: Request) -> tuple[int, bytes]:
        if isinstance(request, AskRequest):
            return wire.ANSWERS, wire.answers([self.llm(query.prompt) for query in request.queries])
        if isinstance(request, RequireRequest):
            if request.name not in self.modules:
                raise Refused(f"module '{request.name}' not found")
            result: Any = {"path": f"{request.name}/init.lua", "source": self.modules[request.name]}
        elif isinstance(request, ForkRequest):
            assert self.fork is not None
            result = self.fork(request)
        else:
            result = self.calls[request.name](*msgspec.json.decode(bytes(request.args)))
            if result is None:
                return wire.NOTHING, b""
        return wire.VALUE, wire.text(msgspec.json.encode(result))


def begin_of(code: str, ctx: Any = None, **fields: Any) -> Begin:
    """A message to begin with."""
    fields.setdefault("random_seed", 7)
    fields.setdefault("now_ms", START_MS)
    fields.setdefault("started_ms", START_MS)
    return Begin(code=code, ctx=msgspec.Raw(msgspec.json.encode({} if ctx is None else ctx)), **fields)


def run(code: str, host: Host | None = None, ctx: Any = None, **fields: Any) -> Ended:
    """Run `code` to its end."""
    host = host or Host()
    with Worker() as worker:
        worker.write(wire.frame(msgspec.json.encode(begin_of(code, ctx, **fields))))
        seen: list[FromWorker] = []
        while True:
            message = worker.read()
            seen.append(message)
            if isinstance(message, Done | Broke):
                return Ended(message, seen)
            if not isinstance(message, Notes | Hello):
                worker.write(host.reply(message))


class Conversation:
    """A Lua function in a real worker, called again and again: its argument is an answer, its result a prompt."""

    LOOP = """
    local f = function(input) %s end
    local out = "ready"
    while true do
      local ok, result = pcall(f, alc.llm(out))
      out = (ok and "+" or "-") .. tostring(result)
    end"""

    def __init__(self, body: str) -> None:
        self.worker = Worker()
        self.worker.write(wire.frame(msgspec.json.encode(begin_of(self.LOOP % body))))
        assert self._prompt() == "ready"

    def __call__(self, text: str) -> tuple[bool, str]:
        """Whether the function returned, and its result or error as text."""
        self.worker.write(wire.reply(wire.ANSWERS, START_MS, [], wire.answers([text])))
        prompt = self._prompt()
        return prompt[0] == "+", prompt[1:]

    def _prompt(self) -> str:
        while True:
            message = self.worker.read()
            if isinstance(message, AskRequest):
                return message.queries[0].prompt

    def close(self) -> None:
        self.worker.__exit__()
