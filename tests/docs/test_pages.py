"""The documentation says what the sources say, and its links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def render(tree: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("render_docs", tree / "docs" / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings.md", "errors.md", "states.md", "lua.md"])
def test_a_drawn_page_is_up_to_date(tree: Path, render: ModuleType, name: str) -> None:
    assert (tree / "docs" / name).read_text() == render.PAGES[name](), "run: make docs"


def test_every_link_between_the_documents_leads_to_a_file(tree: Path) -> None:
    pages = [
        *sorted(tree.glob("*.md")),
        *sorted((tree / "docs").rglob("*.md")),
        *tree.glob("examples/**/*.md"),
    ]
    assert len(pages) > 5
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith(("http://", "https://", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(("page", "at_least"), [("contract.md", 30), ("guarantees.md", 20)])
def test_every_test_that_a_page_names_is_there(tree: Path, page: str, at_least: int) -> None:
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", (tree / "docs" / page).read_text())
    assert len(named) > at_least
    for file, test in named:
        path = tree / (file if "/" in file else f"tests/front/{file}")
        assert path.exists(), file
        assert not test or f"def {test}(" in path.read_text(), f"{file} has no {test}"
