"""`alc.math` alone: its chunks in a bare Lua 5.5, without a worker or a sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lupa.lua55 import LuaError, LuaRuntime, lua_type

import moonward.actors.lua as package

_FOLDER = Path(package.__path__[0])


def math_files() -> list[str]:
    """Names of the chunks, in alphabetical order."""
    return sorted(path.name for path in _FOLDER.glob("math_*.lua"))


class LuaMath:
    """A VM with `alc.math`; Python lists become arrays, tables become lists or dicts."""

    def __init__(self, files: Iterable[str] | None = None) -> None:
        self._lua = LuaRuntime(unpack_returned_tuples=True)
        self._table = self._lua.table()
        load = self._lua.eval(
            "function(text, name, m, core) assert(load(text, '@' .. name, 't'))(m, core) end"
        )
        shared = self._lua.table()
        for name in math_files() if files is None else files:
            load((_FOLDER / name).read_text(encoding="utf-8"), name, self._table, shared)
        self._lua.eval("function(m) alc = { math = m } end")(self._table)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            return self._python(self._table[name](*(self._lua_value(item) for item in arguments)))

        return call

    def names(self) -> set[str]:
        return set(self._table)

    def run(self, script: str) -> Any:
        """The result of a script, which sees `alc.math` and is named `script`."""
        compiled = self._lua.eval("function(text) return assert(load(text, '@script', 't')) end")(script)
        return self._python(compiled())

    def generator(self, seed: int) -> Any:
        """A generator, as the Lua table that the samplers change."""
        return self._table["rng_create"](seed)

    def refusal(self, script: str) -> str:
        """The message of the error that a script ends with."""
        try:
            result = self.run(script)
        except LuaError as error:
            return str(error).partition("\nstack traceback")[0]
        raise AssertionError(f"no error from {script!r}, but {result!r}")

    def _lua_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return self._lua.table(*(self._lua_value(item) for item in value))
        if isinstance(value, dict):
            return self._lua.table_from({key: self._lua_value(item) for key, item in value.items()})
        return value

    def _python(self, value: Any) -> Any:
        if lua_type(value) != "table":
            return value
        items = {key: self._python(item) for key, item in value.items()}
        places = range(1, len(items) + 1)
        return [items[place] for place in places] if set(places) == set(items) else items
