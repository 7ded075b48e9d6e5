"""The description of the library: of all that is there, of nothing else, and understood by editors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moonward.actors.library import Entry, library, luacats, split

from .harness import run

PROMISED = """
llm llm_batch fork json_encode json_decode null log state.get state.set state.keys state.delete state.has state.set_nx
state.incr chunk match_enum match_bool stats.record stats.get time budget_remaining progress card.create card.get
card.list card.append card.alias_set card.alias_list card.get_by_alias card.find card.write_samples card.read_samples
card.lineage _dirs cache cache_info cache_clear map filter reduce parallel vote parse_score parse_number json_extract
llm_safe llm_json ground specify fingerprint budget_check tuning pipe state.update eval math.rng_create math.rng_float
math.rng_int math.normal_sample math.beta_sample math.gamma_sample math.exp_sample math.uniform_sample
math.lognormal_sample math.student_t_sample math.chi_squared_sample math.poisson_sample math.binomial_sample
math.dirichlet_sample math.categorical_sample math.mean math.variance math.stddev math.median math.percentile math.iqr
math.covariance math.correlation math.softmax math.log_normalize math.histogram math.wilson_ci math.normal_cdf
math.normal_inverse_cdf math.normal_ppf math.beta_cdf math.beta_ppf math.gamma_cdf math.poisson_cdf math.beta_mean
math.beta_variance math.erf math.erfc math.lgamma math.beta math.ln_beta math.regularized_incomplete_beta
math.regularized_incomplete_gamma math.digamma math.factorial math.ln_factorial math.logsumexp math.logit math.expit
math.welch_t_test math.mann_whitney_u math.chi_squared_test math.ks_test math.rank math.spearman_correlation
math.kendall_tau math.ndcg math.mrr math.entropy math.kl_divergence math.js_divergence math.cross_entropy
math.moving_average math.ewma math.autocorrelation math.permutations math.shuffle math.sample_with_replacement
"""
"""What scripts were promised."""

WALK = """
local names = {}
local function walk(t, prefix)
  for name, value in pairs(t) do
    if type(value) == "table" and name ~= "_dirs" then
      walk(value, prefix .. name .. ".")
    else
      names[#names + 1] = prefix .. name .. " " .. type(value)
    end
  end
end
walk(alc, "")
return names"""


def test_all_that_was_promised_is_described_once_and_nothing_else() -> None:
    names = [entry.name for entry in library().entries()]
    assert sorted(names) == sorted(PROMISED.split())


def test_what_is_described_is_what_a_script_finds() -> None:
    found = dict(name.split() for name in run(WALK, dirs={"state": "s"}).value)
    assert set(found) == {entry.name for entry in library().entries()}
    for entry in library().entries():
        assert (found[entry.name] == "function") == entry.is_function, entry.name


def test_every_entry_names_tests_that_are_there(tree: Path) -> None:
    for section in library().section:
        for entry in section.entry:
            assert entry.tests, entry.name
            for test in [*entry.tests, *section.tests]:
                file, _, name = test.partition("::")
                path = tree / "tests" / file
                assert path.exists(), f"{entry.name}: {file}"
                assert f"def {name}(" in path.read_text(), f"{entry.name}: {test}"


def test_the_parameters_are_those_of_the_functions_in_lua(tree: Path) -> None:
    """Where a function is written with names, they are the described ones."""
    sources = "".join(file.read_text() for file in sorted((tree / "actors" / "lua").glob("*.lua")))
    written = re.findall(r"function (?:K\.alc|alc|state|stats)\.(\w+)\(([\w, ]*)\)", sources)
    assert len(written) > 30
    for name, parameters in written:
        described = [
            [parameter.name for parameter in entry.parameters]
            for entry in library().entries()
            if entry.is_function and entry.name.rpartition(".")[2] == name
        ]
        assert any(len(each) == len(split(parameters)) for each in described), name


def test_the_definitions_are_lua_that_defines_every_function() -> None:
    code = """
    local env = {}
    assert(load(ctx.text, "=types", "t", env))()
    local missing = {}
    for _, name in ipairs(ctx.names) do
      local value = env
      for part in ("alc." .. name):gmatch("[%w_]+") do value = value[part] end
      if type(value) ~= "function" then missing[#missing + 1] = name end
    end
    return {missing, type(env.ctx)}"""
    names = [entry.name for entry in library().entries() if entry.is_function]
    assert run(code, ctx={"text": luacats(library()), "names": names}).value == [{}, "table"]


def test_every_line_of_the_definitions_is_of_the_notation() -> None:
    known = r"---@meta|---@class [\w.]+(: [\w.]+)?|---@(field|param) \w+\?? \S.*|---@return \S.*|---@type table|--- \S.*|-- \S.*|function alc[\w.]+\([\w, ]*\) end|[\w.]+ = \{\}|"
    for line in luacats(library()).split("\n"):
        assert re.fullmatch(known, line), line


def test_the_classes_that_are_named_are_there() -> None:
    text = luacats(library())
    classes = set(re.findall(r"^---@class ([\w.]+)", text, flags=re.M))
    assert set(re.findall(r"\balc\.[A-Z]\w+", text)) <= classes
    assert {f"alc.{group}" for group in ("state", "stats", "card", "math")} <= classes


@pytest.mark.parametrize(
    ("signature", "parameters", "returns"),
    [
        ("f()", [], []),
        ("f(a: string): table|nil, string", [("a", "string", False)], ["table|nil", "string"]),
        (
            "g.f(fn: fun(a: any, i: integer): any, o?: { x: number, y?: string }): any[]",
            [("fn", "fun(a: any, i: integer): any", False), ("o", "{ x: number, y?: string }", True)],
            ["any[]"],
        ),
    ],
)
def test_a_signature_is_understood(
    signature: str, parameters: list[tuple[str, str, bool]], returns: list[str]
) -> None:
    entry = Entry(signature, "", [])
    assert [(each.name, each.type, each.is_optional) for each in entry.parameters] == parameters
    assert entry.returns == returns
