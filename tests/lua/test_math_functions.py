"""Special functions, distribution functions and quantiles of `alc.math` against values of 50-digit arithmetic."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .math_harness import LuaMath

_LUA = LuaMath()
"""Functions without state: one VM serves all the tests, and hypothesis' many examples."""

REFERENCE: dict[str, list[tuple[float, ...]]] = {
    "erf": [
        (1e-20, 1.1283791670955125e-20),
        (0.1, 0.1124629160182849),
        (0.5, 0.5204998778130465),
        (1.0, 0.8427007929497149),
        (1.5, 0.9661051464753108),
        (2.5, 0.999593047982555),
        (-3.0, -0.9999779095030014),
        (6.0, 1.0),
    ],
    "erfc": [
        (-2.0, 1.9953222650189528),
        (0.25, 0.7236736098317631),
        (1.0, 0.15729920705028513),
        (1.49, 0.03510213515679579),
        (1.51, 0.03272325187128836),
        (3.0, 2.209049699858544e-05),
        (10.0, 2.088487583762545e-45),
        (26.0, 5.663192408856143e-296),
    ],
    "lgamma": [
        (1e-10, 23.025850929882736),
        (0.25, 1.2880225246980774),
        (0.75, 0.20328095143129538),
        (1.0000001, -5.772155829918507e-08),
        (1.5, -0.12078223763524522),
        (2.0000001, 4.227843666532498e-08),
        (3.7, 1.428072326665388),
        (9.9, 12.57717990421988),
        (10.1, 13.027526738633236),
        (123.456, 469.6055471299295),
        (10000000000.0, 220258509288.81058),
        (-0.5, 1.2655121234846454),
        (-10.3, -14.457515440024208),
    ],
    "ln_beta": [
        (0.5, 0.5, 1.1447298858494002),
        (2.0, 3.0, -2.4849066497880004),
        (1e-05, 20.0, 11.51288998765334),
        (12.0, 15.0, -18.568172732389435),
        (0.001, 100000000.0, 6.888758204644896),
        (5.0, 1000000000.0, -100.43827536438411),
        (1000000.0, 1000000.0, -1386300.003362921),
    ],
    "beta": [
        (0.5, 0.5, 3.141592653589793),
        (2.0, 3.0, 0.08333333333333333),
        (30.0, 40.0, 1.0539424603796545e-21),
    ],
    "digamma": [
        (1.0, -0.5772156649015329),
        (0.01, -100.56088545786868),
        (0.5, -1.9635100260214235),
        (5.5, 1.6110931485817512),
        (12.0, 2.442661679975812),
        (1000000.0, 13.815510057964191),
        (-0.5, 0.03648997397857652),
        (-7.25, 5.189977214956288),
    ],
    "regularized_incomplete_gamma": [
        (0.5, 0.1, 0.345279153981423),
        (0.5, 3.0, 0.9856941215645704),
        (3.0, 2.0, 0.32332358381693654),
        (3.0, 9.0, 0.9937678048936227),
        (50.0, 40.0, 0.07033506665939496),
        (50.0, 61.0, 0.9332741791863776),
        (1000.0, 1010.0, 0.6276789447369947),
        (1000.0, 900.0, 0.0005499022657117829),
    ],
    "regularized_incomplete_beta": [
        (0.2, 0.5, 0.5, 0.2951672353008666),
        (0.9, 0.5, 0.5, 0.7951672353008665),
        (0.3, 2.0, 5.0, 0.5798249999999999),
        (0.01, 3.0, 0.1, 3.876186609423841e-08),
        (0.5, 40.0, 60.0, 0.9780623532064924),
        (0.31, 300.0, 700.0, 0.7564186827315436),
        (0.999, 5.0, 0.25, 0.7123884679947459),
    ],
    "normal_cdf": [
        (1.96, 0.0, 1.0, 0.9750021048517795),
        (-1.0, 0.0, 1.0, 0.15865525393145705),
        (0.0, 0.0, 1.0, 0.5),
        (-10.0, 0.0, 1.0, 7.619853024160525e-24),
        (85.0, 100.0, 15.0, 0.15865525393145705),
        (7.0, 0.0, 1.0, 0.9999999999987201),
    ],
    "normal_ppf": [
        (0.975, 1.9599639845400538),
        (0.5, 0.0),
        (0.500001, 2.5066282747057052e-06),
        (0.24, -0.7063025628400875),
        (0.26, -0.643345405392917),
        (0.01, -2.326347874040841),
        (1e-08, -5.612001244174789),
        (0.999999, 4.753424308817087),
    ],
    "gamma_cdf": [
        (2.0, 3.0, 1.5, 0.15063144384932486),
        (40.0, 7.5, 4.0, 0.8280673106233991),
    ],
    "poisson_cdf": [
        (0, 0.5, 0.6065306597126334),
        (3, 2.5, 0.7575761331330659),
        (10, 20.0, 0.010811718826652723),
        (110, 100.0, 0.8528626515577303),
    ],
    "logit": [
        (0.1, -2.197224577336219),
        (0.5000001, 3.99999999789463e-07),
        (1e-12, -27.63102111592755),
        (0.999, 6.906754778648553),
    ],
    "expit": [
        (0.0, 0.5),
        (2.5, 0.9241418199787564),
        (-40.0, 4.248354255291589e-18),
        (-700.0, 9.85967654375977e-305),
    ],
}
"""Arguments, then the result: mpmath 1.4 with 50 digits, rounded to a float."""

ROWS = [(name, row) for name, rows in REFERENCE.items() for row in rows]


@pytest.mark.parametrize(("name", "row"), ROWS, ids=lambda part: str(part))
def test_a_function_agrees_with_many_digits(name: str, row: tuple[float, ...]) -> None:
    *arguments, expected = row
    assert getattr(_LUA, name)(*arguments) == pytest.approx(expected, rel=2e-14, abs=0)


QUANTILES = [
    ((0.05, 2.0, 3.0), 0.09761146288641434),
    ((0.5, 0.5, 0.5), 0.5),
    ((0.975, 8.0, 4.0), 0.8907365561809019),
    ((0.3, 300.0, 700.0), 0.2923037496203767),
    ((1e-06, 0.7, 12.0), 1.973996345500459e-10),
]


@pytest.mark.parametrize(("arguments", "expected"), QUANTILES)
def test_the_beta_quantile_agrees_with_many_digits(arguments: tuple[float, ...], expected: float) -> None:
    assert _LUA.beta_ppf(*arguments) == pytest.approx(expected, rel=1e-13)


def test_the_logarithm_and_exponential_are_within_an_ulp_of_the_c_library() -> None:
    for step in range(-700, 700, 7):
        x = step + 0.123456789
        # expit(x) = e^x for very negative x, and logit(p) = ln p for very small p: to the last bit
        if x < -40:
            assert abs(_LUA.expit(x) - math.exp(x)) <= 2 * math.ulp(math.exp(x))
            assert abs(_LUA.logit(math.exp(x)) - math.log(math.exp(x))) <= 2 * math.ulp(x)


def test_factorials_are_rounded_correctly() -> None:
    for n in range(171):
        assert _LUA.factorial(n) == float(math.factorial(n))
        assert isinstance(_LUA.factorial(n), float)


def test_logarithms_of_factorials_go_on_where_factorials_end() -> None:
    assert _LUA.ln_factorial(0) == 0.0
    assert _LUA.ln_factorial(170) == pytest.approx(math.log(math.factorial(170)), rel=1e-15)
    assert _LUA.ln_factorial(10**6) == pytest.approx(math.lgamma(10**6 + 1), rel=1e-15)


def test_distribution_functions_are_defined_outside_their_support() -> None:
    assert (_LUA.beta_cdf(-3.0, 2.0, 2.0), _LUA.beta_cdf(3.0, 2.0, 2.0)) == (0.0, 1.0)
    assert (_LUA.gamma_cdf(-1.0, 2.0, 2.0), _LUA.gamma_cdf(1e308, 2.0, 1e-9)) == (0.0, 1.0)
    assert (_LUA.poisson_cdf(-1, 2.0), _LUA.poisson_cdf(2**62, 2.0)) == (0.0, 1.0)
    assert (_LUA.poisson_cdf(0, 0), _LUA.beta_ppf(0, 2, 2), _LUA.beta_ppf(1, 2, 2)) == (1.0, 0.0, 1.0)


def test_the_moments_of_the_beta_distribution_do_not_overflow() -> None:
    assert _LUA.beta_mean(2, 3) == pytest.approx(0.4)
    assert _LUA.beta_variance(2, 3) == pytest.approx(0.04)
    assert _LUA.beta_mean(1e308, 1e308) == 0.5
    assert _LUA.beta_variance(1e-200, 1e200) == 0.0


def test_sums_of_exponentials_do_not_overflow() -> None:
    assert _LUA.logsumexp([1000.0, 1000.0]) == pytest.approx(1000 + math.log(2))
    assert _LUA.logsumexp([-2000.0]) == -2000.0
    assert _LUA.logsumexp([1, 2, 3]) == pytest.approx(3.40760596444438)


def test_a_scaled_normal_quantile_is_the_standard_one_moved() -> None:
    assert _LUA.normal_inverse_cdf(0.975, 100, 15) == pytest.approx(129.39945976810081)


def test_large_shapes_end_in_time_and_near_the_normal_distribution() -> None:
    assert _LUA.gamma_cdf(1e10 + 1e5, 1e10, 1) == pytest.approx(_LUA.normal_cdf(1, 0, 1), abs=1e-6)
    assert _LUA.beta_cdf(0.5, 1e10, 1e10) == pytest.approx(0.5, rel=1e-10)


positive = st.floats(min_value=0.05, max_value=500)
inner = st.floats(min_value=1e-9, max_value=1 - 1e-9)


@settings(max_examples=80, deadline=None, database=None, derandomize=True)
@given(p=st.floats(min_value=1e-300, max_value=1, exclude_max=True))
def test_the_normal_quantile_inverts_its_distribution(p: float) -> None:
    x = _LUA.normal_ppf(p)
    # a step of one ulp in x moves ln p by about |x| ulp(x)
    assert _LUA.normal_cdf(x, 0, 1) == pytest.approx(p, rel=1e-15 * (10 + x * x))


@settings(max_examples=80, deadline=None, database=None, derandomize=True)
@given(p=inner, a=positive, b=positive)
def test_the_beta_quantile_inverts_its_distribution(p: float, a: float, b: float) -> None:
    x = _LUA.beta_ppf(p, a, b)
    assert 0 <= x <= 1
    below, above = _LUA.beta_cdf(math.nextafter(x, 0), a, b), _LUA.beta_cdf(math.nextafter(x, 1), a, b)
    slack = 1e-11 * p
    assert below - slack <= p <= above + slack


@settings(max_examples=80, deadline=None, database=None, derandomize=True)
@given(x=st.floats(min_value=0, max_value=1), a=positive, b=positive)
def test_the_incomplete_beta_function_mirrors(x: float, a: float, b: float) -> None:
    total = _LUA.regularized_incomplete_beta(x, a, b) + _LUA.regularized_incomplete_beta(1 - x, b, a)
    # 1 - x is rounded when x is small; where the density is steep (small a), that shows
    assert total == pytest.approx(1, abs=1e-12 if x > 1e-3 else 1e-1)


@settings(max_examples=80, deadline=None, database=None, derandomize=True)
@given(x=st.floats(min_value=1e-3, max_value=1e6))
def test_ln_gamma_and_digamma_follow_their_recurrences(x: float) -> None:
    assert _LUA.lgamma(x + 1) - _LUA.lgamma(x) == pytest.approx(
        math.log(x), abs=1e-13 * (1 + abs(_LUA.lgamma(x)))
    )
    assert _LUA.digamma(x + 1) - _LUA.digamma(x) == pytest.approx(1 / x, abs=1e-13 * (1 + 1 / x))


@settings(max_examples=80, deadline=None, database=None, derandomize=True)
@given(x=st.floats(min_value=-30, max_value=30))
def test_erf_and_erfc_add_up_and_agree_with_the_c_library(x: float) -> None:
    assert _LUA.erf(x) + _LUA.erfc(x) == pytest.approx(1, abs=1e-15)
    assert _LUA.erf(-x) == -_LUA.erf(x)
    assert _LUA.erfc(x) == pytest.approx(math.erfc(x), rel=1e-13, abs=1e-306)


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(k=st.integers(min_value=0, max_value=60), lam=st.floats(min_value=0.01, max_value=80))
def test_the_poisson_distribution_is_the_sum_of_its_terms(k: int, lam: float) -> None:
    terms = (math.exp(j * math.log(lam) - lam - math.lgamma(j + 1)) for j in range(k + 1))
    assert _LUA.poisson_cdf(k, lam) == pytest.approx(math.fsum(terms), rel=1e-12)
