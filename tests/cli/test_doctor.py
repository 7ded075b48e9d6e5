"""`moonward doctor`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from moonward.cli.doctor import Finding, examine


def found(environ: dict[str, str]) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(environ)}


def test_it_says_what_this_machine_offers() -> None:
    findings = found(dict(os.environ))
    assert {"moonward", "python", "lua", "sqlite", "landlock", "seccomp", "open files", "sessions"} <= set(
        findings
    )
    assert not [finding for finding in findings.values() if finding.verdict == "bad"]
    assert findings["lua"].text.startswith("Lua 5.5")


def test_it_runs_a_session_to_its_end() -> None:
    assert found({})["trial"].verdict == "ok"


def test_it_names_a_setting_of_the_environment_that_is_wrong() -> None:
    settings = found({"MOONWARD_WARM_WORKERS": "many"})["settings"]
    assert settings.verdict == "bad"
    assert "MOONWARD_WARM_WORKERS" in settings.text


def test_it_counts_the_sessions_that_are_set() -> None:
    assert "7 at once" in found({"MOONWARD_MAX_SESSIONS": "7"})["sessions"].text


@pytest.mark.parametrize(("variable", "status"), [("7", 0), ("many", 1)])
def test_its_exit_status_says_whether_sessions_can_run(variable: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "moonward", "doctor", "--json"],
        env={**os.environ, "MOONWARD_MAX_SESSIONS": variable},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == status
    assert {"name", "verdict", "text"} == set(json.loads(done.stdout)[0])
