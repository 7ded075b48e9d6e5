"""Bytecode, real and mutated: wherever code can be given, it is refused, and the worker goes on. Lua does not check
bytecode before it runs it; a few hundred mutations of it are enough to crash any VM that takes it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lupa import lua55

import moonward

from .attack import many

pytestmark = pytest.mark.hostile

PATIENCE_S = 30.0
MUTATIONS = many(20_000, 2000)

SOURCES = [
    b"return 1",
    b"local a, b = ... for i = 1, 10 do a = a + i end return a, b",
    b"local t = {} return function(k) local up = t[k] t[k] = function() return up, 'text', 1.5, 1 << 40 end end",
    b"local x <close> = setmetatable({}, {}) goto out ::out:: return ('%d'):format(5) .. #{...}",
]

ESCAPE = b"\x1b"

LOADS = """
local taken, refused, other = {}, 0, {}
for n = 1, #ctx.chunks do
  local chunk = ctx.chunks[n]:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end)
  local at = 0
  local function bytewise() at = at + 1 return chunk:sub(at, at) end
  local tries = {
    table.pack(load(chunk)), table.pack(load(chunk, "x", "b")), table.pack(load(chunk, "x", "bt")),
    table.pack(load(chunk, "=x", "t", {})), table.pack(load(chunk, nil, "")), table.pack(load(chunk, chunk, nil, nil)),
    table.pack(load(bytewise)),
  }
  at = 0
  tries[#tries + 1] = table.pack(load(bytewise, "x", "bt"))
  for how, got in ipairs(tries) do
    if got[1] ~= nil then
      taken[#taken + 1] = { n, how }
    elseif got[2]:find("^attempt to load a ") then
      refused = refused + 1
    else
      other[#other + 1] = got[2]
    end
  end
end
return { taken = taken, refused = refused, other = #other, after = alc.llm("are you there?") }
"""


def dumped() -> list[bytes]:
    """Real bytecode of the version that workers run."""
    dump = lua55.LuaRuntime(encoding=None).execute(
        b"return function(source, strip) return string.dump(load(source), strip == 'strip') end"
    )
    return [bytes(dump(source, how)) for source in SOURCES for how in (b"", b"strip")]


def mutated(chunks: list[bytes], count: int) -> list[bytes]:
    """So many, each with a few bytes changed, cut or put in after the first."""
    chance = random.Random(55)
    found = []
    for number in range(count):
        data = bytearray(chunks[number % len(chunks)])
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(1, len(data))
            what = chance.randrange(4)
            if what == 0:
                data[at] ^= 1 << chance.randrange(8)
            elif what == 1:
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            elif what == 2:
                del data[at : at + chance.randint(1, 4)]
            else:
                data[at:at] = chance.randbytes(chance.randint(1, 4))
            data = data if len(data) > 1 else bytearray(b"\x1bL")
        found.append(bytes(data))
    return found


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[moonward.Runtime]:
    with moonward.Runtime(data_dir=tmp_path_factory.mktemp("data")) as runtime:
        yield runtime


def finished(runtime: moonward.Runtime, code: str, ctx: dict[str, Any], **more: Any) -> Any:
    """How a session ends whose questions are answered."""
    session = runtime.start(code, ctx, **more)
    return moonward.drive(session, lambda query: "yes").state


def test_the_bytecode_is_real() -> None:
    """The control: a VM that takes bytecode runs it."""
    lua = lua55.LuaRuntime(encoding=None)
    assert lua.execute(b"return load(...)()", dumped()[0]) == 1
    assert all(each.startswith(b"\x1bLua\x55") for each in dumped())


def test_load_refuses_it_in_every_mode_and_the_worker_goes_on(runtime: moonward.Runtime) -> None:
    chunks = dumped() + mutated(dumped(), MUTATIONS)
    for at in range(0, len(chunks), 5000):
        part = chunks[at : at + 5000]
        state = finished(runtime, LOADS, {"chunks": [each.hex() for each in part]})
        assert isinstance(state, moonward.Completed), state
        assert state.result == {"taken": {}, "refused": 8 * len(part), "other": 0, "after": "yes"}


def test_what_does_not_begin_as_bytecode_is_read_as_text(runtime: moonward.Runtime) -> None:
    chance = random.Random(54)
    chunks = [
        bytes([chance.choice((0, 9, 26, 28, 35, 45, 0xEF))]) + each[1:] for each in mutated(dumped(), 200)
    ]
    state = finished(runtime, LOADS, {"chunks": [each.hex() for each in chunks]})
    assert isinstance(state, moonward.Completed), state
    assert state.result["after"] == "yes"


@pytest.mark.parametrize("before", ["", "#!/usr/bin/lua\n", "#\n", "\ufeff"])
def test_it_is_no_script(runtime: moonward.Runtime, before: str) -> None:
    for chunk in [*dumped(), *mutated(dumped(), 8)]:
        state = finished(runtime, before + chunk.decode("latin-1"), {})
        assert isinstance(state, moonward.Failed), state
        assert state.error_kind == "syntax"


@pytest.mark.parametrize("before", [b"", b"#!/usr/bin/lua\n", b"\xef\xbb\xbf"])
def test_it_is_no_module_and_no_strategy(runtime: moonward.Runtime, tmp_path: Path, before: bytes) -> None:
    chunks = [*dumped(), *mutated(dumped(), 4)]
    for number, chunk in enumerate(chunks):
        (tmp_path / f"m{number}.lua").write_bytes(before + chunk)
    code = f"""
    local out = {{}}
    for n = 0, {len(chunks) - 1} do out[n + 1] = pcall(require, "m" .. n) end
    local children = alc.fork({{"m0", "m1"}}, {{}})
    return {{ out, children[1].ok, children[2].ok, alc.llm("are you there?") }}
    """
    state = finished(runtime, code, {}, packages=(tmp_path,))
    assert state == moonward.Completed([[False] * len(chunks), False, False, "yes"])
