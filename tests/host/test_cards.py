"""`alc.card.*`: records, aliases, samples, lineage."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moonward.actors.host import arguments, card_store
from moonward.actors.host.calls import HostCalls

START_S = 1_760_000_000.0
"""A moment of 9 October 2025."""


class Cards:
    """Calls `card.<name>` with Python values; each result as a value, each error as a `Refused`."""

    def __init__(self, calls: HostCalls) -> None:
        self._calls = calls
        self._numbers = itertools.count()

    def __call__(self, name: str, *args: Any) -> Any:
        number = str(next(self._numbers))
        outcome = self._calls.perform("s", number, "d", f"card.{name}", json.dumps(args).encode())
        if outcome.error is not None:
            raise Refused(outcome.error)
        return None if outcome.result is None else json.loads(outcome.result)

    def make(self, card_id: str, pkg: str = "cot", **fields: Any) -> str:
        self("create", {"pkg": {"name": pkg}, "card_id": card_id, **fields})
        return card_id


class Refused(Exception):
    """The text of a Lua error."""


@pytest.fixture
def cards(open_host: Callable[..., HostCalls], tmp_path: Path) -> Cards:
    seconds = itertools.count(START_S)
    return Cards(open_host(tmp_path, now=lambda: next(seconds)))


def ids(summaries: list[dict[str, Any]]) -> list[str]:
    return [summary["card_id"] for summary in summaries]


def test_a_card_gets_an_id_a_date_and_a_file_that_people_can_read(cards: Cards, tmp_path: Path) -> None:
    made = cards("create", {"pkg": {"name": "cot"}, "stats": {"pass_rate": 0.5, "n": 3}, "title": "Été"})
    assert made["card_id"].startswith("cot-20251009-")
    assert made["path"] == str(tmp_path / "cards" / "cot" / f"{made['card_id']}.json")
    text = Path(made["path"]).read_text()
    assert '\n  "title": "Été",\n' in text
    assert json.loads(text) == cards("get", made["card_id"])
    assert cards("get", made["card_id"]) == {
        "pkg": {"name": "cot"},
        "stats": {"pass_rate": 0.5, "n": 3},
        "title": "Été",
        "card_id": made["card_id"],
        "created_at": "2025-10-09T08:53:20.000000Z",
    }
    assert os.stat(made["path"]).st_mode & 0o777 == 0o600


def test_a_card_that_is_not_there_is_nothing(cards: Cards) -> None:
    assert cards("get", "nope") is None
    assert cards("get_by_alias", "nope") is None
    assert cards("lineage", {"card_id": "nope"}) is None
    assert cards("read_samples", "nope") == []


@pytest.mark.parametrize(
    "fields", [{}, {"pkg": "cot"}, {"pkg": {}}, {"pkg": {"name": 1}}, {"pkg": {"name": ""}}]
)
def test_a_card_needs_the_name_of_its_package(cards: Cards, fields: Any) -> None:
    with pytest.raises(Refused, match=r"alc\.card\.create: pkg\.name must"):
        cards("create", fields)


def test_a_card_is_immutable(cards: Cards) -> None:
    cards.make("c", a=1)
    with pytest.raises(Refused, match="exists; cards are immutable"):
        cards.make("c", a=2)
    with pytest.raises(Refused, match="exists"):
        cards.make("c", pkg="other")
    assert cards("get", "c")["a"] == 1


HOSTILE = [
    "../x",
    "..",
    ".",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a\0b",
    ".hidden",
    "a..b",
    "",
    "x" * 129,
    "é",
    "a\n",
    "_aliases.json",
    5,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_the_folder(cards: Cards, tmp_path: Path, name: Any) -> None:
    cards.make("c")
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    attempts: list[tuple[Any, ...]] = [
        ("create", {"pkg": {"name": name}}),
        ("create", {"pkg": {"name": "cot"}, "card_id": name}),
        ("get", name),
        ("append", name, {"a": 1}),
        ("alias_set", "best", name),
        ("alias_set", "best", "c", {"pkg": name}),
        ("write_samples", name, [1]),
        ("read_samples", name),
        ("find", {"pkg": name}),
        ("list", {"pkg": name}),
        ("lineage", {"card_id": name}),
    ]
    for attempt in attempts:
        with pytest.raises(Refused, match=rf"^alc\.card\.{attempt[0]}: .*(not allowed|must|longer)"):
            cards(*attempt)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_a_listing_is_of_summaries_newest_first(cards: Cards) -> None:
    cards.make("old", stats={"pass_rate": 0.5}, model={"id": "m"}, scenario={"name": "s"}, secret=1)
    cards.make("new", pkg="debate")
    assert cards("list") == [
        {"card_id": "new", "pkg": "debate", "created_at": "2025-10-09T08:53:21.000000Z"},
        {
            "card_id": "old",
            "pkg": "cot",
            "created_at": "2025-10-09T08:53:20.000000Z",
            "model": "m",
            "scenario": "s",
            "pass_rate": 0.5,
        },
    ]
    assert ids(cards("list", {"pkg": "cot"})) == ["old"]
    assert cards("list", {"pkg": "none"}) == []


def test_append_adds_fields_and_changes_none(cards: Cards) -> None:
    cards.make("c", a=1)
    merged = cards("append", "c", {"b": [1], "d": {"e": 2}})
    assert merged == cards("get", "c")
    assert (merged["a"], merged["b"], merged["d"]) == (1, [1], {"e": 2})
    for fields in ({"a": 2}, {"f": 1, "b": 2}, {"card_id": "x"}, {"created_at": "x"}):
        with pytest.raises(Refused, match="already; only new fields"):
            cards("append", "c", fields)
    assert cards("get", "c") == merged
    with pytest.raises(Refused, match="card 'nope' not found"):
        cards("append", "nope", {"a": 1})
    assert cards("append", "c", {}) == merged


def test_an_alias_names_a_card_and_can_be_moved(cards: Cards) -> None:
    cards.make("one")
    cards.make("two")
    cards("alias_set", "best of all", "one", {"pkg": "cot", "note": "so far"})
    assert cards("get_by_alias", "best of all")["card_id"] == "one"
    cards("alias_set", "best of all", "two")
    cards("alias_set", "another", "one", {"pkg": "cot"})
    assert cards("get_by_alias", "best of all")["card_id"] == "two"
    assert [(each["name"], each["card_id"], each.get("pkg")) for each in cards("alias_list")] == [
        ("another", "one", "cot"),
        ("best of all", "two", None),
    ]
    assert [each["name"] for each in cards("alias_list", {"pkg": "cot"})] == ["another"]


@pytest.mark.parametrize("name", ["", "a/b", "..", "a\0b", "a\nb", 5, None, "x" * 129])
def test_an_alias_that_could_be_taken_for_a_path_is_refused(cards: Cards, name: Any) -> None:
    cards.make("one")
    with pytest.raises(Refused, match="the alias"):
        cards("alias_set", name, "one")
    assert cards("alias_list") == []


def test_an_alias_of_no_card_is_refused(cards: Cards) -> None:
    with pytest.raises(Refused, match="card 'nope' not found"):
        cards("alias_set", "best", "nope")


def test_find_filters_orders_and_pages(cards: Cards) -> None:
    for number, rate in enumerate([0.5, 0.9, 0.7, 0.9]):
        cards.make(f"c{number}", stats={"pass_rate": rate}, pkg="cot" if number else "other")
    query = {"where": {"stats": {"pass_rate": {"gte": 0.6}}}, "order_by": "-stats.pass_rate"}
    assert ids(cards("find", query)) == ["c3", "c1", "c2"]
    assert ids(cards("find", {**query, "offset": 1, "limit": 1})) == ["c1"]
    assert ids(cards("find", {"pkg": "other"})) == ["c0"]
    assert ids(cards("find")) == ["c3", "c2", "c1", "c0"]
    assert ids(cards("find", {"order_by": ["stats.pass_rate", "created_at"]})) == ["c0", "c2", "c1", "c3"]
    with pytest.raises(Refused, match=r"alc\.card\.find: where\.a mixes"):
        cards("find", {"where": {"a": {"eq": 1, "b": 2}}})


def test_samples_are_written_once_and_read_by_part(cards: Cards) -> None:
    cards.make("c")
    rows = [{"case": f"c{number}", "passed": number % 2 == 0, "text": "a\nb\u2028"} for number in range(6)]
    assert cards("read_samples", "c") == []
    written = cards("write_samples", "c", rows)
    assert written["count"] == 6
    assert len(Path(written["path"]).read_bytes().splitlines()) == 6
    assert cards("read_samples", "c") == rows
    passed = {"where": {"passed": True}}
    assert [row["case"] for row in cards("read_samples", "c", {**passed, "offset": 1, "limit": 1})] == ["c2"]
    with pytest.raises(Refused, match="samples already; they are written once"):
        cards("write_samples", "c", rows)
    with pytest.raises(Refused, match="rows must be an array"):
        cards("write_samples", cards.make("d"), {"a": 1})
    assert cards("write_samples", "d", {})["count"] == 0
    with pytest.raises(Refused, match="not found"):
        cards("write_samples", "nope", rows)


def test_what_is_too_large_is_refused(cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    cards.make("c")
    with pytest.raises(Refused, match="larger than 1048576 bytes"):
        cards.make("big", text="x" * (1 << 20))
    with pytest.raises(Refused, match="larger than 1048576 bytes"):
        cards("append", "c", {"text": "x" * (1 << 20)})
    with pytest.raises(Refused, match="samples are larger than 4194304 bytes"):
        cards("write_samples", "c", ["x" * (4 << 20)])
    monkeypatch.setattr(card_store, "MAX_ALIASES_BYTES", 200)
    with pytest.raises(Refused, match="aliases are larger"):
        cards("alias_set", "best", "c", {"note": "x" * 200})
    assert ids(cards("list")) == ["c"]


def test_a_result_that_fits_no_reply_asks_for_less(cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    cards("write_samples", cards.make("c"), ["x" * 60, "y" * 60])
    monkeypatch.setattr(arguments, "MAX_RESULT_BYTES", 100)
    with pytest.raises(Refused, match="larger than 100 bytes; ask for less"):
        cards("read_samples", "c")
    assert cards("read_samples", "c", {"limit": 1}) == ["x" * 60]


def test_a_file_that_someone_broke_spoils_no_listing(cards: Cards, tmp_path: Path) -> None:
    cards.make("good")
    (tmp_path / "cards" / "cot" / "bad.json").write_text("{")
    (tmp_path / "cards" / "stray.txt").write_text("x")
    assert ids(cards("list")) == ["good"]
    with pytest.raises(Refused, match="'bad' is not valid JSON"):
        cards("get", "bad")


@pytest.mark.parametrize(
    ("name", "args", "complaint"),
    [
        ("create", [], "the card must be a table with named fields, got nil"),
        ("create", [[1]], "got an array"),
        ("append", ["c", 5], "card 'c' not found"),
        ("get", [], "card_id must be a string, got nil"),
        ("find", [5], "the query must be a table"),
        ("find", [{"limit": -1}], "limit must be a whole number"),
        ("list", [{}, 1], "at most 1 arguments are expected, got 2"),
        ("lineage", [], "card_id must be a string"),
    ],
)
def test_a_wrong_argument_is_an_error_that_says_which(
    cards: Cards, name: str, args: list[Any], complaint: str
) -> None:
    with pytest.raises(Refused, match=rf"^alc\.card\.{name}: .*{complaint}"):
        cards(name, *args)


@pytest.fixture
def family(cards: Cards) -> Cards:
    """root ← a ← b ← c, and root ← d, b ← e by another relation."""
    cards.make("root", stats={"n": 1})
    for child, parent, relation in [
        ("a", "root", "sweep"),
        ("b", "a", "sweep"),
        ("c", "b", "sweep"),
        ("d", "root", "rerun"),
        ("e", "b", "rerun"),
    ]:
        cards.make(child, stats={"n": 2}, metadata={"prior_card_id": parent, "prior_relation": relation})
    return cards


def depths(tree: dict[str, Any]) -> dict[str, int]:
    return {node["card_id"]: node["depth"] for node in tree["nodes"]}


def test_lineage_goes_up_by_default(family: Cards) -> None:
    tree = family("lineage", {"card_id": "c"})
    assert depths(tree) == {"c": 0, "b": -1, "a": -2, "root": -3}
    assert tree["root"] == "c"
    assert tree["edges"] == [
        {"from": "c", "to": "b", "relation": "sweep"},
        {"from": "b", "to": "a", "relation": "sweep"},
        {"from": "a", "to": "root", "relation": "sweep"},
    ]
    assert tree["truncated"] is False
    assert tree["nodes"][0] == {
        "card_id": "c",
        "pkg": "cot",
        "depth": 0,
        "prior_card_id": "b",
        "prior_relation": "sweep",
        "stats": {"n": 2},
    }


def test_lineage_goes_down_and_both_ways(family: Cards) -> None:
    assert depths(family("lineage", {"card_id": "root", "direction": "down"})) == {
        "root": 0,
        "a": 1,
        "d": 1,
        "b": 2,
        "c": 3,
        "e": 3,
    }
    both = family("lineage", {"card_id": "b", "direction": "both", "include_stats": False})
    assert depths(both) == {"b": 0, "a": -1, "root": -2, "c": 1, "e": 1}
    assert all("stats" not in node for node in both["nodes"])


def test_lineage_stops_at_its_depth_and_says_so(family: Cards) -> None:
    for direction, card_id in (("up", "c"), ("down", "root")):
        cut = family("lineage", {"card_id": card_id, "direction": direction, "depth": 1})
        assert cut["truncated"] is True
        assert max(map(abs, depths(cut).values())) == 1
        whole = family("lineage", {"card_id": card_id, "direction": direction, "depth": 3})
        assert whole["truncated"] is False
    assert depths(family("lineage", {"card_id": "c", "depth": 0})) == {"c": 0}


def test_lineage_follows_only_the_relations_asked_for(family: Cards) -> None:
    query = {"card_id": "root", "direction": "down", "relation_filter": ["sweep"]}
    assert set(depths(family("lineage", query))) == {"root", "a", "b", "c"}
    assert set(depths(family("lineage", {**query, "relation_filter": {}}))) == {"root"}


def test_lineage_ends_in_a_circle_and_at_a_parent_that_is_gone(cards: Cards) -> None:
    cards.make("a", metadata={"prior_card_id": "b"})
    cards.make("b", metadata={"prior_card_id": "a"})
    cards.make("orphan", metadata={"prior_card_id": "gone"})
    assert depths(cards("lineage", {"card_id": "a", "direction": "both"})) == {"a": 0, "b": -1}
    assert depths(cards("lineage", {"card_id": "orphan"})) == {"orphan": 0}


@pytest.mark.parametrize(
    "option", [{"direction": "sideways"}, {"depth": -1}, {"include_stats": 1}, {"relation_filter": [1]}]
)
def test_lineage_refuses_options_that_make_no_sense(family: Cards, option: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=next(iter(option))):
        family("lineage", {"card_id": "c", **option})
