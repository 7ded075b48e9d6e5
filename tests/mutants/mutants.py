"""Rules of a session, each broken on purpose in one place, and the tests that must notice."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """`old`, which stands in `file` exactly once, becomes `new`; `tests` must fail."""

    rule: str
    file: str
    old: str
    new: str
    tests: str


CENTRE = "tests/centre"
PHASE = "tests/centre/test_phase.py"
STATE = "tests/centre/test_session_state.py"
FEEDING = "tests/centre/test_feeding.py"
BUDGET = "tests/centre/test_budget.py"
TOKENS = "tests/centre/test_tokens.py"
SNAPSHOT = "tests/centre/test_snapshot.py"
MACHINE = "tests/machines/test_session_state.py"
DURABLE = "tests/front/test_nothing_before_it_is_durable.py"
REAL = "tests/front/test_feeding.py"

MUTANTS = [
    Mutant(
        "a running session takes no answer",
        "actors/phase.py",
        '"feed": {"paused": "paused"}',
        '"feed": {"paused": "paused", "running": "running"}',
        PHASE,
    ),
    Mutant(
        "a paused session can be cancelled",
        "actors/phase.py",
        '"cancel": {"running": "cancelled", "paused": "cancelled"}',
        '"cancel": {"running": "cancelled"}',
        PHASE,
    ),
    Mutant(
        "a paused session cannot complete",
        "actors/phase.py",
        '"complete": {"running": "completed"}',
        '"complete": {"running": "completed", "paused": "completed"}',
        PHASE,
    ),
    Mutant(
        "a paused session does not fail by itself",
        "actors/phase.py",
        '"fail": {"running": "failed"}',
        '"fail": {"running": "failed", "paused": "failed"}',
        PHASE,
    ),
    Mutant(
        "a paused session fails when its worker is given up",
        "actors/phase.py",
        '"abandon": {"running": "failed", "paused": "failed"}',
        '"abandon": {"running": "failed"}',
        PHASE,
    ),
    Mutant(
        "a paused session does not pause again",
        "actors/phase.py",
        '"pause": {"running": "paused"}',
        '"pause": {"running": "paused", "paused": "paused"}',
        PHASE,
    ),
    Mutant(
        "the last answer lets the Lua run",
        "actors/phase.py",
        '"all_answered": {"paused": "running"}',
        '"all_answered": {"paused": "paused"}',
        PHASE,
    ),
    Mutant(
        "nothing follows an end",
        "actors/phase.py",
        'TERMINAL: Final[frozenset[Phase]] = frozenset({"completed", "failed", "cancelled"})',
        'TERMINAL: Final[frozenset[Phase]] = frozenset({"completed", "failed"})',
        FEEDING,
    ),
    Mutant(
        "the barrier closes with the last answer, not before",
        "actors/barrier.py",
        "        self.missing -= 1\n",
        "        self.missing -= len(self._texts)\n",
        MACHINE,
    ),
    Mutant(
        "answers reach Lua in the order asked",
        "actors/barrier.py",
        "for query_id, text in self._texts.items() if text is not None}",
        "for query_id, text in reversed(self._texts.items()) if text is not None}",
        MACHINE,
    ),
    Mutant(
        "ids count on over the session's life",
        "actors/session_state.py",
        "        self._next_numbers |= numbers\n",
        "        self._next_numbers = {}\n",
        STATE,
    ),
    Mutant(
        "an answered query is not answered again",
        "actors/session_state.py",
        "        if exchange.response is not None:\n            raise AlreadyResponded(query_id)\n",
        "",
        FEEDING,
    ),
    Mutant(
        "the end is told before the query is looked at",
        "actors/session_state.py",
        '        if self.phase in TERMINAL:\n            next_phase("feed", self.phase)\n',
        "",
        FEEDING,
    ),
    Mutant(
        "a key stands for one text",
        "actors/session_state.py",
        "    if not same_query or response != first.response:",
        "    if not same_query:",
        FEEDING,
    ),
    Mutant(
        "a key stands for one query",
        "actors/session_state.py",
        "    if not same_query or response != first.response:",
        "    if response != first.response:",
        FEEDING,
    ),
    Mutant(
        "a repeat comes before every other check",
        "actors/session_state.py",
        "        if key is not None and first is not None:\n            return _repeat_of(",
        "        if self.terminal is None and key is not None and first is not None:\n            return _repeat_of(",
        FEEDING,
    ),
    Mutant(
        "a repeat is told the first outcome",
        "actors/session_state.py",
        "return Repeat(first.query.id, first.pause_no, first.outcome)",
        "return Repeat(first.query.id, first.pause_no, 0)",
        FEEDING,
    ),
    Mutant(
        "two answers of a batch are not for one query",
        "actors/session_state.py",
        "            if target in seen:\n                raise AlreadyResponded(target)\n",
        "",
        FEEDING,
    ),
    Mutant(
        "without an id exactly one query is pending",
        "actors/session_state.py",
        "        if self._barrier.missing != 1:\n",
        "        if not self._barrier.missing:\n",
        FEEDING,
    ),
    Mutant(
        "an accepted answer counts as activity",
        "actors/session_state.py",
        "        self._active_s = max(self._active_s, at.mono_s)\n",
        "",
        STATE,
    ),
    Mutant(
        "exactly the time to live is expired",
        "actors/session_state.py",
        "at.mono_s - self._active_s) >= ttl_s",
        "at.mono_s - self._active_s) > ttl_s",
        STATE,
    ),
    Mutant(
        "elapsed time never decreases",
        "actors/session_state.py",
        "self._elapsed_ms = max(self._elapsed_ms, at.wall_ms - self.started.at_ms)",
        "self._elapsed_ms = at.wall_ms - self.started.at_ms",
        STATE,
    ),
    Mutant(
        "a round is a resume",
        "actors/session_state.py",
        "        if last:\n            self._metrics.rounds += 1\n",
        "        self._metrics.rounds += 1\n",
        MACHINE,
    ),
    Mutant(
        "a refused pause changes nothing",
        "actors/session_state.py",
        '        phase = next_phase("pause", self.phase)\n',
        '        self._elapsed(at)\n        phase = next_phase("pause", self.phase)\n',
        MACHINE,
    ),
    Mutant(
        "a used-up budget refuses",
        "actors/budget.py",
        "if calls is not None and llm_calls >= calls:",
        "if calls is not None and llm_calls > calls:",
        BUDGET,
    ),
    Mutant(
        "a batch that would cross the budget is refused whole",
        "actors/budget.py",
        "if calls is not None and llm_calls + n_queries > calls:",
        "if calls is not None and llm_calls + 1 > calls:",
        BUDGET,
    ),
    Mutant(
        "texts are counted in bytes of UTF-8",
        "actors/tokens.py",
        'return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))',
        "return len(text)",
        MACHINE,
    ),
    Mutant(
        "estimates are rounded up",
        "actors/tokens.py",
        "return -(-plain // ASCII_PER_TOKEN) - (",
        "return plain // ASCII_PER_TOKEN - (",
        TOKENS,
    ),
    Mutant(
        "a sum is as good as its weakest part",
        "actors/tokens.py",
        '        if self.estimated:\n            return "estimated"\n        return "provided" if self.provided else "definite"',
        '        if self.provided:\n            return "provided"\n        return "estimated" if self.estimated else "definite"',
        TOKENS,
    ),
    Mutant(
        "pending queries are told only while paused",
        "actors/snapshot.py",
        '    if phase == "paused":\n',
        "    if True:\n",
        SNAPSHOT,
    ),
    Mutant(
        "the current query is the newest if it has no answer",
        "actors/snapshot.py",
        "    if newest is None or newest.response is not None:",
        "    if newest is None:",
        SNAPSHOT,
    ),
    Mutant(
        "nobody is told before it is durable",
        "actors/outbox.py",
        "        if self.is_clear:",
        "        if True:",
        DURABLE,
    ),
    Mutant(
        "a handle without an id answers only what it has been shown",
        "actors/feeding.py",
        " and target not in shown:",
        " and False:",
        REAL,
    ),
    Mutant(
        "who repeats a feed that is under way fails with it",
        "actors/feeding.py",
        "        session.wake()\n        session.wait_next(message.reply)\n        session.fail_with_journal(message.reply)\n",
        "        session.wake()\n        session.wait_next(message.reply)\n",
        DURABLE,
    ),
]
