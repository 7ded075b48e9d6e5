"""What a session makes its host keep."""

from __future__ import annotations

from functools import reduce

from moonward.actors.journal.entries import Answered, Ask, Batch, Called, ChildEnded, Ended, Paused, View
from moonward.actors.kept import ITEM_BYTES, READING_BYTES, kept_after, kept_bytes
from moonward.actors.query import LlmQuery
from moonward.actors.terminal import Completed


def test_a_pause_takes_its_questions_with_their_options_and_readings() -> None:
    bare = kept_bytes(Paused([LlmQuery("q-0", "")], [Ask("", 1)], 0))
    assert bare == ITEM_BYTES
    full = LlmQuery("q-0", "é" * 10, "sys", extra={"a": "x" * 100})
    more = kept_bytes(Paused([full], [Ask("", 1, [(1, 1), (0, 5)])], 0))
    assert more >= bare + 20 + 3 + 100 + 2 * READING_BYTES


def test_a_pause_takes_what_is_shown_beside_it() -> None:
    line = {"ts": 1, "level": "info", "source": "alc.log", "message": "x" * 1000}
    view = View([line], None, {"k": "y" * 500})
    query = LlmQuery("q-0", "")
    plain, shown = (kept_bytes(Paused([query], [Ask("", 1)], 0, each)) for each in (View(), view))
    assert shown >= plain + 1500


def test_a_call_takes_its_result_and_what_it_stored() -> None:
    bare = kept_bytes(Called("", "state.get", "d"))
    assert kept_bytes(Called("", "state.get", "d", result="x" * 100)) == bare + 100
    assert kept_bytes(Called("", "state.get", "d", error="x" * 100)) == bare + 100
    assert kept_bytes(Called("", "state.set", "d", sent=4096)) == bare + 4096
    assert kept_bytes(ChildEnded("0.1", result="x" * 100)) == bare + 100


def test_the_end_takes_nothing_that_counts() -> None:
    assert kept_bytes(Ended(Completed("x" * 1000), 0)) == 0


def test_an_answer_pays_for_a_question_of_usual_size() -> None:
    pause = Paused([LlmQuery("q-0", "x" * 10_000)], [Ask("", 1)], 0)
    answer = Answered("q-0", "y" * 1_000_000, 0)
    assert reduce(kept_after, [pause, answer] * 1000, 0) == 0
    assert kept_after(10, Batch([answer, answer])) == 0, "what is not used is not saved up"
    large = Paused([LlmQuery("q-0", "x" * 100_000)], [Ask("", 1)], 0)
    assert reduce(kept_after, [large, answer] * 10, 0) > 800_000
