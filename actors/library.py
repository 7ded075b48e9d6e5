"""The library of scripts, as described in `actors/lua/library.toml`; and as LuaCATS definitions for editors."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files

import msgspec

SOURCE = "library.toml"

PARAMETER = re.compile(r"(?P<name>\w+)(?P<optional>\??): (?P<type>.+)")
FIELD = re.compile(r"(?P<name>\w+)(?P<optional>\??): (?P<type>.+?)(?: -- (?P<text>.*))?")
OPENING, CLOSING = "({[", ")}]"


class Field(msgspec.Struct, frozen=True):
    """A parameter, or a field of a class."""

    name: str
    is_optional: bool
    type: str
    text: str = ""


class Entry(msgspec.Struct, frozen=True):
    """A function or a value of `alc`. `tests` are named below `tests/`; `differs` is empty where nothing does."""

    signature: str
    text: str
    tests: list[str]
    differs: str = ""

    @property
    def name(self) -> str:
        """Without `alc.`: `llm`, `state.get`."""
        match = re.match(r"[\w.]+", self.signature)
        assert match is not None
        return match.group()

    @property
    def is_function(self) -> bool:
        """Whether it is called."""
        return self.signature[len(self.name)] == "("

    @property
    def parameters(self) -> list[Field]:
        """What it takes."""
        inside = self.signature[len(self.name) + 1 : self._closing]
        return [field_of(PARAMETER, each) for each in split(inside)]

    @property
    def returns(self) -> list[str]:
        """The types that it gives; of a value, its own."""
        rest = self.signature[self._closing + 1 :] if self.is_function else self.signature[len(self.name) :]
        return split(rest.removeprefix(": "))

    @property
    def _closing(self) -> int:
        depth = 0
        for index, letter in enumerate(self.signature):
            depth += (letter in OPENING) - (letter in CLOSING)
            if letter == ")" and depth == 0:
                return index
        raise ValueError(f"{self.signature!r} does not close its parameters")


class Section(msgspec.Struct, frozen=True):
    """Entries that belong together; `tests` are of all of them."""

    title: str
    text: str
    entry: list[Entry]
    tests: list[str] = []


class Table(msgspec.Struct, frozen=True):
    """A shape of tables: `name`, or `name: parent`."""

    name: str
    text: str
    fields: list[str]


class Library(msgspec.Struct, frozen=True):
    """The whole library."""

    table: list[Table] = msgspec.field(name="class")
    section: list[Section]

    def entries(self) -> Iterator[Entry]:
        """Every entry, in order."""
        for section in self.section:
            yield from section.entry


def library() -> Library:
    """What this version of moonward gives to scripts. Reads a file of the package."""
    text = files("moonward.actors.lua").joinpath(SOURCE).read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Library)


def split(text: str) -> list[str]:
    """The parts of a list with commas; commas inside brackets part nothing."""
    parts, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += (letter in OPENING) - (letter in CLOSING)
        if letter == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    last = text[start:].strip()
    return [*parts, last] if last else parts


def field_of(pattern: re.Pattern[str], text: str) -> Field:
    """A parameter or field. Raises `ValueError`."""
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not `name: type`")
    found = match.groupdict(default="")
    return Field(found["name"], found["optional"] == "?", found["type"], found.get("text", ""))


WRITTEN = "-- Definitions of what moonward gives to scripts. Written by `moonward types`; changes are lost."
"""By this line a file that was written is known again."""


def luacats(described: Library) -> str:
    """A definition file for language servers that know LuaCATS."""
    lines = [
        "---@meta",
        "",
        WRITTEN,
        "",
    ]
    for table in described.table:
        lines += [f"--- {table.text}", f"---@class {table.name}"]
        for field in (field_of(FIELD, each) for each in table.fields):
            mark = "?" if field.is_optional else ""
            lines.append(f"---@field {field.name}{mark} {field.type} {field.text}".rstrip())
        lines.append("")
    lines += ["--- The library.", "---@class alc"]
    lines += [
        f"---@field {entry.name} {entry.returns[0]} {entry.text}"
        for entry in described.entries()
        if not entry.is_function
    ]
    lines += ["alc = {}", ""]
    groups = dict.fromkeys(e.name.partition(".")[0] for e in described.entries() if "." in e.name)
    for group in groups:
        lines += [f"---@class alc.{group}", f"alc.{group} = {{}}", ""]
    for entry in described.entries():
        if entry.is_function:
            lines += [*function_lines(entry), ""]
    lines += ["--- The context of the session: what it was started with.", "---@type table", "ctx = {}", ""]
    return "\n".join(lines)


def function_lines(entry: Entry) -> list[str]:
    """The definition of a function."""
    lines = [f"--- {entry.text}"]
    lines += [
        f"---@param {each.name}{'?' if each.is_optional else ''} {each.type}" for each in entry.parameters
    ]
    lines += [f"---@return {each}" for each in entry.returns]
    names = ", ".join(each.name for each in entry.parameters)
    lines.append(f"function alc.{entry.name}({names}) end")
    return lines
