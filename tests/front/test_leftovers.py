"""A closed Runtime leaves nothing behind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import moonward


def descriptors() -> set[str]:
    """Numbers of this process's open descriptors, without the one that lists them."""
    return {name for name in os.listdir("/proc/self/fd") if Path(f"/proc/self/fd/{name}").is_symlink()}


def children() -> set[str]:
    tasks = Path("/proc/self/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text().split()}


def test_a_closed_runtime_leaves_no_descriptor_thread_or_process() -> None:
    before = descriptors(), set(threading.enumerate()), children()
    with moonward.Runtime() as runtime:
        paused = runtime.start("return alc.llm('?')")
        paused.wait()
        ended = runtime.start("return 1")
        ended.wait()
        runtime.start("while true do end")
        assert children() > before[2]
    assert (descriptors(), set(threading.enumerate()), children()) == before
