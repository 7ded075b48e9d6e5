"""A host that is killed leaves nobody behind, whatever its workers were doing."""

import subprocess
import sys
from pathlib import Path

import pytest

ENTRIES = Path(__file__).parent / "entries"

DEADLINE_S = 2
"""The contract's bound for workers of a killed host."""


@pytest.mark.parametrize(
    ("killed", "workers", "spinning", "orphans"),
    [("host", 20, 10, 2), ("both", 20, 10, 22), ("host", 0, 0, 1), ("both", 0, 0, 1)],
    ids=[
        "the zygote reaps its twenty, half of them spinning",
        "the zygote dies too, nobody of the twenty is told but by the kernel",
        "in the middle of starting",
        "in the middle of starting, the zygote too",
    ],
)
def test_no_process_outlives_a_killed_host_by_two_seconds(
    killed: str, workers: int, spinning: int, orphans: int
) -> None:
    undertaker = [sys.executable, str(ENTRIES / "undertaker.py"), str(DEADLINE_S), killed]
    host = [str(ENTRIES / "dying_host.py"), str(workers), str(spinning)]
    result = subprocess.run([*undertaker, *host], capture_output=True, text=True, timeout=40)
    assert result.returncode == 0, result.stderr or "someone was left at the deadline"
    reaped, seconds = result.stdout.split()
    assert int(reaped) >= orphans
    assert float(seconds) < DEADLINE_S
