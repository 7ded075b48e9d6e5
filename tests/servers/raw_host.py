"""An MCP host of our own making: `moonward mcp` in a process, and JSON-RPC written by hand. It shares no line with
the SDK, and holds the server to the protocol: every line on its standard output must be a message."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

COMMAND = [sys.executable, "-P", "-m", "moonward", "mcp"]

WAIT_S = 30.0

VERSION = "2025-06-18"


class RawHost:
    """A host and its server. `home` is the server's whole world: packages, journal, state."""

    def __init__(
        self,
        home: Path,
        *arguments: str,
        version: str = VERSION,
        capabilities: Mapping[str, Any] | None = None,
        greets: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        home.mkdir(exist_ok=True)
        env = {**os.environ, "HOME": str(home), "ALC_HOME": str(home), **(environ or {})}
        env.pop("XDG_DATA_HOME", None)
        self.log = home / "stderr.log"
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=env,
                cwd=home,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input: IO[bytes] = self.process.stdin
        self.notifications: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        self._next = 0
        if greets:
            self.greeting = self.request(
                "initialize",
                protocolVersion=version,
                capabilities=dict(capabilities or {}),
                clientInfo={"name": "by hand", "version": "0"},
            )["result"]
            self.notify("notifications/initialized")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        with contextlib.suppress(BrokenPipeError):
            self.input.close()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self, output: IO[bytes]) -> None:
        for line in output:
            self._lines.put(line)
        self._lines.put(None)

    # -- messages

    def send(self, message: Mapping[str, Any] | str) -> None:
        """Write one line."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.input.write(text.encode() + b"\n")
        self.input.flush()

    def notify(self, method: str, **params: Any) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def begin(self, method: str, **params: Any) -> int:
        """Send a request; its id."""
        self._next += 1
        self.send({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params})
        return self._next

    def reply(self, number: int) -> dict[str, Any]:
        """The reply to a request. What comes before it is kept."""
        while True:
            message = self.receive()
            if message.get("id") == number and "method" not in message:
                return message

    def receive(self) -> dict[str, Any]:
        """The next message, whatever it is."""
        line = self._lines.get(timeout=WAIT_S)
        assert line is not None, f"the server has ended: {self.errors()}"
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0", message
        assert ("method" in message) or ("result" in message) or ("error" in message), message
        if "method" in message:
            (self.asked if "id" in message else self.notifications).append(message)
        return dict(message)

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        """A request and its reply."""
        return self.reply(self.begin(method, **params))

    # -- tools

    def begin_call(self, tool: str, **arguments: Any) -> int:
        """Begin a call of a tool; its id."""
        return self.begin("tools/call", name=tool, arguments=arguments)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The result of a tool."""
        return self.result(self.begin_call(tool, **arguments))

    def result(self, number: int) -> dict[str, Any]:
        """The result of a call that was begun."""
        reply = self.reply(number)
        assert "result" in reply, reply
        result = reply["result"]
        (content,) = result["content"]
        assert not result.get("isError"), content["text"]
        body = json.loads(content["text"])
        assert result["structuredContent"] == body
        return dict(body)

    def refusal(self, tool: str, **arguments: Any) -> str:
        """The text with which a tool refuses."""
        result = self.request("tools/call", name=tool, arguments=arguments)["result"]
        assert result["isError"] is True, result
        return str(result["content"][0]["text"])

    # -- the end

    def kill(self) -> None:
        """Kill the server at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)

    def hang_up(self) -> int:
        """Close the server's input; its exit status."""
        self.input.close()
        return self.process.wait(WAIT_S)

    def errors(self) -> str:
        """What the server has written to its standard error."""
        return self.log.read_text(errors="replace")
