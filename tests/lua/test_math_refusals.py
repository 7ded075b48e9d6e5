"""`alc.math` as a whole: its names, what it refuses and where it says so, and what scripts cannot disturb."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from .math_harness import LuaMath, math_files

DOCUMENTED = """
    rng_create rng_float rng_int normal_sample beta_sample gamma_sample exp_sample uniform_sample lognormal_sample
    student_t_sample chi_squared_sample poisson_sample binomial_sample dirichlet_sample categorical_sample
    mean variance stddev median percentile iqr covariance correlation softmax log_normalize histogram wilson_ci
    normal_cdf normal_inverse_cdf normal_ppf beta_cdf beta_ppf gamma_cdf poisson_cdf beta_mean beta_variance
    erf erfc lgamma beta ln_beta regularized_incomplete_beta regularized_incomplete_gamma digamma factorial
    ln_factorial logsumexp logit expit welch_t_test mann_whitney_u chi_squared_test ks_test
    rank spearman_correlation kendall_tau ndcg mrr entropy kl_divergence js_divergence cross_entropy
    moving_average ewma autocorrelation permutations shuffle sample_with_replacement
"""

NAMES = set(DOCUMENTED.split())


@pytest.fixture(scope="module")
def lua() -> LuaMath:
    return LuaMath()


def test_the_library_has_exactly_its_documented_functions(lua: LuaMath) -> None:
    assert lua.names() == NAMES


REFUSED = [
    ("rng_create()", "seed must be an integer, got nil"),
    ("rng_create(1.5)", "seed must be an integer, got 1.5"),
    ("rng_create('1')", "seed must be an integer, got a string"),
    ("rng_float({1, 2, 3})", "rng must be a generator from alc.math.rng_create, got a table"),
    ("rng_float({0, 0, 0, 0})", "rng must be a generator from alc.math.rng_create, got a table"),
    ("rng_int(R, 5, 4)", "min must not be above max, got 5 and 4"),
    ("rng_int(R, 1, 2^70)", "max must be an integer, got 1.1805916207174e+21"),
    ("normal_sample(R, 0, -1)", "sd must be a finite number >= 0, got -1"),
    ("normal_sample(R, NAN, 1)", "mean must be a finite number, got nan"),
    ("normal_sample(42, 0, 1)", "rng must be a generator from alc.math.rng_create, got 42"),
    ("beta_sample(R, 0, 1)", "a must be a finite number > 0, got 0"),
    ("gamma_sample(R, 1, INF)", "scale must be a finite number > 0, got inf"),
    ("exp_sample(R, 0)", "lambda must be a finite number > 0, got 0"),
    ("uniform_sample(R, 2, 1)", "low must not be above high"),
    ("uniform_sample(R, -1e308, 1e308)", "the result is too large for a number; scale the input down"),
    ("lognormal_sample(R, 800, 0)", "the result is too large for a number; scale the input down"),
    ("student_t_sample(R, true)", "df must be a finite number > 0, got a boolean"),
    ("chi_squared_sample(R, -2)", "df must be a finite number > 0, got -2"),
    ("poisson_sample(R, -1)", "lambda must be a number from 0 to 9.0072e+15, got -1"),
    ("binomial_sample(R, -1, 0.5)", "n must be an integer from 0 to 9007199254740992, got -1"),
    ("binomial_sample(R, 3, 1.5)", "p must be a number from 0 to 1, got 1.5"),
    ("dirichlet_sample(R, {1})", "alphas must have at least 2 numbers, got 1"),
    ("dirichlet_sample(R, {1, 0})", "alphas[2] must be > 0, got 0"),
    ("categorical_sample(R, {0, 0})", "at least one of weights must be > 0"),
    ("categorical_sample(R, {1, -1})", "weights[2] must be >= 0, got -1"),
    ("mean()", "t must be an array of numbers, got nil"),
    ("mean({})", "t must not be empty"),
    ("mean({1, NAN})", "t[2] must be a finite number, got nan"),
    ("mean({1, -INF})", "t[2] must be a finite number, got -inf"),
    ("mean({1, nil, 3})", "t[2] must be a finite number, got nil"),
    ("mean({1, 2, nil, nil, 5})", "t[3] must be a finite number, got nil"),
    ("mean({'1'})", "t[1] must be a finite number, got a string"),
    ("variance({1e200, -1e200})", "the result is too large for a number; scale the input down"),
    ("stddev({})", "t must not be empty"),
    ("median({})", "t must not be empty"),
    ("percentile({1}, 101)", "p must be a number from 0 to 100, got 101"),
    ("percentile({1})", "p must be a number from 0 to 100, got nil"),
    ("iqr({})", "t must not be empty"),
    ("covariance({1, 2}, {1})", "ys must have at least 2 numbers, got 1"),
    ("covariance({1, 2}, {1, 2, 3})", "xs and ys must be of one length, got 2 and 3"),
    ("correlation({1, 1}, {1, 2})", "xs must not be all one value: the correlation is undefined"),
    ("correlation({1, 2}, {0.1, 0.1})", "ys must not be all one value: the correlation is undefined"),
    ("softmax({})", "t must not be empty"),
    ("log_normalize({1, 0})", "t[2] must be > 0, got 0"),
    ("histogram({1}, 0)", "bins must be an integer >= 1, got 0"),
    ("histogram({1}, 2.5)", "bins must be an integer >= 1, got 2.5"),
    ("wilson_ci(5, 4, 0.95)", "successes must be a number from 0 to 4, got 5"),
    ("wilson_ci(0, 0, 0.95)", "total must be a finite number > 0, got 0"),
    ("wilson_ci(1, 2, 95)", "confidence must be a number above 0 and below 1, got 95"),
    ("normal_cdf(1, 0, 0)", "sigma must be a finite number > 0, got 0"),
    ("normal_inverse_cdf(1, 0, 1)", "p must be a number above 0 and below 1, got 1"),
    ("normal_ppf(0)", "p must be a number above 0 and below 1, got 0"),
    ("beta_cdf(0.5, 0, 1)", "a must be a number > 0 and <= 1e+10, got 0"),
    ("beta_ppf(1.1, 1, 1)", "p must be a number from 0 to 1, got 1.1"),
    ("gamma_cdf(1, 1e11, 1)", "shape must be a number > 0 and <= 1e+10, got 100000000000"),
    ("poisson_cdf(1.5, 1)", "k must be an integer, got 1.5"),
    ("beta_mean(1)", "b must be a finite number > 0, got nil"),
    ("beta_variance(-1, 1)", "a must be a finite number > 0, got -1"),
    ("erf({})", "x must be a finite number, got a table"),
    ("erfc(INF)", "x must be a finite number, got inf"),
    ("lgamma(-2)", "x must not be zero or a negative integer, where gamma has poles"),
    ("lgamma(1.7e308)", "the result is too large for a number; scale the input down"),
    ("digamma(0)", "x must not be zero or a negative integer, where digamma has poles"),
    ("beta(0, 1)", "a must be a finite number > 0, got 0"),
    ("ln_beta(1, 0)", "b must be a finite number > 0, got 0"),
    ("regularized_incomplete_beta(2, 1, 1)", "x must be a number from 0 to 1, got 2"),
    ("regularized_incomplete_gamma(1, -1)", "x must be a finite number >= 0, got -1"),
    ("factorial(171)", "n must be an integer from 0 to 170, got 171"),
    ("factorial(-1)", "n must be an integer from 0 to 170, got -1"),
    ("ln_factorial(0.5)", "n must be an integer from 0 to 9007199254740992, got 0.5"),
    ("logsumexp({})", "t must not be empty"),
    ("logit(1)", "p must be a number above 0 and below 1, got 1"),
    ("expit(NAN)", "x must be a finite number, got nan"),
    ("welch_t_test({1}, {1, 2})", "xs must have at least 2 numbers, got 1"),
    ("welch_t_test({1, 1}, {2, 2})", "xs and ys must not both be constant: t is undefined"),
    ("mann_whitney_u({}, {1})", "xs must not be empty"),
    ("mann_whitney_u({1}, {1}, true)", "options must be a table like {continuity_correction = true}"),
    ("mann_whitney_u({1}, {1}, {continuity_correction = 1})", "options must be a table like {continuity_correction = true}"),
    ("chi_squared_test({1, 2}, {1, 2, 3})", "observed and expected must be of one length, got 2 and 3"),
    ("chi_squared_test({1, 2}, {1, 0})", "expected[2] must be > 0, got 0"),
    ("ks_test({1}, {})", "ys must not be empty"),
    ("rank({})", "t must not be empty"),
    ("spearman_correlation({1, 1}, {1, 2})", "xs must not be all one value: the correlation is undefined"),
    ("kendall_tau({1, 2}, {3, 3})", "ys must not be all one value: tau is undefined"),
    ("ndcg({1}, 0)", "k must be an integer >= 1, got 0"),
    ("ndcg({-1}, 1)", "relevance[1] must be >= 0, got -1"),
    ("mrr({})", "rankings must not be empty"),
    ("mrr({1, 0.5})", "rankings[2] must be a rank (an integer from 1, or 0 for none) or a list of marks"),
    ("entropy({0.5, 0.6})", "p must sum to 1, got 1.1; divide each number by the sum"),
    ("kl_divergence({0.5, 0.5}, {1, 0})", "q[2] must be above 0 where p is: the result is infinite"),
    ("kl_divergence({1}, {0.5, 0.5})", "p and q must be of one length, got 1 and 2"),
    ("js_divergence({1}, {0.5, 0.5})", "p and q must be of one length, got 1 and 2"),
    ("cross_entropy({1, 0}, {0, 1})", "q[1] must be above 0 where p is: the result is infinite"),
    ("moving_average({1, 2}, 3)", "window must be an integer from 1 to 2, got 3"),
    ("ewma({1}, 0)", "alpha must be above 0 and at most 1, got 0"),
    ("autocorrelation({1, 2}, 2)", "lag must be an integer from 0 to 1, got 2"),
    ("autocorrelation({2, 2}, 1)", "t must not be all one value: the autocorrelation is undefined"),
    ("permutations(9)", "n must be an integer from 1 to 8, got 9"),
    ("shuffle(R, 'abc')", "t must be an array, got a string"),
    ("shuffle(R, {1, nil, 3})", "t[2] must not be nil: an array has no holes"),
    ("sample_with_replacement(R, {}, 1)", "t must not be empty"),
    ("sample_with_replacement(R, {1}, -1)", "n must be an integer >= 0, got -1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "wanted"), REFUSED, ids=lambda part: str(part)[:40])
def test_a_wrong_argument_is_refused_at_the_scripts_line(lua: LuaMath, call: str, wanted: str) -> None:
    name = call.partition("(")[0]
    script = f"local R, NAN, INF = alc.math.rng_create(1), 0/0, 1/0\nlocal result =\n  alc.math.{call}\nreturn result"
    assert lua.refusal(script) == f"script:3: alc.math.{name}: {wanted}"


def test_every_function_refuses_something() -> None:
    assert {call.partition("(")[0] for call, _ in REFUSED} == NAMES


def test_a_refused_call_draws_nothing(lua: LuaMath) -> None:
    script = """
        local one, other = alc.math.rng_create(1), alc.math.rng_create(1)
        pcall(alc.math.normal_sample, one, 0, -1)
        pcall(alc.math.categorical_sample, one, {0})
        pcall(alc.math.shuffle, one, 5)
        return alc.math.rng_float(one) == alc.math.rng_float(other)"""
    assert lua.run(script) is True


def test_the_order_in_which_the_files_are_loaded_does_not_matter(lua: LuaMath) -> None:
    backwards = LuaMath(reversed(math_files()))
    assert backwards.names() == lua.names()
    assert backwards.wilson_ci(3, 9, 0.9) == lua.wilson_ci(3, 9, 0.9)


def test_scripts_may_overwrite_what_they_see_without_harm() -> None:
    lua = LuaMath()
    script = """
        local m = alc.math
        for name in pairs(m) do if name ~= "welch_t_test" and name ~= "mean" then m[name] = nil end end
        math.sqrt, math.floor, math.type, table.sort, string.format = nil, nil, nil, nil, nil
        error, type, math, table, string = nil, nil, nil, nil, nil
        return m.welch_t_test({1, 2, 3}, {4, 5, 9}).df"""
    assert lua.run(script) == pytest.approx(2.56)
    assert lua.refusal("return (alc.math.mean({}))") == "script:1: alc.math.mean: t must not be empty"


def test_a_list_that_computes_its_elements_is_read_once(lua: LuaMath) -> None:
    """What was checked is what is used, also when an element changes between two readings."""
    script = """
        local reads = 0
        local moving = setmetatable({}, {
          __len = function() return 1 end,
          __index = function() reads = reads + 1; return reads == 1 and 7 or 0/0 end,
        })
        return alc.math.mean(moving)"""
    assert lua.run(script) == 7.0


def test_no_transcendental_function_of_the_c_library_is_used() -> None:
    """exp, log, sin and the power operator differ between machines in their last bit."""
    folder = files("moonward.actors.lua")
    for name in math_files():
        code = re.sub(r"--[^\n]*|\"[^\"\n]*\"", "", folder.joinpath(name).read_text(encoding="utf-8"))
        found = re.findall(r"math\.(?:exp|log|sin|cos|tan|asin|acos|atan|pow|random)\b|\^", code)
        assert not found, f"{name} uses {found}"
