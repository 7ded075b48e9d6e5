"""Everything of a session that must be the same with faults as without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import moonward
from moonward.actors.interaction import Finished


@dataclass
class Outcome:
    """What came of a session, as plain values."""

    state: str
    transcript: list[list[Any]]
    auto: dict[str, Any]
    custom: dict[str, Any]
    logs: list[str]

    @classmethod
    def of(cls, session: moonward.Session, finished: Finished, *, side_by_side: bool) -> Outcome:
        """Of an ended session. `side_by_side`: it forks, so that the order of its logs is not defined."""
        logs = [
            f"{event.data['source']} {event.data['level']} {event.data['message']}"
            for event in session.events()
            if event.kind == "log" and event.data["source"] != "engine"
        ]
        auto = {key: value for key, value in finished.metrics["auto"].items() if key != "elapsed_ms"}
        return cls(
            repr(finished.state),
            [[each[key] for key in ("query_id", "prompt", "response")] for each in session.transcript()],
            auto,
            finished.metrics["custom"],
            sorted(logs) if side_by_side else logs,
        )

    def differences(self, other: Outcome) -> list[str]:
        """What of `other`, the run without faults, is not the same here."""
        found = []
        for name, value in vars(self).items():
            expected = getattr(other, name)
            if value != expected:
                found.append(f"{name} is {_short(value)}, without faults {_short(expected)}")
        return found


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:200]}…{text[-100:]}"
