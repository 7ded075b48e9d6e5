"""Machines that lack a layer: openly less, or nothing at all where it is required."""

import subprocess
import sys
from pathlib import Path

import pytest

from moonward.actors.worker.confine import FULL, facts

POORER = Path(__file__).parent / "entries" / "poorer_kernel.py"

pytestmark = pytest.mark.skipif(facts()["confinement"] != FULL, reason="this machine is one of them")


def outcome(lacking: str, required: str) -> str:
    result = subprocess.run(
        [sys.executable, str(POORER), lacking, required], capture_output=True, text=True, timeout=40
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("lacking", "left"), [("landlock", "seccomp"), ("seccomp", "landlock"), ("landlock+seccomp", "none")]
)
def test_a_snapshot_says_what_is_left_where_a_layer_is_missing(lacking: str, left: str) -> None:
    assert outcome(lacking, "optional") == left


def test_a_runtime_that_requires_confinement_refuses_to_start_without_it() -> None:
    assert outcome("landlock", "required").startswith("RuntimeUnsupported require_confinement is set")
