"""Which files a caller may name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from moonward.actors.errors import SettingsError
from moonward.servers.guest import Guest

LIMIT = 1000


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A directory that is open to guests, with a script and a project in it, and a secret beside it."""
    folder = tmp_path / "open"
    (folder / "project" / "packages" / "cot").mkdir(parents=True)
    (folder / "script.lua").write_text("#!/usr/bin/lua\nreturn 1")
    (tmp_path / "secret.lua").write_text("return 'secret'")
    (tmp_path / "secrets" / "packages").mkdir(parents=True)
    return folder


@pytest.fixture
def user(open_folder: Path) -> Guest:
    return Guest("ann", (os.path.realpath(open_folder),))


def test_whoever_started_the_server_names_any_file(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(open_folder)
    monkeypatch.setenv("HOME", str(open_folder))
    for path in (str(open_folder / "script.lua"), "script.lua", "~/script.lua"):
        assert Guest().script(path, LIMIT) == "--#!/usr/bin/lua\nreturn 1"
    assert Guest().package_folders("project") == [str(open_folder / "project" / "packages")]
    assert Guest().package_folders(None) == []
    assert Guest().package_folders(str(open_folder)) == []


def test_a_user_names_files_in_open_directories(open_folder: Path, user: Guest) -> None:
    assert user.script(str(open_folder / "script.lua"), LIMIT).endswith("return 1")
    assert user.package_folders(str(open_folder / "project")) == [str(open_folder / "project" / "packages")]
    assert user.package_source(str(open_folder / "project")) == str(open_folder / "project")


@pytest.mark.parametrize(
    "trick",
    [
        "{open}/../secret.lua",
        "{open}/link.lua",
        "{open}/project/../../secret.lua",
        "{open}-not/script.lua",
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/root{open}/../secret.lua",
    ],
)
def test_a_user_gets_nowhere_else(open_folder: Path, user: Guest, trick: str) -> None:
    (open_folder / "link.lua").symlink_to(open_folder.parent / "secret.lua")
    path = trick.format(open=open_folder)
    with pytest.raises(SettingsError, match="in no directory that this server opens to you"):
        user.script(path, LIMIT)
    with pytest.raises(SettingsError, match="in no directory that this server opens to you"):
        user.package_folders(path)
    with pytest.raises(SettingsError, match="in no directory that this server opens to you"):
        user.package_source(path)


def test_a_project_whose_packages_lead_elsewhere_is_refused(open_folder: Path, user: Guest) -> None:
    (open_folder / "mine").mkdir()
    (open_folder / "mine" / "packages").symlink_to(open_folder.parent / "secrets" / "packages")
    with pytest.raises(SettingsError, match="in no directory"):
        user.package_folders(str(open_folder / "mine"))


def test_a_user_of_a_server_that_opens_nothing_names_nothing(open_folder: Path) -> None:
    with pytest.raises(SettingsError, match="in no directory"):
        Guest("ann", ()).script(str(open_folder / "script.lua"), LIMIT)


@pytest.mark.parametrize("path", ["script.lua", "~/script.lua", "../secret.lua"])
def test_a_users_paths_are_absolute(user: Guest, path: str) -> None:
    with pytest.raises(SettingsError, match="must be an absolute path"):
        user.script(path, LIMIT)


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(SettingsError, match="must be a path"):
        Guest().script(path, LIMIT)


def test_what_is_no_script_is_refused_without_showing_it(open_folder: Path) -> None:
    (open_folder / "binary").write_bytes(b"\x1bLua")
    (open_folder / "latin").write_bytes(b"return '\xe9'")
    (open_folder / "long").write_text("x" * (LIMIT + 1))
    os.mkfifo(open_folder / "fifo")
    for name, why in {
        "binary": "compiled Lua",
        "latin": "not UTF-8",
        "long": "larger than 1000 bytes",
        "fifo": "not a regular file",
        "project": "not a regular file",
        "nothing": "not found",
    }.items():
        with pytest.raises(SettingsError, match=why) as refused:
            Guest().script(str(open_folder / name), LIMIT)
        assert str(refused.value).count("code_file") == 1
    with pytest.raises(SettingsError, match="not a regular file"):
        Guest().script("/dev/zero", LIMIT)


def test_a_project_that_is_not_there_is_refused(open_folder: Path) -> None:
    with pytest.raises(SettingsError, match="is not a directory"):
        Guest().package_folders(str(open_folder / "nothing"))


def test_a_url_without_its_scheme_is_one_of_https() -> None:
    assert Guest().package_source("github.com/user/pkg") == "https://github.com/user/pkg"
    assert Guest().package_source("https://host/x.git") == "https://host/x.git"
    assert Guest().package_source("git@host:user/pkg") == "git@host:user/pkg"


def test_a_directory_that_looks_like_a_url_is_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "example.org" / "pkg").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert Guest().package_source("example.org/pkg") == str(tmp_path / "example.org" / "pkg")


@pytest.mark.parametrize("url", ["file:///etc", "ssh://host/x", "git@host:user/pkg"])
def test_a_user_clones_over_https_only(user: Guest, url: str) -> None:
    with pytest.raises(SettingsError, match="only https is open to you"):
        user.package_source(url)
    assert user.package_source("https://host/x.git") == "https://host/x.git"
