"""`alc.card.lineage`: where a card came from, and what came from it. Pure.

A card names its parent in `metadata.prior_card_id`, and how it came from it in `metadata.prior_relation`.
"""

from __future__ import annotations

from typing import Any

from moonward.actors.errors import CallError
from moonward.actors.host import arguments

DEFAULT_DEPTH = 10
"""How far a walk goes unless told; from the contract."""

MAX_NODES = 10_000
"""Most cards of one answer; a walk that reaches it is truncated. Arbitrary; a frame holds about as many."""

DIRECTIONS = ("up", "down", "both")

Card = dict[str, Any]


class Lineage:
    """A walk over `cards`, by id, from `root`."""

    def __init__(self, cards: dict[str, Card], root: str, options: dict[str, Any]) -> None:
        self._cards = cards
        self._root = root
        direction = options.get("direction", "up")
        if direction not in DIRECTIONS:
            raise CallError("direction must be 'up', 'down' or 'both'")
        self._direction = direction
        self._depth = arguments.count(options.get("depth", DEFAULT_DEPTH), "depth")
        self._with_stats = arguments.flag(options.get("include_stats", True), "include_stats")
        self._relations = relations(options.get("relation_filter"))
        self._seen = {root}
        self._nodes = [self._node(root, 0)]
        self._edges: list[dict[str, Any]] = []
        self._truncated = False

    def walk(self) -> dict[str, Any]:
        """The contract's `{root, nodes, edges, truncated}`. Depths are negative for ancestors."""
        if self._direction in ("up", "both"):
            self._walk_up()
        if self._direction in ("down", "both"):
            self._walk_down()
        return {
            "root": self._root,
            "nodes": self._nodes,
            "edges": self._edges,
            "truncated": self._truncated,
        }

    def _walk_up(self) -> None:
        child, depth = self._root, 0
        while (parent := self._followed_parent(child)) is not None and parent not in self._seen:
            depth -= 1
            if not self._add(parent, depth, child, parent):
                return
            child = parent

    def _walk_down(self) -> None:
        children = self._children()
        level, depth = [self._root], 0
        while level:
            depth += 1
            below = []
            for parent in level:
                for child in children.get(parent, ()):
                    if child in self._seen:
                        continue
                    if not self._add(child, depth, child, parent):
                        return
                    below.append(child)
            level = below

    def _add(self, card_id: str, depth: int, child: str, parent: str) -> bool:
        """Take a card and the edge to it; False when the walk has to end before it."""
        if abs(depth) > self._depth or len(self._nodes) >= MAX_NODES:
            self._truncated = True
            return False
        self._seen.add(card_id)
        self._nodes.append(self._node(card_id, depth))
        edge = {"from": child, "to": parent}
        relation = prior(self._cards[child], "prior_relation")
        if relation is not None:
            edge["relation"] = relation
        self._edges.append(edge)
        return True

    def _followed_parent(self, card_id: str) -> str | None:
        """The card's parent, if it is held and the filter lets the edge pass."""
        card = self._cards[card_id]
        parent = prior(card, "prior_card_id")
        if parent not in self._cards:
            return None
        if self._relations is not None and prior(card, "prior_relation") not in self._relations:
            return None
        return parent

    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for card_id in self._cards:
            parent = self._followed_parent(card_id)
            if parent is not None:
                children.setdefault(parent, []).append(card_id)
        return children

    def _node(self, card_id: str, depth: int) -> dict[str, Any]:
        card = self._cards[card_id]
        pkg = card.get("pkg")
        node: dict[str, Any] = {
            "card_id": card_id,
            "pkg": pkg.get("name") if isinstance(pkg, dict) else None,
            "depth": depth,
        }
        for name in ("prior_card_id", "prior_relation"):
            value = prior(card, name)
            if value is not None:
                node[name] = value
        if self._with_stats and "stats" in card:
            node["stats"] = card["stats"]
        return node


def prior(card: Card, name: str) -> str | None:
    """A text of the card's `metadata`, None if there is none."""
    metadata = card.get("metadata")
    value = metadata.get(name) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) else None


def relations(value: Any) -> set[str] | None:
    """The relations to follow, None for all. Raises `CallError`."""
    if value is None:
        return None
    listed = [value] if isinstance(value, str) else arguments.array(value, "relation_filter")
    if not all(isinstance(each, str) for each in listed):
        raise CallError("relation_filter must be an array of strings")
    return set(listed)
