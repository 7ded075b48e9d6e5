"""A log that is longer than was asked for loses its oldest rounds."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from moonward.servers.record_tools import cut


def log_of(texts: list[str]) -> dict[str, Any]:
    return {"session_id": "s-1", "stats": {}, "transcript": [{"prompt": text} for text in texts], "notes": []}


def size(log: dict[str, Any]) -> int:
    return len(json.dumps(log, ensure_ascii=False, separators=(",", ":")))


@given(st.lists(st.text(max_size=60), max_size=12), st.integers(0, 1500))
def test_what_is_left_fits_and_is_as_much_as_fits(texts: list[str], max_chars: int) -> None:
    whole = log_of(texts)
    log = cut(whole, max_chars)
    if max_chars == 0 or size(whole) <= max_chars:
        assert log == whole
        return
    kept = len(log["transcript"])
    assert log["transcript"] == whole["transcript"][len(texts) - kept :]
    assert (log["truncated"], log["original_rounds"], log["returned_rounds"]) == (True, len(texts), kept)
    assert kept == 0 or size(log) <= max_chars
    if kept < len(texts):
        one_more = log | {"transcript": whole["transcript"][len(texts) - kept - 1 :]}
        assert size(one_more) >= max_chars  # a digit of a count may make the difference
