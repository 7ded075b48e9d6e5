"""Where answers come from."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from moonward.actors.errors import SettingsError
from moonward.actors.query import LlmQuery, QueryResponse, TokenUsage
from moonward.cli.answers import AnswerCommand, AnswersFile, AskTerminal, FixedAnswer, NoAnswer

QUERY = LlmQuery("q-0", "What is 2+2?", system="Be brief.", max_tokens=7)


def answers(folder: Path, *lines: str) -> AnswersFile:
    path = folder / "answers.jsonl"
    path.write_text("\n".join(lines))
    return AnswersFile(path)


def test_one_text_answers_every_query() -> None:
    source = FixedAnswer("4")
    assert source.answer(QUERY) == source.answer(QUERY) == QueryResponse("q-0", "4")


def test_a_text_that_is_not_unicode_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="lone surrogate"):
        FixedAnswer("\udc80")


def test_lines_of_a_file_are_used_in_order_and_then_there_is_no_answer(tmp_path: Path) -> None:
    source = answers(tmp_path, '{"response": "a"}', "", '{"response": "b", "prompt": "ignored"}', "")
    assert [source.answer(QUERY).response for _ in range(2)] == ["a", "b"]
    with pytest.raises(NoAnswer, match="no answer left"):
        source.answer(QUERY)


def test_a_line_may_hold_the_tokens_that_were_used(tmp_path: Path) -> None:
    source = answers(tmp_path, '{"response": "a", "usage": {"completion_tokens": 3}}')
    assert source.answer(QUERY).usage == TokenUsage(None, 3)


def test_a_line_separator_within_a_string_does_not_end_the_line(tmp_path: Path) -> None:
    source = answers(tmp_path, json.dumps({"response": "a\u2028b\x85c"}, ensure_ascii=False))
    assert source.answer(QUERY).response == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "line 2 is not JSON"),
        ('"text"', "line 2 must be an object"),
        ('{"response": 4}', "line 2 must be an object"),
        ('{"response": "\\ud800"}', "line 2: response holds a lone surrogate"),
        ('{"response": "a", "usage": {"prompt_tokens": -1}}', "line 2: usage.prompt_tokens"),
    ],
)
def test_a_wrong_line_is_named_before_anything_runs(tmp_path: Path, line: str, what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        answers(tmp_path, '{"response": "a"}', line)


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        AnswersFile(tmp_path / "none")


def test_a_command_reads_the_prompt_and_its_output_is_the_answer() -> None:
    assert AnswerCommand("tr a-z A-Z; echo; echo").answer(QUERY) == QueryResponse("q-0", "WHAT IS 2+2?")


def test_a_command_is_told_what_else_the_query_says() -> None:
    command = AnswerCommand('echo "$ALC_QUERY_ID $ALC_QUERY_MAX_TOKENS $ALC_QUERY_SYSTEM"')
    assert command.answer(QUERY).response == "q-0 7 Be brief."


def test_a_command_that_reads_nothing_may_still_answer_a_long_prompt() -> None:
    assert AnswerCommand("echo done").answer(LlmQuery("q-1", "x" * 1_000_000)).response == "done"


def test_a_system_text_that_fits_no_variable_is_left_out() -> None:
    command = AnswerCommand('echo "${ALC_QUERY_SYSTEM-none}"')
    assert command.answer(LlmQuery("q-1", "x", system="y" * 200_000)).response == "none"
    assert command.answer(LlmQuery("q-1", "x", system="a\0b")).response == "none"


def test_a_command_that_fails_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="status 3"):
        AnswerCommand("echo partial; exit 3").answer(QUERY)


def test_output_that_is_not_utf8_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="not UTF-8"):
        AnswerCommand(r"printf '\377'").answer(QUERY)


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_terminal_is_asked_a_line_for_each_answer() -> None:
    screen = io.StringIO()
    source = AskTerminal(Keyboard("four\nfive\n"), screen)
    assert source.answer(QUERY) == QueryResponse("q-0", "four")
    assert source.answer(QUERY).response == "five"
    assert screen.getvalue() == "q-0 > q-0 > "


def test_the_end_of_the_terminals_input_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="input ended"):
        AskTerminal(Keyboard(""), io.StringIO()).answer(QUERY)


def test_a_line_that_is_not_unicode_is_asked_for_again() -> None:
    screen = io.StringIO()
    assert AskTerminal(Keyboard("\udc80\nfour\n"), screen).answer(QUERY).response == "four"
    assert "once more" in screen.getvalue()


def test_without_a_terminal_there_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="no terminal"):
        AskTerminal(io.StringIO("four\n"), io.StringIO()).answer(QUERY)
