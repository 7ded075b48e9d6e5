"""One session of a storm over hosts, played call by call: whatever is in the way, each answer is offered until it is in."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from moonward.actors import errors
from moonward.testing import History, Offer

from .host_link import HostLink, HostLost, Refused
from .scripts import answer_to, number_in

AGAIN = frozenset({"JournalError", "HostStorageError", "SessionRestarting"})
"""Errors that say that trying again helps."""

ANSWERED = frozenset({"AlreadyResponded", "UnknownQuery", "TransitionError"})
"""Errors that an answer which is in already comes to, offered again without its key."""

TWICE_CHANCE = 0.1
"""Share of acknowledged answers that are offered once more, as clients do whose own memory was lost."""

KEYLESS_CHANCE = 0.25
"""Share of repeated offers without an idempotency key."""


class Game:
    """The session of one part. One thread at a time."""

    def __init__(self, number: int, packages: str, history: History, calls: Counter[str], seed: int) -> None:
        self.number = number
        self.session_id: str | None = None
        self.over = False
        self.answers = 0
        """Answers that were acknowledged, each counted once."""
        self.repeated = 0
        """Offers of an answer that was offered before."""
        self._packages = packages
        self._history = history
        self._calls = calls
        self._dice = random.Random(f"game {seed} {number}")
        self._pending: list[tuple[str, str]] = []
        self._tried = False
        """Whether the answer that is due was offered before."""
        self._unsure: list[Offer] = []
        """Offers of the answer that is due which were not answered themselves."""

    def adopt(self, session_id: str, event: dict[str, Any]) -> None:
        """The session was started, although nobody was told."""
        if self.session_id is not None:
            raise AssertionError(f"session {self.number} was started twice: {self.session_id}, {session_id}")
        self.session_id = session_id
        self._see(event)

    def play(self, link: HostLink) -> None:
        """One call. Whatever may be tried again is left for the next; other errors are raised."""
        name = "start" if self.session_id is None else "feed" if self._pending else "wait"
        try:
            if self.session_id is None:
                self.session_id = link.call("start", self.number, self._packages)
            elif self._pending:
                self._answer(link, self.session_id)
            else:
                self._see(link.call("wait", self.session_id))
        except HostLost:
            self._calls[f"{name}: host lost"] += 1
        except Refused as error:
            self._calls[f"{name}: {error.kind}"] += 1
            if error.kind not in AGAIN:
                raise
        else:
            self._calls[name] += 1

    def _see(self, event: dict[str, Any]) -> None:
        if event["kind"] == "paused":
            self._pending = [(query_id, prompt) for query_id, prompt in event["queries"]]
        self.over = event["kind"] == "finished"

    def _answer(self, link: HostLink, session_id: str) -> None:
        query_id, prompt = self._pending[0]
        event = None
        try:
            event = self._offer(link, session_id, query_id, prompt)
        except Refused as error:
            if error.kind not in ANSWERED or not self._unsure:
                raise
            for each in self._unsure:  # so it is in: we have been told
                each.acknowledge()
        self.answers += 1
        self._pending.pop(0)
        if event is not None and event["kind"] != "accepted":
            self._see(event)
        if self._dice.random() < TWICE_CHANCE:
            self._offer_twice(link, session_id, query_id, prompt)
        self._unsure.clear()
        self._tried = False

    def _offer(self, link: HostLink, session_id: str, query_id: str, prompt: str) -> dict[str, Any]:
        text = answer_to(prompt)
        key = None if self._tried and self._dice.random() < KEYLESS_CHANCE else f"key of {query_id}"
        self.repeated += self._tried
        self._tried = True
        offer = self._history.offer(session_id, query_id, text)
        try:
            event: dict[str, Any] = link.call("feed", session_id, query_id, text, key)
        except Refused as error:
            kind = getattr(errors, error.kind, Exception)
            refused = issubclass(kind, errors.FeedError | errors.TransitionError | errors.JournalError)
            offer.outcome = "refused" if refused else "unknown"
            if not refused:
                self._unsure.append(offer)
            raise
        except BaseException:
            offer.outcome = "unknown"
            self._unsure.append(offer)
            raise
        offer.acknowledge()
        return event

    def _offer_twice(self, link: HostLink, session_id: str, query_id: str, prompt: str) -> None:
        try:
            self._offer(link, session_id, query_id, prompt)
        except HostLost:
            self._calls["feed twice: host lost"] += 1
        except Refused as error:
            if error.kind not in ANSWERED | AGAIN:
                raise
            self._calls[f"feed twice: {error.kind}"] += 1


def number_of(event: dict[str, Any]) -> int:
    """Whose session it is that waits like this."""
    return number_in(event["queries"][0][1])
