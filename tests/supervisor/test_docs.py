"""The page on supervision shows code that runs, and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def page(tree: Path) -> str:
    return (tree / "docs" / "supervision.md").read_text()


def example(page: str, number: int) -> str:
    return re.findall(r"^```python\n(.*?)^```", page, flags=re.S | re.M)[number]


def test_the_example_of_a_supervisor_runs(page: str) -> None:
    names: dict[str, Any] = {"events": []}
    exec(example(page, 0), names)
    assert names["total"] == 7  # 2, then 2 + 3
    assert names["running"] == 2
    told = [(event["event"], event["child"], event["reason"]) for event in names["events"]]
    assert told == [
        ("started", "counter", None),
        ("started", "sleeper", None),
        ("exited", "sleeper", "shutdown (SIGTERM)"),
        ("exited", "counter", "shutdown"),
    ]


def test_the_example_of_many_children_runs(page: str) -> None:
    names: dict[str, Any] = {"parked": lambda child, why: None}
    exec(example(page, 1), names)
    assert names["running"] == 2
    assert names["left"] == ["second"]


def test_every_test_that_the_page_names_exists(page: str, tree: Path) -> None:
    sources = "".join(path.read_text() for path in (tree / "tests" / "supervisor").glob("test_*.py"))
    existing = set(re.findall(r"^def (test_\w+)", sources, flags=re.M))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 40
    assert named <= existing, named - existing
