"""`alc.card.*`: immutable records of results, as files that people can read.

Exactly-once is the matter of `card_effects`; what a query means, of `card_query`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from moonward.actors.errors import CallError
from moonward.actors.host import arguments, card_names, card_query, ledger
from moonward.actors.host.card_effects import CardEffects, Plan
from moonward.actors.host.card_files import CardFiles, FileWrite, readable
from moonward.actors.host.card_lineage import Lineage
from moonward.actors.host.database import Database
from moonward.actors.host.ledger import CallKey, CallOutcome

MAX_CARD_BYTES = 1 << 20
"""Largest card, as JSON. Cards hold figures and short texts; rows belong into samples."""

MAX_SAMPLES_BYTES = 4 << 20
"""Largest samples of a card, as JSON: what one frame can bring, halved."""

MAX_ALIASES_BYTES = 4 << 20
"""Most that all aliases together may take. Twenty thousand with short notes."""

MAX_NOTE_BYTES = 4096
"""Longest note of an alias. A terminal page."""

NOTHING = CallOutcome()

Card = dict[str, Any]


class CardStore:
    """Cards in `files`; `now` gives seconds since the epoch."""

    def __init__(self, files: CardFiles, database: Database, now: Callable[[], float]) -> None:
        self._files = files
        self._database = database
        self._effects = CardEffects(files, database)
        self._now = now

    def call(self, key: CallKey, name: str, args: list[Any]) -> CallOutcome:
        """Perform a call of `OPERATIONS`. Raises `CallError`, `CallDiverged`, `HostStorageError`."""
        operation = OPERATIONS[name]
        if len(args) > operation.arity:
            raise CallError(f"at most {operation.arity} arguments are expected, got {len(args)}")
        values = args + [None] * (operation.arity - len(args))
        run = getattr(self, operation.method)
        if operation.is_effect:
            return self._effects.apply(key, lambda: run(key, *values))
        with self._database.read() as db:
            recorded = ledger.find(db, key)
        if recorded is not None:
            return recorded
        answer = run(*values)
        return NOTHING if answer is None else CallOutcome(arguments.result(answer))

    def forget(self, session: str) -> None:
        """Finish what the session left, then drop what is kept of its calls."""
        self._effects.forget(session)

    # -- effects: each makes a plan ------------------------------------------------------------------------

    def create(self, key: CallKey, fields: Any) -> Plan:
        """`create(table)`: a new card; its id and file."""
        card = dict(arguments.table(fields, "the card"))
        pkg = card_names.checked(package_of(card), "pkg.name")
        now_s = self._now()
        if card.get("card_id") is None:
            card["card_id"] = card_names.new_card_id(pkg, key, now_s)
        card_id = card_names.checked(card["card_id"], "card_id")
        if self._files.find(card_id) is not None:
            raise CallError(f"card {card_id!r} exists; cards are immutable")
        if card.get("created_at") is None:
            card["created_at"] = card_names.date(now_s)
        elif not isinstance(card["created_at"], str):
            raise CallError("created_at must be a string")
        path = card_names.card_path(pkg, card_id)
        result = {"card_id": card_id, "path": str(self._files.root / path)}
        return Plan(arguments.encode(result), FileWrite(path, card_text(card)))

    def append(self, key: CallKey, card_id: Any, fields: Any) -> Plan:
        """`append(id, fields)`: the card with new top-level fields."""
        pkg, card = self._existing(card_id)
        added = arguments.table(fields, "fields")
        for name in added:
            if name in card:
                raise CallError(
                    f"card {card['card_id']!r} has {name!r} already; only new fields can be added"
                )
        merged = {**card, **added}
        write = FileWrite(card_names.card_path(pkg, card["card_id"]), card_text(merged))
        return Plan(arguments.result(merged), write if added else None)

    def alias_set(self, key: CallKey, name: Any, card_id: Any, opts: Any) -> Plan:
        """`alias_set(name, id, {pkg?, note?})`: the alias; an existing one is moved."""
        alias = card_names.checked_alias(name)
        _, card = self._existing(card_id)
        entry = {"name": alias, "card_id": card["card_id"], "set_at": card_names.date(self._now())}
        chosen = arguments.options(opts, "options", ("pkg", "note"))
        if "pkg" in chosen:
            entry["pkg"] = card_names.checked(chosen["pkg"], "pkg")
        if "note" in chosen:
            entry["note"] = arguments.text(chosen["note"], "note", MAX_NOTE_BYTES, may_be_empty=True)
        text = readable({**self._aliases(), alias: entry})
        if len(text.encode()) > MAX_ALIASES_BYTES:
            raise CallError(f"the aliases are larger than {MAX_ALIASES_BYTES} bytes")
        return Plan(arguments.result(entry), FileWrite(card_names.ALIASES_FILE, text))

    def write_samples(self, key: CallKey, card_id: Any, rows: Any) -> Plan:
        """`write_samples(id, rows)`: once for a card; the file and the number of rows."""
        pkg, card = self._existing(card_id)
        path = card_names.samples_path(pkg, card["card_id"])
        if self._files.exists(path):
            raise CallError(f"card {card['card_id']!r} has samples already; they are written once")
        lines = [arguments.encode(row) + "\n" for row in arguments.array(rows, "rows")]
        text = "".join(lines)
        if len(text.encode()) > MAX_SAMPLES_BYTES:
            raise CallError(f"samples are larger than {MAX_SAMPLES_BYTES} bytes")
        result = {"path": str(self._files.root / path), "count": len(lines)}
        return Plan(arguments.encode(result), FileWrite(path, text))

    # -- reads ---------------------------------------------------------------------------------------------

    def get(self, card_id: Any) -> Card | None:
        """`get(id)`: the card, nothing if there is none."""
        found = self._find(card_names.checked(card_id, "card_id"))
        return None if found is None else found[1]

    def get_by_alias(self, name: Any) -> Card | None:
        """`get_by_alias(name)`: the card, nothing if there is no such alias."""
        entry = self._aliases().get(card_names.checked_alias(name))
        return None if entry is None else self.get(entry["card_id"])

    def alias_list(self, opts: Any) -> list[Card]:
        """`alias_list({pkg?})`: aliases in order of their names; with `pkg`, those that were set with it."""
        pkg = arguments.options(opts, "options", ("pkg",)).get("pkg")
        aliases = sorted(self._aliases().items())
        return [entry for _, entry in aliases if pkg is None or entry.get("pkg") == pkg]

    def list_cards(self, opts: Any) -> list[Card]:
        """`list({pkg?})`: summaries, newest first."""
        pkg = arguments.options(opts, "options", ("pkg",)).get("pkg")
        return [summary(card) for card in self._newest_first(pkg)]

    def find(self, opts: Any) -> list[Card]:
        """`find({pkg?, where?, order_by?, limit?, offset?})`: summaries of the cards that match."""
        query = arguments.options(opts, "the query", ("pkg", "where", "order_by", "limit", "offset"))
        matches = card_query.where(query.get("where", {}))
        order = card_query.order_by(query.get("order_by", []))
        cards = [card for card in self._newest_first(query.get("pkg")) if matches(card)]
        cards = card_query.arranged(cards, order)
        return [summary(card) for card in card_query.page(cards, query.get("offset"), query.get("limit"))]

    def read_samples(self, card_id: Any, opts: Any) -> list[Any]:
        """`read_samples(id, {offset?, limit?, where?})`: rows; `offset` counts those that match."""
        name = card_names.checked(card_id, "card_id")
        query = arguments.options(opts, "options", ("offset", "limit", "where"))
        matches = card_query.where(query.get("where", {}))
        pkg = self._files.find(name)
        text = self._files.read(card_names.samples_path(pkg, name)) if pkg is not None else None
        try:
            rows = [msgspec.json.decode(line) for line in (text or "").split("\n") if line]
        except (msgspec.DecodeError, RecursionError) as error:
            raise CallError(f"the samples of card {name!r} are not valid JSON lines") from error
        found = [row for row in rows if matches(row)]
        return card_query.page(found, query.get("offset"), query.get("limit"))

    def lineage(self, opts: Any) -> Card | None:
        """`lineage({card_id, direction?, depth?, include_stats?, relation_filter?})`."""
        known = ("card_id", "direction", "depth", "include_stats", "relation_filter")
        query = arguments.options(opts, "the query", known)
        root = card_names.checked(query.get("card_id"), "card_id")
        cards = {card["card_id"]: card for card in reversed(self._newest_first(None))}
        return Lineage(cards, root, query).walk() if root in cards else None

    # -- files ---------------------------------------------------------------------------------------------

    def _find(self, card_id: str) -> tuple[str, Card] | None:
        pkg = self._files.find(card_id)
        if pkg is None:
            return None
        card = self._files.read_json(card_names.card_path(pkg, card_id))
        if not isinstance(card, dict):
            raise CallError(f"the file of card {card_id!r} does not hold a card")
        return pkg, {**card, "card_id": card_id}

    def _existing(self, card_id: Any) -> tuple[str, Card]:
        name = card_names.checked(card_id, "card_id")
        found = self._find(name)
        if found is None:
            raise CallError(f"card {name!r} not found")
        return found

    def _newest_first(self, pkg: Any) -> list[Card]:
        """All cards, or those of a package; a file that someone broke is passed over."""
        packages = self._files.packages() if pkg is None else [card_names.checked(pkg, "pkg")]
        cards = []
        for package in packages:
            for card_id in self._files.card_ids(package):
                try:
                    card = self._files.read_json(card_names.card_path(package, card_id))
                except CallError:
                    continue
                if isinstance(card, dict):
                    cards.append({**card, "card_id": card_id})
        cards.sort(key=lambda card: (str(card.get("created_at", "")), card["card_id"]), reverse=True)
        return cards

    def _aliases(self) -> dict[str, Card]:
        aliases = self._files.read_json(card_names.ALIASES_FILE)
        if aliases is None:
            return {}
        if not isinstance(aliases, dict) or not all(
            isinstance(entry, dict) and isinstance(entry.get("card_id"), str) for entry in aliases.values()
        ):
            raise CallError("the file of aliases does not hold aliases")
        return aliases


class Operation(msgspec.Struct, frozen=True):
    """A method of `CardStore`, and how many arguments a script may give."""

    method: str
    arity: int
    is_effect: bool = False


OPERATIONS = {
    "card.create": Operation("create", 1, is_effect=True),
    "card.append": Operation("append", 2, is_effect=True),
    "card.alias_set": Operation("alias_set", 3, is_effect=True),
    "card.write_samples": Operation("write_samples", 2, is_effect=True),
    "card.get": Operation("get", 1),
    "card.get_by_alias": Operation("get_by_alias", 1),
    "card.alias_list": Operation("alias_list", 1),
    "card.list": Operation("list_cards", 1),
    "card.find": Operation("find", 1),
    "card.read_samples": Operation("read_samples", 2),
    "card.lineage": Operation("lineage", 1),
}
"""The calls."""


def package_of(card: Card) -> Any:
    """The value of `pkg.name`, None if there is none."""
    pkg = card.get("pkg")
    return pkg.get("name") if isinstance(pkg, dict) else None


def card_text(card: Card) -> str:
    """A card's file. Raises `CallError` when it is too large."""
    text = readable(card)
    if len(text.encode()) > MAX_CARD_BYTES:
        raise CallError(f"the card is larger than {MAX_CARD_BYTES} bytes; rows belong into samples")
    return text


def summary(card: Card) -> Card:
    """What `list` and `find` show of a card; what it lacks is left out."""
    shown = {
        "card_id": card["card_id"],
        "pkg": package_of(card),
        "created_at": card.get("created_at"),
        "model": named(card.get("model"), "id"),
        "scenario": named(card.get("scenario"), "name"),
        "pass_rate": card_query.field(card, ("stats", "pass_rate")),
    }
    return {
        key: value for key, value in shown.items() if value is not None and value is not card_query.MISSING
    }


def named(section: Any, name: str) -> Any:
    """A section's name: its field, or the section itself when it is a plain string."""
    if isinstance(section, dict):
        section = section.get(name)
    return section if isinstance(section, str) else None
