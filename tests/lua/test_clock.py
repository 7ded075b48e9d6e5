"""Time as a script sees it: the host's clock, recorded and repeated."""

from __future__ import annotations

from typing import Any

from moonward.actors.worker.wire import Clocks

from .harness import START_MS, Ended, Host, run


def readings(ended: Ended) -> list[Clocks]:
    return [list(each.clocks) for each in [*ended.requests, ended.final]]


def test_time_is_the_hosts() -> None:
    host = Host()
    host.now_ms = START_MS + 90_500
    code = "alc.llm('x') return {alc.time(), os.time(), os.clock(), os.date('!%Y-%m-%d %H:%M:%S')}"
    value = run(code, host).value
    assert 90.5 <= value[0] - START_MS / 1000 < 91
    assert value[1] == (START_MS + 90_500) // 1000
    assert 90.5 <= value[2] < 91
    assert value[3] == "2023-11-14 22:14:50"


def test_readings_travel_with_the_next_request_run_length_coded() -> None:
    host = Host()
    host.now_ms = START_MS + 5000
    code = "for _ = 1, 3 do alc.time() end alc.llm('x') for _ = 1, 3 do os.time() end os.clock()"
    first, last = readings(run(code, host))
    assert sum(count for _, count in first) == 3
    assert sum(count for _, count in last) == 4
    assert last[0][0] >= 4000


def test_a_busy_wait_is_recorded_in_few_pairs() -> None:
    code = "local n, t = 0, alc.time() + 0.03 while alc.time() < t do n = n + 1 end return n"
    ended = run(code)
    (pairs,) = readings(ended)
    assert len(pairs) <= 2 * 40
    assert sum(count for _, count in pairs) == ended.value + 2


def test_recorded_readings_come_first_and_are_not_recorded_again() -> None:
    host = Host()
    host.clocks = [[(7, 1), (0, 2)]]
    code = """
    local a = {alc.time(), alc.time()}
    alc.llm('x')
    for _ = 1, 3 do a[#a + 1] = alc.time() end
    return a"""
    ended = run(code, host, clocks=[(1500, 2)])
    start = START_MS / 1000
    assert [round(each - start, 3) for each in ended.value] == [1.5, 3.0, 3.007, 3.007, 3.007]
    assert readings(ended) == [[], []]


def test_after_the_recorded_readings_the_clock_goes_on_from_the_last() -> None:
    ended = run("return {alc.time(), alc.time()}", clocks=[(60_000, 1)])
    assert ended.value == [START_MS / 1000 + 60, START_MS / 1000 + 60]
    assert readings(ended) == [[(0, 1)]]


def test_the_clock_never_runs_backwards() -> None:
    host = Host()
    host.now_ms = START_MS - 10_000
    code = "local a = alc.time() alc.llm('x') return alc.time() - a"
    assert run(code, host).value == 0


def test_a_replay_gives_the_same_readings() -> None:
    code = """
    local seen = {}
    for i = 1, 3 do
      for _ = 1, 2000 do seen[#seen + 1] = os.clock() end
      alc.llm(i)
    end
    return seen"""
    first = run(code)
    begin, *later = readings(first)
    host = Host()
    host.now_ms = START_MS + 1_000_000
    host.clocks = [list(each) for each in later]
    assert run(code, host, clocks=begin).value == first.value


def test_dates_are_utc_and_tables_are_understood() -> None:
    code = """
    local t = os.date('*t', 86400)
    return {os.time({year = 1970, month = 1, day = 2, hour = 0}), t.year, t.day, t.isdst, os.date('%H', 3600),
            os.difftime(5, 3)}"""
    value: Any = run(code).value
    assert value == [86400, 1970, 2, False, "01", 2.0]
