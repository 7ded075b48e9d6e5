"""A closed Runtime leaves nothing behind."""

from __future__ import annotations

import os

import moonward
from moonward.testing.leftovers import descendants, nothing_left_behind


def test_a_closed_runtime_leaves_no_descriptor_thread_or_process() -> None:
    before = descendants(os.getpid())
    with nothing_left_behind():
        with moonward.Runtime() as runtime:
            paused = runtime.start("return alc.llm('?')")
            paused.wait()
            ended = runtime.start("return { alc.state.incr('n'), alc.card.create({ pkg = { name = 'p' } }) }")
            ended.wait()
            runtime.start("while true do end")
            assert descendants(os.getpid()) > before
