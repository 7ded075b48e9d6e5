"""What an export is written to: a file is replaced when the new one is complete, anything else is written into.

Only things in the test's own directory are used: a fault here would replace what it is given.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonward import JournalError, Runtime


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A Runtime with a session `only`, which is the one that `sessions` lists."""
    with Runtime(data_dir=tmp_path / "data") as runtime:
        runtime.start("return alc.llm('one?')").wait(20)
        yield runtime


def only(runtime: Runtime) -> str:
    """The id of the session."""
    (session,) = runtime.sessions()
    return session.id


def test_a_pipe_is_written_into_and_stays_a_pipe(runtime: Runtime, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[bytes] = []
    fd = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(fd, True)

    def listen() -> None:
        with os.fdopen(fd, "rb") as file:
            opened.wait(20)
            heard.append(file.read())

    opened = threading.Event()
    keeper = os.open(pipe, os.O_WRONLY)  # so that the listener never sees an end before there was a writer
    listener = threading.Thread(target=listen)
    listener.start()
    opened.set()
    runtime.export(only(runtime), pipe)
    os.close(keeper)
    listener.join(20)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    runtime.export(only(runtime), tmp_path / "file")
    assert heard == [(tmp_path / "file").read_bytes()]


def test_a_pipe_that_nobody_reads_is_refused_and_stays_a_pipe(runtime: Runtime, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(JournalError, match="could not be written"):
        runtime.export(only(runtime), pipe)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_a_link_stays_a_link_and_what_it_names_is_replaced(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    for _ in range(2):  # the file is made, then replaced
        runtime.export(only(runtime), tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "file").stat().st_size > 0
        (tmp_path / "file").write_bytes(b"old")
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["file", "link"]


def test_a_directory_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(JournalError, match="Is a directory"):
        runtime.export(only(runtime), tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []
