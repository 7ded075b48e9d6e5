"""The tools that run scripts: start, answer, look, end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from moonward.actors.errors import AmbiguousQuery, JournalError, SessionNotFound, SettingsError
from moonward.actors.host.packages import find_module
from moonward.actors.pending_filter import PRESETS, PendingFilter, json_type
from moonward.actors.query import QueryResponse, TokenUsage
from moonward.servers.answering import Result, resume, settle
from moonward.servers.arguments import Arguments
from moonward.servers.desk import MAX_LISTED, Desk, is_active
from moonward.servers.progress import telling_progress
from moonward.servers.tool import Tool, ToolCall, an_object, output, text, truth
from moonward.supervisor.errors import MoonwardError

SESSION_ID: Final = text("The session's id (`s-…`), from the result of alc_run or alc_advice.")

PROJECT_ROOT: Final = text("A directory whose `packages/` is searched for packages first.")

USAGE: Final = an_object(
    "Tokens that your model's provider counted for this answer; they replace our estimates.",
    {
        "prompt_tokens": {"type": "integer", "minimum": 0},
        "completion_tokens": {"type": "integer", "minimum": 0},
    },
)

IDEMPOTENCY_KEY: Final = text(
    "Any text of yours. The same key with the same answer again returns the first outcome instead of answering "
    "twice: repeat a call safely with it when its result was lost."
)

PENDING_FILTER: Final = {
    "description": "Which fields of each pending query to show under `pending`: `meta` (ids and token limits), "
    "`preview` (and the beginning of each prompt), `full` (everything), or an object of flags.",
    "anyOf": [
        {"type": "string", "enum": list(PRESETS)},
        {
            "type": "object",
            "properties": {
                "query_id": {"type": "boolean"},
                "prompt": {
                    "type": "object",
                    "properties": {
                        "mode": {"type": "string", "enum": ["off", "preview", "full"]},
                        "chars": {"type": "integer", "minimum": 0},
                    },
                    "required": ["mode"],
                },
                "system": {"type": "boolean"},
                "max_tokens": {"type": "boolean"},
                "grounded": {"type": "boolean"},
                "underspecified": {"type": "boolean"},
            },
        },
    ],
}

EVENT: Final = output(
    {
        "status": {
            "type": "string",
            "enum": ["needs_response", "accepted", "completed", "error", "cancelled"],
            "description": "needs_response: answer with alc_continue. accepted: other queries of the batch are still "
            "open. The others are the end.",
        },
        "session_id": text("Only with needs_response: what alc_continue needs."),
        "query_id": text("Of the one pending query."),
        "prompt": text("The question to answer."),
        "system": {"type": ["string", "null"], "description": "Instructions to follow while answering."},
        "max_tokens": {"type": "integer", "description": "How long the answer may be."},
        "queries": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Several pending queries, each with `id`, `prompt`, `system`, `max_tokens`.",
        },
        "remaining": {"type": "integer"},
        "result": {"description": "What the script returned: any JSON value."},
        "error": text("Why the script failed."),
        "error_kind": text("What sort of failure it is."),
        "reason": text("Why the session was cancelled."),
        "stats": {"type": "object"},
    },
    "status",
)

STATUS: Final = output(
    {
        "active_sessions": {"type": "integer"},
        "sessions": {"type": "array", "items": {"type": "object"}},
        "session_id": {"type": "string"},
        "phase": {
            "type": "string",
            "enum": ["running", "paused", "completed", "failed", "cancelled"],
        },
    }
)

GO_ON: Final = (
    "While the result's status is `needs_response`, answer its `prompt` (following its `system` text, if any) and "
    "send the answer with alc_continue; repeat until the status is `completed`, `error` or `cancelled`."
)


class SessionTools:
    """The tools of this module, on one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def tools(self) -> list[Tool]:
        """Each with what it tells a host."""
        return [
            Tool(
                name="alc_run",
                title="Run Lua",
                description="Run Lua code in a session of its own. The code asks a language model with "
                "`alc.llm(prompt)` (or several questions at once with `alc.llm_batch`), and what it returns is the "
                f"result. {GO_ON} Give `code` or `code_file`, not both.",
                run=self.run,
                properties={
                    "code": text("Lua source. It runs as the body of a function: `return` its result."),
                    "code_file": text("Path of a file with Lua source, instead of `code`."),
                    "ctx": an_object("What the code sees as the global `ctx`."),
                    "project_root": PROJECT_ROOT,
                },
                output=EVENT,
            ),
            Tool(
                name="alc_advice",
                title="Run a strategy",
                description="Run an installed strategy package on a task: `require(strategy).run(ctx)`, with "
                f"`ctx.task` and the `opts`. alc_pkg_list says which there are. {GO_ON}",
                run=self.advise,
                properties={
                    "strategy": text("Name of an installed package."),
                    "task": text("The task or question to work on."),
                    "opts": an_object("Options of the strategy, merged into `ctx`."),
                    "project_root": PROJECT_ROOT,
                },
                required=("strategy",),
                output=EVENT,
            ),
            Tool(
                name="alc_continue",
                title="Answer a paused session",
                description="Answer what a session asks, and get what comes next: another question "
                "(`needs_response`), or the end. One pending query: `response`. Several: all at once in `responses`, "
                "or one after the other with `query_id`; until the last has come the status is `accepted`. Answers "
                "are kept before they are acknowledged: a session survives a restart of this server. Never answer "
                "a query twice; if a result was lost, alc_result shows where the session is.",
                run=self.go_on,
                properties={
                    "session_id": SESSION_ID,
                    "response": text("The answer, as plain text."),
                    "query_id": text("Which query it answers; needed when several are pending."),
                    "responses": {
                        "type": "array",
                        "description": "Several answers, taken together: all or none.",
                        "items": {
                            "type": "object",
                            "properties": {
                                "query_id": text("The `id` of the query."),
                                "response": text("The answer, as plain text."),
                                "usage": USAGE,
                                "idempotency_key": IDEMPOTENCY_KEY,
                            },
                            "required": ["query_id", "response"],
                        },
                    },
                    "usage": USAGE,
                    "idempotency_key": IDEMPOTENCY_KEY,
                },
                required=("session_id",),
                output=EVENT,
            ),
            Tool(
                name="alc_status",
                title="Look at sessions",
                description="Where sessions are: phase, progress, calls, tokens, recent logs, and with a "
                "pending_filter what they ask. Without session_id: all that are running or paused. Changes nothing.",
                run=self.status,
                properties={
                    "session_id": SESSION_ID,
                    "pending_filter": PENDING_FILTER,
                    "include_history": truth("Show the last ten questions and answers as well."),
                },
                output=STATUS,
                reads_only=True,
                is_idempotent=True,
            ),
            Tool(
                name="alc_cancel",
                title="End a session",
                description="End a session that is running or paused, at once. What was answered stays in its log.",
                run=self.cancel,
                properties={"session_id": SESSION_ID, "reason": text("Why; kept with the session.")},
                required=("session_id",),
                output=EVENT,
                destroys=True,
            ),
            Tool(
                name="alc_result",
                title="Get a session's event again",
                description="The event a session is in, again: its final result once it has ended, or the question "
                "it waits with. Waits while the script runs. For a result that was lost on its way.",
                run=self.result,
                properties={"session_id": SESSION_ID},
                required=("session_id",),
                output=EVENT,
                is_idempotent=True,
            ),
        ]

    async def run(self, call: ToolCall) -> Result:
        """`alc_run`."""
        if call.host.retry() is not None:
            return await self._resume(call)
        given = call.arguments
        code, code_file = given.string("code"), given.string("code_file")
        if code_file and not code:
            limit = self._desk.core.settings.limits.max_code_bytes
            code = await self._desk.in_thread(call.guest.script, code_file, limit)
        elif code is None:
            raise SettingsError("one of code and code_file must be given, and neither is")
        elif code_file:
            raise SettingsError("one of code and code_file must be given, and both are")
        ctx = given.object("ctx")
        packages = await self._packages(call)
        session_id = await self._desk.start(call.guest, code, ctx, packages)
        return await self._begun(call, session_id)

    async def advise(self, call: ToolCall) -> Result:
        """`alc_advice`."""
        if call.host.retry() is not None:
            return await self._resume(call)
        given = call.arguments
        strategy = given.name("strategy")
        task, opts = given.text("task"), given.object("opts")
        packages = await self._packages(call)
        folders = [*packages, *self._desk.core.services.package_paths]
        await self._desk.in_thread(find_module, strategy, folders)
        session_id = await self._desk.advise(call.guest, strategy, task, opts, packages)
        return await self._begun(call, session_id)

    async def go_on(self, call: ToolCall) -> Result:
        """`alc_continue`."""
        if call.host.retry() is not None:
            return await self._resume(call)
        session_id = call.arguments.name("session_id")
        await self._desk.check(call.guest, session_id)
        responses = _responses(call.arguments)
        async with self._shown(call, session_id):
            try:
                event = await self._desk.feed(session_id, responses)
            except AmbiguousQuery as error:
                raise SettingsError(f"{error}; alc_result shows what is pending") from error
            return await settle(self._desk, call.host, session_id, event)

    async def cancel(self, call: ToolCall) -> Result:
        """`alc_cancel`."""
        session_id = call.arguments.name("session_id")
        await self._desk.check(call.guest, session_id)
        event = await self._desk.cancel(session_id, call.arguments.text("reason") or "")
        self._desk.has_shown(session_id, event)
        return event.to_json(session_id)

    async def result(self, call: ToolCall) -> Result:
        """`alc_result`."""
        if call.host.retry() is not None:
            return await self._resume(call)
        session_id = call.arguments.name("session_id")
        await self._desk.check(call.guest, session_id)
        async with self._shown(call, session_id):
            return await settle(self._desk, call.host, session_id, await self._desk.wait(session_id))

    async def status(self, call: ToolCall) -> Result:
        """`alc_status`."""
        given = call.arguments
        chars = self._desk.core.settings.prompt_preview_chars
        wanted = given.raw("pending_filter")
        if given.is_null("pending_filter"):
            raise SettingsError(
                f"pending_filter must be a preset name or an object of its fields, got {json_type(None)}"
            )
        filter_ = PendingFilter.of(_filter(wanted), chars) if wanted is not None else None
        history = given.truth("include_history")
        session_id = given.optional_name("session_id")
        if session_id is not None:
            started = await self._desk.check(call.guest, session_id)
            shot = await self._desk.snapshot(session_id, filter_, history)
            return _named(shot, session_id, started.strategy)
        return await self._all(call, filter_, history)

    async def _all(self, call: ToolCall, filter_: PendingFilter | None, history: bool) -> Result:
        active = [row for row in await self._desk.rows(call.guest) if is_active(row)]
        shots = []
        for row in active[-MAX_LISTED:]:
            try:
                shot = await self._desk.snapshot(row.id, filter_, history)
            except SessionNotFound:  # it has gone meanwhile
                continue
            except JournalError as error:  # one that cannot be read must not hide the others
                shot = {"state": row.phase, "phase": row.phase, "error": str(error)}
            if shot["state"] != "terminal":
                shots.append(_named(shot, row.id, row.strategy))
        if len(active) > MAX_LISTED:
            return {"active_sessions": len(active), "sessions": shots, "truncated": True}
        return {"active_sessions": len(shots), "sessions": shots}

    async def _packages(self, call: ToolCall) -> list[str]:
        root = call.arguments.string("project_root")
        return await self._desk.in_thread(call.guest.package_folders, root or None)

    async def _begun(self, call: ToolCall, session_id: str) -> Result:
        try:
            async with self._shown(call, session_id, after=0):
                return await settle(self._desk, call.host, session_id, await self._desk.wait(session_id))
        except MoonwardError as error:  # the session is there all the same, and this is how it is found
            raise SettingsError(f"{error} (session {session_id} was begun)") from error

    async def _resume(self, call: ToolCall) -> Result:
        retry = call.host.retry()
        assert retry is not None
        await self._desk.check(call.guest, retry.session_id)
        async with self._shown(call, retry.session_id):
            return await resume(self._desk, call.host, retry)

    @asynccontextmanager
    async def _shown(
        self, call: ToolCall, session_id: str, *, after: int | None = None
    ) -> AsyncIterator[None]:
        """The block's outcome is shown to the guest, and its host is told of progress on the way."""
        async with self._desk.showing(session_id):
            stream = await self._desk.stream(session_id)
            async with telling_progress(call.host, stream, stream.total if after is None else after):
                yield


def _responses(given: Arguments) -> list[QueryResponse]:
    several = given.objects("responses")
    response = given.text("response")
    if several and response:
        raise SettingsError("one of response and responses must be given, and both are")
    if several:
        return [_response(Arguments(each), f"responses[{index}]") for index, each in enumerate(several)]
    if response is None:
        raise SettingsError("one of response and responses must be given, and neither is")
    query_id = given.optional_name("query_id")
    return [QueryResponse(query_id, response, _usage(given), given.string("idempotency_key"))]


def _response(given: Arguments, where: str) -> QueryResponse:
    try:
        query_id = given.optional_name("query_id") or given.optional_name("id")
        response = given.text("response")
        if query_id is None or response is None:
            raise SettingsError("query_id and response must both be given")
        return QueryResponse(query_id, response, _usage(given), given.string("idempotency_key"))
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None


def _usage(given: Arguments) -> TokenUsage | None:
    usage = given.object("usage")
    if usage is None:
        return None
    counts = Arguments(usage)
    try:
        prompt, completion = counts.whole("prompt_tokens"), counts.whole("completion_tokens")
    except SettingsError as error:
        raise SettingsError(f"usage.{error}") from None
    return TokenUsage(prompt, completion)


def _filter(value: Any) -> Any:
    """A filter that came as its JSON text, as what it says; a preset's name as it is."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return Arguments({"pending_filter": value}).object("pending_filter")
    return value


def _named(shot: dict[str, Any], session_id: str, strategy: str | None) -> dict[str, Any]:
    named = {"session_id": session_id}
    if strategy is not None:
        named["strategy"] = strategy
    return named | shot
