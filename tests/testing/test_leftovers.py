"""What is left behind is found."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

from moonward.testing import nothing_left_behind


def test_a_block_that_gives_everything_back_passes() -> None:
    with nothing_left_behind():
        os.close(os.open("/dev/null", os.O_RDONLY))
        subprocess.run(["true"], check=True)


def test_a_descriptor_is_found() -> None:
    with pytest.raises(AssertionError, match="/dev/null"):
        with nothing_left_behind(0.0):
            held = os.open("/dev/null", os.O_RDONLY)
    os.close(held)


def test_a_thread_is_found() -> None:
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, name="forgotten")
    with pytest.raises(AssertionError, match="forgotten"):
        with nothing_left_behind(0.0):
            thread.start()
    gate.set()
    thread.join()


def test_a_process_is_found() -> None:
    with pytest.raises(AssertionError, match="processes"):
        with nothing_left_behind(0.0):
            process = subprocess.Popen(["sleep", "60"])
    process.kill()
    process.wait()


def test_what_is_on_its_way_out_has_some_time() -> None:
    with nothing_left_behind(5.0):
        timer = threading.Timer(0.05, lambda: None)
        timer.start()
