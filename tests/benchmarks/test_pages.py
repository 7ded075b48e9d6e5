"""The documents show what was measured, and say so when it is not up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import flame, pages, profile
from benchmarks.record import load


@pytest.mark.parametrize("name", pages.DOCUMENTS)
def test_a_document_shows_what_was_measured(tree: Path, name: str) -> None:
    text = (tree / name).read_text()
    assert pages.BLOCK.search(text)
    assert text == pages.drawn(text, tree / "docs" / "measurements"), "run: make docs"


def test_what_is_shown_is_not_of_a_quick_run(tree: Path) -> None:
    shown = load(tree / "docs" / "measurements" / "bench.json")
    assert not shown.is_quick
    assert {"1", "2"} <= {figure.row for figure in shown.figures}


def test_a_block_that_nobody_draws_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="nothing"):
        pages.drawn("<!-- measured: nothing -->\n<!-- end -->", tmp_path)


def test_the_parts_of_a_feed_add_up_to_it(tmp_path: Path) -> None:
    assert profile.main(["--quick", "--out", str(tmp_path)]) == 0
    found = pages.msgspec.json.decode((tmp_path / "profile.json").read_bytes(), type=profile.Profile)
    assert sum(part.seconds for part in found.parts) == pytest.approx(found.mean_s)
    assert found.parts[0].seconds > 0


def test_a_flame_graph_stacks_what_calls_on_what_is_called() -> None:
    stacks = "main (a/b.py:3);feed (c.py:4) 3\nmain (a/b.py:9);wait <&> (d.py:1) 1\n"
    root = flame.tree(stacks)
    assert (root.count, root.under["main (b.py)"].count) == (4, 4)
    drawn = flame.svg(stacks, "title")
    assert "feed (c.py): 75.0%" in drawn
    assert "wait &lt;&amp;&gt; (d.py)" in drawn
