"""The operator's tools: looking at sessions, and changing them, from the command line."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import moonward as package
from moonward.actors.journal.archive import Archive

from .command import COMMAND, moonward

WAIT_S = 20.0
TWO = (
    "alc.progress(1, 2, 'half') alc.log('warn', 'careful') return alc.llm('one?') .. alc.llm('two?\\27[31m')"
)


class Journal:
    """A journal, and how the command line is told of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def run(self, command: str, *arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        """A command on this journal."""
        return moonward(command, *arguments, "--journal", self.url, **more)

    def runtime(self, **settings: Any) -> package.Runtime:
        """A Runtime on this journal."""
        return package.Runtime(journal=self.url, data_dir=self.path.parent / "data", **settings)

    def start(self, code: str = TWO, answers: tuple[str, ...] = (), **more: Any) -> str:
        """The id of a session that has got `answers`."""
        with self.runtime() as runtime:
            session = runtime.start(code, **more)
            session.wait(WAIT_S)
            for answer in answers:
                session.feed(answer, timeout=WAIT_S)
            return session.id


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal that is not there yet."""
    return Journal(tmp_path / "j.db")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Journal, dict[str, str]]:
    """A journal to look at, and the ids of its sessions by what became of them."""
    journal = Journal(tmp_path_factory.mktemp("kept") / "j.db")
    ids = {
        "paused": journal.start(),
        "completed": journal.start("return {alc.llm('one?'), '\\u{202e}'}", ("1",)),
        "failed": journal.start("error('bro\\27ken', 0)"),
    }
    with journal.runtime() as runtime:
        ids["cancelled"] = runtime.start("return alc.llm('one?')").id
        runtime.cancel(ids["cancelled"], "enough")
    return journal, ids


def objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects of the lines."""
    return [json.loads(line) for line in text.splitlines()]


# -- sessions ----------------------------------------------------------------------------------------------------------


def test_sessions_are_listed_oldest_first(kept: tuple[Journal, dict[str, str]]) -> None:
    journal, ids = kept
    lines = journal.run("sessions").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [[session_id, phase] for phase, session_id in ids.items()]
    rows = objects(journal.run("sessions", "--json").stdout)
    assert [(row["session_id"], row["phase"]) for row in rows] == [
        (each, phase) for phase, each in ids.items()
    ]
    assert rows[0].keys() == {
        "session_id", "phase", "started_at", "last_entry_at", "entries", "strategy", "user", "owner_pid"
    }  # fmt: skip
    assert {row["owner_pid"] for row in rows} == {None}
    assert rows[1]["entries"] == 4


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--phase", "paused"], ["paused"]),
        (["--phase", "failed", "--phase", "completed"], ["completed", "failed"]),
        (["--older-than", "1d"], []),
        (["--newer-than", "1d"], ["paused", "completed", "failed", "cancelled"]),
        (["--older-than", "0s", "--phase", "cancelled"], ["cancelled"]),
    ],
)
def test_a_listing_can_be_filtered_by_phase_and_age(
    kept: tuple[Journal, dict[str, str]], filters: list[str], found: list[str]
) -> None:
    journal, ids = kept
    rows = objects(journal.run("sessions", "--json", *filters).stdout)
    assert [row["session_id"] for row in rows] == [ids[phase] for phase in found]


def test_more_sessions_than_are_read_at_a_time_are_all_listed(journal: Journal) -> None:
    session_id = journal.start()
    other = sqlite3.connect(journal.path)
    other.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1201)"
        " INSERT INTO sessions(id, owner, phase, entries, started_ms, last_ms)"
        " SELECT 's-' || i, 0, 'paused', 2, i, i FROM n"
    )
    other.commit()
    other.close()
    lines = journal.run("sessions").stdout.splitlines()
    assert len(lines) == 1202
    assert lines[0].startswith(session_id)


def test_a_journal_that_is_not_there_is_empty_and_is_not_made(journal: Journal) -> None:
    done = journal.run("sessions")
    assert (done.stdout, "there is no journal at" in done.stderr) == ("", True)
    assert journal.run("prune", "--older-than", "1d").stdout == "removed 0 sessions\n"
    assert "not found" in journal.run("show", "s-1", status=1).stderr
    assert "not found" in journal.run("cancel", "s-1", status=1).stderr
    assert list(journal.path.parent.iterdir()) == []


def test_looking_changes_no_byte_and_leaves_no_file(kept: tuple[Journal, dict[str, str]]) -> None:
    journal, ids = kept
    before = {file.name: file.read_bytes() for file in journal.path.parent.iterdir() if file.is_file()}
    journal.run("sessions")
    journal.run("show", ids["paused"])
    after = {file.name: file.read_bytes() for file in journal.path.parent.iterdir() if file.is_file()}
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"j.db-shm", "j.db-wal"}


# -- show --------------------------------------------------------------------------------------------------------------


def test_a_paused_session_is_shown_with_what_it_waits_for(kept: tuple[Journal, dict[str, str]]) -> None:
    journal, ids = kept
    shown = journal.run("show", ids["paused"]).stdout
    for text in (
        f"session   {ids['paused']}",
        "phase     paused",
        "waits for q-0",
        "one?",
        "[1/2] half",
        "careful",
    ):
        assert text in shown
    assert "    0  started" in shown
    assert "    1  paused    q-0 one?" in shown


@pytest.mark.parametrize(
    ("phase", "text"),
    [
        ("completed", 'result    ["1", "\\u202e"]'),
        ("failed", "bro\\eken"),
        ("cancelled", "cancelled enough"),
    ],
)
def test_an_ended_session_is_shown_with_its_end(
    kept: tuple[Journal, dict[str, str]], phase: str, text: str
) -> None:
    journal, ids = kept
    for arguments in ((ids[phase],), (ids[phase], "--full"), (ids[phase], "--json")):
        shown = journal.run("show", *arguments).stdout
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert text in journal.run("show", ids[phase]).stdout


def test_a_session_is_shown_as_json_with_its_transcript(kept: tuple[Journal, dict[str, str]]) -> None:
    journal, ids = kept
    (shown,) = objects(journal.run("show", ids["completed"], "--json").stdout)
    assert shown["transcript"] == [{"query_id": "q-0", "prompt": "one?", "system": None, "response": "1"}]
    assert shown["event"]["status"] == "completed"
    assert shown["event"]["result"] == ["1", "\u202e"]
    assert [entry["kind"] for entry in shown["journal"]] == ["started", "paused", "answered", "ended"]
    (shown,) = objects(journal.run("show", ids["paused"], "--json").stdout)
    assert shown["event"]["query_id"] == "q-0"
    assert shown["snapshot"]["pending_queries"] == 1


def test_a_beginning_that_no_other_has_stands_for_an_id(kept: tuple[Journal, dict[str, str]]) -> None:
    journal, ids = kept
    for beginning in (ids["paused"][:8], ids["paused"]):
        assert ids["paused"] in journal.run("show", beginning).stdout
    assert "'s-' not found" in journal.run("show", "s-", status=1).stderr
    assert "not found" in journal.run("show", "s-%%%%", status=1).stderr


def test_a_beginning_of_several_ids_is_refused_with_their_names(journal: Journal) -> None:
    journal.start()
    other = sqlite3.connect(journal.path)
    for name in ("s-same1", "s-same2"):
        other.execute(
            "INSERT INTO sessions(id, owner, phase, entries, started_ms, last_ms) VALUES (?, 0, 'paused', 0, 1, 1)",
            (name,),
        )
    other.commit()
    other.close()
    assert "s-same1, s-same2" in journal.run("show", "s-same", status=2).stderr


# -- feed --------------------------------------------------------------------------------------------------------------


def test_one_answer_after_the_other_leads_to_the_end(journal: Journal) -> None:
    session_id = journal.start()
    done = journal.run("feed", session_id, "a")
    assert done.stdout == ""
    assert "? q-1" in done.stderr
    assert "two?\\e[31m" in done.stderr
    done = journal.run("feed", session_id, "-", given="b\n")
    assert done.stdout == '"ab"\n'
    assert "is completed" in journal.run("feed", session_id, "c", status=1).stderr


def test_the_whole_event_of_an_answer_can_be_printed(journal: Journal) -> None:
    session_id = journal.start("return alc.llm_batch{{prompt='1'}, {prompt='2'}}")
    assert "2 queries are pending" in journal.run("feed", session_id, "x", status=1).stderr
    (event,) = objects(journal.run("feed", session_id, "x", "--query-id", "q-1", "--json").stdout)
    assert event == {"status": "accepted", "remaining": 1}
    (event,) = objects(journal.run("feed", session_id, "y", "--json").stdout)
    assert (event["status"], event["result"]) == ("completed", ["y", "x"])


def test_an_answer_with_a_key_can_be_given_again(journal: Journal) -> None:
    session_id = journal.start()
    first = journal.run("feed", session_id, "a", "--idempotency-key", "k", "--json").stdout
    assert journal.run("feed", session_id, "a", "--idempotency-key", "k", "--json").stdout == first
    assert "another" in journal.run("feed", session_id, "b", "--idempotency-key", "k", status=1).stderr


def test_without_a_text_it_goes_on_as_run_does(journal: Journal) -> None:
    session_id = journal.start()
    done = journal.run("feed", session_id, "--answer-cmd", "tr a-z A-Z")
    assert done.stdout == '"ONE?TWO?\\u001b[31M"\n'
    assert "? q-0 one?" in done.stderr


def test_when_there_is_no_answer_the_session_stays_paused(journal: Journal) -> None:
    session_id = journal.start()
    assert "no terminal" in journal.run("feed", session_id, status=1).stderr
    answers = journal.path.with_name("answers.jsonl")
    answers.write_text('{"response": "a"}\n')
    assert "stays paused" in journal.run("feed", session_id, "--answers", answers, status=1).stderr
    (row,) = objects(journal.run("sessions", "--json").stdout)
    assert row["phase"] == "paused"
    assert journal.run("feed", session_id, "b").stdout == '"ab"\n'


def test_an_answer_is_not_given_to_a_question_that_nobody_has_seen(journal: Journal) -> None:
    session_id = journal.start(answers=("a", "b"))
    under_way = [journal.run("fork", session_id, "--at", "2").stdout.strip() for _ in range(2)]
    assert "phase     running" in journal.run("show", under_way[0]).stdout
    told = journal.run("feed", under_way[0], "x", status=1).stderr
    assert "TEXT was not given" in told
    assert "? q-1" in told
    assert journal.run("feed", under_way[0], "x").stdout == '"ax"\n'
    assert journal.run("feed", under_way[1], "y", "--query-id", "q-1").stdout == '"ay"\n'


@pytest.mark.parametrize("status", [1, 3])
def test_the_status_of_a_feed_is_that_of_the_end(journal: Journal, status: int) -> None:
    code = {1: "alc.llm('?') error('broken')", 3: "return alc.llm('?')"}[status]
    session_id = journal.start(code)
    if status == 3:
        journal.run("cancel", session_id)
        journal.run("feed", session_id, "--answer", "x", status=3)
    else:
        journal.run("feed", session_id, "x", status=1)


def test_feeding_one_session_takes_no_other(journal: Journal) -> None:
    ids = [journal.start() for _ in range(3)]
    feeding = subprocess.Popen(
        [*COMMAND, "feed", ids[0], "--answer-cmd", "exec sleep 60", "--journal", journal.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert feeding.stderr is not None
        assert "paused" in feeding.stderr.readline()
        with journal.runtime() as runtime:
            assert runtime.feed(ids[1], "a", timeout=WAIT_S)
        assert {row["owner_pid"] for row in objects(journal.run("sessions", "--json").stdout)[1:]} == {None}
    finally:
        feeding.send_signal(signal.SIGINT)
        feeding.communicate(timeout=30)
    assert feeding.returncode == 130


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["feed"], "ID"),
        (["feed", "s-1", "x", "--answer", "y"], "TEXT answers one query"),
        (["feed", "s-1", "--query-id", "q-0"], "go with TEXT"),
        (["sessions", "--older-than", "5"], "90s, 15m, 2h or 7d"),
        (["sessions", "--phase", "asleep"], "invalid choice"),
        (["prune"], "--older-than"),
        (["prune", "--older-than", "-1d"], "--older-than"),
        (["fork", "s-1"], "--at"),
        (["fork", "s-1", "--at", "x"], "invalid int"),
        (["replay", "s-1", "--code", "/none.lua"], "cannot read"),
        (["sessions", "--journal", "memory:"], "only while their Runtime lives"),
        (["show", "s-1", "--journal", "memory:"], "only while their Runtime lives"),
        (["sessions", "--journal", "postgres:"], "journal must be"),
    ],
)
def test_wrong_usage_is_told_and_has_its_own_status(arguments: list[str], what: str) -> None:
    assert what in moonward(*arguments, status=2).stderr


def test_an_answer_that_is_no_text_is_refused(journal: Journal) -> None:
    session_id = journal.start()
    assert "not UTF-8" in journal.run("feed", session_id, "-", given=b"\xff", status=2).stderr


# -- a live host -------------------------------------------------------------------------------------------------------


@pytest.fixture
def live(journal: Journal) -> Iterator[package.Session]:
    """A session that this process has."""
    with journal.runtime() as runtime:
        session = runtime.start(TWO)
        session.wait(WAIT_S)
        yield session


def test_a_session_of_a_live_host_is_read_and_is_changed_by_nobody_else(
    journal: Journal, live: package.Session, tmp_path: Path
) -> None:
    mine = str(os.getpid())
    assert journal.run("sessions").stdout.split()[-2] == mine
    assert f"phase     paused, process {mine} has it" in journal.run("show", live.id).stdout
    for arguments in (["feed", live.id, "a"], ["cancel", live.id]):
        assert f"belongs to process {mine}" in journal.run(*arguments, status=1).stderr
    assert journal.run("replay", live.id).stdout.startswith("agrees with its 2 entries")
    copy = journal.run("fork", live.id, "--at", "1").stdout.strip()
    journal.run("export", live.id, tmp_path / "out")
    assert journal.run("feed", copy, "--answer", "x").stdout == '"xx"\n'
    assert isinstance(live.feed("a", timeout=WAIT_S), package.Paused)
    journal.run("prune", "--older-than", "0s")
    assert [row["session_id"] for row in objects(journal.run("sessions", "--json").stdout)] == [live.id]


# -- the others --------------------------------------------------------------------------------------------------------


def test_a_session_is_cancelled_with_a_reason(journal: Journal) -> None:
    first, second = journal.start(), journal.start()
    assert journal.run("cancel", first).stdout == f"cancelled {first}\n"
    (event,) = objects(journal.run("cancel", second, "--reason", "enough", "--json").stdout)
    assert (event["status"], event["reason"]) == ("cancelled", "enough")
    assert "is cancelled" in journal.run("cancel", first, status=1).stderr


def test_a_fork_goes_on_from_a_point_of_the_old_session(journal: Journal) -> None:
    session_id = journal.start(answers=("a", "b"))
    (told,) = objects(journal.run("fork", session_id, "--at", "3", "--json").stdout)
    assert told.items() >= {"forked_from": session_id, "forked_at": 3}.items()
    assert f"from {session_id} at 3" in journal.run("show", told["session_id"]).stdout
    assert journal.run("feed", told["session_id"], "c").stdout == '"ac"\n'
    for at in ("9", "-1", "5"):
        assert "fork before it" in (
            error := journal.run("fork", session_id, f"--at={at}", status=2).stderr
        ) or ("0 to 5" in error)


def test_a_replay_agrees_or_says_where_it_differs_and_how(journal: Journal) -> None:
    session_id = journal.start(answers=("a", "b"))
    assert journal.run("replay", session_id).stdout == "agrees with its 6 entries, to the end\n"
    other = journal.path.with_name("other.lua")
    other.write_text("alc.llm('one?') return alc.llm('another\\27[1m?')")
    told = journal.run("replay", session_id, "--code", other, status=1).stdout
    assert told.startswith("differs at entry 3 of 6\n")
    assert "-two?" in told
    assert "+another\\e[1m?" in told
    (report,) = objects(journal.run("replay", session_id, "--code", other, "--json", status=1).stdout)
    assert (report["agrees"], report["entry"], report["session_id"]) == (False, 3, session_id)
    other.write_text("return alc.llm('one?') .. alc.llm('two?\\27[31m') .. '!'")
    told = journal.run("replay", session_id, "--code", other, status=1).stdout
    assert "the result" in told
    assert journal.run("show", session_id).stdout.count("ended") == 1


def test_an_exported_session_goes_on_in_another_journal(journal: Journal, tmp_path: Path) -> None:
    session_id = journal.start(answers=("a",))
    file = tmp_path / "session.json"
    assert str(file) in journal.run("export", session_id, file).stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "is there already" in journal.run("export", session_id, file, status=2).stderr
    journal.run("export", session_id, file, "--force")
    assert "is there already" in journal.run("export", session_id, tmp_path, "--force", status=2).stderr
    assert "exists already" in journal.run("import", file, status=1).stderr
    other = Journal(tmp_path / "other.db")
    assert other.run("import", file).stdout == f"{session_id}\n"
    assert other.run("feed", session_id, "b").stdout == '"ab"\n'
    file.write_text("{}")
    assert "not an exported session" in other.run("import", file, status=1).stderr
    assert "could not be read" in other.run("import", tmp_path / "none", status=1).stderr


def test_prune_removes_what_ended_long_enough_ago(journal: Journal) -> None:
    paused, over = journal.start(), journal.start(answers=("a", "b"))
    assert journal.run("prune", "--older-than", "1d", "--json").stdout == '{"removed": 0}\n'
    assert journal.run("prune", "--older-than", "0s").stdout == "removed 1 session\n"
    assert "not found" in journal.run("show", over, status=1).stderr
    assert journal.run("show", paused)


def test_the_environment_names_the_journal(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = journal.start()
    monkeypatch.setenv("MOONWARD_JOURNAL", journal.url)
    monkeypatch.setenv("MOONWARD_IDLE_TTL", "0")
    assert session_id in moonward("sessions").stdout
    assert "? q-1" in moonward("feed", session_id, "a").stderr
    assert moonward("show", session_id).stdout


def kill_a_host(journal: Journal) -> None:
    """Leave a session that is paused, and whose host was killed."""
    running = subprocess.Popen(
        [*COMMAND, "run", "-e", TWO, "--answer-cmd", "exec sleep 60", "--journal", journal.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stderr is not None
    while "q-0" not in running.stderr.readline():
        pass
    os.killpg(running.pid, signal.SIGKILL)  # what it has started to answer, too: it holds the pipes
    running.communicate(timeout=30)


# -- damage ------------------------------------------------------------------------------------------------------------


def test_a_damaged_journal_is_told_by_looking_and_made_whole_by_changing(journal: Journal) -> None:
    session_id = journal.start(answers=("a",))
    data = bytearray(journal.path.read_bytes())
    data[100:108] = b"\xff" * 8
    journal.path.write_bytes(bytes(data))
    for command in (["sessions"], ["show", session_id]):
        error = journal.run(*command, status=1).stderr
        assert "damaged" in error
    done = journal.run("cancel", session_id)
    assert "was damaged and has been made whole" in done.stderr
    assert f"{journal.path}.damaged-1" in done.stderr
    assert journal.run("show", session_id)


def test_a_log_whose_journal_is_gone_is_told_by_looking_and_made_whole_by_changing(journal: Journal) -> None:
    kill_a_host(journal)
    journal.path.unlink()
    for command in (["sessions"], ["show", "s-any"]):
        assert "there is a log of it" in journal.run(*command, status=1).stderr
    assert "not found" in journal.run("cancel", "s-any", status=1).stderr  # but it is whole now
    (row,) = objects(journal.run("sessions", "--json").stdout)
    assert row["phase"] == "paused"


def test_looking_at_a_journal_whose_host_was_killed_leaves_its_log_alone(journal: Journal) -> None:
    kill_a_host(journal)
    log = journal.path.with_name("j.db-wal")
    before = log.read_bytes()
    assert before
    (row,) = objects(journal.run("sessions", "--json").stdout)
    assert (row["phase"], row["owner_pid"]) == ("paused", None)
    assert journal.run("show", row["session_id"])
    assert log.read_bytes() == before
    log.write_bytes(before[: len(before) // 2] + b"\xff" * 4200 + before[len(before) // 2 + 4200 :])
    assert "damaged" in journal.run("sessions", status=1).stderr
    assert log.stat().st_size == len(before)


def test_a_journal_in_a_directory_that_may_not_be_written_can_be_read(journal: Journal) -> None:
    session_id = journal.start()
    journal.path.chmod(0o444)
    place = journal.path.parent
    mounted = subprocess.run(["mount", "--bind", "-o", "ro", place, place], capture_output=True, check=False)
    if mounted.returncode == 0:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
    else:
        place.chmod(0o555)
    try:
        with Archive(str(journal.path)) as shelf:
            assert shelf.find(session_id) == session_id
        assert session_id in journal.run("sessions").stdout
        assert "cannot be" in (error := journal.run("feed", session_id, "a", status=1).stderr) or (
            "read-only" in error
        )
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", place], check=True)
        else:
            place.chmod(0o755)
