"""Hypothesis tests of `alc.math` against values computed by scipy 1.17."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .math_harness import LuaMath

_LUA = LuaMath()
"""Functions without state: one VM serves all the tests, and hypothesis' many examples."""

XS = [2.1, 3.4, 1.9, 5.6, 4.4, 3.3, 2.8]
YS = [3.0, 4.1, 4.4, 6.2, 5.9, 3.9, 5.1, 4.7]
TIED_XS = [1, 2, 2, 3, 3, 3, 4, 5]
TIED_YS = [2, 3, 3, 4, 5, 5, 6]


def test_welchs_test_has_its_reference_values() -> None:
    result = _LUA.welch_t_test(XS, YS)
    expected = {"t_stat": -2.114840631347514, "df": 11.617308499335874, "p_value": 0.05678536506868177}
    assert result == pytest.approx(expected, rel=1e-13)


def test_welchs_test_of_equal_means_sees_no_difference() -> None:
    assert _LUA.welch_t_test([1, 3], [0, 4])["p_value"] == 1.0
    assert _LUA.welch_t_test([1, 1], [2, 2.0000001])["p_value"] < 1e-7


def test_one_constant_sample_is_enough_variance_for_welchs_test() -> None:
    result = _LUA.welch_t_test([5, 5, 5], [1, 2, 3, 4])
    assert result["df"] == pytest.approx(3)
    assert result["t_stat"] == pytest.approx(3.872983346207417)


def test_the_rank_sum_test_corrects_for_continuity_and_ties() -> None:
    result = _LUA.mann_whitney_u(XS, YS)
    assert (result["u_stat"], result["p_value"]) == pytest.approx((11.5, 0.0638399918688504), rel=1e-13)
    assert result["z_score"] < 0
    plain = _LUA.mann_whitney_u(XS, YS, {"continuity_correction": False})
    assert plain["p_value"] == pytest.approx(0.055977450699150486, rel=1e-13)
    tied = _LUA.mann_whitney_u(TIED_XS, TIED_YS)
    assert (tied["u_stat"], tied["p_value"]) == pytest.approx((15.5, 0.1538256069539177), rel=1e-13)


def test_equal_values_leave_the_rank_sum_test_without_evidence() -> None:
    assert _LUA.mann_whitney_u([1, 1], [1, 1, 1]) == {"u_stat": 3.0, "z_score": 0.0, "p_value": 1.0}


def test_the_chi_squared_test_has_its_reference_values() -> None:
    result = _LUA.chi_squared_test([18, 22, 16, 14, 12, 18], [100 / 6] * 6)
    assert result == pytest.approx({"chi2_stat": 3.68, "df": 5, "p_value": 0.596343056440005}, rel=1e-13)
    assert _LUA.chi_squared_test([10, 20, 30], [20] * 3)["p_value"] == pytest.approx(0.006737946999085468)


def test_the_kolmogorov_smirnov_test_has_its_reference_values() -> None:
    for xs, ys, d, p in [
        (XS, YS, 0.5892857142857143, 0.11810411810411808),
        (TIED_XS, TIED_YS, 0.32142857142857145, 0.7356643356643358),
        (list(range(50)), list(range(100, 150)), 1.0, 1.9823306042836678e-29),
    ]:
        assert _LUA.ks_test(xs, ys) == pytest.approx({"d_stat": d, "p_value": p}, rel=1e-12)


def test_the_kolmogorov_smirnov_test_of_many_values_is_near_the_exact_one() -> None:
    xs = [i * 7919 % 2003 / 2003 for i in range(1200)]
    ys = [i * 104729 % 1999 / 1999 * 1.06 for i in range(1300)]
    result = _LUA.ks_test(xs, ys)
    assert result["d_stat"] == pytest.approx(0.05871794871794872, rel=1e-12)
    assert result["p_value"] == pytest.approx(0.02575892043075953, rel=0.02)


def test_samples_that_do_not_overlap_are_at_distance_one() -> None:
    assert _LUA.ks_test([1, 2], [3, 4, 5])["d_stat"] == 1.0
    assert _LUA.ks_test([3, 1, 2], [1, 2, 3]) == {"d_stat": 0.0, "p_value": 1.0}
    far = _LUA.ks_test(list(range(50)), list(range(100, 150)))
    assert 0 < far["p_value"] < 1e-20


sample = st.lists(st.integers(-8, 8), min_size=2, max_size=20)


@settings(max_examples=80, deadline=None, database=None, derandomize=True)
@given(xs=sample, ys=sample)
def test_two_samples_differ_as_much_either_way(xs: list[int], ys: list[int]) -> None:
    forth, back = _LUA.mann_whitney_u(xs, ys), _LUA.mann_whitney_u(ys, xs)
    assert forth["u_stat"] + back["u_stat"] == len(xs) * len(ys)
    assert forth["z_score"] == pytest.approx(-back["z_score"])
    assert forth["p_value"] == pytest.approx(back["p_value"])
    forth, back = _LUA.ks_test(xs, ys), _LUA.ks_test(ys, xs)
    assert forth == pytest.approx(back)
    if len(set(xs)) > 1:
        forth, back = _LUA.welch_t_test(xs, ys), _LUA.welch_t_test(ys, xs)
        assert forth["t_stat"] == pytest.approx(-back["t_stat"])
        assert 0 <= forth["p_value"] <= 1
        assert forth["p_value"] == pytest.approx(back["p_value"])
        assert forth["df"] <= len(xs) + len(ys) - 2 + 1e-9
