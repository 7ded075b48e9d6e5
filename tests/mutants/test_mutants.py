"""The tests are tested: a broken rule makes a test fail. In CI a few rules, `make mutants` breaks all of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .mutants import MUTANTS, Mutant

QUICK = 12
"""One mutant in so many is tried in CI; arbitrary, a second or two each."""

CHOSEN = MUTANTS if os.environ.get("MOONWARD_TEST_LONG") else MUTANTS[::QUICK]


@pytest.fixture(scope="module")
def package(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the import package, as the build lays it out."""
    folder = tmp_path_factory.mktemp("mutants")
    shutil.copytree(tree / "src" / "moonward", folder / "moonward")
    for name in ("actors", "supervisor"):
        shutil.copytree(tree / name, folder / "moonward" / name)
    return folder


@pytest.fixture
def mutated(package: Path, mutant: Mutant) -> Iterator[Path]:
    """The package with one rule broken."""
    path = package / "moonward" / mutant.file
    source = path.read_text()
    path.write_text(source.replace(mutant.old, mutant.new))
    yield package
    path.write_text(source)


def run(package: Path, tests: list[str], tree: Path) -> subprocess.CompletedProcess[str]:
    """The tests of the tree with the package in the place of the installed one."""
    environ = {name: value for name, value in os.environ.items() if name != "MOONWARD_TEST_LONG"}
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout=60", *tests],
        cwd=tree,
        env={**environ, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_every_mutant_changes_one_place(mutant: Mutant, tree: Path) -> None:
    assert (tree / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.new != mutant.old


@pytest.mark.mutants
@pytest.mark.timeout(300)
def test_the_tests_pass_with_a_copy_of_the_package(package: Path, tree: Path) -> None:
    tests = sorted({mutant.tests for mutant in CHOSEN})
    done = run(package, tests, tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.mutants
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", CHOSEN, ids=lambda mutant: mutant.rule)
def test_a_broken_rule_makes_a_test_fail(mutant: Mutant, mutated: Path, tree: Path) -> None:
    done = run(mutated, [mutant.tests], tree)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
