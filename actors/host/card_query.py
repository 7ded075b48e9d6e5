"""The language of `where` and `order_by`, over cards and sample rows. Pure.

`where` is an object whose conditions must all hold. A field's value is: an object of operators, a comparison; another
object, conditions on the fields inside; anything else, equality. `_and` and `_or` hold arrays of such objects, `_not`
one. A missing field fails every operator but `ne`, `nin` and `exists`. A null is a value, not a missing field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moonward.actors.errors import CallError
from moonward.actors.host import arguments

MAX_CONDITIONS = 1000
"""Most conditions of one `where`. Arbitrary; queries by hand have five."""

MAX_DEPTH = 32
"""Deepest nesting of one `where`. Arbitrary; cards are three deep."""

MAX_COMPARISONS = 1_000_000
"""Values that one query may compare, over all cards. Half a second; ten thousand cards with a hundred conditions."""

MAX_ORDER_KEYS = 16
"""Most keys of one `order_by`. Arbitrary; queries by hand have two."""

MAX_KEY_BYTES = 1024
"""Longest key of an `order_by`. Arbitrary; a path of words."""

MISSING = object()
"""Stands for a field that is not there."""

Predicate = Callable[[Any], bool]


def equal(left: Any, right: Any) -> bool:
    """Equality of JSON values, all through: 1 equals 1.0, true does not equal 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict | list) and isinstance(right, dict | list):
        return not left and not right  # an empty Lua table is both
    return bool(left == right)


def is_number(value: Any) -> bool:
    """Whether it is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def ordered(left: Any, right: Any) -> bool:
    """Whether two values can be compared by size: two numbers or two strings."""
    return (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str))


def member(value: Any, values: list[Any]) -> bool:
    """Whether one of `values` equals `value`."""
    return any(equal(value, each) for each in values)


class Choices:
    """The array of an `in`: a plain value is looked up, an array or object compared with each."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self._plain = {(isinstance(each, bool), each) for each in values if not is_table(each)}

    def __contains__(self, value: Any) -> bool:
        if is_table(value):
            return member(value, self.values)
        return (isinstance(value, bool), value) in self._plain


def is_table(value: Any) -> bool:
    """Whether it is an array or an object."""
    return isinstance(value, dict | list)


def size_of(value: Any) -> int:
    """How many values there are in a value, itself included."""
    if isinstance(value, dict):
        return 1 + sum(map(size_of, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(size_of, value))
    return 1


def contains(value: Any, part: Any) -> bool:
    """Whether a string has a part, or an array an element."""
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    return isinstance(value, list) and member(part, value)


def starts_with(value: Any, part: Any) -> bool:
    """Whether a string begins so."""
    return isinstance(value, str) and isinstance(part, str) and value.startswith(part)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, operand: value is not MISSING and equal(value, operand),
    "ne": lambda value, operand: value is MISSING or not equal(value, operand),
    "lt": lambda value, operand: ordered(value, operand) and value < operand,
    "lte": lambda value, operand: ordered(value, operand) and value <= operand,
    "gt": lambda value, operand: ordered(value, operand) and value > operand,
    "gte": lambda value, operand: ordered(value, operand) and value >= operand,
    "in": lambda value, operand: value is not MISSING and value in operand,
    "nin": lambda value, operand: value is MISSING or value not in operand,
    "exists": lambda value, operand: (value is not MISSING) == operand,
    "contains": contains,
    "starts_with": starts_with,
}
"""Each is given a field's value, or `MISSING`, and its operand."""


def where(conditions: Any) -> Predicate:
    """The predicate of a `where`. Raises `CallError` for one that is not understood."""
    return Parser().conditions(conditions, (), 0)


class Parser:
    """Reads one `where`, and counts what it holds, and later what it compares."""

    def __init__(self) -> None:
        self._count = 0
        self._left = MAX_COMPARISONS

    def conditions(self, value: Any, path: tuple[str, ...], depth: int) -> Predicate:
        """All conditions of an object at `path`."""
        if depth > MAX_DEPTH:
            raise CallError(f"where is nested deeper than {MAX_DEPTH}")
        if value == []:
            value = {}
        fields = arguments.table(value, "where" if not path else f"where.{'.'.join(path)}")
        return every([self._condition(name, each, path, depth) for name, each in fields.items()])

    def _condition(self, name: str, value: Any, path: tuple[str, ...], depth: int) -> Predicate:
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise CallError(f"where holds more than {MAX_CONDITIONS} conditions")
        if name == "_not":
            return negated(self.conditions(value, path, depth + 1))
        if name in ("_and", "_or"):
            parts = [
                self.conditions(each, path, depth + 1) for each in arguments.array(value, f"where: {name}")
            ]
            return every(parts) if name == "_and" else some(parts)
        inside = (*path, name)
        if not isinstance(value, dict):
            return self._comparison(inside, "eq", value)
        operators = [each for each in value if each in OPERATORS]
        if not operators:
            return self.conditions(value, inside, depth + 1)
        if len(operators) < len(value):
            raise CallError(f"where.{'.'.join(inside)} mixes operators and fields")
        self._count += len(operators)
        return every([self._comparison(inside, each, value[each]) for each in operators])

    def _comparison(self, path: tuple[str, ...], operator: str, operand: Any) -> Predicate:
        """A comparison of the field at `path`. Raises `CallError` for an operand of a wrong type."""
        what = f"where.{'.'.join(path)}.{operator}"
        size = size_of(operand)
        if operator in ("in", "nin"):
            operand = Choices(arguments.array(operand, what))
        elif operator == "exists":
            arguments.flag(operand, what)
        test = OPERATORS[operator]

        def compare(value: Any) -> bool:
            found = field(value, path)
            self._spend(size if is_table(found) else 1)
            if operator == "contains" and isinstance(found, list):
                self._spend(len(found) * size)
            return test(found, operand)

        return compare

    def _spend(self, comparisons: int) -> None:
        self._left -= comparisons
        if self._left < 0:
            raise CallError(f"the query compares more than {MAX_COMPARISONS} values; ask for less")


def every(parts: list[Predicate]) -> Predicate:
    """Whether all parts hold."""
    return lambda value: all(part(value) for part in parts)


def some(parts: list[Predicate]) -> Predicate:
    """Whether a part holds."""
    return lambda value: any(part(value) for part in parts)


def negated(part: Predicate) -> Predicate:
    """Whether a part does not hold."""
    return lambda value: not part(value)


def field(value: Any, path: tuple[str, ...]) -> Any:
    """The value at a path of field names, or `MISSING`."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def order_by(keys: Any) -> list[tuple[tuple[str, ...], bool]]:
    """The (path, whether descending) pairs of an `order_by`. Raises `CallError`."""
    listed = [keys] if isinstance(keys, str) else arguments.array(keys, "order_by")
    if len(listed) > MAX_ORDER_KEYS:
        raise CallError(f"order_by holds more than {MAX_ORDER_KEYS} keys")
    pairs = []
    for key in listed:
        path = arguments.text(key, "order_by", MAX_KEY_BYTES)
        pairs.append((tuple(path.removeprefix("-").split(".")), path.startswith("-")))
    return pairs


def rank(value: Any) -> tuple[int, Any]:
    """A place in an order of all JSON values: numbers, strings, false and true, then the rest as equals."""
    if is_number(value):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    if isinstance(value, bool):
        return (2, value)
    return (3, 0)


def arranged(values: list[Any], pairs: list[tuple[tuple[str, ...], bool]]) -> list[Any]:
    """`values` in order; those that lack a field come last, either way; ties stay as they were."""
    for path, descending in reversed(pairs):
        present = [value for value in values if field(value, path) is not MISSING]
        absent = [value for value in values if field(value, path) is MISSING]
        # reverse=True keeps ties as they were, too
        present.sort(key=lambda value: rank(field(value, path)), reverse=descending)
        values = present + absent
    return values


def page(values: list[Any], offset: Any, limit: Any) -> list[Any]:
    """The part that was asked for. Raises `CallError`."""
    start = 0 if offset is None else arguments.count(offset, "offset")
    if limit is None:
        return values[start:]
    return values[start : start + arguments.count(limit, "limit")]
