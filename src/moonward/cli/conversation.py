"""What `run` and `advise` share: their options, the way of a session to its end, what is printed of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moonward.actors.errors import SettingsError, TransitionError
from moonward.actors.interaction import Finished, Paused
from moonward.actors.terminal import Cancelled, Completed
from moonward.cli.answers import AnswerCommand, AnswersFile, AnswerSource, AskTerminal, FixedAnswer, NoAnswer
from moonward.cli.exit_status import CANCELLED, COMPLETED, FAILED, INTERRUPTED
from moonward.cli.journal import add_journal, command_line, settings_of
from moonward.cli.narrator import Narrator
from moonward.cli.operating import complain, print_json, tell_damage

if TYPE_CHECKING:
    from moonward.runtime import Runtime, Session

EPILOG = "Exit status: 0 completed, 1 failed, 2 wrong usage, 3 cancelled, 130 interrupted."

MAX_SOURCE_BYTES = 64 << 20
"""Bytes of a file that are read at all; a session's own limits are far lower. Keeps a mistyped name harmless."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that runs a session."""
    add_package_path(parser)
    add_answers(parser)
    add_journal(parser)
    parser.add_argument(
        "--json", action="store_true", help="print the whole final event, not the result alone"
    )


def add_answers(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where answers come from."""
    answers = parser.add_mutually_exclusive_group()
    answers.add_argument("--answer", metavar="TEXT", help="answer every query with TEXT")
    answers.add_argument(
        "--answers", metavar="FILE.jsonl", help='answers in order, one {"response": "…"} a line'
    )
    answers.add_argument(
        "--answer-cmd", metavar="CMD", help="a command: prompt on its input, answer on its output"
    )


def add_package_path(parser: argparse.ArgumentParser) -> None:
    """Add `--package-path`."""
    parser.add_argument(
        "--package-path",
        metavar="DIR",
        action="append",
        default=[],
        help="search DIR for packages (repeatable)",
    )


def to_the_end(arguments: argparse.Namespace, start: Callable[[Runtime], Session]) -> int:
    """Run the session that `start` starts, and print its end; returns the exit status."""
    source = _answers(arguments)
    from moonward.runtime import Runtime  # Lua and the actors are loaded by the commands that need them

    with Runtime(settings_of(arguments)) as runtime:
        tell_damage(runtime)
        session = start(runtime)
        narrator = Narrator(session, sys.stderr, full_prompts=isinstance(source, AskTerminal))
        try:
            event = _converse(session, source, narrator)
        except NoAnswer as reason:
            complain(f"{reason}; the session is cancelled")
            event = session.cancel(str(reason))
        except KeyboardInterrupt:
            return _interrupted(runtime, session, narrator, arguments)
        narrator.close()
        return print_final(session.id, event, as_json=arguments.json)


def go_on(arguments: argparse.Namespace, runtime: Runtime, session_id: str) -> int:
    """Answer a session that has begun before, to its end; without an answer it stays paused. The exit status."""
    source = _answers(arguments)
    session = runtime.session(session_id)
    narrator = Narrator(session, sys.stderr, full_prompts=isinstance(source, AskTerminal))
    event = session.wait()
    if isinstance(event, Paused):
        narrator.show(event.queries)
    try:
        finished = _converse(session, source, narrator)
    except NoAnswer as reason:
        complain(f"{reason}; the session stays paused")
        return FAILED
    except KeyboardInterrupt:
        complain("interrupted; the session stays in the journal, with the answers it has")
        return INTERRUPTED
    narrator.close()
    return print_final(session_id, finished, as_json=arguments.json)


def _interrupted(
    runtime: Runtime, session: Session, narrator: Narrator, arguments: argparse.Namespace
) -> int:
    """Let a paused session stay in a durable journal, with the answers it has; end any other."""
    event: Paused | Finished
    if runtime.settings.is_durable and session.phase == "paused":
        event = session.wait()
    else:
        try:
            event = session.cancel("interrupted")
        except TransitionError:  # it ended meanwhile
            event = session.finished()
    if isinstance(event, Finished):
        narrator.close()
        print_final(session.id, event, as_json=arguments.json)
        return INTERRUPTED
    complain(f"interrupted; the session stays paused: {command_line(arguments, 'feed', session.id)}")
    if arguments.json:
        print_json(event.to_json(session.id))
    return INTERRUPTED


def _converse(session: Session, source: AnswerSource, narrator: Narrator) -> Finished:
    """Answer until the end. Raises `NoAnswer`."""
    event = session.wait()
    while isinstance(event, Paused):
        try:
            _answer_all(session, event, source, narrator)
        except TransitionError:  # it ended meanwhile, by a limit or a lost worker: the end says so
            pass
        event = session.wait()
    return event


def _answer_all(session: Session, paused: Paused, source: AnswerSource, narrator: Narrator) -> None:
    for query in paused.queries:
        narrator.wait_until_shown(query.id)
        answer = source.answer(query)
        try:
            session.feed(answer)
        except SettingsError as error:
            raise NoAnswer(f"the answer to {query.id} cannot be taken: {error}") from None


def print_final(session_id: str, event: Finished, *, as_json: bool) -> int:
    """Print how a session ended; returns the exit status that says so."""
    state = event.state
    if as_json:
        print_json(event.to_json(session_id))
    elif isinstance(state, Completed):
        print_json(state.result)
    if isinstance(state, Completed):
        return COMPLETED
    if isinstance(state, Cancelled):
        return CANCELLED
    return FAILED


def source_of(path: Path) -> str:
    """The text of a file. Raises `SettingsError`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MAX_SOURCE_BYTES:
        raise SettingsError(f"{path} is larger than {MAX_SOURCE_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None


def json_object(option: str, text: str | None) -> dict[str, Any] | None:
    """The value of an option that is a JSON object, or `@` and the name of a file that holds one."""
    if text is None:
        return None
    where = option
    if text.startswith("@"):
        where = f"{option}: {text[1:]}"
        text = source_of(Path(text[1:]))
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{where} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise SettingsError(f"{where} must be a JSON object, got {type(value).__name__}")
    return value


def _answers(arguments: argparse.Namespace) -> AnswerSource:
    if arguments.answer is not None:
        return FixedAnswer(arguments.answer)
    if arguments.answers is not None:
        return AnswersFile(Path(arguments.answers))
    if arguments.answer_cmd is not None:
        return AnswerCommand(arguments.answer_cmd)
    return AskTerminal()
