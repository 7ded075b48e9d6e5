"""DBOS: a workflow that publishes its question as an event and receives the answer as a message.

On SQLite both ends look for what is new at intervals, a second unless configured; on Postgres they are told. Both the
default and the shortest interval that it takes are lines of the table.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from dbos import DBOS

from benchmarks.peers.peer import LostError, Peer, question

DAY_S = 86_400.0
PATIENCE_S = 30.0


@DBOS.workflow()
def unit() -> None:
    """Asks for ever."""
    number = 0
    while True:
        number += 1
        DBOS.set_event(f"question-{number}", question(number))
        DBOS.recv(timeout_seconds=DAY_S)


class Workflows(Peer):
    """Workflows. A unit is a list: the workflow's id, and the number of its open question."""

    packages: ClassVar[tuple[str, ...]] = ("dbos",)
    unit: ClassVar[str] = "a workflow, on a thread of the program"

    def __init__(self, polling_s: float | None = None) -> None:
        self._config = {} if polling_s is None else {"notification_listener_polling_interval_sec": polling_s}

    def open(self, folder: Path) -> None:
        """Launch; what an earlier program left goes on."""
        DBOS(
            config={  # type: ignore[typeddict-unknown-key]
                "name": "bench-peer",
                "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
                "log_level": "ERROR",
                "max_executor_threads": 1000,
                **self._config,
            }
        )
        DBOS.launch()

    def close(self) -> None:
        """Let nothing wait for workflows that never end."""
        DBOS.destroy(workflow_completion_timeout_sec=0)

    def start(self) -> tuple[list[Any], str]:
        """Start a workflow, get its first event."""
        started = [DBOS.start_workflow(unit).get_workflow_id(), 1]
        return started, asked(started)

    def start_many(self, count: int) -> list[list[Any]]:
        """Side by side: a start takes as long as it takes to look again."""
        with ThreadPoolExecutor(max(1, count)) as threads:
            return [unit for unit, _ in threads.map(lambda _: self.start(), range(count))]

    def answer(self, unit: list[Any], text: str) -> str:
        """Send the answer, get the next event."""
        DBOS.send(unit[0], text)
        unit[1] += 1
        return asked(unit)

    def discard(self, unit: list[Any]) -> None:
        """Cancel."""
        DBOS.cancel_workflow(unit[0])

    def name_of(self, unit: list[Any]) -> str:
        """Both."""
        return f"{unit[0]} {unit[1]}"

    def resume(self, name: str) -> tuple[list[Any], str]:
        """The events are in the database, and `launch` has taken up the workflow."""
        workflow, number = name.split()
        resumed = [workflow, int(number)]
        return resumed, asked(resumed)


def asked(unit: list[Any]) -> str:
    """The event that is its open question."""
    found = DBOS.get_event(unit[0], f"question-{unit[1]}", timeout_seconds=PATIENCE_S)
    if found is None:
        raise LostError(f"no question within {PATIENCE_S:g} s")
    return str(found)
