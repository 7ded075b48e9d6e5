"""What a package says of itself, read without running it.

`M.meta = {name = "...", version = "...", description = "..."}` in `init.lua`, or `meta = {...}` inside the table
that the module returns. Understood are string literals, also joined by `..`; a field that is computed in any other
way is left out. Never fails: a file that is not understood has no fields.
"""

from __future__ import annotations

import re

FIELDS = ("name", "version", "description", "category")

TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>--(?:\[(?P<c>=*)\[(?:.*?\](?P=c)\]|.*)|[^\n]*))
    | (?P<long>\[(?P<l>=*)\[\n?(?:(?P<body>.*?)\](?P=l)\]|.*))
    | (?P<string>"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>\d[\w.]*)
    | (?P<mark>\.{2,3}|.)
    """,
    re.VERBOSE | re.DOTALL,
)
"""Lua's tokens, as far as needed to tell strings and comments from code.

What is never closed reaches to the end, so that no text takes more than linear time.
"""

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": "\n"}

Token = tuple[str, str]
"""A kind (`string`, `name`, `number`, `mark`) and a text; a string's text is its value."""

OPENING, CLOSING = ("{", "(", "["), ("}", ")", "]")


def package_meta(source: str) -> dict[str, str]:
    """The fields of a package's `meta` that are plain strings; those of the last `meta = {` that has any."""
    tokens = tokenise(source)
    found: dict[str, str] = {}
    index = 0
    while index < len(tokens) - 2:
        if tokens[index : index + 3] == [("name", "meta"), ("mark", "="), ("mark", "{")]:
            fields, index = table_fields(tokens, index + 3)
            found = fields or found
        else:
            index += 1
    return {name: found[name] for name in FIELDS if name in found}


def tokenise(source: str) -> list[Token]:
    """The tokens of a source, without space and comments."""
    tokens: list[Token] = []
    for match in TOKEN.finditer(source):
        kind = match.lastgroup
        if match["space"] is not None or match["comment"] is not None:
            continue
        if match["long"] is not None:
            tokens.append(("string", match["body"] or ""))
        elif match["string"] is not None:
            tokens.append(("string", unquoted(match["string"])))
        elif match["name"] is not None:
            tokens.append(("name", match["name"]))
        else:
            tokens.append((kind or "mark", match.group()))
    return tokens


def table_fields(tokens: list[Token], start: int) -> tuple[dict[str, str], int]:
    """The fields that are strings, of a table whose first token is at `start`; and where the table ends."""
    fields: dict[str, str] = {}
    field: list[Token] = []
    depth = 0
    for index in range(start, len(tokens)):
        token = tokens[index]
        mark = token[1] if token[0] == "mark" else ""
        if depth == 0 and mark in (",", ";", "}"):
            take_field(field, fields)
            field = []
            if mark == "}":
                return fields, index + 1
            continue
        depth += (mark in OPENING) - (mark in CLOSING)
        field.append(token)
    return {}, len(tokens)


def take_field(field: list[Token], fields: dict[str, str]) -> None:
    """Add `name = "text" .. "text"` or `["name"] = "text"` to `fields`; pass over anything else."""
    if field[:1] == [("mark", "[")] and field[2:3] == [("mark", "]")]:
        field = [("name", field[1][1]), *field[3:]]
    if len(field) < 3 or field[0][0] != "name" or field[1] != ("mark", "="):
        return
    value = field[2:]
    parts, joints = value[::2], value[1::2]
    if len(value) % 2 and all(kind == "string" for kind, _ in parts) and set(joints) <= {("mark", "..")}:
        fields[field[0][1]] = "".join(text for _, text in parts)


def unquoted(literal: str) -> str:
    """The value of a quoted string; escapes that are numbers stay as they are written."""

    def plain(match: re.Match[str]) -> str:
        letter = match.group(1)
        return match.group() if letter in "xuz0123456789" else ESCAPES.get(letter, letter)

    return re.sub(r"\\(.)", plain, literal[1:-1], flags=re.DOTALL)
