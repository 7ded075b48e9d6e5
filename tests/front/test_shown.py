"""A handle knows what it was shown, and forgets what can no longer be answered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import moonward
from moonward.shown import PAUSES, Shown


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_the_queries_of_the_last_pauses_are_known_and_no_others(sizes: list[int]) -> None:
    shown, pauses, count = Shown(), [], 0
    for size in sizes:
        pauses.append({f"q-{count + place}" for place in range(size)})
        count += size
        shown.add(pauses[-1])
        shown.add(sorted(pauses[-1])[1:])  # one was answered; the others are shown again
        assert shown.ids == set().union(*pauses[-PAUSES:])


def test_a_handle_of_a_long_session_keeps_no_more_than_one_of_a_short_one() -> None:
    with moonward.Runtime() as runtime:
        session = runtime.start("for i = 1, 50 do alc.llm('?') end")
        event = session.wait()
        while isinstance(event, moonward.Paused):
            assert len(session._shown.ids) <= PAUSES
            event = session.feed("yes")
        assert event.state == moonward.Completed(None)
