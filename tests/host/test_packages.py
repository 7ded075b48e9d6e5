"""What `require` finds, and what it refuses."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from moonward.actors.errors import PackageError
from moonward.actors.host.packages import find_module, home_packages, search_path


def put(path: Path, text: str | bytes = "return {}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("cot", "cot/init.lua"),
        ("cot", "cot.lua"),
        ("cot.parts", "cot/parts.lua"),
        ("cot.parts", "cot/parts/init.lua"),
        ("a.b.c", "a/b/c.lua"),
        ("with-dash", "with-dash/init.lua"),
    ],
)
def test_a_module_is_found_as_a_folder_a_file_or_inside_a_package(
    tmp_path: Path, name: str, file: str
) -> None:
    path = put(tmp_path / file, "return 7")
    module = find_module(name, [tmp_path])
    assert module.source == b"return 7"
    assert module.path == str(path)
    assert module.name == name
    assert module.sha256 == hashlib.sha256(b"return 7").hexdigest()


def test_the_folder_comes_before_the_file(tmp_path: Path) -> None:
    put(tmp_path / "cot.lua", "file")
    put(tmp_path / "cot" / "init.lua", "folder")
    assert find_module("cot", [tmp_path]).source == b"folder"


def test_earlier_directories_win(tmp_path: Path) -> None:
    put(tmp_path / "one" / "cot.lua", "one")
    put(tmp_path / "two" / "cot" / "init.lua", "two")
    assert find_module("cot", [tmp_path / "one", tmp_path / "two"]).source == b"one"
    assert find_module("cot", [tmp_path / "missing", tmp_path / "two"]).source == b"two"


def test_a_missing_module_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(PackageError) as caught:
        find_module("a.b", [tmp_path / "x", tmp_path / "y"])
    for place in ("x/a/b/init.lua", "x/a/b.lua", "y/a/b/init.lua", "y/a/b.lua"):
        assert f"no file '{tmp_path}/{place}'" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../secret",
        "a..b",
        ".a",
        "a.",
        "a/b",
        "a\\b",
        "/etc/passwd",
        "a\0b",
        "a b",
        "a\n",
        "é",
        "~",
        "a" * 256,
        "a.../b",
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path / "secret.lua")
    put(tmp_path / "packages" / "a" / "b.lua")
    with pytest.raises(PackageError, match="not allowed"):
        find_module(name, [tmp_path / "packages"])


def test_a_link_that_leaves_the_directory_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "outside.lua")
    put(tmp_path / "elsewhere" / "init.lua")
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "file.lua").symlink_to(tmp_path / "outside.lua")
    (packages / "folder").symlink_to(tmp_path / "elsewhere")
    (packages / "up").symlink_to("..")
    for name in ("file", "folder", "up.outside"):
        with pytest.raises(PackageError, match="leaves its package directory"):
            find_module(name, [packages])


def test_a_link_to_a_sibling_directory_with_a_longer_name_leaves_too(tmp_path: Path) -> None:
    put(tmp_path / "packages-more" / "a.lua")
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "a.lua").symlink_to(tmp_path / "packages-more" / "a.lua")
    with pytest.raises(PackageError, match="leaves"):
        find_module("a", [tmp_path / "packages"])


def test_a_link_inside_the_directory_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "real" / "init.lua", "return 1")
    (tmp_path / "alias").symlink_to("real")
    assert find_module("alias", [tmp_path]).source == b"return 1"


def test_the_package_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    put(tmp_path / "real" / "a.lua", "return 1")
    (tmp_path / "packages").symlink_to("real")
    assert find_module("a", [tmp_path / "packages"]).source == b"return 1"


def test_what_is_not_a_regular_file_is_refused_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.lua")
    (tmp_path / "folder.lua").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(PackageError, match="not a regular file"):
            find_module(name, [tmp_path])


def test_a_module_past_the_limit_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "big.lua", "x" * 101)
    put(tmp_path / "fits.lua", "x" * 100)
    assert len(find_module("fits", [tmp_path], max_bytes=100).source) == 100
    with pytest.raises(PackageError, match="larger than 100 bytes"):
        find_module("big", [tmp_path], max_bytes=100)


def test_compiled_lua_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "code.lua", b"\x1bLua\x55")
    with pytest.raises(PackageError, match="compiled Lua"):
        find_module("code", [tmp_path])


def test_what_luas_own_loader_skips_is_skipped_and_lines_stay(tmp_path: Path) -> None:
    put(tmp_path / "script.lua", b"\xef\xbb\xbf#!/usr/bin/lua\nreturn 1")
    assert find_module("script", [tmp_path]).source == b"--#!/usr/bin/lua\nreturn 1"


def test_bytes_that_are_not_utf8_are_kept(tmp_path: Path) -> None:
    put(tmp_path / "latin.lua", b"return '\xe9'")
    assert find_module("latin", [tmp_path]).source == b"return '\xe9'"


def test_the_search_path_is_the_listed_directories_then_the_home() -> None:
    env = {"ALC_PACKAGES_PATH": "/one::/two", "ALC_HOME": "/home/alc", "HOME": "/home/me"}
    assert search_path(env) == [Path("/one"), Path("/two"), Path("/home/alc/packages")]
    assert search_path({"HOME": "/home/me"}) == [Path("/home/me/.algocline/packages")]
    assert home_packages({"ALC_HOME": "", "HOME": "/home/me"}) == Path("/home/me/.algocline/packages")
