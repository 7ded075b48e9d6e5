"""A Lua VM that holds no Python object: bytes go in, a truth value comes out. The only module that touches lupa.

Facts about lupa 2.8 that shape it:
- With `encoding=None` a `str` or `None` that is passed in becomes a Python object inside Lua: only bytes are passed.
- Pushing an argument at the memory limit aborts the process: there must be room before every push.
- The type of an error says nothing (a script can raise `LuaMemoryError`): Lua writes its own final frame.
"""

from __future__ import annotations

from typing import Any, NoReturn

from lupa import lua55

from moonward.actors.worker.prelude import Prelude

LUA_VERSION = "Lua 5.5"
"""What journals name; a journal of another is refused."""

ROOM_BYTES = 1 << 16
"""Bytes that must be free beside what is pushed: stack, call frames, a string's header. Generous."""

Chunks = tuple[tuple[bytes, bytes], ...]
"""Names and compiled chunks of a prelude; `boot`, the first, is source."""

_COMPILE = b"local source, name = ... return string.dump(assert(load(source, name, 't')), true)"
"""Without debug information: it is read in two thirds of the time."""


class NoRoom(Exception):
    """The VM's memory limit leaves no room for what it is to be given."""


def compiled(prelude: Prelude) -> Chunks:
    """The prelude compiled once, so that each VM starts in a fraction of a millisecond."""
    compile_one = _runtime(0, None).execute(b"return function(...) " + _COMPILE + b" end")
    sources = [(name.encode(), source.encode()) for name, source in prelude.sources]
    return tuple(
        (name, source if name == b"boot" else bytes(compile_one(source, b"=alc." + name)))
        for name, source in sources
    )


class Vm:
    """One VM, for one run. `hash_seed` fixes the order of `pairs`, `memory_bytes` bounds what it may hold."""

    def __init__(self, chunks: Chunks, hash_seed: int, memory_bytes: int) -> None:
        self.hash_seed = hash_seed
        self._runtime = _runtime(hash_seed, memory_bytes)
        (_, boot), *others = chunks
        flat = [part for chunk in others for part in chunk]
        self._need(flat)
        self._run = self._runtime.execute(boot, *flat, name=b"=alc.boot", mode=b"t")

    def limit(self, memory_bytes: int) -> None:
        """Change the memory limit, in bytes."""
        self._runtime.set_max_memory(memory_bytes)

    def run(self, code: bytes, ctx: bytes, config: bytes) -> bool:
        """Run to the end: Lua talks to the host through descriptors 0 and 1, and writes the final frame.

        Whether that frame held a result; a prelude that does not tell counts as one that held none.

        Raises `NoRoom`, before anything has run, if the arguments do not fit.
        """
        self._need((code, ctx, config))
        return self._run(code, ctx, config) is True

    def _need(self, pushed: list[bytes] | tuple[bytes, ...]) -> None:
        limit = self._runtime.get_max_memory()
        need = 2 * sum(map(len, pushed)) + ROOM_BYTES
        if limit and limit - self._runtime.get_memory_used() < need:
            raise NoRoom(f"{need} bytes are needed")


def _deny(*_: object) -> NoReturn:
    raise AttributeError("no Python object is accessible")


def _runtime(hash_seed: int, memory_bytes: int | None) -> Any:
    return lua55.LuaRuntime(
        encoding=None,
        register_eval=False,
        register_builtins=False,
        attribute_handlers=(_deny, _deny),
        max_memory=memory_bytes,
        string_hash_seed=hash_seed,
    )
