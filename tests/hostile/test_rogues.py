"""Workers that have been taken over, each beside a victim whose answers and latency are watched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .arena import Arena
from .attack import Attack, Report
from .rogue_runtime import rogue_runtime
from .rogues import ROGUES

pytestmark = pytest.mark.hostile


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with Arena(tmp_path_factory.mktemp("arena"), rogue_runtime) as arena:
        yield arena


@pytest.mark.parametrize("attack", ROGUES, ids=str)
def test_a_worker_that_was_taken_over_hurts_only_its_session(
    arena: Arena, report: list[Report], attack: Attack
) -> None:
    found = arena.run(attack)
    report.append(found)
    found.check()
