"""What a client did and was told, and whether the sessions agree with it.

Rules that `check` holds:
- An answer that was acknowledged is in the session's transcript, once, with its text.
- An answer that was refused is not, unless the same text was offered in another call.
- A session holds no answer that nobody offered, and no question twice.
- Each call has ended.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from moonward.actors.errors import FeedError, FeedTimeout, JournalError, TransitionError
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.runtime import Session
from moonward.supervisor.errors import MoonwardError

Outcome = Literal["open", "acknowledged", "refused", "unknown"]


class HistoryError(AssertionError):
    """What a client was told and what its sessions hold disagree. `problems` lists how."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        shown = "\n".join(f"- {each}" for each in problems[:20])
        more = f"\n… and {len(problems) - 20} more" if len(problems) > 20 else ""
        super().__init__(f"{len(problems)} problem(s)\n{shown}{more}")


@dataclass
class Offer:
    """One answer that was offered in one call, and what came of it."""

    session_id: str
    query_id: str
    response: str
    outcome: Outcome = "open"

    def acknowledge(self) -> None:
        """The call returned: the answer was accepted."""
        self.outcome = "acknowledged"

    def refuse(self, error: BaseException) -> None:
        """The call raised: the answer was refused, or nobody can know."""
        if isinstance(error, FeedTimeout):
            self.outcome = "acknowledged" if error.accepted else "unknown"
        elif isinstance(error, FeedError | TransitionError | JournalError):
            self.outcome = "refused"
        else:
            self.outcome = "unknown"


class History:
    """Collects what clients do. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offers: list[Offer] = []
        self._calls: Counter[str] = Counter()

    def offer(self, session_id: str, query_id: str, response: str) -> Offer:
        """An answer is about to be offered; tell the result what comes of it."""
        offer = Offer(session_id, query_id, response)
        with self._lock:
            self._offers.append(offer)
        return offer

    def feed(
        self, session: Session, query_id: str, response: str, **fields: Any
    ) -> Accepted | Paused | Finished:
        """`session.feed`, remembered."""
        offer = self.offer(session.id, query_id, response)
        try:
            event = session.feed(response, query_id=query_id, **fields)
        except BaseException as error:
            offer.refuse(error)
            raise
        offer.acknowledge()
        return event

    def call(self, name: str, work: Callable[[], Any]) -> Any:
        """`work()`, remembered under `name` as a call that has to end; what it raises is raised."""
        with self._lock:
            self._calls[name] += 1
        try:
            return work()
        finally:
            with self._lock:
                self._calls[name] -= 1

    @property
    def offers(self) -> list[Offer]:
        """Everything that was offered, in order."""
        with self._lock:
            return list(self._offers)

    def counts(self) -> Counter[Outcome]:
        """How many offers had each outcome."""
        return Counter(each.outcome for each in self.offers)

    def check(self, sessions: Iterable[Session]) -> None:
        """Compare with what `sessions` hold; `HistoryError` if a rule is broken. Sessions that are gone agree."""
        transcripts: dict[str, list[dict[str, Any]]] = {}
        for session in sessions:
            try:
                transcripts[session.id] = session.transcript()
            except MoonwardError as error:
                raise HistoryError([f"{session.id}: its transcript cannot be read: {error}"]) from error
        self.check_transcripts(transcripts)

    def check_transcripts(self, transcripts: Mapping[str, list[dict[str, Any]]]) -> None:
        """`check` with transcripts by session id."""
        problems = [f"a call of {name} has not ended" for name, left in sorted(self._calls.items()) if left]
        offered: dict[tuple[str, str], list[Offer]] = {}
        for offer in self.offers:
            offered.setdefault((offer.session_id, offer.query_id), []).append(offer)
            if offer.outcome == "open":
                problems.append(f"{offer.session_id} {offer.query_id}: a feed has not ended")
        held: dict[tuple[str, str], str | None] = {}
        for session_id, transcript in transcripts.items():
            for exchange in transcript:
                key = session_id, str(exchange["query_id"])
                if key in held:
                    problems.append(f"{session_id} {key[1]}: asked twice")
                held[key] = exchange["response"]
        for key, text in held.items():
            if text is not None:
                problems += _problems_of_answer(key, text, offered.get(key, []))
        for key, offers in offered.items():
            if key[0] in transcripts:
                problems += _problems_of_offers(key, offers, held.get(key))
        if problems:
            raise HistoryError(problems)


def _problems_of_answer(key: tuple[str, str], text: str, offers: list[Offer]) -> list[str]:
    same = [each for each in offers if each.response == text]
    if not same:
        return [f"{key[0]} {key[1]}: holds {text!r}, which nobody offered"]
    if all(each.outcome == "refused" for each in same):
        return [f"{key[0]} {key[1]}: holds {text!r}, which was refused"]
    return []


def _problems_of_offers(key: tuple[str, str], offers: list[Offer], held: str | None) -> list[str]:
    said = {each.response for each in offers if each.outcome == "acknowledged"}
    if len(said) > 1:
        return [f"{key[0]} {key[1]}: {len(said)} different answers were acknowledged"]
    return [
        f"{key[0]} {key[1]}: {text!r} was acknowledged, the session holds {held!r}"
        for text in said
        if text != held
    ]
