"""One file for each peer; `PROGRAMS` names the lines of the table."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.peers.peer import Peer


@dataclass(frozen=True)
class Program:
    """A line of the table: `key` names it, `title` is what people read; the class `kind` of the file `module`.

    `is_ours`: it runs in the environment of moonward, not in that of the peers.
    """

    key: str
    title: str
    module: str
    kind: str
    is_ours: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def peer(self) -> Peer:
        """The peer; an `ImportError` says what is not installed."""
        module = importlib.import_module(f"{__name__}.{self.module}")
        peer: Peer = getattr(module, self.kind)(**self.options)
        return peer


PROGRAMS: Final = (
    Program("moonward", "moonward, memory journal", "ours", "InMemory", is_ours=True),
    Program("moonward-sqlite", "moonward, strict SQLite journal", "ours", "OnDisk", is_ours=True),
    Program("langgraph", "LangGraph, memory saver", "graph", "InMemory"),
    Program("langgraph-sqlite", "LangGraph, SQLite saver", "graph", "OnDisk"),
    Program("dbos", "DBOS, SQLite", "workflow", "Workflows"),
    Program("dbos-eager", "DBOS, SQLite, polling at 1 ms", "workflow", "Workflows", options={"polling_s": 0.001}),
    Program("pool", "multiprocessing + lupa, by hand", "pool", "Pool"),
    Program("thespian", "Thespian, multiprocTCPBase", "actor", "Actors"),
    Program("jupyter", "Jupyter kernels", "kernel", "Kernels"),
    Program("ray", "Ray actors", "remote", "RemoteActors"),
)  # fmt: skip
"""The lines of the table, in its order."""

BY_KEY: Final = {program.key: program for program in PROGRAMS}
