"""Which faults strike, and that the same seed gives the same."""

from __future__ import annotations

import pytest

from moonward.testing import Fault, Faults, Kind, Point


def struck(faults: Faults, visits: int = 200) -> list[tuple[int, Point, int, Kind]]:
    """What strikes two sessions that ask `visits` times each, by turns."""
    for _ in range(visits):
        faults.strike("s-a", "", "ask")
        faults.strike("s-b", "", "ask")
    return [(each.number, each.point, each.visit, each.kind) for each in faults.history]


def test_without_rules_nothing_strikes() -> None:
    assert struck(Faults()) == []


def test_a_rule_strikes_each_session_once_unless_told_otherwise() -> None:
    assert struck(Faults().add("kill", "ask")) == [(0, "ask", 1, "kill"), (1, "ask", 1, "kill")]


def test_a_rule_can_name_the_visit_and_the_session() -> None:
    assert struck(Faults().add("kill", "ask", nth=3, session=1)) == [(1, "ask", 3, "kill")]
    assert struck(Faults().add("kill", "ask", nth=3, session="s-a")) == [(0, "ask", 3, "kill")]
    assert struck(Faults().add("kill", "ask", strand="1:0")) == []


def test_the_same_seed_gives_the_same_faults_and_another_seed_others() -> None:
    def storm(seed: int) -> Faults:
        return Faults(seed).add("kill", "ask", chance=0.1, times=None)

    first = struck(storm(1))
    assert 20 < len(first) < 60
    assert struck(storm(1)) == first
    assert struck(storm(2)) != first


def test_what_strikes_a_session_does_not_depend_on_what_others_do() -> None:
    alone, beside = Faults(3), Faults(3)
    for faults in (alone, beside):
        faults.add("stop", "ask", chance=0.2, times=None)
        faults.strike("s-a", "", "begin")  # sessions are numbered as they start
    struck(beside)
    for _ in range(200):
        alone.strike("s-a", "", "ask")
    met = [each.visit for each in beside.history if each.session_id == "s-a"]
    assert [each.visit for each in alone.history] == met


def test_the_first_rule_that_strikes_wins() -> None:
    faults = Faults().add("kill", "ask", nth=2).add("garble", "ask", times=None)
    assert [each[3] for each in struck(faults, 3)] == ["garble", "garble", "kill", "kill", "garble", "garble"]


def test_after_calm_nothing_strikes_and_the_history_stays() -> None:
    faults = Faults().add("kill", "ask", times=None)
    struck(faults, 2)
    faults.calm()
    assert len(struck(faults, 2)) == 4
    assert faults.counts() == {"kill": 4}
    assert faults.met_by("s-a") == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "burn", "point": "ask"}, "kind must be one of kill"),
        ({"kind": "kill", "point": "lunch"}, "point must be one of start"),
        (
            {"kind": "garble", "point": "reply"},
            "at 'reply' there can be kill, stop, slow, drop, not 'garble'",
        ),
        ({"kind": "kill", "point": "start"}, "at 'start' there can be fail, not 'kill'"),
        ({"kind": "kill", "point": "ask", "chance": 1.5}, "chance must be from 0 to 1"),
        ({"kind": "kill", "point": "ask", "nth": 0}, "nth must be a positive integer"),
        ({"kind": "slow", "point": "ask"}, "a slow fault needs for_s"),
        ({"kind": "stop", "point": "ask", "for_s": -1.0}, "for_s must be a non-negative number"),
    ],
)
def test_an_impossible_rule_is_refused_by_name(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault(**fields)  # type: ignore[arg-type]
