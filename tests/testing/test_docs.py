"""The page on resilience shows tests that run, and names every kind and point there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import moonward.testing
from moonward.testing import Faults, FaultyRuntime
from moonward.testing.fault import KINDS, POINTS


@pytest.fixture
def page(tree: Path) -> str:
    return (tree / "docs" / "resilience.md").read_text()


def test_the_tests_that_the_page_shows_pass_in_a_suite_of_their_own(page: str, tmp_path: Path) -> None:
    shown = re.findall(r"^```python\n(.*?)^```", page, flags=re.S | re.M)
    assert len(shown) == 2
    for number, source in enumerate(shown):
        (tmp_path / f"test_shown_{number}.py").write_text(source)
    suite = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run([*suite, str(tmp_path)], capture_output=True, text=True, timeout=50, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_page_names_every_kind_and_every_point(page: str) -> None:
    cells = re.findall(r"^\| (`.*?) \|", page, flags=re.M)
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert set(KINDS) | set(POINTS) <= named


def test_the_page_quotes_what_is_raised(page: str) -> None:
    with pytest.raises(ValueError) as caught:
        Faults().add("garble", "reply")
    assert str(caught.value) in " ".join(page.split())


def test_the_page_and_the_package_have_the_same_names(page: str) -> None:
    for name in ("Faults", "FaultyRuntime", "History", "HistoryError", "Holdings", "nothing_left_behind"):
        assert name in moonward.testing.__all__
        assert f"`{name}" in page or f"import {name}" in page or f", {name}" in page
    for name in re.findall(r"^\| `(\w+)\(", page, flags=re.M):
        assert hasattr(FaultyRuntime, name), name
