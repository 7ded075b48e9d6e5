"""The commands that serve, before they do."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from moonward.cli.main import main


@pytest.mark.parametrize("command", ["mcp", "serve"])
def test_without_the_extra_it_says_how_to_get_it(command: str) -> None:
    code = f"import sys; sys.modules['mcp'] = None; from moonward.cli.main import main; sys.exit(main(['{command}']))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=50)
    assert done.returncode == 2
    assert done.stderr == "moonward: the MCP server needs an extra: pip install 'moonward[mcp]'\n"


def test_other_commands_do_not_load_the_extra() -> None:
    code = "import sys; import moonward.cli.main; sys.exit('mcp' in sys.modules or 'asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], timeout=50).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("mcp --journal postgres://x", "journal must be"),
        ("mcp --package-path /no/such", "--package-path: '/no/such' is not a directory"),
        ("serve --host 0.0.0.0", "a server that others can reach needs a token"),
        ("serve --port 99999", "port must be a number from 0 to 65535, got 99999"),
        ("serve --port 1 --host localhost.invalid --token t", "cannot listen on localhost.invalid:1: "),
        ("serve --token a\u00e9", "printable ASCII"),
        ("serve --token-file /no/such", "cannot be read"),
        ("serve --allow-path /no/such", "--allow-path: '/no/such' is not a directory"),
    ],
)
def test_a_wrong_option_is_wrong_usage(arguments: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments.split()) == 2
    told = capsys.readouterr()
    assert why in told.err
    assert told.out == ""


def test_whoever_starts_it_at_a_terminal_is_told_that_hosts_do_so() -> None:
    terminal, keyboard = pty.openpty()
    command = [sys.executable, "-P", "-m", "moonward", "mcp", "--journal", "memory:"]
    server = subprocess.Popen(
        command, stdin=keyboard, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    os.close(keyboard)
    assert server.stderr is not None
    assert "an MCP host starts this" in server.stderr.readline()
    os.close(terminal)  # the line goes dead
    output, _ = server.communicate(timeout=50)
    assert output == ""
