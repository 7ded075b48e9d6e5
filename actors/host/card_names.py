"""Names in the card store: which are allowed, and the files that they stand for.

Layout, under the cards folder: `<pkg>/<card_id>.json`, `<pkg>/<card_id>.samples.jsonl`, `_aliases.json`.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from moonward.actors.errors import CallError
from moonward.actors.host import arguments
from moonward.actors.host.ledger import CallKey

ALIASES_FILE = "_aliases.json"

MAX_NAME_BYTES = 128
"""Longest name of a package, card or alias. Half of the longest name of a file, with room for endings."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
"""Names that are safe as names of files: no separators, no leading dot."""

ALIAS = re.compile(r"[^\x00-\x1f\x7f/\\]+")
"""Aliases are keys inside one file, so that more is allowed."""


def checked(value: Any, what: str) -> str:
    """A name of a package or a card. Raises `CallError`."""
    name = arguments.text(value, what, MAX_NAME_BYTES)
    if not NAME.fullmatch(name) or ".." in name or name == ALIASES_FILE:
        raise CallError(f"{what} {name!r} is not allowed: letters, digits, '_', '-' and single dots inside")
    return name


def checked_alias(value: Any) -> str:
    """A name of an alias. Raises `CallError`."""
    name = arguments.text(value, "the alias", MAX_NAME_BYTES)
    if not ALIAS.fullmatch(name) or ".." in name:
        raise CallError(f"the alias {name!r} is not allowed: no slashes, '..' or control characters")
    return name


def new_card_id(pkg: str, key: CallKey, at_s: float) -> str:
    """A readable id: the package, the day, and a hash of which call makes the card."""
    day = datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%d")
    origin = hashlib.sha256(f"{key.session}\0{key.seq}".encode()).hexdigest()
    return f"{pkg[: MAX_NAME_BYTES - 20]}-{day}-{origin[:10]}"


def date(at_s: float) -> str:
    """A moment as cards hold it: UTC, with microseconds, so that texts sort as moments do."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def card_path(pkg: str, card_id: str) -> str:
    """The card's file, relative to the cards folder."""
    return f"{pkg}/{card_id}.json"


def samples_path(pkg: str, card_id: str) -> str:
    """The samples' file, relative to the cards folder."""
    return f"{pkg}/{card_id}.samples.jsonl"
