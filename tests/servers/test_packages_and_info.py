"""The tools for packages, and what the server says of itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.client.client import Client

import moonward
from moonward.actors.library import WRITTEN, library, luacats

from .inside import ERAS, call, client, run

pytestmark = pytest.mark.parametrize("era", ERAS)


def package(folder: Path, version: str = "1.0") -> Path:
    folder.mkdir(parents=True)
    meta = f'name = "{folder.name}", version = "{version}", description = "d", category = "c"'
    (folder / "init.lua").write_text(
        f"local M = {{ meta = {{ {meta} }} }}\nM.meta = {{ {meta} }}\nfunction M.run() return '{version}' end\nreturn M\n"
    )
    return folder


def repository(folder: Path) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
    return f"file://{folder}"


def test_a_package_is_installed_listed_run_and_removed(era: str, tmp_path: Path) -> None:
    source = package(tmp_path / "src" / "mine")
    definitions = tmp_path / "types" / "alc.d.lua"

    async def test() -> None:
        home = tmp_path / "packages"
        async with client(tmp_path, era, package_paths=[home]) as host:
            assert (await call(host, "alc_pkg_list"))["packages"] == []
            done = await call(host, "alc_pkg_install", url=str(source))
            assert (done["mode"], done["installed"], done["skipped"]) == ("local_single", ["mine"], [])
            assert done["types_path"] == str(definitions)
            assert definitions.read_text().startswith("---@meta")
            listed = await call(host, "alc_pkg_list")
            assert listed["packages"] == [
                {
                    "name": "mine",
                    "version": "1.0",
                    "description": "d",
                    "category": "c",
                    "path": str(home / "mine"),
                    "source": str(home),
                    "scope": "global",
                    "active": True,
                }
            ]
            assert {"path": str(home), "source": "default"} in listed["search_paths"]
            assert (await call(host, "alc_advice", strategy="mine"))["result"] == "1.0"
            removed = await call(host, "alc_pkg_remove", name="mine")
            assert (removed["removed"], removed["path"]) == ("mine", str(home / "mine"))
            assert (await call(host, "alc_pkg_list"))["packages"] == []

    run(test)


def test_from_a_directory_packages_are_replaced_and_from_git_skipped_unless_forced(
    era: str, tmp_path: Path
) -> None:
    package(tmp_path / "all" / "one")
    package(tmp_path / "all" / "two")
    url = repository(tmp_path / "all")

    async def test() -> None:
        async with client(tmp_path, era) as host:
            for source in (str(tmp_path / "all"), str(tmp_path / "all")):
                done = await call(host, "alc_pkg_install", url=source)
                assert (done["mode"], done["installed"]) == ("local_collection", ["one", "two"])
            stale = tmp_path / "packages" / "one" / "init.lua"
            stale.write_text("-- stale")
            done = await call(host, "alc_pkg_install", url=url)
            assert (done["mode"], done["installed"], done["skipped"]) == ("collection", [], ["one", "two"])
            assert stale.read_text() == "-- stale"
            done = await call(host, "alc_pkg_install", url=url, force=True)
            assert (done["installed"], done["skipped"]) == (["one", "two"], [])
            assert "stale" not in stale.read_text()

    run(test)


async def shown(host: Client) -> str:
    """The definitions that hosts see."""
    (content,) = (await host.read_resource("alc://types/alc.d.lua")).contents
    assert isinstance(content, types.TextResourceContents)
    return content.text


def test_definitions_of_others_stay_ours_are_kept_up_and_a_place_that_cannot_be_written_is_no_matter(
    era: str, tmp_path: Path
) -> None:
    source = package(tmp_path / "src" / "mine")
    definitions = tmp_path / "types" / "alc.d.lua"
    definitions.parent.mkdir()
    definitions.write_text("-- mine")

    async def test() -> None:
        async with client(tmp_path, era) as host:
            done = await call(host, "alc_pkg_install", url=str(source), name="yours")
            assert done["installed"] == ["yours"]
            assert done["types_path"] == str(definitions)
            assert definitions.read_text() == await shown(host) == "-- mine"
            definitions.write_text(WRITTEN)  # by a version long ago
            await call(host, "alc_pkg_install", url=str(source))
            assert definitions.read_text() == await shown(host) == luacats(library())
            definitions.unlink()
            definitions.symlink_to("/etc/passwd")
            assert "types_path" not in await call(host, "alc_pkg_install", url=str(source))
            assert await shown(host) == luacats(library())
            shutil.rmtree(tmp_path / "types")
            (tmp_path / "types").touch()
            done = await call(host, "alc_pkg_install", url=str(source))
            assert done["installed"] == ["mine"]
            assert "types_path" not in done

    run(test)


def test_a_projects_packages_are_listed_as_its_own(era: str, tmp_path: Path) -> None:
    package(tmp_path / "project" / "packages" / "local")

    async def test() -> None:
        async with client(tmp_path, era) as host:
            listed = await call(host, "alc_pkg_list", project_root=str(tmp_path / "project"))
            assert [(each["name"], each["scope"]) for each in listed["packages"]] == [("local", "project")]

    run(test)


def test_the_server_says_what_it_is_and_where_things_are(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        journal = f"sqlite:///{tmp_path / 'journal.db'}"
        async with client(tmp_path, era, journal=journal) as host:
            info: dict[str, Any] = await call(host, "alc_info")
            assert info["version"] == moonward.__version__
            assert (info["journal"], info["durability"]) == (journal, "strict")
            assert info["data_dir"] == str(tmp_path / "data")
            assert info["packages_dir"] == str(tmp_path / "packages")
            assert info["search_paths"] == [{"path": str(tmp_path / "packages"), "source": "default"}]
            assert isinstance(info["confinement"], str)

    run(test)
