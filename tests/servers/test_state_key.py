"""The key that seals what hosts carry."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from moonward.actors.errors import HostStorageError
from moonward.servers.state_key import FILE, KEY_BYTES, state_key


def test_the_key_stays_and_only_its_user_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "moonward"
    key = state_key(folder)
    assert len(key) == KEY_BYTES
    assert state_key(folder) == key
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_servers_that_start_together_have_the_same_key(tmp_path: Path) -> None:
    keys: list[bytes] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        keys.append(state_key(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_a_key_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"short")
    with pytest.raises(HostStorageError, match="cut short: 5 bytes"):
        state_key(tmp_path)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostStorageError, match="cannot be read or made"):
        state_key(tmp_path / "file")
