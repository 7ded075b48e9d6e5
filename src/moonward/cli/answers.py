"""Where the answers of `moonward run` come from: a text, a file, a command, the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from copy import copy
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from moonward.actors.errors import SettingsError
from moonward.actors.query import LlmQuery, QueryResponse, TokenUsage
from moonward.cli.terminal_text import one_line

MAX_VARIABLE_BYTES: Final = 100_000
"""Bytes of an environment variable given to a command. Linux refuses more than 128 KiB in one (MAX_ARG_STRLEN)."""


class NoAnswer(Exception):
    """There is no answer, and there will be none; the text says why. The session is to be cancelled."""


class AnswerSource(Protocol):
    """Something that answers queries, one after another."""

    def answer(self, query: LlmQuery) -> QueryResponse:
        """The answer to `query`; raises `NoAnswer`."""


class FixedAnswer:
    """The same text for every query."""

    def __init__(self, text: str) -> None:
        self._text = QueryResponse(None, text).response

    def answer(self, query: LlmQuery) -> QueryResponse:
        return QueryResponse(query.id, self._text)


class AnswersFile:
    """The lines of a file in order, each a JSON object with a `response` and perhaps a `usage`, other keys ignored.

    The whole file is checked at once: `SettingsError` names the first line that is wrong.
    """

    def __init__(self, path: Path) -> None:
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError) as error:
            raise SettingsError(f"--answers: cannot read {path}: {error}") from None
        self._name = str(path)
        self._all = self._parsed(lines)
        self._answers = iter(self._all)

    def again(self) -> AnswersFile:
        """The same answers from the first on."""
        other = copy(self)
        other._answers = iter(self._all)
        return other

    def _parsed(self, lines: Iterable[str]) -> list[QueryResponse]:
        return [
            self._one(number, line)
            for number, line in enumerate(lines, start=1)
            if line and not line.isspace()
        ]

    def _one(self, number: int, line: str) -> QueryResponse:
        where = f"--answers: {self._name}, line {number}"
        try:
            value: Any = json.loads(line)
        except ValueError as error:
            raise SettingsError(f"{where} is not JSON: {error}") from None
        if not isinstance(value, dict) or not isinstance(value.get("response"), str):
            raise SettingsError(f'{where} must be an object {{"response": "…"}}')
        try:
            return QueryResponse(None, value["response"], TokenUsage.of(value.get("usage")))
        except SettingsError as error:
            raise SettingsError(f"{where}: {error}") from None

    def answer(self, query: LlmQuery) -> QueryResponse:
        for found in self._answers:
            return QueryResponse(query.id, found.response, found.usage)
        raise NoAnswer(f"no answer left in {self._name}")


class AnswerCommand:
    """A shell command, started once for each query: the prompt on its standard input, the answer on its output.

    Trailing line breaks of the output are dropped, as the shell's `$(…)` does. The environment has `ALC_QUERY_ID`,
    `ALC_QUERY_MAX_TOKENS` and, if the query has one that fits, `ALC_QUERY_SYSTEM`.
    """

    def __init__(self, command: str) -> None:
        self._command = command

    def answer(self, query: LlmQuery) -> QueryResponse:
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", self._command],
                input=query.prompt.encode(),
                stdout=subprocess.PIPE,
                env={**os.environ, **dict(_described(query))},
                check=False,
            )
        except OSError as error:
            raise NoAnswer(f"the answer command cannot be started: {error}") from None
        if done.returncode != 0:
            raise NoAnswer(f"the answer command failed with status {done.returncode}")
        try:
            return QueryResponse(query.id, done.stdout.decode().rstrip("\r\n"))
        except UnicodeDecodeError as error:
            raise NoAnswer(f"the answer command's output is not UTF-8: {error.reason}") from None


def _described(query: LlmQuery) -> Iterator[tuple[str, str]]:
    yield "ALC_QUERY_ID", query.id
    yield "ALC_QUERY_MAX_TOKENS", str(query.max_tokens)
    system = query.system or ""
    if system and "\0" not in system and len(system.encode()) < MAX_VARIABLE_BYTES:
        yield "ALC_QUERY_SYSTEM", system


class AskTerminal:
    """Whoever sits at the terminal; one line an answer. The end of input (Ctrl-D) is no answer."""

    def __init__(self, keyboard: TextIO | None = None, screen: TextIO | None = None) -> None:
        self._keyboard = keyboard or sys.stdin
        self._screen = screen or sys.stderr

    def answer(self, query: LlmQuery) -> QueryResponse:
        if not self._keyboard.isatty():
            raise NoAnswer("there is no terminal to ask on; see --answer, --answers and --answer-cmd")
        while True:
            self._screen.write(f"{one_line(query.id)} > ")
            self._screen.flush()
            try:
                line = self._keyboard.readline()
                if not line:
                    self._screen.write("\n")
                    raise NoAnswer("the input ended")
                return QueryResponse(query.id, line.rstrip("\r\n"))
            except (UnicodeDecodeError, SettingsError):
                self._screen.write("that was not valid UTF-8; once more, please\n")
