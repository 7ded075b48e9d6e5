"""A worker's Python: greet, read what to run, hand the pipe to Lua, leave.

    zygote ──fork──► confine ──► serve: VM ──Hello──► … Begin ──► Lua: requests, notes, final frame ──► os._exit
                                       ▲                                                          │
                                       └───────────────── a new VM, if Begin says so ◄────────────┘

Descriptor 0 carries replies, 1 frames. Python reads the first body only, to its exact end, without a buffer: Lua's
own handles read on from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NoReturn

import msgspec

from moonward.actors.limits import Limits
from moonward.actors.worker.prelude import Prelude
from moonward.actors.worker.vm import LUA_VERSION, Chunks, NoRoom, Vm, compiled
from moonward.actors.worker.wire import HEADER, LIMIT_NAMES, PROTOCOL, Begin, Broke, Hello, frame

STDIN, STDOUT = 0, 1

SEED_BYTES = 4
"""Bytes of a hash seed: Lua's is an unsigned int."""

RANDOM_MASK = (1 << 63) - 1
"""Lua's integers end here."""


class Kit:
    """What all workers of a zygote share: made once, before the first fork, because it reads files."""

    def __init__(self, prelude: Prelude) -> None:
        self.digest = prelude.digest
        self.chunks = compiled(prelude)
        self._decoder = msgspec.json.Decoder(Begin)
        self._sample = msgspec.json.encode(
            Begin("", msgspec.Raw(b"{}"), 0, 0, 0, clocks=[(0, 1)], dirs={"": ""})
        )
        self.rehearse()

    @classmethod
    def installed(cls) -> Kit:
        """From the installed prelude. Builds one VM, so that C's own buffers for 0 and 1 exist before confinement."""
        kit = cls(Prelude.installed())
        kit.vm(0, Limits().memory_bytes)
        return kit

    def vm(self, hash_seed: int, memory_bytes: int) -> Vm:
        """A new VM."""
        return Vm(self.chunks, hash_seed, memory_bytes)

    def begin(self, body: bytes) -> Begin:
        """What the host wants to be run."""
        return self._decoder.decode(body)

    def rehearse(self) -> None:
        """Decode a sample: the first time it builds the decoder's tables, which took 0.8 ms of each first slice; the
        first time in a worker it copies the pages that they are on, which a waiting worker has time for."""
        self.begin(self._sample)


def prepare() -> Callable[[str], NoReturn]:
    """Read what workers need from files, once, in the zygote; the function that each worker then runs."""
    kit = Kit.installed()
    return lambda confinement: serve(confinement, kit)


def serve(confinement: str, kit: Kit | None = None) -> NoReturn:
    """Be a worker until the run has ended or the host has gone. `confinement` is what the greeting says of it."""
    kit = kit if kit is not None else Kit.installed()
    while _serve_one(confinement, kit):
        pass
    os._exit(0)


def _serve_one(confinement: str, kit: Kit) -> bool:
    """Greet and run once; whether this process is to serve another run."""
    vm = kit.vm(int.from_bytes(os.urandom(SEED_BYTES), "little"), Limits().memory_bytes)
    kit.rehearse()
    _write(Hello(PROTOCOL, LUA_VERSION, vm.hash_seed, kit.digest, confinement))
    begin = kit.begin(_read_body())
    try:
        return run(_vm_for(begin, vm, kit.chunks), begin) and begin.stay
    except NoRoom:
        _write(Broke("not enough memory: memory_bytes leaves no room for the script and its ctx", "limit"))
    except Exception as error:
        _write(Broke(f"the VM failed: {type(error).__name__}", "lua"))
    return False


def run(vm: Vm, begin: Begin) -> bool:
    """Run what `begin` says in `vm`; whether the script returned, and its result was sent."""
    config = {
        "random_seed": begin.random_seed & RANDOM_MASK,
        "now_ms": begin.now_ms,
        "started_ms": begin.started_ms,
        "strategy": begin.strategy,
        "clocks": begin.clocks,
        "dirs": begin.dirs,
        "limits": {name: getattr(begin, name) for name in LIMIT_NAMES},
    }
    return vm.run(begin.code.encode("utf-8", "surrogatepass"), bytes(begin.ctx), msgspec.json.encode(config))


def _vm_for(begin: Begin, warm: Vm, chunks: Chunks) -> Vm:
    memory_bytes = begin.memory_bytes or Limits().memory_bytes
    if begin.hash_seed in (None, warm.hash_seed) and begin.prelude is None:
        warm.limit(memory_bytes)
        return warm
    if begin.prelude is not None:
        chunks = compiled(
            Prelude(begin.prelude)
        )  # as its first run had it, so that every error reads the same
    seed = warm.hash_seed if begin.hash_seed is None else begin.hash_seed
    return Vm(chunks, seed, memory_bytes)


def _write(message: Hello | Broke) -> None:
    rest = memoryview(frame(msgspec.json.encode(message)))
    while rest:
        rest = rest[os.write(STDOUT, rest) :]


def _read_body() -> bytes:
    (length,) = HEADER.unpack(_read(HEADER.size))
    return _read(length)


def _read(count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = os.read(STDIN, count - len(parts))
        if not part:
            os._exit(0)
        parts += part
    return bytes(parts)
