"""A journal cut at any byte, or damaged anywhere, opens with what is left, and says what is missing."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from moonward.actors.errors import JournalError, SessionNotFound
from moonward.actors.journal.codec import encode
from moonward.actors.journal.entries import Ended, Entry
from moonward.actors.journal.host_lock import HostLock
from moonward.actors.journal.salvage import Report, examine, salvage
from moonward.actors.journal.sqlite_file import INDEX_BITS
from moonward.actors.journal.store import Note
from moonward.actors.journal.wal_log import read_log
from moonward.supervisor.errors import MoonwardError

from .desk import Client, Office
from .samples import PRELUDE, PRELUDE_BODY, answered, called, ended, paused, started

SAMPLES = 45
"""Cuts, and damaged bytes, that each test tries; a fixed seed chooses them."""


class Image(msgspec.Struct, frozen=True):
    """A journal's file and log, what its sessions hold, and how long the log was when each entry was durable."""

    file: bytes
    log: bytes
    sessions: dict[str, list[Entry]]
    log_bytes: dict[str, list[int]]
    module: str


def entries_of(number: int, module: str) -> list[Entry]:
    """Entries of session `number`: small ones, and one that fills several pages."""
    session_id = f"s-{number}"
    user = "ann" if number % 2 else None
    entries: list[Entry] = [started(session_id, user=user), called(100 * number, module=module)]
    for index in range(2 + number % 3):
        text = f"of {session_id}: " + "long " * (4000 if index == number % 4 else 40)
        entries.append(paused(100 * number + index))
        entries.append(answered(100 * number + index, text=text))
    if number % 2:
        entries.append(ended(at_ms=2000 + number))
    return entries


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A journal of a dozen sessions; half of it in the file, half in the log."""
    path = tmp_path_factory.mktemp("image") / "j.db"
    office = Office()
    sessions: dict[str, list[Entry]] = {}
    log_bytes: dict[str, list[int]] = {}
    for part in (range(6), range(6, 12)):
        client = office.sqlite(path)
        module = client.here(client.store.keep, b"return 'a module' " * 300)
        for number in part:
            entries = entries_of(number, module)
            session_id = f"s-{number}"
            sessions[session_id] = entries
            log_bytes[session_id] = []
            client.create(entries[0])
            for entry in entries[1:]:
                client.append(session_id, entry, "completed" if isinstance(entry, Ended) else "paused")
                log_bytes[session_id].append(path.with_name("j.db-wal").stat().st_size)
            if number in (1, 7):
                client.tell("add_note", session_id, "seen", "by a person", 9)
        if part.start:
            file, log = path.read_bytes(), path.with_name("j.db-wal").read_bytes()
        client.close()
    office.close()
    for session_id in ("s-0", "s-1", "s-2", "s-3", "s-4", "s-5"):
        log_bytes[session_id] = [0] * len(log_bytes[session_id])
    return Image(file, log, sessions, log_bytes, module)


@pytest.fixture(scope="module")
def whole(image: Image, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The same journal, all of it in the file."""
    path = tmp_path_factory.mktemp("whole") / "j.db"
    lay_out(path, image.file, image.log)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.read_bytes()


def lay_out(path: Path, file: bytes, log: bytes = b"") -> Path:
    """A journal of these bytes at `path`, left by a host that is dead."""
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    path.write_bytes(file)
    path.with_name(f"{path.name}-hosts").touch()
    if log:
        path.with_name(f"{path.name}-wal").write_bytes(log)
    return path


def opened(office: Office, path: Path) -> tuple[Client, list[Report]]:
    """A client of the journal at `path` after it was opened, and what it had to say."""
    reports: list[Report] = []
    client = office.sqlite(path, on_report=reports.append)
    client.ask("adopt")
    client.ask("list")
    return client, reports


def left(client: Client, image: Image) -> dict[str, list[Entry]]:
    """What is left of each session, which must be the beginning of it."""
    found: dict[str, list[Entry]] = {}
    for row in client.ask("list"):
        entries = client.ask("look", row.id)
        assert entries == image.sessions[row.id][: len(entries)]
        found[row.id] = entries
    return found


def assert_all_told(image: Image, found: dict[str, list[Entry]], reports: Iterable[Report]) -> None:
    """What is missing of sessions of which something was found is in a report."""
    said = "\n".join(line for report in reports for line in report.missing)
    for session_id, entries in image.sessions.items():
        if session_id in found and len(found[session_id]) < len(entries):
            assert f"{session_id!r}: of" in said, (session_id, said)


def test_a_file_cut_at_any_byte_opens_with_what_is_left(
    image: Image, whole: bytes, office: Office, tmp_path: Path
) -> None:
    choose = random.Random(1)
    cuts = {0, 1, 99, 100, 511, 512, 4095, 4096, 4097, len(whole) - 4096, len(whole) - 1, len(whole)}
    cuts.update(choose.randrange(len(whole)) for _ in range(SAMPLES))
    counts = []
    for cut in sorted(cuts):
        path = lay_out(tmp_path / "j.db", whole[:cut])
        client, reports = opened(office, path)
        found = left(client, image)
        assert bool(reports) == (cut < len(whole))
        assert all(report.missing or found == image.sessions for report in reports)
        for session_id, entries in image.sessions.items():
            there = 0  # an entry whose bytes lie together before the cut, all before it too, is not lost
            while there < len(entries) and encode(entries[there]) in whole[:cut]:
                there += 1
            assert len(found.get(session_id, [])) >= there
        counts.append(sum(map(len, found.values())))
        client.close()
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == sum(map(len, image.sessions.values()))
    assert any(0 < count < counts[-1] for count in counts)


def test_a_log_cut_at_any_byte_keeps_every_commit_before_the_cut(
    image: Image, office: Office, tmp_path: Path
) -> None:
    choose = random.Random(2)
    cuts = {0, 1, 31, 32, 33, 4152, 4153, len(image.log) - 1, len(image.log)}
    cuts.update(choose.randrange(len(image.log)) for _ in range(SAMPLES))
    for cut in sorted(cuts):
        client, reports = opened(office, lay_out(tmp_path / "j.db", image.file, image.log[:cut]))
        found = left(client, image)
        for session_id, sizes in image.log_bytes.items():
            durable = sum(size <= cut for size in sizes)
            assert len(found.get(session_id, [])) >= (durable + 1 if durable else 0)
        within_a_page = cut > 32 and (cut - 32) % 4120 != 0
        assert bool(reports) == within_a_page
        assert all("the log ends within a page" in report.missing[0] for report in reports)
        client.close()


def test_a_damaged_byte_of_the_file_never_shows_a_wrong_entry(
    image: Image, whole: bytes, office: Office, tmp_path: Path
) -> None:
    choose = random.Random(3)
    refusals: list[str] = []
    for _ in range(SAMPLES):
        damaged = bytearray(whole)
        damaged[choose.randrange(len(whole))] ^= choose.randrange(1, 256)
        path = lay_out(tmp_path / "j.db", bytes(damaged))
        reports: list[Report] = []
        client = office.sqlite(path, on_report=reports.append)
        try:
            client.ask("adopt")
        except JournalError as error:
            refusals.append(str(error))
            client.close()
            continue
        said = "\n".join(line for report in reports for line in report.missing)
        for session_id, entries in image.sessions.items():
            try:
                found = client.ask("look", session_id)
            except MoonwardError:
                continue  # refused by name
            assert found == entries or (found == entries[: len(found)] and f"{session_id!r}: of" in said)
        client.close()
    assert all("newer moonward" in text or "not a journal of moonward" in text for text in refusals)


def test_a_damaged_page_of_the_log_does_not_hide_the_commits_behind_it(
    image: Image, office: Office, tmp_path: Path
) -> None:
    choose = random.Random(4)
    half = len(image.log) // 2
    total = sum(map(len, image.sessions.values()))
    for _ in range(SAMPLES // 3):
        at = choose.randrange(32, half)
        damaged = bytearray(image.log)
        damaged[at] ^= 0xFF
        client, reports = opened(office, lay_out(tmp_path / "j.db", image.file, bytes(damaged)))
        found = left(client, image)
        for session_id, sizes in image.log_bytes.items():
            durable = sum(size <= at for size in sizes)
            assert len(found.get(session_id, [])) >= (durable + 1 if durable else 0)
        assert "the log is damaged" in "\n".join(reports[0].missing)
        assert_all_told(image, found, reports)
        assert sum(map(len, found.values())) > 0.7 * total
        client.close()


def test_the_end_cut_off_the_file_is_found_in_the_log(image: Image, office: Office, tmp_path: Path) -> None:
    client, reports = opened(
        office, lay_out(tmp_path / "j.db", image.file[: len(image.file) // 2], image.log)
    )
    found = left(client, image)
    for number in range(6, 12):
        assert found[f"s-{number}"] == image.sessions[f"s-{number}"]
    assert_all_told(image, found, reports)
    assert len(reports) == 1


@pytest.mark.parametrize("file", [None, b""])
def test_a_log_without_its_file_is_not_thrown_away(
    image: Image, office: Office, tmp_path: Path, file: bytes | None
) -> None:
    path = lay_out(tmp_path / "j.db", b"", image.log)
    if file is None:
        path.unlink()
    client, reports = opened(office, path)
    found = left(client, image)
    assert set(found) == {f"s-{number}" for number in range(6, 12)}
    assert all(found[session_id] == image.sessions[session_id] for session_id in found)
    assert len(reports) == 1


def test_what_is_salvaged_goes_on(image: Image, whole: bytes, office: Office, tmp_path: Path) -> None:
    damaged = bytearray(whole)
    lost = whole.index(encode(image.sessions["s-8"][5]))
    damaged[lost : lost + 4096] = b"\xff" * 4096
    damaged[100] = 0  # SQLite must notice
    path = lay_out(tmp_path / "j.db", bytes(damaged))
    client, (report,) = opened(office, path)
    assert report.path == str(path)
    assert Path(report.kept_as).read_bytes() == bytes(damaged)
    assert report.kept_as == f"{path}.damaged-1"
    assert (report.sessions, report.entries) == (
        len(client.ask("list")),
        sum(map(len, left(client, image).values())),
    )
    wanted = len(image.sessions["s-8"])
    entries = client.ask("open", "s-8")
    assert 1 <= len(entries) <= 5
    line = f"of {wanted} entries the first {len(entries)} are there"
    assert f"session 's-8': {line}" in report.missing
    (note,) = client.ask("notes", "s-8")
    assert (note.title, note.text) == ("salvaged", line)
    client.append("s-8", called(77))
    assert client.ask("look", "s-8") == [*entries, called(77)]
    assert client.ask("content", PRELUDE) == PRELUDE_BODY
    assert client.ask("content", image.module) == b"return 'a module' " * 300
    assert client.ask("notes", "s-1") == [Note("seen", "by a person", 9)]
    assert client.ask("notes", "s-7") == [Note("seen", "by a person", 9)]
    client.create(started("s-new"))
    completed = sum(row.phase == "completed" for row in client.ask("list"))
    assert completed > 0
    assert client.ask("prune", 1 << 50) == completed
    client.close()
    again, reports = opened(office, path)
    assert reports == []
    assert again.ask("look", "s-8") == [*entries, called(77)]


def test_a_second_damage_keeps_the_first_file(whole: bytes, office: Office, tmp_path: Path) -> None:
    path = lay_out(tmp_path / "j.db", whole[:30000])
    opened(office, path)[0].close()
    path.write_bytes(path.read_bytes()[:20000])
    client, (report,) = opened(office, path)
    assert report.kept_as == f"{path}.damaged-2"
    assert len(Path(f"{path}.damaged-1").read_bytes()) == 30000
    client.close()


def test_a_removed_session_is_not_salvaged(
    whole: bytes, image: Image, office: Office, tmp_path: Path
) -> None:
    path = lay_out(tmp_path / "j.db", whole)
    client, _ = opened(office, path)
    client.tell("forget", "s-2")
    client.tell("forget", "s-9")
    client.close()
    data = bytearray(path.read_bytes())
    data[100] = 0
    path.write_bytes(bytes(data))
    client, (report,) = opened(office, path)
    assert set(left(client, image)) == set(image.sessions) - {"s-2", "s-9"}
    assert report.missing == []


@pytest.mark.parametrize("data", [b"x", b"some other text\n" * 500])
def test_a_file_that_never_was_a_journal_is_left_alone(office: Office, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(data)
    client = office.sqlite(path)
    with pytest.raises(JournalError, match="not a journal"):
        client.ask("adopt")
    assert path.read_bytes() == data
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_no_salvage_under_a_live_host(whole: bytes, tmp_path: Path) -> None:
    path = lay_out(tmp_path / "j.db", whole[:90000])
    host = HostLock(f"{path}-hosts")
    host.hold(5)
    with pytest.raises(JournalError, match="a live host is using it"):
        salvage(str(path))
    assert path.read_bytes() == whole[:90000]
    host.close()
    assert salvage(str(path)).sessions > 0


def test_a_salvage_that_was_cut_short_is_done_again(
    image: Image, whole: bytes, office: Office, tmp_path: Path
) -> None:
    path = lay_out(tmp_path / "j.db", image.file)
    # The host died after it had moved the log, before it had put the fresh file in place.
    path.with_name("j.db.damaged-1").hardlink_to(path)
    path.with_name("j.db.damaged-1-wal").write_bytes(image.log)
    with pytest.raises(JournalError, match="was being salvaged"):
        examine(str(path))
    client, (report,) = opened(office, path)
    assert left(client, image) == image.sessions
    assert report.kept_as == f"{path}.damaged-1"


def test_a_session_without_its_start_is_named(
    whole: bytes, image: Image, office: Office, tmp_path: Path
) -> None:
    path = lay_out(tmp_path / "j.db", whole)
    connection = sqlite3.connect(path)
    num = connection.execute("SELECT num FROM sessions WHERE id='s-4'").fetchone()[0]
    connection.execute("DELETE FROM entries WHERE id=?", (num << INDEX_BITS,))
    connection.execute("DELETE FROM contents WHERE sha256=?", (image.module,))
    connection.commit()
    connection.close()
    with pytest.raises(JournalError):
        office.sqlite(path).ask("look", "s-4")
    report = salvage(str(path))
    assert (
        f"session 's-4': its start is missing; all {len(image.sessions['s-4'])} entries are left out"
        in report.missing
    )
    assert any(
        "s-3" in line and image.module in line and "cannot be replayed" in line for line in report.missing
    )
    client, _ = opened(office, path)
    with pytest.raises(SessionNotFound):
        client.ask("look", "s-4")


def test_the_log_is_read_as_sqlite_reads_it(image: Image, tmp_path: Path) -> None:
    path = lay_out(tmp_path / "j.db", image.file, image.log)
    log = read_log(f"{path}-wal")
    assert (log.page_size, log.unfinished, log.later, log.odd_bytes) == (4096, [], [], 0)
    connection = sqlite3.connect(path)
    _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    connection.close()
    assert len(log.committed) == frames
    shutil.rmtree(tmp_path)
