"""`moonward run`, as a user meets it: a process with arguments, streams and an exit status."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import moonward as package

COMMAND = [sys.executable, "-P", "-m", "moonward"]
ASK = "return alc.llm('What is 2+2?')"


def moonward(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=50, stdin=subprocess.DEVNULL
    )
    assert done.returncode == status, done.stderr
    return done


def test_one_answer_for_every_query() -> None:
    assert moonward("run", "-e", ASK, "--answer", "4").stdout == '"4"\n'


def test_answers_of_a_file_are_used_in_order(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"response": "a"}\n{"response": "b"}\n{"response": "c"}\n')
    code = "local x = alc.llm_batch{{prompt='1'}, {prompt='2'}} return {x[1], x[2], alc.llm('3')}"
    assert json.loads(moonward("run", "-e", code, "--answers", answers).stdout) == ["a", "b", "c"]


def test_a_session_is_cancelled_when_the_answers_are_used_up(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"response": "a"}\n')
    done = moonward("run", "-e", "alc.llm('1') return alc.llm('2')", "--answers", answers, status=3)
    assert done.stdout == ""
    assert "no answer left" in done.stderr


def test_a_command_answers_with_the_prompt_on_its_input() -> None:
    assert moonward("run", "-e", ASK, "--answer-cmd", "tr a-z A-Z").stdout == '"WHAT IS 2+2?"\n'


def test_a_session_is_cancelled_when_the_command_fails() -> None:
    assert "status 1" in moonward("run", "-e", ASK, "--answer-cmd", "false", status=3).stderr


def test_a_session_is_cancelled_when_an_answer_cannot_be_taken() -> None:
    done = moonward("run", "-e", ASK, "--answer-cmd", "head -c 9000000 /dev/zero | tr '\\0' x", status=3)
    assert done.stdout == ""
    assert "* cancelled: the answer to q-0 cannot be taken: response is too long" in done.stderr


def test_a_session_is_cancelled_when_there_is_no_terminal_to_ask_on() -> None:
    assert "no terminal" in moonward("run", "-e", ASK, status=3).stderr


def test_it_asks_on_the_terminal() -> None:
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, "run", "-e", ASK],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        shown = ""
        while "q-0 > " not in shown:
            character = process.stderr.read(1)
            assert character, shown
            shown += character
        assert "What is 2+2?" in shown
        os.write(master, b"four\n")
        output, _ = process.communicate(timeout=30)
    finally:
        os.close(master)
        os.close(slave)
    assert (output, process.returncode) == ('"four"\n', 0)


def test_a_failed_session_tells_its_error_on_standard_error() -> None:
    done = moonward("run", "-e", "error('broken')", status=1)
    assert done.stdout == ""
    assert "broken" in done.stderr


def test_a_script_that_does_not_compile_has_failed() -> None:
    assert "syntax" in moonward("run", "-e", "return return", status=1).stderr


@pytest.mark.parametrize(
    ("code", "status", "shown"),
    [
        ("return 1", 0, {"status": "completed", "result": 1}),
        ("error('broken', 0)", 1, {"status": "error", "error": "broken", "error_kind": "lua"}),
        (ASK, 3, {"status": "cancelled"}),
    ],
)
def test_the_whole_final_event_can_be_printed(code: str, status: int, shown: dict[str, object]) -> None:
    event = json.loads(moonward("run", "-e", code, "--json", status=status).stdout)
    assert event.items() >= shown.items()
    assert event["stats"]["auto"]["llm_calls"] == (1 if code == ASK else 0)


def test_the_context_comes_from_the_command_line_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ctx.json"
    path.write_text('{"task": "sum"}')
    assert moonward("run", "-e", "return ctx.task", "--ctx", '{"task": "x"}').stdout == '"x"\n'
    assert moonward("run", "-e", "return ctx.task", "--ctx", f"@{path}").stdout == '"sum"\n'


def test_a_script_may_be_a_file_and_find_its_packages(tmp_path: Path) -> None:
    (tmp_path / "adder").mkdir()
    (tmp_path / "adder" / "init.lua").write_text("return { add = function(a, b) return a + b end }")
    script = tmp_path / "script.lua"
    script.write_text("return require('adder').add(1, 2)")
    assert moonward("run", script, "--package-path", tmp_path).stdout == "3\n"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "FILE"),
        (["-e", "return 1", "script.lua"], "not allowed"),
        (["-e", "return 1", "--ctx", "["], "--ctx is not JSON"),
        (["-e", "return 1", "--ctx", "[]"], "--ctx must be a JSON object"),
        (["-e", "return 1", "--ctx", "@/none"], "cannot read"),
        (["/none.lua"], "cannot read"),
        (["-e", "return 1", "--journal", "postgres:"], "journal must be"),
        (["-e", "return 1", "--answer", "a", "--answer-cmd", "b"], "not allowed"),
    ],
)
def test_wrong_usage_is_told_and_has_its_own_status(arguments: list[str], what: str) -> None:
    assert what in moonward("run", *arguments, status=2).stderr


def test_a_wrong_environment_variable_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONWARD_WARM_WORKERS", "many")
    assert "MOONWARD_WARM_WORKERS" in moonward("run", "-e", "return 1", status=2).stderr


def test_only_the_result_goes_to_standard_output() -> None:
    code = "print('printed') alc.log('warn', 'logged') alc.progress(1, 2, 'half') alc.llm('asked?') return 'result'"
    done = moonward("run", "-e", code, "--answer", "yes")
    assert done.stdout == '"result"\n'
    order = [
        done.stderr.index(word) for word in ("printed", "logged", "[1/2] half", "asked?", "answered q-0")
    ]
    assert order == sorted(order)


def test_what_a_script_wrote_cannot_act_on_the_terminal() -> None:
    code = (
        "print('\\27[2J') alc.progress(1, 1, '\\27[31m') alc.llm('\\27]0;title\\7') error('\\27[1m\\u{202e}')"
    )
    done = moonward("run", "-e", code, "--answer", "yes", status=1)
    assert "\x1b" not in done.stderr
    assert "\u202e" not in done.stderr
    result = moonward("run", "-e", "return '\\u{9b}31m\\27[2J'").stdout
    assert "\x1b" not in result
    assert "\x9b" not in result
    assert json.loads(result) == "\x9b31m\x1b[2J"


def test_an_interrupt_cancels_a_session_whose_lua_spins() -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "-e", "alc.llm('go?') while true do end", "--answer", "go", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "resumed" in line:
            break
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    event = json.loads(output)
    assert (event["status"], event["reason"]) == ("cancelled", "interrupted")


def interrupted_at_a_question(*arguments: str) -> tuple[str, str]:
    """Standard output and error of a run that was interrupted while it asked on the terminal."""
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, "run", "-e", "return alc.llm('one?') .. alc.llm('two?')", *arguments],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        shown = ""
        for wanted in ("q-0 > ", "q-1 > "):
            while wanted not in shown:
                character = process.stderr.read(1)
                assert character, shown
                shown += character
            if wanted == "q-0 > ":
                os.write(master, b"first\n")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        os.close(master)
        os.close(slave)
    assert process.returncode == 130
    return output, shown + errors


def test_an_interrupt_at_a_question_leaves_the_session_paused_in_its_journal(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path / 'my journal.db'}"
    output, errors = interrupted_at_a_question("--journal", journal, "--json")
    event = json.loads(output)
    assert (event["status"], event["query_id"]) == ("needs_response", "q-1")
    assert f"moonward feed {event['session_id']} --journal '{journal}'" in errors
    with package.Runtime(journal=journal) as runtime:
        session = runtime.session(event["session_id"])
        assert session.phase == "paused"
        assert session.feed(" second", query_id="q-1").to_json(session.id)["result"] == "first second"


def test_an_interrupt_cancels_a_session_that_only_memory_holds() -> None:
    output, errors = interrupted_at_a_question("--journal", "memory:")
    assert output == ""
    assert "cancelled: interrupted" in errors


def test_without_a_name_the_journal_is_in_the_users_data_directory(tmp_path: Path) -> None:
    moonward("run", "-e", ASK, "--answer", "4")
    home = Path(os.environ["XDG_DATA_HOME"]) / "moonward"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    with package.Runtime(journal=f"sqlite:///{home / 'journal.db'}") as runtime:
        assert [session.phase for session in runtime.sessions()] == ["completed"]


def test_a_data_directory_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONWARD_DATA_DIR", "/proc/none")
    assert "'/proc/none' cannot be made" in moonward("run", "-e", ASK, status=1).stderr
    assert moonward("run", "-e", ASK, "--answer", "4", "--journal", "memory:").stdout == '"4"\n'


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_a_reader_of_the_result_that_has_gone_is_a_failure_without_a_traceback() -> None:
    gone = closed_pipe()
    done = subprocess.run(
        [*COMMAND, "run", "-e", "return 1"], stdout=gone, stderr=subprocess.PIPE, text=True, timeout=50
    )
    os.close(gone)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_reader_of_the_messages_that_has_gone_does_not_stop_the_session() -> None:
    gone = closed_pipe()
    done = subprocess.run(
        [*COMMAND, "run", "-e", ASK, "--answer", "4"],
        stdout=subprocess.PIPE,
        stderr=gone,
        text=True,
        timeout=50,
    )
    os.close(gone)
    assert (done.stdout, done.returncode) == ('"4"\n', 0)


def test_a_durable_journal_can_be_named(tmp_path: Path) -> None:
    journal = tmp_path / "sessions.db"
    assert moonward("run", "-e", ASK, "--answer", "4", "--journal", f"sqlite:///{journal}").stdout == '"4"\n'
    assert journal.exists()


def test_the_demonstration_runs_to_its_end(tree: Path) -> None:
    folder = tree / "examples" / "demo"
    arguments = [
        "run",
        folder / "draft.lua",
        "--ctx",
        f"@{folder / 'ctx.json'}",
        "--answers",
        folder / "answers.jsonl",
    ]
    done = moonward(*arguments)
    answers = [json.loads(line)["response"] for line in (folder / "answers.jsonl").read_text().splitlines()]
    result = json.loads(done.stdout)
    assert [result["draft"], *result["critiques"], result["final"]] == answers
    shown = (tree / "README.md").read_text().split("```text\n")[1].split("```")[0].splitlines()
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line]
    assert len(shown) == len(lines)
    for line in shown:  # what is told by different sources may come in another order
        assert any(each.startswith(line.removesuffix("…")) for each in lines), line


def test_the_version_is_the_packages() -> None:
    assert moonward("--version").stdout == f"moonward {package.__version__}\n"


def test_a_command_is_needed() -> None:
    assert "COMMAND" in moonward(status=2).stderr
