"""Any bytes at the host's doors, by Hypothesis: mutations of what is right, and bytes of no form. `make fuzz` runs the
same functions for longer, led by coverage."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .targets import SEEDS, TARGETS

EXAMPLES = 20_000 if os.environ.get("MOONWARD_TEST_LONG") else 100

TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"null",
    b"1e999",
    b"-",
    b"0" * 20,
]
BYTES = st.sampled_from(
    [*TOKENS, b"\0", b"\xff", b"\n", b"\x1b[31m", b"\xe2\x80\xae", b'"t":', b"[" * 100]
) | st.binary(max_size=4)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), BYTES), min_size=1, max_size=5)


def edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """The data, at each place (a share of its length) so many bytes replaced by others."""
    for where, count, new in edits:
        at = int(where * len(data))
        data = data[:at] + new + data[at + count :]
    return data


@pytest.mark.timeout(1800 if os.environ.get("MOONWARD_TEST_LONG") else 60)
@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_taken_or_refused(name: str) -> None:
    mutations = st.builds(edited, st.sampled_from(SEEDS[name]), EDITS)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutations | st.binary(max_size=300))
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name, seeds in SEEDS.items() for seed in seeds])
def test_each_seed_is_taken_or_refused(name: str, seed: bytes) -> None:
    TARGETS[name](seed)
