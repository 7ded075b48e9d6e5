"""`alc.math` as scripts have it: in a worker, inside the sandbox, compiled when it is first asked for."""

from __future__ import annotations

import pytest

from .harness import run
from .math_harness import LuaMath


def test_every_function_is_there_and_nothing_else() -> None:
    ended = run("local n = {}; for k, v in pairs(alc.math) do n[#n + 1] = k .. type(v) end; return n")
    assert ended.error is None
    assert set(ended.value) == {f"{name}function" for name in LuaMath().names()}


def test_a_worker_computes_the_same_bits() -> None:
    script = """
        local m = alc.math
        local rng, t = m.rng_create(77), {}
        for i = 1, 20 do t[i] = m.gamma_sample(rng, 0.7, 2) end
        return {m.mean(t), m.stddev(t), m.percentile(t, 90), m.beta_ppf(0.9, 2, 5), m.ks_test(t, {1, 2, 3}).p_value}"""
    assert run(script).value == LuaMath().run(script)


def test_a_refusal_names_the_line_of_the_script() -> None:
    ended = run("local t = {}\nlocal m = alc.math.mean(t)\nreturn m")
    assert ended.error is not None
    assert ":2: alc.math.mean: t must not be empty" in ended.error


def test_what_a_script_puts_into_the_library_stays_and_harms_nothing() -> None:
    script = """
        alc.math.check, alc.math.sum, alc.math.variance = "mine", 7, 8
        math.sqrt, table.sort = nil, nil
        local m = alc.math
        return {m.check, m.sum, m.variance, m.stddev({1, 3}), m.median({3, 1, 2})}"""
    assert run(script).value == ["mine", 7, 8, pytest.approx(2**0.5), 2.0]


def test_a_generator_survives_as_json() -> None:
    script = """
        local rng = alc.math.rng_create(3)
        alc.math.rng_float(rng)
        local copy = alc.json_decode(alc.json_encode(rng))
        return alc.math.rng_float(rng) == alc.math.rng_float(copy)"""
    assert run(script).value is True
