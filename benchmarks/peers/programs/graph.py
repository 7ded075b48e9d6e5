"""LangGraph: a node that interrupts with its question, and an edge from it to itself.

One question a node, as its documentation advises: a node is run again from its beginning when it is resumed, so a loop
inside one node would ask everything again. The default durability ("async") has written everything when `invoke`
returns.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from benchmarks.peers.peer import LostError, Peer, question
from benchmarks.script import ANSWER


class State(TypedDict):
    """What a graph keeps."""

    number: int


def ask(state: State) -> State:
    """The node: one question."""
    interrupt(question(state["number"]))
    return {"number": state["number"] + 1}


def graph(saver: Any) -> Any:
    """The graph."""
    builder = StateGraph(State)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", "ask")
    return builder.compile(checkpointer=saver)


class InMemory(Peer):
    """Threads of a graph, kept in memory."""

    packages: ClassVar[tuple[str, ...]] = ("langgraph", "langgraph-checkpoint-sqlite")
    unit: ClassVar[str] = "a thread of a graph, in the program's own process"
    memory_units: ClassVar[int] = 1000

    def __init__(self) -> None:
        self._graph: Any = None
        self._folder = Path()
        self._saver: Any = None

    def saver(self) -> Any:
        """Where threads are kept, for synchronous calls."""
        return InMemorySaver()

    def async_saver(self) -> AbstractAsyncContextManager[Any]:
        """The same threads, for asyncio."""
        return nullcontext(self._saver)

    def open(self, folder: Path) -> None:
        """Compile the graph."""
        self._folder = folder
        self._saver = self.saver()
        self._graph = graph(self._saver)

    def start(self) -> tuple[dict[str, Any], str]:
        """Invoke it on a new thread."""
        unit = config(uuid.uuid4().hex)
        return unit, asked(self._graph.invoke({"number": 1}, unit))

    def answer(self, unit: dict[str, Any], text: str) -> str:
        """Resume it."""
        return asked(self._graph.invoke(Command(resume=text), unit))

    def rate(self, units: Sequence[dict[str, Any]], seconds: float) -> float:
        """By a task for each, through the asynchronous interface."""
        return asyncio.run(self._rate(units, seconds))

    async def _rate(self, units: Sequence[dict[str, Any]], seconds: float) -> float:
        done = [0] * len(units)
        enough = asyncio.Event()
        async with self.async_saver() as saver:
            compiled = graph(saver)

            async def keep_busy(place: int, unit: dict[str, Any]) -> None:
                while not enough.is_set():
                    asked(await compiled.ainvoke(Command(resume=ANSWER), unit))
                    done[place] += 1

            async with asyncio.TaskGroup() as group:
                for place, unit in enumerate(units):
                    group.create_task(keep_busy(place, unit))
                begin_s = time.perf_counter()
                await asyncio.sleep(seconds)
                total, took_s = sum(done), time.perf_counter() - begin_s
                enough.set()
        return total / took_s

    def name_of(self, unit: dict[str, Any]) -> str:
        """The thread's id."""
        return str(unit["configurable"]["thread_id"])


class OnDisk(InMemory):
    """Threads of a graph, kept in SQLite."""

    def saver(self) -> Any:
        """A file."""
        return SqliteSaver(sqlite3.connect(self._folder / "checkpoints.db", check_same_thread=False))

    def async_saver(self) -> AbstractAsyncContextManager[Any]:
        """The same file."""
        saver: AbstractAsyncContextManager[Any] = AsyncSqliteSaver.from_conn_string(
            str(self._folder / "checkpoints.db")
        )
        return saver

    def resume(self, name: str) -> tuple[dict[str, Any], str]:
        """The thread's last checkpoint holds its interrupt."""
        unit = config(name)
        tasks = self._graph.get_state(unit).tasks
        if not tasks or not tasks[0].interrupts:
            raise LostError("no interrupt is open")
        return unit, str(tasks[0].interrupts[0].value)


def config(thread: str) -> dict[str, Any]:
    """What names a thread."""
    return {"configurable": {"thread_id": thread}}


def asked(outcome: dict[str, Any]) -> str:
    """The question of an interrupt."""
    return str(outcome["__interrupt__"][0].value)
