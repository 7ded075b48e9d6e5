"""The installed worker, confined, in a pool: what the tests of its Lua do without."""

import os
import signal
from typing import Any

import msgspec
import pytest

from moonward.actors.limits import Limits
from moonward.actors.worker.wire import HEADER, Begin, Broke, Done, FromWorker, frame
from moonward.actors.worker_pool import ReadyWorker
from moonward.actors.zygote_process import ZygoteProcess

from .conftest import MIB, Desk, hear

GIVEN = Limits()


def begin(code: str, **fields: Any) -> bytes:
    limits = {name: getattr(GIVEN, name) for name in Begin.__struct_fields__ if name.startswith("max_")}
    return frame(
        msgspec.json.encode(
            Begin(
                code=code, ctx=msgspec.Raw(b"{}"), random_seed=1, now_ms=0, started_ms=0, **limits, **fields
            )
        )
    )


def last_frame(ready: ReadyWorker) -> Any:
    """The last message of a worker that is left to end by itself."""
    data = b""
    while part := hear(ready):
        data += part
    messages = []
    while data:
        (size,) = HEADER.unpack_from(data)
        messages.append(msgspec.json.decode(data[HEADER.size : HEADER.size + size], type=FromWorker))
        data = data[HEADER.size + size :]
    return messages[-1]


@pytest.fixture
def ready(desk: Desk) -> ReadyWorker:
    def spawner(on_lost, on_stderr):
        return ZygoteProcess(desk.loop, on_lost, on_stderr=on_stderr)

    return desk.take(desk.pool(warm=1, spawner=spawner))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return 1 + 1", b"2"),
        ("return os.date('!%Y', 0)", b'"1970"'),
        ("return os.date('%H:%M', 0)", b'"00:00"'),
        ("return type(os.clock() + os.time())", b'"number"'),
        ("local t = {} for i = 1, 2e5 do t[i] = {i} end t = nil collectgarbage() return 'freed'", b'"freed"'),
        ("return pcall(string.rep, 'x', 200 << 20) and 'grew' or 'held'", b'"held"'),
        ("return #string.format('%99.99f', 1e300)", b"401"),
    ],
)
def test_scripts_run_confined(desk: Desk, ready: ReadyWorker, code: str, expected: bytes) -> None:
    os.write(ready.process.stdin_fd, begin(code, memory_bytes=128 * MIB))
    done = last_frame(ready)
    assert isinstance(done, Done), done
    assert bytes(done.value) == expected
    assert str(desk.awaited(ready.process.on_exit)) == "exit status 0"
    desk.on_loop(ready.process.close)


def test_a_vm_with_another_hash_seed_is_built_after_the_confinement(desk: Desk, ready: ReadyWorker) -> None:
    os.write(ready.process.stdin_fd, begin("return 'new'", hash_seed=7, memory_bytes=32 * MIB))
    done = last_frame(ready)
    assert isinstance(done, Done), done
    desk.on_loop(ready.process.close)


def test_a_script_beyond_its_memory_is_told_so(desk: Desk, ready: ReadyWorker) -> None:
    os.write(
        ready.process.stdin_fd, begin("local s = 'x' while true do s = s .. s end", memory_bytes=32 * MIB)
    )
    broke = last_frame(ready)
    assert isinstance(broke, Broke)
    assert broke.kind == "limit"
    desk.on_loop(ready.process.close)


def test_an_endless_script_is_killed(desk: Desk, ready: ReadyWorker) -> None:
    os.write(ready.process.stdin_fd, begin("while true do end", memory_bytes=32 * MIB))
    desk.on_loop(ready.process.kill)
    assert desk.awaited(ready.process.on_exit).signal == signal.SIGKILL
    desk.on_loop(ready.process.close)


def test_a_worker_ends_when_its_pipe_does(desk: Desk, ready: ReadyWorker) -> None:
    fd, ready.process.stdin_fd = ready.process.stdin_fd, -1
    os.close(fd)
    assert str(desk.awaited(ready.process.on_exit)) == "exit status 0"
    desk.on_loop(ready.process.close)
