from __future__ import annotations

from pathlib import Path

import pytest

from moonward.actors.errors import TransitionError
from moonward.actors.phase import (
    EVENTS,
    MEANINGS,
    PHASES,
    TRANSITIONS,
    next_phase,
    state_diagram,
    state_label,
    states_page,
)

ALLOWED = {
    ("running", "pause"): "paused",
    ("paused", "feed"): "paused",
    ("paused", "all_answered"): "running",
    ("running", "complete"): "completed",
    ("running", "fail"): "failed",
    ("running", "abandon"): "failed",
    ("paused", "abandon"): "failed",
    ("running", "cancel"): "cancelled",
    ("paused", "cancel"): "cancelled",
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("event", EVENTS)
def test_each_event_in_each_phase_does_what_the_contract_says(phase, event) -> None:
    expected = ALLOWED.get((phase, event))
    if expected is not None:
        assert next_phase(event, phase) == expected
        return
    with pytest.raises(TransitionError) as caught:
        next_phase(event, phase)
    assert caught.value.actual == phase
    allowed_in = [before for before, each in ALLOWED if each == event]
    assert sorted(caught.value.expected.split(" or ")) == sorted(allowed_in)


def test_the_table_has_a_row_and_a_meaning_for_every_event() -> None:
    assert set(TRANSITIONS) == set(MEANINGS) == set(EVENTS)


def test_an_error_says_what_was_expected_and_what_was_found() -> None:
    with pytest.raises(TransitionError, match="expected running or paused, but the session is completed"):
        next_phase("cancel", "completed")


def test_old_clients_see_three_states() -> None:
    assert [state_label(phase) for phase in PHASES] == [
        "running",
        "paused",
        "terminal",
        "terminal",
        "terminal",
    ]


def test_the_diagram_draws_every_move_once() -> None:
    lines = state_diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    drawn = sorted(line.strip() for line in lines[1:])
    moves = [f"{before} --> {after}: {event}" for (before, event), after in ALLOWED.items()]
    ends = [f"{phase} --> [*]" for phase in ("completed", "failed", "cancelled")]
    assert drawn == sorted([*moves, *ends, "[*] --> running"])


def test_the_documented_states_are_those_of_the_table(tree: Path) -> None:
    assert (tree / "docs" / "states.md").read_text() == states_page(), (
        "docs/states.md is out of date: write states_page() of moonward.actors.phase to it"
    )
