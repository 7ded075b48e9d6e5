"""`moonward types`: definitions for editors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from moonward.actors.library import library, luacats

COMMAND = [sys.executable, "-P", "-m", "moonward", "types"]


def types(folder: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, str(folder)], capture_output=True, text=True, timeout=50)
    assert done.returncode == status, done.stderr
    return done


def test_the_definitions_are_written_where_asked_and_again(tmp_path: Path) -> None:
    target = tmp_path / "new" / "types" / "alc.lua"
    assert types(target.parent).stdout == f"{target}\n"
    assert target.read_text() == luacats(library())
    target.write_text("---@meta\n-- of an older version\n")
    types(target.parent)
    assert target.read_text() == luacats(library())
    assert [each.name for each in target.parent.iterdir()] == ["alc.lua"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_file_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "alc.lua").write_text("return {}")
    assert "was not written by this command" in types(tmp_path, status=2).stderr
    assert (tmp_path / "alc.lua").read_text() == "return {}"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert f"cannot write {tmp_path}/file/alc.lua" in types(tmp_path / "file", status=2).stderr
