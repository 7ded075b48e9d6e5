"""A tally as a table, as bars, as JSON, as a picture."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from moonward.actors.errors import SettingsError
from moonward.load import chart, report
from moonward.load.plan import Answers, Plan
from moonward.load.spread import Spread
from moonward.load.tally import Tally


class NoModel:
    def answers(self) -> Answers:
        raise AssertionError("nobody asks")


@pytest.fixture
def plan() -> Plan:
    return Plan("", NoModel(), rate=10)


@pytest.fixture
def tally() -> Tally:
    tally = Tally(arrived=12, unfinished=1, elapsed_s=2.0, ended_meanwhile=9, answered_meanwhile=18)
    tally.ends.update({"completed": 9, "failed": 1})
    tally.errors["TooManySessions"] = 1
    tally.samples["start"] = [0.001 * (1 + n) for n in range(100)]
    tally.samples["answer"] = [0.0001] * 5
    return tally


def test_the_table_shows_rates_counts_and_percentiles(plan: Plan, tally: Tally) -> None:
    text = report.table(plan, tally)
    assert "10 sessions/s (poisson), 2.0 s" in text
    assert "4.5 sessions/s, 9.0 answers/s" in text.replace("done: ", "")
    assert "12 arrived, 9 completed, 1 failed, 1 TooManySessions, 1 unfinished" in text
    (start,) = [line for line in text.split("\n") if re.match(r"start +100 ", line)]
    assert re.split(r" {2,}", start) == [
        "start",
        "100",
        "50.5 ms",
        "50.0 ms",
        "90.0 ms",
        "99.0 ms",
        "100 ms",
        "100 ms",
    ]
    assert "life" not in text


def test_a_closed_loop_and_an_interruption_are_said(tally: Tally) -> None:
    tally.is_interrupted = True
    text = report.table(Plan("", NoModel(), concurrency=3), tally)
    assert "3 sessions, one after another (no --rate: a closed loop)" in text
    assert "interrupted" in text


def test_nothing_happened_is_said_too(plan: Plan) -> None:
    assert "nothing happened" in report.table(plan, Tally())


def test_bars_count_every_sample_once() -> None:
    samples = [0.001] * 10 + [0.01] * 40 + [1.0]
    lines = report.distribution(samples).split("\n")
    assert sum(int(line.split()[-1]) for line in lines if line.split()[-1].isdigit()) == 51
    assert len(lines) == report.BINS
    assert lines[0].endswith("██████████ 10")
    assert max(lines, key=len).count("█") == report.BAR_CHARS
    assert lines[-1].startswith("≤   1.00 s")


@pytest.mark.parametrize("samples", [[0.5], [0.0], [0.25, 0.25]])
def test_samples_that_are_all_the_same_are_one_bar(samples: list[float]) -> None:
    assert report.distribution(samples).count("\n") == 0


def test_json_holds_all_percentiles_and_what_they_are_of(plan: Plan, tally: Tally) -> None:
    found = json.loads(json.dumps(report.as_json(plan, tally, {"python": "3"}), allow_nan=False))
    assert found["version"] == 1
    assert found["plan"]["rate"] == 10
    assert found["sessions"] == {
        "arrived": 12, "completed": 9, "failed": 1, "TooManySessions": 1, "unfinished": 1, "unstarted": 0,
    }  # fmt: skip
    assert found["sessions_per_s"] == 4.5
    start = found["latencies"]["start"]
    assert (start["count"], start["mean_s"]) == (100, pytest.approx(0.0505))
    assert start["percentiles_s"][50] == [50, pytest.approx(0.05)]
    assert set(found["latencies"]) == {"start", "answer"}


def test_the_picture_is_svg_with_a_line_for_each_latency(tmp_path: Path, tally: Tally) -> None:
    path = tmp_path / "x.svg"
    chart.draw(tally.spreads(), "a <strategy> & more", path)
    root = ElementTree.fromstring(path.read_text())
    space = "{http://www.w3.org/2000/svg}"
    lines = root.findall(f"{space}polyline")
    texts = [each.text for each in root.iter(f"{space}text")]
    assert len(lines) == 2
    assert {"start", "answer", "a <strategy> & more", "1 ms", "100%"} <= set(texts)
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert points == sorted(points, key=lambda point: (point[0], -point[1]))
        assert all(0 <= x <= chart.WIDTH and 0 <= y <= chart.HEIGHT for x, y in points)


def test_the_fastest_is_left_of_the_slowest() -> None:
    picture = chart.svg({"fast": [(0.0, 1e-4), (100.0, 1e-3)], "slow": [(0.0, 1e-2), (100.0, 1.0)]}, "")
    fast, slow = re.findall(r'points="([\d.]+),', picture)
    assert float(fast) < float(slow)


@pytest.mark.parametrize("tables", [{}, {"none": [(0.0, 0.0), (100.0, 0.0)]}])
def test_a_picture_of_nothing_is_a_picture(tables: dict[str, list[tuple[float, float]]]) -> None:
    ElementTree.fromstring(chart.svg(tables, ""))


def test_with_matplotlib_it_can_be_a_png(tmp_path: Path, tally: Tally) -> None:
    path = tmp_path / "x.png"
    chart.check(path)
    chart.draw(tally.spreads(), "x", path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_a_png_is_refused_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SettingsError, match=r"moonward\[bench\].*svg needs nothing"):
        chart.check(Path("x.png"))
    chart.check(Path("x.svg"))


def test_an_unknown_kind_of_picture_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"\.svg, \.png or \.pdf"):
        chart.check(Path("x.gif"))


def test_a_time_has_three_digits_that_matter() -> None:
    assert [report.duration(each) for each in (0.0, 1.2345e-6, 1.5e-3, 0.0421, 0.5, 0.9999, 12.34)] == [
        "0.00 µs", "1.23 µs", "1.50 ms", "42.1 ms", "500 ms", "1.00 s", "12.3 s",
    ]  # fmt: skip


def test_percentiles_of_the_table_are_those_of_the_spread(plan: Plan) -> None:
    tally = Tally(elapsed_s=1.0)
    tally.samples["life"] = [0.001 * n for n in range(1, 2001)]
    line = next(line for line in report.table(plan, tally).split("\n") if re.match(r"life +2", line))
    shown = [report.duration(Spread(tally.samples["life"]).percentile(rank)) for rank in report.SHOWN]
    assert re.split(r" {2,}", line)[3:] == shown
