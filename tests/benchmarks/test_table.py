"""The table that a run prints."""

from __future__ import annotations

import pytest

from benchmarks import table
from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.floors import Floors

FLOORS = Floors(50e-6, 100e-6, 5e-6, 50e-6)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.00008371, "s", "83.7 µs"),
        (0.000999, "s", "999 µs"),
        (0.001, "s", "1.00 ms"),
        (0.0123, "s", "12.3 ms"),
        (2.5, "s", "2.50 s"),
        (1023, "bytes", "1023 bytes"),
        (1.5 * (1 << 20), "bytes", "1.50 MiB"),
        (2048, "bytes", "2.00 KiB"),
        (12345.6, "feeds/s", "12,346 feeds/s"),
        (1.2345, "", "1.23"),
    ],
)
def test_a_quantity_has_three_digits_that_matter_and_the_unit_of_its_size(
    value: float, unit: str, text: str
) -> None:
    assert table.quantity(value, unit) == text


@pytest.mark.parametrize(
    ("bound", "value", "unit", "expected"),
    [
        (Bound("at_most", 2.5, "P"), 100e-6, "s", ("2.00 P", "≤ 2.5 P", "met")),
        (Bound("at_most", 1.5, "path+F"), 300e-6, "s", ("2.00 (path + F)", "≤ 1.5 (path + F)", "MISSED")),
        (Bound("at_least", 1500), 750.0, "lives/s", ("50%", "≥ 1,500 lives/s", "MISSED")),
        (Bound("at_most", 0.006), 0.003, "s", ("50%", "≤ 6.00 ms", "met")),
        (None, 1.0, "s", ("", "", "")),
    ],
)
def test_a_line_says_ratio_target_and_verdict(
    bound: Bound | None, value: float, unit: str, expected: tuple[str, str, str]
) -> None:
    cells = table.cells(Figure("1", "x", value, unit, FLOORS, bound))
    assert cells[3:6] == expected


def test_a_line_shows_the_tail_of_a_distribution() -> None:
    percentiles = [(50.0, 1e-3), (99.0, 2e-3), (100.0, 3e-3)]
    figure = Figure("1", "x", 1e-3, "s", FLOORS, None, 10_000, percentiles=percentiles)
    assert table.cells(figure)[6:] == ("2.00 ms", "10,000")
    assert "| 2.00 ms | 10,000 |" in table.markdown([figure])


def test_a_value_that_is_not_the_median_says_so() -> None:
    figure = Figure("11", "x", 2e-3, "s", FLOORS, None, 100, 99, [(50.0, 1e-3), (99.0, 2e-3)])
    assert table.cells(figure)[2] == "2.00 ms (p99)"
