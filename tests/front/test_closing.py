"""Closing a Runtime while others wait for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import moonward

WAITERS = 8


def test_all_who_wait_are_told_that_the_runtime_was_closed() -> None:
    runtime = moonward.Runtime()
    session = runtime.start("while true do end")
    with ThreadPoolExecutor(WAITERS) as pool:
        waits = [pool.submit(session.wait) for _ in range(WAITERS)]
        while len(runtime._core._waiting) < WAITERS:
            pass
        runtime.close()
        for wait in waits:
            with pytest.raises(moonward.RuntimeClosed):
                wait.result(10)
