"""The language of `where` and `order_by`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonward.actors.errors import CallError
from moonward.actors.host import card_query

CARD = {
    "card_id": "c",
    "tags": ["a", "b", 3],
    "note": "rescored",
    "nothing": None,
    "empty": {},
    "stats": {"pass_rate": 0.8, "n": 30, "ok": True, "deep": {"er": "x"}},
}


@pytest.mark.parametrize(
    "where",
    [
        {},
        [],
        {"stats": {}},
        {"missing": {}},
        {"card_id": "c"},
        {"stats": {"n": 30.0, "ok": True}},
        {"stats": {"deep": {"er": {"eq": "x"}}}},
        {"stats": {"pass_rate": {"gte": 0.8, "lt": 1}}},
        {"stats": {"n": {"in": [1, 30]}}},
        {"stats": {"n": {"nin": [1, 2]}}},
        {"stats": {"n": {"nin": {}}}},
        {"tags": ["a", "b", 3]},
        {"tags": {"contains": "b"}},
        {"tags": {"contains": 3.0}},
        {"note": {"contains": "score", "starts_with": "re"}},
        {"note": {"gt": "a", "lte": "rescored"}},
        {"nothing": None},
        {"nothing": {"exists": True}},
        {"empty": {"eq": []}},
        {"missing": {"exists": False}},
        {"missing": {"ne": 1}},
        {"missing": {"nin": [1]}},
        {"stats": {"n": {"deeper": {"exists": False}}}},
        {"_not": {"missing": 1}},
        {"_and": []},
        {"_and": {}},
        {"_or": [{"card_id": "x"}, {"stats": {"n": 30}}]},
        {"stats": {"_or": [{"n": 1}, {"ok": True}], "_not": {"n": 31}}},
    ],
)
def test_a_card_that_matches(where: Any) -> None:
    assert card_query.where(where)(CARD)


@pytest.mark.parametrize(
    "where",
    [
        {"card_id": "d"},
        {"card_id": "c", "note": "x"},
        {"stats": {"ok": 1}},
        {"stats": {"n": "30"}},
        {"stats": {"n": {"gt": "29"}}},
        {"stats": {"ok": {"gt": 0}}},
        {"stats": {"n": {"in": {}}}},
        {"tags": {"contains": "c"}},
        {"stats": {"contains": "n"}},
        {"tags": {"starts_with": "a"}},
        {"tags": ["b", "a", 3]},
        {"stats": {"n": {"exists": False}}},
        {"_or": []},
        {"_not": {}},
        {"_and": [{"card_id": "c"}, {"card_id": "d"}]},
        {"missing": None},
        *({"missing": {name: 1}} for name in ("eq", "lt", "lte", "gt", "gte", "contains", "starts_with")),
        {"missing": {"in": [1, None]}},
        {"missing": {"exists": True}},
        {"note": {"contains": 5}},
    ],
)
def test_a_card_that_does_not_match(where: Any) -> None:
    assert not card_query.where(where)(CARD)


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ("x", "where must be a table"),
        ([1], "where must be a table with named fields, got an array"),
        ({"_or": {"a": 1}}, "_or must be an array"),
        ({"_and": [1]}, "where must be a table"),
        ({"_not": 1}, "where must be a table"),
        ({"n": {"in": 1}}, "where.n.in must be an array"),
        ({"s": {"n": {"exists": 1}}}, "where.s.n.exists must be a boolean"),
        ({"n": {"gt": 1, "other": 2}}, "where.n mixes operators and fields"),
        ({str(number): 1 for number in range(1001)}, "more than 1000 conditions"),
    ],
)
def test_a_where_that_is_not_understood_is_an_error(where: Any, complaint: str) -> None:
    with pytest.raises(CallError, match=complaint):
        card_query.where(where)


def test_a_where_that_is_nested_without_end_is_an_error() -> None:
    where: dict[str, Any] = {"a": 1}
    for _ in range(500):
        where = {"_not": where}
    with pytest.raises(CallError, match="nested deeper"):
        card_query.where(where)


names = st.sampled_from(["a", "b", "c"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([-1.0, 0.5, 1.0]),
    st.sampled_from(["", "a", "ab", "b"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(names, inner, max_size=2)),
    max_leaves=5,
)
documents = st.dictionaries(names, values, max_size=3)
operations = st.one_of(
    st.tuples(st.sampled_from(["eq", "ne", "lt", "lte", "gt", "gte", "contains", "starts_with"]), values),
    st.tuples(st.sampled_from(["in", "nin"]), st.lists(values, max_size=2)),
    st.tuples(st.just("exists"), st.booleans()),
)
leaves = st.one_of(
    scalars, st.lists(scalars, max_size=2), st.lists(operations, min_size=1, max_size=2).map(dict)
)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects of conditions, one level deeper."""
    return st.one_of(
        st.dictionaries(names, st.one_of(leaves, inner), max_size=2),
        st.fixed_dictionaries({"_not": inner}),
        st.fixed_dictionaries({"_and": st.lists(inner, max_size=2)}),
        st.fixed_dictionaries({"_or": st.lists(inner, max_size=2)}),
    )


queries = st.recursive(st.dictionaries(names, leaves, max_size=2), grown, max_leaves=6)


def tagged(value: Any) -> Any:
    """A value that Python's own equality compares as the language does."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, dict):
        return {key: tagged(each) for key, each in value.items()} or ()
    if isinstance(value, list):
        return tuple(tagged(each) for each in value)
    return value


def naive(document: Any, query: dict[str, Any]) -> bool:
    """The language once more, read off its description with no regard to speed or structure."""
    verdicts = []
    for name, part in query.items():
        if name == "_not":
            verdicts.append(not naive(document, part))
        elif name == "_and":
            verdicts.append(all(naive(document, each) for each in part))
        elif name == "_or":
            verdicts.append(any(naive(document, each) for each in part))
        else:
            there = isinstance(document, dict) and name in document
            value = document[name] if there else None
            if isinstance(part, dict) and not set(part) & set(card_query.OPERATORS):
                verdicts.append(naive(value if there else 0, part))
            else:
                tests = part if isinstance(part, dict) else {"eq": part}
                verdicts += [
                    naive_test(there, value, operator, operand) for operator, operand in tests.items()
                ]
    return all(verdicts)


def naive_test(there: bool, value: Any, operator: str, operand: Any) -> bool:
    """One operator on one field."""
    if operator == "exists":
        return there is operand
    if operator in ("ne", "nin"):
        return not there or not naive_test(there, value, {"ne": "eq", "nin": "in"}[operator], operand)
    if not there:
        return False
    if operator == "eq":
        return bool(tagged(value) == tagged(operand))
    if operator == "in":
        return tagged(value) in [tagged(each) for each in operand]
    if operator == "starts_with":
        return isinstance(value, str) and isinstance(operand, str) and value[: len(operand)] == operand
    if operator == "contains":
        if isinstance(value, str):
            return isinstance(operand, str) and value.find(operand) >= 0
        return isinstance(value, list) and tagged(operand) in [tagged(each) for each in value]
    kinds = {type(each) for each in (value, operand)}
    if not (kinds == {str} or kinds <= {int, float}):
        return False
    verdicts = {
        "lt": value < operand,
        "lte": value <= operand,
        "gt": value > operand,
        "gte": value >= operand,
    }
    return bool(verdicts[operator])


@given(documents, queries)
def test_any_query_says_what_a_naive_reading_says(document: dict[str, Any], query: dict[str, Any]) -> None:
    assert card_query.where(query)(document) is naive(document, query)


@given(documents, queries)
def test_a_query_and_its_opposite_never_agree(document: dict[str, Any], query: dict[str, Any]) -> None:
    assert card_query.where({"_not": query})(document) is not card_query.where(query)(document)


@given(
    st.lists(documents, max_size=6),
    st.lists(st.sampled_from(["a", "-a", "b", "-b", "a.b", "-c.a"]), max_size=3),
)
def test_an_order_keeps_every_card_and_puts_missing_fields_last(
    cards: list[dict[str, Any]], keys: list[str]
) -> None:
    arranged = card_query.arranged(cards, card_query.order_by(keys))
    assert sorted(map(id, arranged)) == sorted(map(id, cards))
    if keys:
        path = tuple(keys[0].removeprefix("-").split("."))
        present = [card_query.field(card, path) is not card_query.MISSING for card in arranged]
        assert present == sorted(present, reverse=True)
        numbers = [card_query.field(card, path) for card in arranged]
        numbers = [number for number in numbers if card_query.is_number(number)]
        assert numbers == sorted(numbers, reverse=keys[0].startswith("-"))
    else:
        assert arranged == cards


def test_later_keys_decide_ties_and_ties_keep_their_order() -> None:
    cards = [
        {"a": 1, "b": 1, "n": 0},
        {"a": 2, "b": 1, "n": 1},
        {"a": 1, "b": 2, "n": 2},
        {"a": 1, "b": 2, "n": 3},
    ]
    order = card_query.order_by(["-a", "-b"])
    assert [card["n"] for card in card_query.arranged(cards, order)] == [1, 2, 3, 0]


@pytest.mark.parametrize(
    ("offset", "limit", "page"), [(None, None, "abcd"), (1, 2, "bc"), (9, 2, ""), (0, 0, ""), (1.0, 1.0, "b")]
)
def test_a_page_is_the_part_asked_for(offset: Any, limit: Any, page: str) -> None:
    assert card_query.page(list("abcd"), offset, limit) == list(page)


@pytest.mark.parametrize("wrong", [-1, 1.5, "1", True])
def test_a_page_that_makes_no_sense_is_an_error(wrong: Any) -> None:
    with pytest.raises(CallError, match="limit must be a whole number"):
        card_query.page([], 0, wrong)


@pytest.mark.parametrize("wrong", [5, [5], [""], {"a": 1}])
def test_an_order_that_makes_no_sense_is_an_error(wrong: Any) -> None:
    with pytest.raises(CallError, match="order_by must"):
        card_query.order_by(wrong)


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 2.5])
    | st.text("ab", max_size=2)
)
ANY = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("k"), inner, max_size=1)
)


@given(ANY, st.lists(ANY, max_size=6))
def test_looking_up_a_choice_is_comparing_it_with_each(value: Any, choices: list[Any]) -> None:
    assert (value in card_query.Choices(choices)) == card_query.member(value, choices)


def asked(where: Any, cards: list[Any]) -> int:
    """How many of the cards match."""
    matches = card_query.where(where)
    return sum(map(matches, cards))


def test_a_query_may_have_very_many_choices() -> None:
    cards = [{"n": n} for n in range(2000)]
    assert asked({"n": {"in": [str(n) for n in range(100_000)] + [7]}}, cards) == 1


def test_a_query_that_compares_without_end_is_refused() -> None:
    numbers = list(range(2000))
    cards = [{"list": numbers, "n": n} for n in range(1000)]
    with pytest.raises(CallError, match="compares more than 1000000 values"):
        asked({"list": numbers}, cards)
    with pytest.raises(CallError, match="compares more than 1000000 values"):
        asked({"list": {"contains": {"a": numbers}}}, cards)
    with pytest.raises(CallError, match="compares more than 1000000 values"):
        asked({"_or": [{"x": n} for n in range(900)]}, cards * 2)
    assert asked({"_or": [{"n": n} for n in range(900)]}, cards) == 900


def test_an_order_has_few_and_short_keys() -> None:
    assert len(card_query.order_by(["a"] * 16)) == 16
    with pytest.raises(CallError, match="more than 16 keys"):
        card_query.order_by(["a"] * 17)
    with pytest.raises(CallError, match="longer than 1024 bytes"):
        card_query.order_by("a." * 600)
