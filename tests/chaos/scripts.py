"""What the sessions of a storm do: scripts of six kinds, whose results depend on every answer and every effect.

Nothing in a result may depend on what is not reproducible: a storm's results are compared with those of a calm run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QUERIES = 20
"""Queries of each session; the task's figure."""

CHAIN = """
-- Asks one after the other; counts in alc.state, and checks that the clock never runs backwards.
local said, before = {}, alc.time()
for i = 1, 20 do
  alc.log("info", "step " .. i)
  local n = alc.state.incr("steps")
  said[i] = alc.llm("chain " .. ctx.number .. " step " .. n .. " after " .. (said[i - 1] or "nothing"))
  alc.progress(i, 20)
  local now = alc.time()
  assert(now >= before, "the clock ran backwards")
  before = now
end
alc.stats.record("steps", alc.state.get("steps"))
return { said = said, steps = alc.state.get("steps") }
"""

BATCHES = """
-- Asks four at a time; the order of answers is the order of questions.
local all = {}
for round = 1, 5 do
  local items = {}
  for i = 1, 4 do
    items[i] = { prompt = ("batch %d round %d item %d of %d"):format(ctx.number, round, i, #all), system = "be brief" }
  end
  for _, answer in ipairs(alc.llm_batch(items)) do
    all[#all + 1] = answer
  end
  alc.log("info", "round " .. round .. ": " .. alc.state.incr("rounds"))
end
return { all = all, rounds = alc.state.get("rounds") }
"""

FORKS = """
-- Two forks of three children that ask three times each, and count; a question before, one between.
local first = alc.llm("fork " .. ctx.number .. " before")
local one = alc.fork({ "child_a", "child_b", "child_c" }, ctx)
local between = alc.llm("fork " .. ctx.number .. " between " .. one[1].result.said[3])
local two = alc.fork({ "child_c", "child_b", "child_a" }, ctx, { on_error = "fail" })
alc.log("info", "forks done")
return { first, one, between, two, alc.state.get("child_a"), alc.state.get("child_b"), alc.state.get("child_c") }
"""

CHILD = """
return {
  run = function(ctx)
    local said = {}
    for i = 1, 3 do
      local n = alc.state.incr("%(name)s")
      said[i] = alc.llm("%(name)s of " .. ctx.number .. " asks " .. n .. " after " .. (said[i - 1] or "nothing"))
    end
    alc.log("info", "%(name)s done")
    return { said = said }
  end,
}
"""

PACKAGES = """
-- Modules, a cache, parallel questions, a card that grows, and a key-value pair that is updated.
local steps = require("steps")
local card = alc.card.create({ pkg = { name = "storm" }, number = ctx.number })
local all = {}
for round = 1, 5 do
  local answers = alc.parallel(steps.items(round), function(item)
    return ("packages %d %s of round %d"):format(ctx.number, item, round)
  end)
  alc.card.append(card.card_id, { ["round_" .. round] = answers })
  alc.state.update("rounds", function(n) return n + 1 end, 0)
  all[round] = answers
  assert(alc.cache("cached " .. ctx.number) == alc.cache("cached " .. ctx.number))
  alc.log("info", steps.text.shout("round " .. round))
end
local kept = alc.card.get(card.card_id)
return { all = all, kept = { kept.round_1, kept.round_5 }, rounds = alc.state.get("rounds") }
"""

STEPS = """
return {
  text = require("steps.text"),
  items = function(round) return round == 1 and { "a", "b", "c" } or { "a", "b", "c", "d" } end,
}
"""

TEXT = "return { shout = function(text) return text:upper() .. '!' end }"

CHANCE = """
-- What is not the same in two VMs unless somebody sees to it: chance, orders, sorting, the caller's own coroutines.
local all, words = {}, {}
for i = 1, 200 do words[i] = { key = (i * 7919) % 211, at = i } end
table.sort(words, function(a, b) return a.key < b.key end)
local asking = coroutine.wrap(function()
  for i = 1, 20 do
    local seen = {}
    for key in pairs({ north = 1, south = 2, east = 3, west = 4, up = 5, down = 6, [7] = 7, [8.5] = 8 }) do
      seen[#seen + 1] = tostring(key)
    end
    local prompt = ("chance %d: %d %s %d"):format(ctx.number, math.random(1000), table.concat(seen, " "), words[i].at)
    coroutine.yield(alc.llm(prompt))
  end
end)
for i = 1, 20 do
  all[i] = asking()
  if i % 5 == 0 then print("asked", i, alc.state.incr("asked")) end
end
return { all = all, random = math.random(1000000), asked = alc.state.get("asked") }
"""

LEDGER = """
-- Counts in a namespace that it shares with others of its kind: what these have counted is in no question.
local mine, said = "mine " .. ctx.number, {}
for i = 1, 20 do
  said[i] = alc.llm("ledger " .. ctx.number .. " entry " .. i .. " after " .. (said[i - 1] or "nothing"))
  alc.state.incr("all")
  if i % 5 == 0 then alc.state.update(mine, function(n) return n + 5 end, 0) end
  if i == 10 then assert(alc.state.set_nx("half " .. ctx.number, said[i])) end
end
return { said = said, mine = alc.state.get(mine) }
"""

PAUSES = {"chain": 20, "batches": 5, "forks": 2, "packages": 10, "chance": 20, "ledger": 20}
"""How often a session's own strand asks, by kind."""

COUNTERS = {
    "chain": {"steps": 20},
    "batches": {"rounds": 5},
    "forks": {"child_a": 6, "child_b": 6, "child_c": 6},
    "packages": {"rounds": 5},
    "chance": {"asked": 4},
}
"""What each kind has counted in `alc.state` at its end."""

KINDS = {
    "chain": CHAIN,
    "batches": BATCHES,
    "forks": FORKS,
    "packages": PACKAGES,
    "chance": CHANCE,
    "ledger": LEDGER,
}


@dataclass(frozen=True)
class Part:
    """What session `number` of a storm runs."""

    number: int
    kind: str

    @classmethod
    def of(cls, number: int) -> Part:
        """Kinds go round."""
        return cls(number, list(KINDS)[number % len(KINDS)])

    @property
    def code(self) -> str:
        """The script."""
        return KINDS[self.kind]

    @property
    def pauses(self) -> int:
        """How often its own strand asks."""
        return PAUSES[self.kind]

    @property
    def ctx(self) -> dict[str, Any]:
        """Its context: state is apart from that of its neighbours, except where the kind is about sharing it."""
        return {"number": self.number, "_ns": "storm" if self.kind == "ledger" else f"storm-{self.number}"}


def write_packages(folder: Path) -> Path:
    """The packages that the scripts need, in `folder`."""
    for name in ("child_a", "child_b", "child_c"):
        (folder / f"{name}.lua").write_text(CHILD % {"name": name})
    (folder / "steps").mkdir(exist_ok=True)
    (folder / "steps" / "init.lua").write_text(STEPS)
    (folder / "steps" / "text.lua").write_text(TEXT)
    return folder


def answer_to(prompt: str) -> str:
    """The answer to a question: always the same, and another for every other question."""
    return "answer " + hashlib.sha256(prompt.encode()).hexdigest()[:12]


def number_in(prompt: str) -> int:
    """Whose question it is: every one but those of children begins with its kind and its session's number."""
    return int(prompt.split()[1])


def kept(parts: Iterable[Part]) -> dict[tuple[str, str], Any]:
    """What `alc.state` holds when these parts have ended, by namespace and key: each effect applied once."""
    found: dict[tuple[str, str], Any] = {}
    for part in parts:
        own = str(part.ctx["_ns"])
        if part.kind == "ledger":
            found[own, "all"] = found.get((own, "all"), 0) + QUERIES
            found[own, f"mine {part.number}"] = QUERIES
            found[own, f"half {part.number}"] = _ledger_answer(part.number, 10)
        for key, count in COUNTERS.get(part.kind, {}).items():
            found[own, key] = count
    return found


def _ledger_answer(number: int, entry: int) -> str:
    said = "nothing"
    for each in range(1, entry + 1):
        said = answer_to(f"ledger {number} entry {each} after {said}")
    return said
