"""Holds the conversation of `docs/mcp.md` with a real server, and writes down what was said.

`python docs/record_mcp.py` writes it into the page, where a test compares it with another run. It needs the extra
`mcp`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TREE = Path(__file__).parents[1]

STRATEGY = TREE / "examples" / "strategies" / "draft_and_critique"

BEGIN, END = "<!-- recorded by docs/record_mcp.py -->\n", "<!-- recorded until here -->\n"

KILLED = "# the server is killed (SIGKILL) and started again\n"


class Host:
    """The least that an MCP host can be."""

    def __init__(self, home: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "moonward", "mcp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": home, "ALC_HOME": home},
        )
        about = {"protocolVersion": "2025-06-18", "capabilities": {}}
        self._request("initialize", **about, clientInfo={"name": "documentation", "version": "1"})
        self._send({"method": "notifications/initialized"})

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The result of a tool."""
        result = self._request("tools/call", name=tool, arguments=arguments)
        return dict(json.loads(result["content"][0]["text"]))

    def kill(self) -> None:
        """End the server at once."""
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def _request(self, method: str, **params: Any) -> dict[str, Any]:
        self._send({"id": 1, "method": method, "params": params})
        assert self._process.stdout is not None
        while True:
            message = json.loads(self._process.stdout.readline())
            if "id" in message:
                return dict(message["result"])

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()


class Recorder:
    """Writes each call down as it is made."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._host = Host(home)
        self.lines: list[str] = []

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Make a call, and write down the call and its result."""
        result = self._host.call(tool, **arguments)
        self.lines.append(f"→ {tool} {shown(arguments)}\n← {shown(result)}\n")
        return result

    def begin_again(self) -> None:
        """Kill the server, and start another."""
        self._host.kill()
        self.lines.append(KILLED)
        self._host = Host(self._home)

    def end(self) -> None:
        """End the server."""
        self._host.kill()


def shown(value: Any) -> str:
    """JSON as a reader wants it: on one line where it is short, in the order in which it came."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else json.dumps(value, ensure_ascii=False, indent=2)


def conversation() -> str:
    """The whole conversation, as text."""
    answers = [json.loads(line)["response"] for line in (STRATEGY / "answers.jsonl").read_text().splitlines()]
    task = json.loads((STRATEGY / "ctx.json").read_text())["task"]
    with tempfile.TemporaryDirectory() as home:
        recorder = Recorder(home)
        try:
            recorder.call("alc_pkg_install", url=os.path.relpath(STRATEGY))
            asked = recorder.call("alc_advice", strategy=STRATEGY.name, task=task)
            session_id = asked["session_id"]
            asked = recorder.call("alc_continue", session_id=session_id, response=answers.pop(0))
            recorder.begin_again()
            responses = [{"query_id": each["id"], "response": answers.pop(0)} for each in asked["queries"]]
            recorder.call("alc_continue", session_id=session_id, responses=responses)
            recorder.call("alc_continue", session_id=session_id, response=answers.pop(0))
        finally:
            recorder.end()
        return "".join(recorder.lines).replace(home, "/home/me/.algocline")


def settled(text: str) -> str:
    """A conversation without what differs from run to run: ids of sessions, and milliseconds."""
    text = re.sub(r"s-[\w-]{22}", "s-…", text)
    return re.sub(r'"elapsed_ms": \d+', '"elapsed_ms": …', text)


def page(old: str, recorded: str) -> str:
    """The page `old` with another conversation in it."""
    before, rest = old.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}```text\n{recorded}```\n{END}{after}"


if __name__ == "__main__":
    os.chdir(TREE)
    path = TREE / "docs" / "mcp.md"
    written = path.read_text()
    spoken = page(written, conversation())
    if settled(spoken) != settled(written):
        path.write_text(spoken)
