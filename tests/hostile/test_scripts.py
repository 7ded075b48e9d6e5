"""Scripts that attack, each beside a victim whose answers and latency are watched."""

from __future__ import annotations

import pytest

from .arena import Arena
from .attack import Attack, Report
from .bridge import BRIDGE
from .burning import BURNING
from .listed import LISTED
from .tampering import TAMPERING
from .unlisted import UNLISTED

pytestmark = pytest.mark.hostile


@pytest.mark.parametrize("attack", [*LISTED, *TAMPERING, *BRIDGE, *BURNING, *UNLISTED], ids=str)
def test_an_attack_hurts_only_itself(arena: Arena, report: list[Report], attack: Attack) -> None:
    found = arena.run(attack)
    report.append(found)
    found.check()
