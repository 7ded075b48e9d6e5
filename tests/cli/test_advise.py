"""`moonward advise` and `moonward packages`, as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-P", "-m", "moonward"]
GREET = """
local M = {}
M.meta = {name = "greet", version = "1.2", description = "Says\\nhello \x1b[31m"}
function M.run(ctx)
  ctx.result = {alc.llm(tostring(ctx.task)), require("greet.parts").mark, ctx.loud}
  return ctx
end
return M
"""


def moonward(
    *arguments: str | Path, status: int = 0, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A package to install."""
    folder = tmp_path / "source" / "greet"
    folder.mkdir(parents=True)
    (folder / "init.lua").write_text(GREET)
    (folder / "parts.lua").write_text("return {mark = '!'}")
    return folder


def test_a_strategy_gets_its_task_and_options(source: Path) -> None:
    options = ["--opts", '{"loud": true, "task": "hidden"}', "--task", "hi", "--answer", "hello"]
    done = moonward("advise", "greet", "--package-path", source.parent, *options)
    assert json.loads(done.stdout) == {"task": "hi", "loud": True, "result": ["hello", "!", True]}
    assert "? q-0 hi" in done.stderr


def test_options_can_be_a_file_and_the_task_can_be_left_out(source: Path, tmp_path: Path) -> None:
    (tmp_path / "opts.json").write_text('{"loud": 1}')
    done = moonward(
        "advise", "greet", "--package-path", source.parent, "--opts", f"@{tmp_path}/opts.json", "--answer", "a", "--json"
    )  # fmt: skip
    event = json.loads(done.stdout)
    assert (event["status"], event["result"]["result"]) == ("completed", ["a", "!", 1])
    assert "? q-0 nil" in done.stderr


def test_a_strategy_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    done = moonward("advise", "none", "--answer", "x", status=1, env={"ALC_HOME": str(tmp_path / "home")})
    assert "module 'none' not found" in done.stderr
    assert f"{tmp_path}/home/packages/none/init.lua" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["advise", "../etc", "--answer", "x"], "strategy must be the name of a package"),
        (["advise", "greet", "--opts", "[1]", "--answer", "x"], "--opts must be a JSON object, got list"),
        (["advise", "greet", "--opts", "{", "--answer", "x"], "--opts is not JSON"),
        (["advise", "greet", "--opts", "@/no/such/file", "--answer", "x"], "cannot read /no/such/file"),
        (["advise", "greet", "--package-path", "/no/such", "--answer", "x"], "'/no/such' is not a directory"),
        (["packages", "list", "--package-path", "/no/such"], "'/no/such' is not a directory"),
        (["advise"], "NAME"),
        (["packages"], "COMMAND"),
    ],
)
def test_wrong_usage_is_named(arguments: list[str], said: str) -> None:
    done = moonward(*arguments, status=2)
    assert done.stdout == ""
    assert said in done.stderr


def test_an_interrupted_or_unanswered_strategy_is_cancelled(source: Path) -> None:
    assert "no terminal" in moonward("advise", "greet", "--package-path", source.parent, status=3).stderr


def test_packages_are_installed_listed_run_and_removed(source: Path, tmp_path: Path) -> None:
    env = {"ALC_HOME": str(tmp_path / "home")}
    installed = tmp_path / "home" / "packages" / "greet"
    assert moonward("packages", "list", env=env).stdout == ""
    assert moonward("packages", "install", source, env=env).stdout == f"installed greet 1.2 in {installed}\n"
    assert moonward("packages", "list", env=env).stdout == "greet  1.2  Says hello \\e[31m\n"
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "single.lua").write_text("return {run = function(ctx) return ctx.task end}")
    listed = json.loads(
        moonward("packages", "list", "--json", "--package-path", tmp_path / "more", env=env).stdout
    )
    assert listed == {
        "packages": [
            {
                "name": "greet",
                "version": "1.2",
                "description": "Says\nhello \x1b[31m",
                "path": str(installed),
            },
            {"name": "single", "path": str(tmp_path / "more" / "single.lua")},
        ],
        "search_paths": [str(tmp_path / "more"), str(tmp_path / "home" / "packages")],
    }
    assert json.loads(moonward("advise", "greet", "--answer", "a", env=env).stdout)["result"] == ["a", "!"]
    run = moonward("advise", "single", "--task", "t", "--package-path", tmp_path / "more", env=env)
    assert run.stdout == '"t"\n'
    assert moonward("packages", "remove", "greet", env=env).stdout == f"removed {installed}\n"
    assert "not installed" in moonward("packages", "remove", "greet", env=env, status=1).stderr
    assert "not found" in moonward("advise", "greet", "--answer", "a", env=env, status=1).stderr


def test_a_repository_of_several_packages_is_installed_from_its_url(source: Path, tmp_path: Path) -> None:
    repository = source.parent
    git = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e@x"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "m"], check=True)
    env = {"ALC_HOME": str(tmp_path / "home")}
    moonward("packages", "install", f"file://{repository}", env=env)
    assert json.loads(moonward("advise", "greet", "--answer", "a", env=env).stdout)["result"] == ["a", "!"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["install", "/no/such/place"], "neither a directory nor a Git URL"),
        (["install", "ftp://host/x"], "neither a directory nor a Git URL"),
        (["remove", "../x"], "is not allowed"),
    ],
)
def test_what_cannot_be_installed_or_removed_is_named(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    done = moonward("packages", *arguments, status=1, env={"ALC_HOME": str(tmp_path / "home")})
    assert said in done.stderr
    assert done.stderr.startswith("moonward: ")
