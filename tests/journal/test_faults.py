"""When the file fails: a clear error, nothing acknowledged, and all well again once the cause is gone."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonward.actors.errors import JournalError, SessionNotFound
from moonward.actors.journal.archive import Archive
from moonward.actors.journal.sqlite_file import SCHEMA_VERSION
from moonward.supervisor.reply import Reply

from .desk import Client, Office, told
from .samples import answered, called, paused, started

BUSY_S = 0.02


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "j.db"


@pytest.fixture
def client(office: Office, path: Path) -> Client:
    """A client of a journal with one session."""
    client = office.sqlite(path, busy_s=BUSY_S)
    client.create(started("s-1"))
    return client


@pytest.fixture
def other(path: Path, client: Client) -> Iterator[sqlite3.Connection]:
    """A connection that is no host."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


def test_a_failed_commit_takes_back_what_waits_before_it_is_told(
    client: Client, other: sqlite3.Connection
) -> None:
    other.execute("BEGIN IMMEDIATE")
    seen: list[tuple[type[BaseException] | None, int]] = []
    last: Reply[None] = Reply()
    again: Reply[None] = Reply()

    def note(error: BaseException | None) -> None:
        seen.append((type(error) if error else None, len(client.store.read("s-1"))))

    def first_told(error: BaseException | None) -> None:
        note(error)
        other.execute("ROLLBACK")
        client.store.append("s-1", paused(5), "paused", told(again))

    def burst() -> None:
        client.store.append("s-1", called(1), "running", first_told)
        client.store.append("s-1", called(2), "running", note)
        client.store.append("s-1", called(3), "running", lambda error: note(error) or told(last)(error))

    client.here(burst)
    assert last.wait(10)
    assert again.wait(10)
    assert isinstance(last.error, JournalError)
    assert "is locked" in str(last.error)
    assert again.error is None
    # The first is told when only entry 0 is left; it appends one, which the others see.
    assert seen == [(JournalError, 1), (JournalError, 2), (JournalError, 2)]
    assert client.ask("look", "s-1") == [started("s-1"), paused(5)]
    assert client.ask("list")[0].phase == "paused"


def test_a_follower_hears_of_a_failure_before_anyone_else(client: Client, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    heard: list[str] = []
    last: Reply[None] = Reply()

    def follow() -> None:
        for number in range(3):
            client.store.append("s-1", called(number), "running", lambda error: heard.append("append"))
        client.store.follow(
            "s-1", lambda error: heard.append(f"{type(error).__name__} {len(client.store.read('s-1'))}")
        )
        client.store.append("s-1", called(4), "running", told(last))

    client.here(follow)
    assert last.wait(10)
    other.execute("ROLLBACK")
    assert heard == ["JournalError 1", "append", "append", "append"]


def test_a_failed_start_leaves_no_session(client: Client, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="is locked"):
        client.create(started("s-2"))
    with pytest.raises(SessionNotFound):
        client.read("s-2")
    other.execute("ROLLBACK")
    client.create(started("s-2"))
    client.append("s-2", called(1))
    assert client.ask("look", "s-2") == [started("s-2"), called(1)]


def test_appends_behind_a_failed_one_are_told_too(client: Client, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    replies: list[Reply[None]] = [Reply() for _ in range(30)]
    for number, reply in enumerate(replies):  # in groups, as it happens
        client.here(client.store.append, "s-1", called(number), "running", told(reply))
    for reply in replies:
        assert reply.wait(10)
        assert isinstance(reply.error, JournalError)
    other.execute("ROLLBACK")
    assert client.read("s-1") == client.ask("look", "s-1") == [started("s-1")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(office: Office, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    client = office.sqlite(small_disk / "j.db")
    client.create(started("s-1"))
    client.create(started("s-2"))
    ballast.write_bytes(b"x" * 150_000)
    kept = 0
    with pytest.raises(JournalError, match="disk is full"):
        for number in range(200):
            client.append("s-1", answered(number, text="x" * 3000))
            kept = number + 1
    assert kept > 0
    assert len(client.read("s-1")) == kept + 1
    with pytest.raises(JournalError, match="disk is full"):
        client.append("s-1", answered(kept, text="x" * 3000))
    assert len(client.ask("look", "s-1")) == kept + 1
    ballast.unlink()
    client.append("s-1", answered(kept, text="x" * 3000))
    client.append("s-2", called(1))
    assert len(client.ask("look", "s-1")) == kept + 2
    assert client.ask("look", "s-2") == [started("s-2"), called(1)]


LIMITED = """
import resource, sys
from moonward.actors.journal.entries import Called, Started
from moonward.actors.journal.sqlite_store import SqliteStore
from moonward.supervisor.loop import Loop
from moonward.supervisor.reply import Reply

loop = Loop()
loop.start()
store = SqliteStore(loop, sys.argv[1])
count = 0

def call(method, *args):
    reply = Reply()
    loop.post(lambda: method(*args, lambda error: reply.complete(error)))
    assert reply.wait(20)
    return reply.result()

assert call(store.create, "s-1", Started("s-1", "", "{}", "", 0, 0, "", 1)) is None
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
while (error := call(store.append, "s-1", Called("", str(count), "x" * 2000), "running")) is None:
    count += 1
print(type(error).__name__, error)
assert len(store.read("s-1")) == count + 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for _ in range(3):
    assert call(store.append, "s-1", Called("", str(count), "x" * 2000), "running") is None
    count += 1
assert call(store.close, 20) is None
print(count)
"""


def test_a_file_that_may_not_grow_refuses_and_goes_on_when_it_may(office: Office, path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    error, count = ran.stdout.splitlines()
    assert error.startswith("JournalError the journal")
    assert "could not be read or written" in error
    entries = office.sqlite(path).ask("look", "s-1")
    assert [entry.name for entry in entries[1:]] == [str(number) for number in range(int(count))]


@pytest.mark.parametrize("place", ["none/j.db", "file/j.db", "."])
def test_a_place_where_no_file_can_be_is_a_clear_error(office: Office, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    client = office.sqlite(tmp_path / place)
    with pytest.raises(JournalError, match="cannot be"):
        client.create(started("s-1"))


def test_a_directory_that_may_not_be_written_is_a_clear_error(office: Office) -> None:
    client = office.sqlite(Path("/proc/j.db"))  # refused to root, too
    with pytest.raises(JournalError, match="cannot be made"):
        client.ask("adopt")
    with pytest.raises(JournalError, match="cannot be made"):
        client.create(started("s-1"))


def test_a_directory_that_comes_later_is_used_then(office: Office, tmp_path: Path) -> None:
    client = office.sqlite(tmp_path / "late" / "j.db")
    with pytest.raises(JournalError, match="cannot be made"):
        client.create(started("s-1"))
    (tmp_path / "late").mkdir()
    client.create(started("s-1"))
    assert client.ask("look", "s-1") == [started("s-1")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everything")
def test_a_read_only_file_can_be_read(office: Office, path: Path, client: Client) -> None:
    client.close()
    path.chmod(0o400)
    reader = office.sqlite(path)
    assert reader.ask("look", "s-1") == [started("s-1")]
    with pytest.raises(JournalError, match="read-only"):
        reader.ask("adopt")


def test_a_journal_that_is_taken_away_is_not_begun_anew(client: Client, path: Path) -> None:
    away = path.with_name("away.db")
    path.rename(away)
    with pytest.raises(JournalError, match="is not there any more"):
        client.append("s-1", called(1))
    assert not path.exists()
    path.touch()
    with pytest.raises(JournalError, match="replaced by another file"):
        client.append("s-1", called(1))
    away.rename(path)
    client.append("s-1", called(2))
    assert client.ask("look", "s-1") == [started("s-1"), called(2)]


def test_looking_makes_no_file(office: Office, path: Path) -> None:
    client = office.sqlite(path)
    assert client.ask("list") == []
    with pytest.raises(SessionNotFound):
        client.ask("look", "s-1")
    with pytest.raises(JournalError, match="no content"):
        client.ask("content", "f" * 64)
    assert list(path.parent.iterdir()) == []


def test_a_newer_schema_is_refused_by_its_number(
    client: Client, other: sqlite3.Connection, office: Office, path: Path
) -> None:
    client.close()
    other.execute("INSERT INTO schema_version VALUES (?)", (SCHEMA_VERSION + 1,))
    late = office.sqlite(path)
    wanted = f"schema {SCHEMA_VERSION + 1}, which a newer moonward has written"
    with pytest.raises(JournalError, match=wanted):
        late.ask("adopt")
    with pytest.raises(JournalError, match=wanted):
        late.ask("list")


def test_a_journal_of_before_there_were_users_is_read_and_moved_on(
    client: Client, other: sqlite3.Connection, office: Office, path: Path
) -> None:
    client.close()
    other.execute("ALTER TABLE sessions DROP COLUMN user")
    other.execute("DELETE FROM schema_version WHERE version > 1")
    late = office.sqlite(path)
    assert [row.user for row in late.ask("list")] == [None]
    late.create(started("s-2", user="ann"))
    assert [row.user for row in late.ask("list")] == [None, "ann"]


def test_another_programs_database_is_left_alone(office: Office, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE things(x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    client = office.sqlite(path)
    for name in ("adopt", "list"):
        with pytest.raises(JournalError, match="not a journal of moonward"):
            client.ask(name)
    client.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE entries SET body=substr(body, 1, length(body)-1) WHERE id%16=1", "entry 1: .*checksum"),
        (
            "UPDATE entries SET body=CAST(x'63' || substr(body, 2) AS BLOB) WHERE id%16=2",
            "entry 2: .*version 99",
        ),
        ("DELETE FROM entries WHERE id%16=1", "should have 3 entries; 2 are there"),
        ("UPDATE entries SET id=id+1 WHERE id%16=2", "should have 3 entries; 3 are there"),
    ],
)
def test_a_damaged_session_is_refused_and_no_other(
    client: Client, other: sqlite3.Connection, change: str, why: str
) -> None:
    client.append("s-1", called(1))
    client.append("s-1", called(2))
    client.create(started("s-2"))
    client.here(client.store.shut, "s-1")
    other.execute(f"{change} AND id < 2 << 24")
    for name in ("open", "look"):
        with pytest.raises(JournalError, match=why):
            client.ask(name, "s-1")
    client.append("s-2", called(1))
    assert len(client.ask("list")) == 2


def test_a_close_that_takes_too_long_says_so(client: Client) -> None:
    gate = threading.Event()
    client.here(client.store._work, lambda desk: gate.wait(20), lambda value, error: None)
    with pytest.raises(JournalError, match=r"did not finish writing within 0\.01 s"):
        client.tell("close", 0.01)
    gate.set()


@pytest.mark.timeout(20)
def test_what_is_no_file_is_no_journal_and_is_left_alone(office: Office, path: Path) -> None:
    os.mkfifo(path)
    path.with_name(f"{path.name}-hosts").touch()  # as if it had been tried before: nothing is salvaged here
    for ask in ("adopt", "list"):
        with pytest.raises(JournalError, match="it is not a file"):
            office.sqlite(path).ask(ask)
    with pytest.raises(JournalError, match="it is not a file"):
        Archive(str(path))
    assert stat.S_ISFIFO(path.lstat().st_mode)
