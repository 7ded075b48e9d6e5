"""What is done with any bytes, and what must hold then: one function for each door that hostile bytes come through.

Each raises what no caller expects, and nothing else. `SEEDS` are bytes from which mutations start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from moonward.actors import json_text
from moonward.actors.errors import JournalError
from moonward.actors.journal.portable import pack, unpack
from moonward.actors.limits import Limits
from moonward.actors.losses import Loss
from moonward.actors.screening import Refused, Screen
from moonward.actors.worker.wire import HEADER, AskRequest, Done, Notes, frame
from moonward.actors.worker_link import READ_BYTES, WorkerLink
from moonward.actors.worker_process import ExitStatus, WorkerProcess

LIMITS = Limits(
    max_frame_bytes=4096, max_log_bytes=64, max_notes_bytes=1000, max_stats_bytes=200, max_queries=5
)

PIPE_BYTES = 4096
"""Bytes written to a pipe at once: it holds more."""


def body_of_a_frame(data: bytes) -> None:
    """A message that a journal can hold, or a loss whose text is safe to show."""
    try:
        message = Screen(LIMITS).read(data)
    except Refused as refused:
        safe_to_show(refused.loss)
        return
    if isinstance(message, Done):
        value = msgspec.json.decode(message.value)
        msgspec.msgpack.encode(value)
    elif isinstance(message, AskRequest | Notes):
        msgspec.msgpack.encode(message)
        msgspec.json.encode(message)


def safe_to_show(loss: Loss) -> None:
    """A loss of a known kind, in a line."""
    assert loss.kind in ("protocol", "limit", "crash"), loss
    assert loss.detail.isprintable(), loss
    assert len(loss.detail) < 1000, loss


class StillLoop:
    """Watches nothing: its user says when a pipe is ready, and runs what was put off."""

    def __init__(self) -> None:
        self.later: list[Callable[[], None]] = []

    def watch(self, fd: int, callback: Callable[[int], None], events: int = 0) -> None:
        """Would call when the descriptor is ready."""

    def unwatch(self, fd: int) -> None:
        """Would no longer."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Keep it for `run`."""
        self.later.append(callback)

    def run(self) -> None:
        """Call all that was put off."""
        later, self.later = self.later, []
        for each in later:
            each()


def stream_of_frames(data: bytes) -> None:
    """Bytes in pieces (the first byte says how long): messages, then at most one loss; a bounded buffer; no descriptor
    is left."""
    (stdin_read, stdin_write), (stdout_read, stdout_write) = os.pipe(), os.pipe()
    for fd in (stdin_write, stdout_read):
        os.set_blocking(fd, False)
    loop: Any = StillLoop()
    messages: list[Any] = []
    losses: list[Loss] = []
    link = WorkerLink(
        loop,
        WorkerProcess(0, -1, stdin_write, stdout_read, 1),
        Screen(LIMITS),
        messages.append,
        losses.append,
    )
    step = max(1, min(data[0], PIPE_BYTES)) if data else 1
    try:
        for at in range(1, len(data), step):
            if losses:
                break
            os.write(stdout_write, data[at : at + step])
            link._ready(1)
            loop.run()
            assert len(link._in) <= LIMITS.max_frame_bytes + HEADER.size + READ_BYTES
            if at % 7 == 0:
                link.send(frame(b"x" * 100))
        if not losses:
            link._exited(ExitStatus(code=0))
        assert len(losses) == 1
        safe_to_show(losses[0])
    finally:
        link.close()
        for fd in (stdin_read, stdout_write):
            os.close(fd)


def text_of_a_value(data: bytes) -> None:
    """What nothing is said against can be decoded and kept; what is counted is what is there."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    if json_text.objection(data) is None:
        msgspec.msgpack.encode(value)
        assert json_text.tables(data) >= counted(value, (list, dict))
    assert json_text.members(data) >= sum(len(each) for each in parts(value) if isinstance(each, dict))


def parts(value: Any) -> list[Any]:
    """The value and all in it."""
    found, left = [], [value]
    while left:
        each = left.pop()
        found.append(each)
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            left += each.values()
    return found


def counted(value: Any, kinds: tuple[type, ...]) -> int:
    """How many of these kinds are in it."""
    return sum(isinstance(each, kinds) for each in parts(value))


def exported_session(data: bytes) -> None:
    """A file that is imported is a session or a `JournalError`, with any lines and a right checksum too."""
    sealed = data + b'{"end":"' + sha256(data).hexdigest().encode() + b'"}\n'
    for each in (data, sealed):
        try:
            portable = unpack(each)
        except JournalError:
            continue
        assert unpack(pack(portable)) == portable


LOG = b'{"t":"notes","notes":[["log","info","alc.log","x"],["stat","k",[1]],["progress",1,2,null]]}'
ASK = b'{"t":"ask","queries":[{"prompt":"x","system":"y","max_tokens":5,"extra":{"a":1.5}}],"clocks":[[1,2]]}'
BODIES = [
    LOG,
    ASK,
    b'{"t":"fork","strategies":["a","b"],"ctx":{"x":[1]},"on_error":"skip"}',
    b'{"t":"call","name":"state.set","args":["n","k",{"a":null}]}',
    b'{"t":"require","name":"a.b"}',
    b'{"t":"done","value":{"a":[1,-2.5e3,"\\u00e9\\n",true,null]},"clocks":[]}',
    b'{"t":"failed","error":"x","kind":"lua"}',
    b'{"t":"hello","protocol":1,"lua":"Lua 5.5","hash_seed":1,"prelude":"","confinement":"none"}',
]

TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (body_of_a_frame, stream_of_frames, text_of_a_value, exported_session)
}

SEEDS: dict[str, list[bytes]] = {
    "body_of_a_frame": BODIES,
    "stream_of_frames": [bytes([step]) + b"".join(map(frame, BODIES)) for step in (1, 10, 255)],
    "text_of_a_value": [
        b'{"a":[1,-2.5e3,18446744073709551615,"\\u00e9\\ud83d\\ude00\\n",true,null,{}]}',
        b"[" * 96 + b"]" * 96,
        b'{"\\"":"\\\\","[{":"}]"}',
    ],
    "exported_session": [
        (
            b'{"moonward":"session","format":1,"session_id":"s","contents":1,"notes":1,"entries":1}\n'
            b'{"digest":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","body":"YWJj"}\n'
            b'{"id":1,"text":"x"}\n'
            b'{"t":"paused","queries":[]}\n'
        )
    ],
}
