"""A counter that many count: sessions, processes, and workers that are killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import moonward
from moonward.testing import Faults, FaultyRuntime

TOTAL, SESSIONS, PROCESSES = 1000, 20, 3
SHARES = [7, 7, 6]
"""Sessions of each process."""

COUNT = """
local before = alc.llm("ready?")
for i = 1, ctx.times do alc.state.incr("counter") end
return alc.state.incr("mine" .. ctx.number, ctx.times)"""

HOST = """
import sys
from concurrent.futures import ThreadPoolExecutor
import moonward
data_dir, first, sessions, times = sys.argv[1], *map(int, sys.argv[2:])
code = sys.stdin.read()
with moonward.Runtime(journal=f"sqlite:///{data_dir}/{first}.db", data_dir=data_dir) as runtime:
    started = [runtime.start(code, {"times": times, "number": first + n}) for n in range(sessions)]
    for session in started:
        session.wait(40)
    with ThreadPoolExecutor(sessions) as threads:  # all at once
        list(threads.map(lambda session: moonward.drive(session, lambda query: "go"), started))
"""


def read(data_dir: Path, key: str) -> object:
    with moonward.Runtime(data_dir=data_dir) as runtime:
        state = runtime.start(f"return alc.state.get('{key}')").finished(20).state
    assert isinstance(state, moonward.Completed)
    return state.result


def test_a_thousand_increments_from_twenty_sessions_in_three_processes_are_a_thousand(tmp_path: Path) -> None:
    hosts = []
    first = 0
    for share in SHARES:
        arguments = map(str, (tmp_path, first, share, TOTAL // SESSIONS))
        host = subprocess.Popen(
            [sys.executable, "-P", "-c", HOST, *arguments], stdin=subprocess.PIPE, text=True
        )
        assert host.stdin is not None
        host.stdin.write(COUNT)
        host.stdin.close()
        hosts.append(host)
        first += share
    assert (first, len(hosts)) == (SESSIONS, PROCESSES)
    assert [host.wait(50) for host in hosts] == [0, 0, 0]
    assert read(tmp_path, "counter") == TOTAL
    assert read(tmp_path, "mine19") == TOTAL // SESSIONS


def test_increments_of_workers_that_are_killed_count_once(tmp_path: Path) -> None:
    faults = Faults()
    for number in range(4):
        faults.add("kill", "call", session=number, nth=3 + number).add(
            "kill", "called", session=number, nth=20
        )
        faults.add("kill", "replied", session=number, nth=30 + number)
    with FaultyRuntime(faults, data_dir=tmp_path, restart_intensity=1000) as runtime:
        sessions = [runtime.start(COUNT, {"times": 20, "number": n}) for n in range(4)]
        for session in sessions:
            finished = moonward.drive(session, lambda query: "go")
            assert finished.state == moonward.Completed(20), finished.state
    assert len(faults.history) == 12
    assert read(tmp_path, "counter") == 80
