"""What hosts and their models are told beside the tools: instructions, and prompts that a user can pick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

INSTRUCTIONS: Final = """\
moonward runs reasoning strategies written in Lua. A strategy asks questions of a language model (you) and does the \
rest by itself: sampling, voting, scoring, searching.

How a session goes:
1. Start it with alc_advice (an installed strategy) or alc_run (Lua of your own).
2. While the status is needs_response: answer `prompt`, following `system` if there is one, within `max_tokens`. Send \
the answer, as plain text without quotes or code fences around it, with alc_continue and the session_id. If there is \
a list `queries`, answer them all and send them together in `responses`, each with its query_id.
3. The end is completed (with `result`), error or cancelled.
If you were never shown a question because this server could sample your model itself, the first call ends directly.

A query marked `grounded` wants evidence from outside (search, files) and not memory; one marked `underspecified` \
depends on what the user means: ask the user.

Sessions are kept on disk: after a restart alc_status lists them and alc_continue goes on. If a result was lost, \
alc_result shows it again. Answer each query once.

Lua in alc_run: `alc.llm(prompt, {system=, max_tokens=})` returns the answer; `alc.llm_batch({{prompt=}, …})` asks \
several at once; `ctx` is what you passed; `return` gives the result; `require(name)` loads a package.
"""

ADVICE: Final = types.Prompt(
    name="advice",
    title="Work on a task with a strategy",
    description="Choose an installed strategy for a task and run it to its end.",
    arguments=[types.PromptArgument(name="task", description="The task or question.", required=True)],
)

NEW_PACKAGE: Final = types.Prompt(
    name="new_package",
    title="Write a strategy package",
    description="Write, try and install a new strategy.",
    arguments=[
        types.PromptArgument(name="name", description="The package's name.", required=True),
        types.PromptArgument(name="category", description="What sort of strategy it is.", required=False),
    ],
)

PROMPTS: Final = (ADVICE, NEW_PACKAGE)

ADVICE_TEXT: Final = """\
Task: {task}

Look at the installed strategies with alc_pkg_list and choose the one that suits this task best; say in one sentence \
why. Run it with alc_advice (strategy, task). While the status is needs_response, answer each prompt carefully and \
send the answer with alc_continue. When it is completed, tell me the result and how it came about. If no strategy \
suits, or none is installed, write a few lines of Lua for the task and run them with alc_run."""

NEW_PACKAGE_TEXT: Final = """\
Write a strategy package named {name}{category} with me.

First ask me what it should do, and agree on its steps. A package is a folder {name}/ with an init.lua that returns a \
table M: M.meta = {{ name = "{name}", version = "0.1.0", description = "…" }} and function M.run(ctx), which reads \
ctx.task, asks with alc.llm or alc.llm_batch, and returns its result. Try the code with alc_run as you go (with a \
small task in ctx). When we are content, write the folder and install it with alc_pkg_install (url: the folder's \
path), then run it once with alc_advice."""


def rendered(name: str, arguments: Mapping[str, str] | None) -> types.GetPromptResult:
    """The prompt `name` with its arguments filled in; `MCPError` if it is unknown or one is missing."""
    prompt = next((each for each in PROMPTS if each.name == name), None)
    if prompt is None:
        known = ", ".join(each.name for each in PROMPTS)
        raise MCPError(
            code=types.INVALID_PARAMS, message=f"prompt {name[:100]!r} not found; there are: {known}"
        )
    given = dict(arguments or {})
    for each in prompt.arguments or ():
        if each.required and not given.get(each.name):
            raise MCPError(
                code=types.INVALID_PARAMS, message=f"prompt {name!r} needs the argument {each.name!r}"
            )
    if prompt is ADVICE:
        text = ADVICE_TEXT.format(task=given["task"])
    else:
        category = f" ({given['category']})" if given.get("category") else ""
        text = NEW_PACKAGE_TEXT.format(name=given["name"], category=category)
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
    return types.GetPromptResult(description=prompt.description, messages=[message])
