"""The phases of a session and the events that move it: the whole state machine is the table in this file.

An event that the table does not list raises `TransitionError` and changes nothing. `docs/states.md` is drawn
from this table by `states_page`; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from moonward.actors.errors import TransitionError

Phase = Literal["running", "paused", "completed", "failed", "cancelled"]
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
INITIAL: Final[Phase] = "running"
TERMINAL: Final[frozenset[Phase]] = frozenset({"completed", "failed", "cancelled"})

Event = Literal["pause", "feed", "all_answered", "complete", "fail", "abandon", "cancel"]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)

TRANSITIONS: Final[Mapping[Event, Mapping[Phase, Phase]]] = MappingProxyType(
    {
        "pause": {"running": "paused"},
        "feed": {"paused": "paused"},
        "all_answered": {"paused": "running"},
        "complete": {"running": "completed"},
        "fail": {"running": "failed"},
        "abandon": {"running": "failed", "paused": "failed"},
        "cancel": {"running": "cancelled", "paused": "cancelled"},
    }
)
"""event → phase it may come in → phase after it. `feed` is an answer that leaves others pending; the last answer
is `all_answered`. `abandon` is given by supervision alone, when a lost worker is not recovered any more."""

MEANINGS: Final[Mapping[Event, str]] = MappingProxyType(
    {
        "pause": "Lua asked one query or several",
        "feed": "an answer came, others are pending",
        "all_answered": "the last pending query was answered, Lua resumes",
        "complete": "Lua returned a value",
        "fail": "Lua, or a limit on it, ended in an error",
        "abandon": "the worker is lost and will not be recovered",
        "cancel": "the host, the reaper or a closing Runtime ended the session",
    }
)


def next_phase(event: Event, phase: Phase) -> Phase:
    """The phase after `event` in `phase`; `TransitionError` if the table does not allow it."""
    after = TRANSITIONS[event].get(phase)
    if after is None:
        raise TransitionError(" or ".join(TRANSITIONS[event]), phase)
    return after


def state_label(phase: Phase) -> str:
    """The three-valued `state` of old clients: `running`, `paused` or `terminal`."""
    return "terminal" if phase in TERMINAL else phase


def state_diagram() -> str:
    """The table as a mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {INITIAL}"]
    for event, moves in TRANSITIONS.items():
        lines += [f"    {before} --> {after}: {event}" for before, after in moves.items()]
    lines += [f"    {phase} --> [*]" for phase in PHASES if phase in TERMINAL]
    return "\n".join(lines) + "\n"


def transition_rows() -> str:
    """The table as a Markdown table: a row per event, a column per phase, `error` where it is refused."""
    lines = [f"| event | meaning | {' | '.join(PHASES)} |", "|---|---|" + "---|" * len(PHASES)]
    for event in EVENTS:
        cells = [f"→ {after}" if (after := TRANSITIONS[event].get(phase)) else "error" for phase in PHASES]
        lines.append(f"| `{event}` | {MEANINGS[event]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def states_page() -> str:
    """The text of `docs/states.md`."""
    return (
        "# The states of a session\n\n"
        "Drawn from the table in `actors/phase.py` by `states_page()`; do not edit by hand, a test compares.\n\n"
        f"```mermaid\n{state_diagram()}```\n\n{transition_rows()}\n"
        "An event that is refused raises `TransitionError`, which names what was expected and what was found,\n"
        "and changes nothing: not the phase, not the metrics, not the transcript.\n"
        "Clients that know three states see `running`, `paused` and, for all others, `terminal`.\n"
    )
