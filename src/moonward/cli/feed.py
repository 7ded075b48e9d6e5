"""`moonward feed`: answer a session that no live host has."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from moonward.actors.errors import SettingsError, TransitionError, UnknownQuery
from moonward.actors.interaction import Accepted, Finished, Paused
from moonward.cli import conversation
from moonward.cli.exit_status import COMPLETED, FAILED
from moonward.cli.narrator import questions
from moonward.cli.operating import add_session, changing, complain, print_json

if TYPE_CHECKING:
    from moonward.runtime import Runtime

MAX_ANSWER_BYTES = 64 << 20
"""Bytes of an answer that are read from standard input; a session's own limits are lower."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `feed`."""
    parser = commands.add_parser(
        "feed",
        help="answer a session",
        description="Answer a session that no live host has; no other session is touched. With TEXT, answer one query "
        "(the only one that waits, or --query-id) and print what follows. Without it, go on as `moonward run` does, "
        "but when there is no answer the session stays paused.",
        epilog=conversation.EPILOG,
    )
    add_session(parser)
    parser.add_argument("text", metavar="TEXT", nargs="?", help="the answer; - reads it from standard input")
    parser.add_argument("--query-id", metavar="ID", help="the query that TEXT answers")
    parser.add_argument(
        "--idempotency-key", metavar="KEY", help="feeding TEXT again with the same key gives the same outcome"
    )
    conversation.add_answers(parser)
    parser.add_argument("--json", action="store_true", help="print the whole event, not the result alone")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Feed it; returns the exit status."""
    _check(arguments)
    if arguments.text is None:
        with changing(arguments) as (runtime, session_id):
            return conversation.go_on(arguments, runtime, session_id)
    text = _given(arguments.text)
    with changing(arguments) as (runtime, session_id):
        return _feed(arguments, runtime, session_id, text)


def _check(arguments: argparse.Namespace) -> None:
    others = arguments.answer, arguments.answers, arguments.answer_cmd
    if arguments.text is not None and others != (None, None, None):
        raise SettingsError(
            "TEXT answers one query; --answer, --answers and --answer-cmd answer all that come"
        )
    if arguments.text is None and (arguments.query_id, arguments.idempotency_key) != (None, None):
        raise SettingsError("--query-id and --idempotency-key go with TEXT")


def _given(text: str) -> str:
    if text != "-":
        return text
    data = sys.stdin.buffer.read(MAX_ANSWER_BYTES + 1)
    if len(data) > MAX_ANSWER_BYTES:
        raise SettingsError(f"the answer on standard input is larger than {MAX_ANSWER_BYTES} bytes")
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"the answer on standard input is not UTF-8: {error.reason} at byte {error.start}"
        ) from None


def _feed(arguments: argparse.Namespace, runtime: Runtime, session_id: str, text: str) -> int:
    try:
        event = _answer(arguments, runtime, session_id, text)
    except (TransitionError, UnknownQuery):
        session = runtime.session(session_id)
        if session.phase != "running":
            raise
        paused = session.wait()  # its host died while Lua ran, or it was forked there
        if isinstance(paused, Paused) and arguments.query_id is None:
            complain("the session was under way; TEXT was not given to what it asks now:")
            print("\n".join(questions(paused.queries, full_prompts=True)), file=sys.stderr)
            return FAILED
        event = _answer(arguments, runtime, session_id, text)
    if isinstance(event, Finished):
        return conversation.print_final(session_id, event, as_json=arguments.json)
    if arguments.json:
        print_json(event.to_json(session_id))
    elif isinstance(event, Accepted):
        complain(f"accepted; {event.remaining} to go")
    else:
        print("\n".join(questions(event.queries, full_prompts=True)), file=sys.stderr)
    return COMPLETED


def _answer(
    arguments: argparse.Namespace, runtime: Runtime, session_id: str, text: str
) -> Accepted | Paused | Finished:
    return runtime.feed(
        session_id, text, query_id=arguments.query_id, idempotency_key=arguments.idempotency_key
    )
