"""Supervision trees for pykka actors and operating-system processes. See `docs/supervision.md`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moonward.supervisor.backoff import Backoff
    from moonward.supervisor.child import Child
    from moonward.supervisor.child_spec import ChildKind, ChildSpec, Restart, Shutdown
    from moonward.supervisor.dynamic_supervisor import DynamicSupervisor
    from moonward.supervisor.errors import (
        AlreadyPresent,
        AlreadyStarted,
        BadChildSpec,
        ChildNotFound,
        ChildRestarting,
        ChildRunning,
        Exit,
        GaveUp,
        MoonwardError,
        StartFailed,
        SupervisionError,
        SupervisorStopped,
    )
    from moonward.supervisor.event import EventKind, SupervisionEvent
    from moonward.supervisor.exits import ExitKind, ExitReason
    from moonward.supervisor.loop import Loop
    from moonward.supervisor.loop_actor import LoopActor
    from moonward.supervisor.manual_loop import ManualLoop
    from moonward.supervisor.process_child import ProcessChild
    from moonward.supervisor.reply import Reply
    from moonward.supervisor.report import ChildCounts, ChildReport, ChildState, TreeNode
    from moonward.supervisor.strategy import Strategy
    from moonward.supervisor.supervisor import Supervisor
    from moonward.supervisor.thread_child import ActorFailed, ThreadChild

__all__ = [
    "ActorFailed",
    "AlreadyPresent",
    "AlreadyStarted",
    "Backoff",
    "BadChildSpec",
    "Child",
    "ChildCounts",
    "ChildKind",
    "ChildNotFound",
    "ChildReport",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "ChildState",
    "DynamicSupervisor",
    "EventKind",
    "Exit",
    "ExitKind",
    "ExitReason",
    "GaveUp",
    "Loop",
    "LoopActor",
    "ManualLoop",
    "MoonwardError",
    "ProcessChild",
    "Reply",
    "Restart",
    "Shutdown",
    "StartFailed",
    "Strategy",
    "SupervisionError",
    "SupervisionEvent",
    "Supervisor",
    "SupervisorStopped",
    "ThreadChild",
    "TreeNode",
]

HOMES = {
    "ActorFailed": "thread_child",
    "AlreadyPresent": "errors",
    "AlreadyStarted": "errors",
    "Backoff": "backoff",
    "BadChildSpec": "errors",
    "Child": "child",
    "ChildCounts": "report",
    "ChildKind": "child_spec",
    "ChildNotFound": "errors",
    "ChildReport": "report",
    "ChildRestarting": "errors",
    "ChildRunning": "errors",
    "ChildSpec": "child_spec",
    "ChildState": "report",
    "DynamicSupervisor": "dynamic_supervisor",
    "EventKind": "event",
    "Exit": "errors",
    "ExitKind": "exits",
    "ExitReason": "exits",
    "GaveUp": "errors",
    "Loop": "loop",
    "LoopActor": "loop_actor",
    "ManualLoop": "manual_loop",
    "MoonwardError": "errors",
    "ProcessChild": "process_child",
    "Reply": "reply",
    "Restart": "child_spec",
    "Shutdown": "child_spec",
    "StartFailed": "errors",
    "Strategy": "strategy",
    "SupervisionError": "errors",
    "SupervisionEvent": "event",
    "Supervisor": "supervisor",
    "SupervisorStopped": "errors",
    "ThreadChild": "thread_child",
    "TreeNode": "report",
}
"""The file in which each public name lives. Loaded when first used: importing one small file stays cheap."""


def __getattr__(name: str) -> object:
    home = HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
