"""Generators and samples of `alc.math`: the same everywhere, and of the right distribution."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .math_harness import LuaMath

MASK = (1 << 64) - 1


@pytest.fixture(scope="module")
def lua() -> LuaMath:
    return LuaMath()


def rotated(x: int, k: int) -> int:
    return (x << k | x >> (64 - k)) & MASK


def published_stream(seed: int) -> Iterator[int]:
    """splitmix64 and xoshiro256** as their authors published them, on Python's integers."""
    state, s = seed & MASK, []
    for _ in range(4):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        s.append(z ^ z >> 31)
    while True:
        yield rotated(s[1] * 5 & MASK, 7) * 9 & MASK
        t = s[1] << 17 & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotated(s[3], 45)


@pytest.mark.parametrize("seed", [0, 1, 42, -7, (1 << 63) - 1, -(1 << 63)])
def test_floats_are_the_top_53_bits_of_the_published_generator(lua: LuaMath, seed: int) -> None:
    rng, stream = lua.generator(seed), published_stream(seed)
    for _ in range(50):
        assert lua.rng_float(rng) == (next(stream) >> 11) / 2**53


def test_a_generator_is_plain_data_that_goes_on_where_its_copy_was_taken(lua: LuaMath) -> None:
    rng = lua.generator(5)
    lua.rng_float(rng)
    kept = [rng[i] for i in range(1, 5)]
    assert all(isinstance(word, int) for word in kept)
    later = [lua.rng_float(rng) for _ in range(5)]
    assert lua.run(f"local r = {{{', '.join(map(str, kept))}}}; return alc.math.rng_float(r)") == later[0]


def test_generators_do_not_disturb_each_other(lua: LuaMath) -> None:
    alone = lua.generator(1)
    expected = [lua.rng_float(alone) for _ in range(5)]
    one, other = lua.generator(1), lua.generator(2)
    mixed = [(lua.rng_float(one), lua.rng_float(other))[0] for _ in range(5)]
    assert mixed == expected


def test_a_seed_that_is_a_whole_float_is_its_integer(lua: LuaMath) -> None:
    assert lua.rng_float(lua.generator(42)) == lua.run("return alc.math.rng_float(alc.math.rng_create(42.0))")


GOLDEN: dict[str, tuple[tuple[Any, ...], list[Any]]] = {
    "rng_float": ((), [0.055792889110163335, 0.782103772866755, 0.07205494006296331]),
    "rng_int": ((1, 1000), [815, 102, 2]),
    "uniform_sample": ((-1.0, 2.0), [-0.83262133266951, 1.3463113186002653, -0.7838351798111101]),
    "normal_sample": ((0.0, 1.0), [0.7877704987458325, -0.6355328318708062, 0.07886871728579309]),
    "lognormal_sample": ((0.0, 0.5), [1.482730394669716, 0.7277727646824264, 1.0402222150459757]),
    "exp_sample": ((1.5,), [0.03827315984773504, 1.015824234568138, 0.04985516706835871]),
    "gamma_sample": ((0.5, 2.0), [2.4744342556480743, 0.011688944129610806, 3.120907455393654]),
    "beta_sample": ((2.0, 3.0), [0.7846903362132738, 0.5142037892489, 0.502251108193808]),
    "chi_squared_sample": ((4.0,), [5.809120112395248, 3.764412381125477, 1.976968841129545]),
    "student_t_sample": ((5.0,), [1.0683216323438784, -0.559731308411772, 1.855351737018282]),
    "poisson_sample": ((42.0,), [39, 50, 41]),
    "binomial_sample": ((100, 0.3), [24, 25, 24]),
    "dirichlet_sample": (
        ([1.0, 2.0],),
        [
            [0.4498277192508158, 0.5501722807491841],
            [0.18323816293430745, 0.8167618370656925],
            [0.18240280684536114, 0.817597193154639],
        ],
    ),
    "categorical_sample": (([1.0, 2.0, 3.0],), [1, 3, 1]),
    "shuffle": (([1, 2, 3, 4, 5],), [[3, 1, 5, 4, 2], [4, 3, 1, 2, 5], [1, 5, 2, 3, 4]]),
    "sample_with_replacement": (([1, 2, 3], 4), [[3, 2, 2, 2], [1, 1, 2, 1], [1, 3, 2, 2]]),
}
"""The first three samples of a generator seeded with 2024. They may never change: sessions are replayed."""


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_samples_are_the_same_to_the_bit_on_every_machine(lua: LuaMath, name: str) -> None:
    arguments, expected = GOLDEN[name]
    rng = lua.generator(2024)
    assert [getattr(lua, name)(rng, *arguments) for _ in range(3)] == expected


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(low=st.integers(-(2**63), 2**63 - 1), high=st.integers(-(2**63), 2**63 - 1))
def test_integers_stay_within_any_range(lua: LuaMath, low: int, high: int) -> None:
    low, high = min(low, high), max(low, high)
    rng = lua.generator(low ^ high)
    for _ in range(5):
        value = lua.rng_int(rng, low, high)
        assert isinstance(value, int)
        assert low <= value <= high


def chi_squared_p(lua: LuaMath, counts: list[int], expected: list[float]) -> float:
    return float(lua.chi_squared_test(counts, expected)["p_value"])


def test_all_faces_of_a_die_are_equally_likely(lua: LuaMath) -> None:
    rng = lua.generator(3)
    counts = Counter(lua.rng_int(rng, 1, 6) for _ in range(6000))
    assert sorted(counts) == [1, 2, 3, 4, 5, 6]
    assert chi_squared_p(lua, [counts[k] for k in range(1, 7)], [1000.0] * 6) > 0.001


CONTINUOUS: list[tuple[str, tuple[float, ...], str]] = [
    ("uniform_sample", (-2.0, 3.0), "(x + 2) / 5"),
    ("normal_sample", (10.0, 2.0), "alc.math.normal_cdf(x, 10, 2)"),
    (
        "lognormal_sample",
        (0.5, 0.75),
        "x > 1e-9 and alc.math.normal_cdf(alc.math.logit(1/(1+1/x)), 0.5, 0.75) or 0",
    ),
    ("exp_sample", (2.5,), "alc.math.gamma_cdf(x, 1, 1/2.5)"),
    ("gamma_sample", (0.3, 2.0), "alc.math.gamma_cdf(x, 0.3, 2)"),
    ("gamma_sample", (7.5, 0.5), "alc.math.gamma_cdf(x, 7.5, 0.5)"),
    ("beta_sample", (0.2, 0.4), "alc.math.beta_cdf(x, 0.2, 0.4)"),
    ("beta_sample", (5.0, 2.0), "alc.math.beta_cdf(x, 5, 2)"),
    ("chi_squared_sample", (3.0,), "alc.math.gamma_cdf(x, 1.5, 2)"),
    ("student_t_sample", (4.0,), "alc.math.beta_cdf(0.5 + 0.5 * x / (4 + x * x) ^ 0.5, 2, 2)"),
]


@pytest.mark.parametrize(("name", "arguments", "cdf"), CONTINUOUS, ids=lambda part: str(part))
def test_samples_follow_their_distribution(
    lua: LuaMath, name: str, arguments: tuple[float, ...], cdf: str
) -> None:
    """Of 4000 samples, mapped by the distribution function, each tenth of [0, 1] holds about 400."""
    script = f"""
        local rng, counts = alc.math.rng_create(11), {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}
        for _ = 1, 4000 do
          local x = alc.math.{name}(rng, {", ".join(map(str, arguments))})
          local place = math.min(math.floor(10 * ({cdf})), 9) + 1
          counts[place] = counts[place] + 1
        end
        return alc.math.chi_squared_test(counts, {{400, 400, 400, 400, 400, 400, 400, 400, 400, 400}}).p_value"""
    assert lua.run(script) > 0.001


@pytest.mark.parametrize("lam", [0.5, 4.0, 16.5, 90.0])
def test_poisson_samples_follow_their_distribution(lua: LuaMath, lam: float) -> None:
    rng = lua.generator(8)
    samples = [lua.poisson_sample(rng, lam) for _ in range(2000)]
    assert all(isinstance(k, int) and k >= 0 for k in samples)
    middle = round(lam)
    share = lua.poisson_cdf(middle, lam)
    below = sum(k <= middle for k in samples)
    assert chi_squared_p(lua, [below, 2000 - below], [2000 * share, 2000 * (1 - share)]) > 0.001
    assert statistics.fmean(samples) == pytest.approx(lam, abs=4 * math.sqrt(lam / 2000))
    assert statistics.variance(samples) == pytest.approx(lam, rel=0.15)


@pytest.mark.parametrize(("n", "p"), [(5, 0.3), (40, 0.5), (1000, 0.02), (10**15, 0.75)])
def test_binomial_samples_have_the_mean_and_variance_of_their_distribution(
    lua: LuaMath, n: int, p: float
) -> None:
    rng = lua.generator(9)
    samples = [lua.binomial_sample(rng, n, p) for _ in range(1500)]
    variance = n * p * (1 - p)
    assert all(isinstance(k, int) and 0 <= k <= n for k in samples)
    assert statistics.fmean(samples) == pytest.approx(n * p, abs=4 * math.sqrt(variance / 1500))
    assert statistics.variance(samples) == pytest.approx(variance, rel=0.15)


def test_degenerate_distributions_have_one_value(lua: LuaMath) -> None:
    rng = lua.generator(1)
    assert (lua.poisson_sample(rng, 0), lua.binomial_sample(rng, 0, 0.5)) == (0, 0)
    assert (lua.binomial_sample(rng, 100, 0), lua.binomial_sample(rng, 100, 1)) == (0, 100)
    assert (lua.normal_sample(rng, 3, 0), lua.uniform_sample(rng, 2, 2)) == (3.0, 2.0)


def test_tiny_shapes_give_a_sample_and_not_nan(lua: LuaMath) -> None:
    rng = lua.generator(1)
    assert lua.beta_sample(rng, 1e-300, 1e-300) in (0.0, 1.0)
    shares = lua.dirichlet_sample(rng, lua.run("return {1e-300, 1e-300, 1e-300}"))
    assert sum(shares) == pytest.approx(1)


def test_a_dirichlet_sample_sums_to_one_and_has_its_means(lua: LuaMath) -> None:
    rng, alphas = lua.generator(4), [1.0, 2.0, 5.0]
    samples = [lua.dirichlet_sample(rng, alphas) for _ in range(1500)]
    assert all(sum(shares) == pytest.approx(1) for shares in samples)
    means = [statistics.fmean(part) for part in zip(*samples, strict=True)]
    assert means == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.02)


def test_categories_are_drawn_by_weight_and_never_without_one(lua: LuaMath) -> None:
    rng = lua.generator(6)
    counts = Counter(lua.categorical_sample(rng, [0, 1, 0, 3, 0]) for _ in range(2000))
    assert set(counts) == {2, 4}
    assert chi_squared_p(lua, [counts[2], counts[4]], [500.0, 1500.0]) > 0.001


def test_a_shuffle_is_in_place_and_reaches_every_order(lua: LuaMath) -> None:
    script = """
        local rng, seen, t = alc.math.rng_create(5), {}, {"a", "b", "c"}
        for _ = 1, 600 do
          assert(alc.math.shuffle(rng, t) == t)
          local key = table.concat(t)
          seen[key] = (seen[key] or 0) + 1
        end
        return seen"""
    seen = lua.run(script)
    assert set(seen) == {"abc", "acb", "bac", "bca", "cab", "cba"}
    assert chi_squared_p(lua, list(seen.values()), [100.0] * 6) > 0.001
    assert lua.run("return alc.math.shuffle(alc.math.rng_create(1), {})") == []


def test_draws_with_replacement_come_from_the_list(lua: LuaMath) -> None:
    rng = lua.generator(7)
    drawn = lua.sample_with_replacement(rng, ["x", "y", "z"], 600)
    assert len(drawn) == 600
    assert chi_squared_p(lua, [drawn.count(each) for each in "xyz"], [200.0] * 3) > 0.001
    assert lua.sample_with_replacement(rng, ["x"], 0) == []
