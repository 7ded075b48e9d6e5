"""What a storm's scripts have left in the data directory, compared with what they should have."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .scripts import Part, kept


def problems(data: Path, parts: Sequence[Part]) -> list[str]:
    """Every value of `alc.state`, and the number of cards, that is not as it should be; no host being alive."""
    found = []
    expected, held = kept(parts), _state(data / "state.db")
    for key in sorted(expected.keys() | held.keys()):
        if expected.get(key) != held.get(key):
            ns, name = key
            found.append(f"alc.state {ns} {name} is {held.get(key)!r}, should be {expected.get(key)!r}")
    cards = len(list((data / "cards").rglob("*.json")))
    writers = sum(part.kind == "packages" for part in parts)
    if cards != writers:
        found.append(f"there are {cards} cards, should be {writers}")
    return found


def _state(path: Path) -> dict[tuple[str, str], Any]:
    db = sqlite3.connect(path)
    try:
        return {
            (ns, key): json.loads(value) for ns, key, value in db.execute("SELECT ns, key, value FROM state")
        }
    finally:
        db.close()
