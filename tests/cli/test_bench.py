"""`moonward bench`, as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-P", "-m", "moonward", "bench"]
ASK = "return alc.llm('?')"
SOON = ["--duration", "0.3", "--warm-up", "0"]


def bench(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=50, stdin=subprocess.DEVNULL
    )
    assert done.returncode == status, done.stderr
    return done


def test_a_load_on_a_script_prints_a_table_and_how_the_times_lie(tmp_path: Path) -> None:
    script = tmp_path / "strategy.lua"
    script.write_text("alc.llm('1') return alc.llm_batch{{prompt='2'}, {prompt='3'}}")
    done = bench(script, "--rate", "20", "--arrivals", "even", *SOON)
    assert "6 arrived, 6 completed" in done.stdout
    assert "answer  last answer of a pause due" in done.stdout
    assert "█" in done.stdout
    assert "6 completed" in done.stderr


def test_json_tells_every_session_and_answer() -> None:
    found = json.loads(bench("-e", ASK, "--rate", "20", "--arrivals", "even", "--json", *SOON).stdout)
    assert found["sessions"]["arrived"] == found["sessions"]["completed"] == 6
    assert found["latencies"]["answer"]["count"] == 6
    assert found["environment"]["journal"] == "memory"
    assert not found["interrupted"]


def test_without_a_rate_sessions_follow_each_other() -> None:
    found = json.loads(bench("-e", ASK, "--concurrency", "2", "--json", *SOON).stdout)
    assert found["most_under_way"] == 2
    assert found["sessions"]["completed"] >= 2


def test_each_session_gets_the_answers_of_the_file(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"response": "a"}\n{"response": "b"}\n')
    code = "local x, y = alc.llm('1'), alc.llm('2') if x .. y ~= 'ab' then error(x .. y) end"
    done = bench("-e", code, "--answers", answers, "--rate", "10", "--arrivals", "even", *SOON)
    assert "3 arrived, 3 completed" in done.stdout


def test_a_strategy_that_fails_is_counted_as_failed() -> None:
    done = bench("-e", "error('no')", "--rate", "10", "--arrivals", "even", *SOON)
    assert "3 arrived, 3 failed" in done.stdout


def test_when_no_session_comes_to_an_end_the_status_says_so(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text("")
    done = bench("-e", ASK, "--answers", answers, "--rate", "10", "--arrivals", "even", *SOON, status=1)
    assert "3 NoAnswerLeft" in done.stdout


def test_a_durable_journal_can_be_measured_and_nothing_in_it_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    done = bench("-e", ASK, "--journal", f"sqlite:///{path}", "--rate", "10", "--json", *SOON)
    assert json.loads(done.stdout)["environment"]["journal"] == "sqlite"
    assert path.exists()


def test_state_of_the_strategies_does_not_reach_the_user(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {**os.environ, "XDG_DATA_HOME": str(home)}
    done = subprocess.run(
        [*COMMAND, "-e", "alc.state.set('k', 1)", "--rate", "10", *SOON],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    assert not home.exists()


def test_a_picture_is_drawn_without_anything_else(tmp_path: Path) -> None:
    path = tmp_path / "times.svg"
    bench("-e", ASK, "--rate", "20", "--plot", path, *SOON)
    assert path.read_text().startswith("<svg")


def test_an_interrupt_ends_the_load_and_prints_what_there_is() -> None:
    with subprocess.Popen(
        [*COMMAND, "-e", ASK, "--rate", "50", "--duration", "1000", "--warm-up", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert "s of 1000" in command.stderr.readline()
        command.send_signal(signal.SIGINT)
        printed = command.stdout.read()
    assert command.returncode == 130
    assert "interrupted: this is what happened until then" in printed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-e", ASK, "--rate", "0"], "more than 0"),
        (["-e", ASK, "--rate", "nan"], "more than 0"),
        (["-e", ASK, "--rate", "fast"], "fast"),
        (["-e", ASK, "--concurrency", "0"], "at least 1"),
        (["-e", ASK, "--duration", "0"], "more than 0"),
        (["-e", ASK, "--think", "soon"], "FROM-TO"),
        (["-e", ASK, "--plot", "x.gif"], ".svg"),
        (["-e", ASK, "--answers", "/none"], "cannot read"),
        (["-e", ASK, "--ctx", "[]"], "JSON object"),
        (["/no/such/file.lua"], "cannot read"),
        ([], "FILE"),
    ],
)
def test_wrong_usage_is_named_before_anything_is_started(arguments: list[str], complaint: str) -> None:
    done = bench(*arguments, status=2)
    assert complaint in done.stderr
    assert done.stdout == ""


def test_a_place_that_cannot_be_drawn_to_is_named(tmp_path: Path) -> None:
    done = bench("-e", ASK, "--rate", "10", "--plot", tmp_path / "none" / "x.svg", *SOON, status=2)
    assert "--plot" in done.stderr
    assert "completed" in done.stdout
