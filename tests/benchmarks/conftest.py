"""Makes the package `benchmarks` of the source tree importable: it is not installed, and the tree is not on the path."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

TREE = Path(os.environ.get("MOONWARD_TEST_TREE") or Path(__file__).parents[2])


def _find_benchmarks() -> None:
    folder = TREE / "benchmarks"
    spec = importlib.util.spec_from_file_location(
        "benchmarks", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["benchmarks"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


if "benchmarks" not in sys.modules:
    _find_benchmarks()
