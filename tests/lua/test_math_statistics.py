"""Descriptive statistics, series, rankings, information and combinatorics of `alc.math`."""

from __future__ import annotations

import itertools
import math
import statistics
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .math_harness import LuaMath

_LUA = LuaMath()
"""Functions without state: one VM serves all the tests, and hypothesis' many examples."""

quick = settings(max_examples=60, deadline=None, database=None, derandomize=True)
number = st.floats(min_value=-1e6, max_value=1e6)
some = st.lists(number, min_size=1, max_size=30)
paired = st.integers(min_value=2, max_value=25).flatmap(
    lambda n: st.tuples(*[st.lists(number, min_size=n, max_size=n)] * 2)
)
small_paired = st.integers(min_value=2, max_value=25).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 6), min_size=n, max_size=n)] * 2)
)


@quick
@given(values=some)
def test_the_mean_is_the_exact_one_rounded(values: list[float]) -> None:
    exact = sum(map(Fraction, values)) / len(values)
    largest = max(map(abs, values))
    assert _LUA.mean(values) == pytest.approx(float(exact), rel=1e-15, abs=1e-25 * largest)


@quick
@given(values=some)
def test_the_variance_is_that_of_exact_arithmetic(values: list[float]) -> None:
    expected = statistics.variance(values) if len(values) > 1 else 0.0
    floor = 1e-29 * max(map(abs, values)) ** 2  # of equal values, what rounding the mean leaves
    assert _LUA.variance(values) == pytest.approx(expected, rel=1e-12, abs=floor)
    assert _LUA.stddev(values) == pytest.approx(math.sqrt(expected), rel=1e-12, abs=math.sqrt(floor))


def test_the_variance_of_large_close_values_keeps_its_digits() -> None:
    assert _LUA.variance([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]) == 30.0
    assert _LUA.variance([7]) == 0.0


def test_a_mean_does_not_overflow_and_results_are_floats() -> None:
    assert _LUA.mean([1e308, 1e308, 1e308]) == pytest.approx(1e308)
    assert repr(_LUA.mean([1, 2, 3])) == "2.0"
    assert repr(_LUA.median([3, 1, 2])) == "2.0"
    assert _LUA.mean([1e16, 1.0, -1e16]) == pytest.approx(1 / 3)


@quick
@given(values=st.lists(number, min_size=2, max_size=30))
def test_quartiles_interpolate_linearly(values: list[float]) -> None:
    quarter, half, three = statistics.quantiles(values, n=4, method="inclusive")
    assert _LUA.median(values) == pytest.approx(half, rel=1e-12, abs=1e-9)
    assert _LUA.percentile(values, 25) == pytest.approx(quarter, rel=1e-12, abs=1e-9)
    assert _LUA.percentile(values, 0) == min(values)
    assert _LUA.percentile(values, 100) == max(values)
    assert _LUA.iqr(values) == pytest.approx(three - quarter, rel=1e-9, abs=1e-9)


def test_statistics_leave_their_argument_as_it_was() -> None:
    assert _LUA.run("local t = {3, 1, 2}; alc.math.median(t); alc.math.ewma(t, 0.5); return t") == [3, 1, 2]


@quick
@given(lists=paired)
def test_covariance_and_correlation_are_those_of_the_standard_library(lists: tuple[list[float], ...]) -> None:
    xs, ys = lists
    scale = max(map(abs, xs)) * max(map(abs, ys))
    expected = statistics.covariance(xs, ys)
    assert _LUA.covariance(xs, ys) == pytest.approx(expected, rel=1e-9, abs=1e-15 * scale)
    if len(set(xs)) > 1 and len(set(ys)) > 1:
        assert -1 <= _LUA.correlation(xs, ys) <= 1
        assert _LUA.correlation(xs, xs) == pytest.approx(1)
        assert _LUA.correlation(xs, [-x for x in xs]) == pytest.approx(-1)


def test_a_correlation_of_known_value_is_found_at_any_scale() -> None:
    xs = [2.1, 3.4, 1.9, 5.6, 4.4, 3.3, 2.8]
    ys = [3.0, 4.1, 4.4, 6.2, 5.9, 3.9, 5.1]
    assert _LUA.correlation(xs, ys) == pytest.approx(0.7849063002157286, rel=1e-14)
    tiny = [x * 1e-300 for x in xs]
    assert _LUA.correlation(tiny, [y * 1e300 for y in ys]) == pytest.approx(0.7849063002157286, rel=1e-13)
    assert _LUA.correlation([1.7e308, -1.7e308, 0], [1, 0, 0.5]) == pytest.approx(1)
    assert _LUA.correlation([5e-324, 0, 0], [1, 0, 0]) == pytest.approx(1)


@quick
@given(values=some, bins=st.integers(min_value=1, max_value=12))
def test_a_histogram_counts_each_value_once_between_its_edges(values: list[float], bins: int) -> None:
    result = _LUA.histogram(values, bins)
    counts, edges = result["counts"], result["edges"]
    assert (len(counts), len(edges), sum(counts)) == (bins, bins + 1, len(values))
    assert edges == sorted(edges)
    for i, count in enumerate(counts):
        last = i == bins - 1
        inside = [x for x in values if edges[i] <= x and (x < edges[i + 1] or (last and x == edges[-1]))]
        assert count == len(inside) or edges[i] == edges[i + 1]


def test_a_histogram_of_one_value_has_a_range_of_one() -> None:
    assert _LUA.histogram([3, 3], 2) == {"counts": [0, 2], "edges": [2.5, 3.0, 3.5]}
    assert _LUA.histogram([1, 2, 3, 4], 3) == {"counts": [1, 1, 2], "edges": [1.0, 2.0, 3.0, 4.0]}


@quick
@given(values=st.lists(st.floats(min_value=-1e308, max_value=1e308), min_size=1, max_size=20))
def test_softmax_sums_to_one_in_the_order_of_its_input(values: list[float]) -> None:
    shares = _LUA.softmax(values)
    assert sum(shares) == pytest.approx(1)
    for (x, p), (y, q) in itertools.combinations(zip(values, shares, strict=True), 2):
        assert p == q or (x < y) == (p < q)


def test_log_normalize_puts_the_smallest_at_0_and_the_largest_at_100() -> None:
    assert _LUA.log_normalize([1, 10, 100]) == pytest.approx([0, 50, 100])
    assert _LUA.log_normalize([7, 7]) == [50.0, 50.0]


WILSON = [
    ((7, 10, 0.95), 0.39677814746114526, 0.892208732593699),
    ((0, 20, 0.9), 0.0, 0.11915783736096448),
    ((20, 20, 0.99), 0.7508945989012464, 1.0),
]


@pytest.mark.parametrize(("arguments", "lower", "upper"), WILSON)
def test_wilsons_interval_has_its_known_bounds(
    arguments: tuple[float, ...], lower: float, upper: float
) -> None:
    interval = _LUA.wilson_ci(*arguments)
    assert set(interval) == {"lower", "upper", "center"}
    assert (interval["lower"], interval["upper"]) == pytest.approx((lower, upper), rel=1e-13, abs=0)
    assert interval["center"] == pytest.approx((lower + upper) / 2, rel=1e-12)


@quick
@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_ranks_share_ties_and_keep_their_sum(values: list[int]) -> None:
    ranks = _LUA.rank(values)
    assert sum(ranks) == len(values) * (len(values) + 1) / 2
    for x, rank in zip(values, ranks, strict=True):
        assert rank == sum(y < x for y in values) + (values.count(x) + 1) / 2


@quick
@given(lists=small_paired)
def test_rank_correlations_are_what_comparing_all_pairs_gives(lists: tuple[list[int], ...]) -> None:
    xs, ys = lists
    if len(set(xs)) == 1 or len(set(ys)) == 1:
        return
    pairs = list(itertools.combinations(zip(xs, ys, strict=True), 2))
    products = [(a[0] - b[0]) * (a[1] - b[1]) for a, b in pairs]
    agreement = sum((p > 0) - (p < 0) for p in products)
    spread = sum(a[0] != b[0] for a, b in pairs) * sum(a[1] != b[1] for a, b in pairs)
    assert _LUA.kendall_tau(xs, ys) == pytest.approx(agreement / math.sqrt(spread))
    spearman = statistics.correlation(_LUA.rank(xs), _LUA.rank(ys))
    assert _LUA.spearman_correlation(xs, ys) == pytest.approx(spearman)


def test_rank_correlations_have_their_published_values() -> None:
    xs, ys = [1, 5, 2, 8, 3, 3, 9], [2, 2, 7, 9, 1, 4, 4]
    assert _LUA.spearman_correlation(xs, ys) == pytest.approx(0.2844156393243098, rel=1e-14)
    assert _LUA.kendall_tau(xs, ys) == pytest.approx(0.2051956704170308, rel=1e-14)


def test_gains_are_linear_and_discounted_by_the_logarithm_of_the_place() -> None:
    relevance = [3, 2, 3, 0, 1, 2]
    gain = sum(rel / math.log2(i + 2) for i, rel in enumerate(relevance))
    ideal = sum(rel / math.log2(i + 2) for i, rel in enumerate(sorted(relevance, reverse=True)))
    assert _LUA.ndcg(relevance, 6) == pytest.approx(gain / ideal, rel=1e-14)
    assert _LUA.ndcg(relevance, 100) == _LUA.ndcg(relevance, 6)
    assert _LUA.ndcg([1, 3], 1) == pytest.approx(1 / 3)
    assert (_LUA.ndcg([3, 2, 1], 2), _LUA.ndcg([0, 0], 2)) == (1.0, 0.0)


def test_the_mean_reciprocal_rank_takes_ranks_or_lists_of_marks() -> None:
    assert _LUA.mrr([1, 2, 4]) == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert _LUA.mrr([[0, 1, 1], [False, False, True], [0, 0]]) == pytest.approx((1 / 2 + 1 / 3) / 3)
    assert _LUA.mrr([0]) == 0.0


def test_entropies_and_divergences_have_their_values_in_nats() -> None:
    p, q = [0.5, 0.25, 0.25, 0.0], [0.25, 0.25, 0.25, 0.25]
    assert _LUA.entropy(p) == pytest.approx(1.5 * math.log(2))
    assert _LUA.entropy([1.0]) == 0.0
    assert _LUA.kl_divergence(p, q) == pytest.approx(0.5 * math.log(2))
    assert _LUA.cross_entropy(p, q) == pytest.approx(math.log(4))
    assert _LUA.js_divergence([1, 0], [0, 1]) == pytest.approx(math.log(2))


shares = st.lists(st.integers(1, 100), min_size=4, max_size=4).map(lambda w: [x / sum(w) for x in w])


@quick
@given(p=shares, q=shares)
def test_divergences_are_positive_and_the_symmetric_one_is_bounded(p: list[float], q: list[float]) -> None:
    assert _LUA.kl_divergence(p, q) >= 0
    assert _LUA.kl_divergence(p, p) == 0
    assert _LUA.cross_entropy(p, q) == pytest.approx(_LUA.entropy(p) + _LUA.kl_divergence(p, q))
    assert 0 <= _LUA.js_divergence(p, q) <= math.log(2)
    assert _LUA.js_divergence(p, q) == pytest.approx(_LUA.js_divergence(q, p))


def test_series_are_smoothed() -> None:
    assert _LUA.moving_average([1, 2, 3, 4, 9], 3) == pytest.approx([2, 3, 16 / 3])
    assert _LUA.moving_average([1, 2], 2) == [1.5]
    assert _LUA.ewma([1, 2, 3], 0.5) == [1.0, 1.5, 2.25]
    assert _LUA.ewma([4, 5], 1) == [4.0, 5.0]


def test_an_alternating_series_is_correlated_with_itself_by_turns() -> None:
    series = [1, -1] * 4
    assert _LUA.autocorrelation(series, 0) == 1.0
    assert _LUA.autocorrelation(series, 1) == pytest.approx(-7 / 8)
    assert _LUA.autocorrelation(series, 2) == pytest.approx(6 / 8)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_permutations_come_in_lexicographic_order(n: int) -> None:
    expected = [list(order) for order in itertools.permutations(range(1, n + 1))]
    assert _LUA.permutations(n) == expected


def test_eight_items_have_all_their_orders() -> None:
    assert _LUA.run("return #alc.math.permutations(8)") == 40320
