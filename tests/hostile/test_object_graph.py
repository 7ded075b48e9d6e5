"""A walk over everything that a script can take hold of, in a real worker: no Python object, and no function of C that
is not on a list. The controls leak something on purpose; it is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import moonward
from moonward.actors.library import library

from .rogue_runtime import entry_runtime

pytestmark = pytest.mark.hostile

PATIENCE_S = 30.0

LANGUAGE = [
    "assert",
    "error",
    "getmetatable",
    "ipairs",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "select",
    "tonumber",
    "type",
    "xpcall",
]

LIBRARIES = {
    "coroutine": "close create isyieldable resume running status wrap yield",
    "math": "abs acos asin atan ceil cos deg exp floor fmod frexp ldexp log max min modf rad random sin sqrt tan tointeger"
    " type ult",
    "string": "byte char find gmatch gsub len lower match pack packsize reverse sub unpack upper",
    "table": "concat create insert move pack remove unpack",
    "utf8": "char charpattern codepoint codes len offset",
    "os": "difftime",
}

FOR_SCRIPTS = {*LANGUAGE, *(f"{lib}.{name}" for lib, names in LIBRARIES.items() for name in names.split())}
"""Functions of C that a script may have as they are. They touch nothing but their arguments."""

MADE_BY_SCRIPTS = {"an iterator", "wrapped coroutine", "null", "arithmetic of strings"}

PIPES = ["__close", "__gc", "__tostring", "close", "flush", "lines", "read", "seek", "setvbuf", "write"]

FOR_THE_LIBRARY = {
    *("collectgarbage", "load", "setmetatable", "tostring"),
    *("os.clock", "os.date", "os.time", "os.exit"),
    *("debug.getmetatable", "debug.setmetatable", "debug.traceback", "debug.upvalueid"),
    *("string.format", "string.rep", "table.sort", "math.randomseed"),
    *("userdata FILE*", *(f"a pipe's {name}" for name in PIPES)),
    "userdata nil",  # the state of math.random
}
"""What `alc` itself uses, behind its functions: two pipes, the clock, and the end of the process."""

PREFACE = """
local walk, leak, held = walk, leak, { _G, ctx, errors = {}, threads = {}, iterators = {} }
_G.walk, _G.leak = nil, nil
"""

COLLECT = """
local function keep(kind, ...)
  held[kind][#held[kind] + 1] = table.pack(...)
end
for name in pairs(alc) do
  local each = alc[name]
  if type(each) == "function" then
    keep("errors", pcall(each)) keep("errors", pcall(each, alc.null, print)) keep("errors", pcall(each, "x"))
  elseif type(each) == "table" then
    for inner, f in pairs(each) do
      if type(f) == "function" then keep("errors", pcall(f)) keep("errors", pcall(f, {}, {}, {})) end
    end
  end
end
for _, f in pairs({ load, require, setmetatable, tostring, print, collectgarbage, coroutine.wrap, select, io.write,
  debug.traceback, os.date, os.time, os.getenv }) do
  keep("errors", pcall(f)) keep("errors", pcall(f, f, f, f))
end
keep("errors", pcall(error)) keep("errors", pcall(error, {})) keep("errors", xpcall(error, debug.traceback, "x"))
keep("errors", load("x = = 1")) keep("errors", load(function() error({}) end))
keep("errors", pcall(string.rep, "x", 1 << 40)) keep("errors", pcall(string.rep, "x", 1 << 28))
local function deep() return deep() + 1 end
keep("errors", pcall(deep))
local co = coroutine.create(function() local inside = alc.llm("in a coroutine") coroutine.yield(inside) end)
keep("threads", co, coroutine.resume(co)) keep("threads", coroutine.running())
keep("threads", coroutine.wrap(function() end)) keep("threads", coroutine.resume(coroutine.running()))
keep("iterators", ipairs({})) keep("iterators", pairs({})) keep("iterators", utf8.codes("x"))
keep("iterators", getmetatable(""), getmetatable(alc.null), getmetatable(alc), getmetatable(print))
keep("iterators", alc.json_decode('[[],{"a":null}]'), alc.state.get("none"), alc.card.list({}), alc.budget_remaining())
keep("iterators", alc.llm_batch({ { prompt = "a" } }), alc.math.rng_create(1), package, package.loaded, io, debug, os)
package.preload.one = function(...) held.given = table.pack(...) return {} end
require("one")
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[moonward.Runtime]:
    with entry_runtime("walking_worker:prepare", data_dir=tmp_path_factory.mktemp("data")) as runtime:
        yield runtime


def found(runtime: moonward.Runtime, how: str, plant: str = "") -> dict[str, list[str]]:
    """Paths of each C function and userdata that a walk comes to, by name: after `plant`, or after all has been called."""
    code = f"{PREFACE}{plant or COLLECT}\nreturn walk(held, '{how}')"
    session = runtime.start(code, {"task": "t", "list": [1, {"a": None}]})
    state: Any = moonward.drive(session, lambda query: "an answer").state
    assert isinstance(state, moonward.Completed), state
    assert state.result["count"] > (100 if how == "script" else 300), state.result["count"]
    names: dict[str, list[str]] = {}
    for name, path in state.result["found"]:
        names.setdefault(name, []).append(path)
    return names


def test_a_script_reaches_no_object_of_the_host_and_no_function_that_is_not_listed(
    runtime: moonward.Runtime,
) -> None:
    names = found(runtime, "script")
    beyond = {name: paths for name, paths in names.items() if name not in FOR_SCRIPTS | MADE_BY_SCRIPTS}
    assert not beyond
    assert {"pcall", "string.byte", "null", "wrapped coroutine"} <= set(names), "it looked somewhere else"


def test_behind_its_functions_there_are_two_pipes_and_the_clock(runtime: moonward.Runtime) -> None:
    """Even what a fault of the VM could take hold of holds no Python object."""
    names = found(runtime, "vm")
    beyond = set(names) - FOR_SCRIPTS - MADE_BY_SCRIPTS - FOR_THE_LIBRARY
    assert not beyond, {name: names[name] for name in beyond}
    assert len(names["userdata FILE*"]) == 2
    assert [path.partition(" ")[0].endswith("math.random") for path in names["userdata nil"]] == [True]


LEAKS = [
    ("script", "ctx.list[2].x = leak('object')", "userdata POBJECT"),
    ("script", "held[setmetatable({}, {__index = {x = {leak('python')}}})] = 1", "unknown C function"),
    ("script", "string.innocent = leak('execute')", "os.execute"),
    ("script", "held[leak('sethook')] = 1", "debug.sethook"),
    ("script", "alc.stats[{leak('file')}] = 1", "userdata FILE*"),
    (
        "vm",
        "local x = leak('object') held.f = function() return function() return x end end",
        "userdata POBJECT",
    ),
    (
        "vm",
        (
            "local co co = coroutine.create(function() local x = leak('object') coroutine.yield() return x end)"
            " coroutine.resume(co) held.co = co"
        ),
        "userdata POBJECT",
    ),
    (
        "vm",
        "held.t = setmetatable({}, {__metatable = false, hidden = leak('execute')})",
        "os.execute",
    ),
]


@pytest.mark.parametrize(("how", "plant", "name"), LEAKS)
def test_what_is_leaked_on_purpose_is_found(
    runtime: moonward.Runtime, how: str, plant: str, name: str
) -> None:
    names = found(runtime, how, plant)
    assert name in names


def test_the_walk_calls_every_function_of_the_library(runtime: moonward.Runtime) -> None:
    """Else the library's later files would not have been there to be looked at."""
    listed = {each.name.split(".")[0] for each in library().entries()}
    code = "local names = {} for name in pairs(alc) do names[#names + 1] = name end return names"
    state: Any = runtime.start(code).finished(PATIENCE_S).state
    assert listed - {"_dirs"} == set(state.result) - {"_dirs"}
