"""Installing, listing and removing packages."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from moonward.actors.errors import PackageError
from moonward.actors.host.package_install import install_packages, masked, put_packages
from moonward.actors.host.package_list import list_packages, remove_package
from moonward.actors.host.packages import find_module


def package(folder: Path, version: str = "1.0") -> Path:
    folder.mkdir(parents=True)
    (folder / "init.lua").write_text(
        f'local M = {{}}\nM.meta = {{ name = "x", version = "{version}", description = "d" }}\nreturn M\n'
    )
    return folder


def git(*args: str, cwd: Path) -> None:
    identity = {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), **identity}
    subprocess.run(["git", *args], cwd=cwd, env=env, check=True, capture_output=True)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A bare repository with two packages."""
    work = tmp_path / "work"
    package(work / "one")
    package(work / "two", "2.0")
    (work / "README.md").write_text("not a package")
    git("init", "-q", ".", cwd=work)
    git("add", "-A", cwd=work)
    git("commit", "-qm", "first", cwd=work)
    git("clone", "-q", "--bare", ".", str(tmp_path / "bundle.git"), cwd=work)
    return tmp_path / "bundle.git"


def test_a_folder_with_init_lua_is_one_package(tmp_path: Path) -> None:
    source = package(tmp_path / "cot")
    (source / "parts").mkdir()
    (source / "parts" / "a.lua").write_text("return 1")
    home = tmp_path / "home"
    installed = install_packages(str(source), home)
    assert [(info.name, info.version, info.path) for info in installed] == [("cot", "1.0", str(home / "cot"))]
    assert find_module("cot.parts.a", [home]).source == b"return 1"


def test_sub_folders_with_init_lua_are_a_collection(tmp_path: Path) -> None:
    package(tmp_path / "all" / "one")
    package(tmp_path / "all" / "two")
    (tmp_path / "all" / "docs").mkdir()
    installed = install_packages(str(tmp_path / "all"), tmp_path / "home")
    assert [info.name for info in installed] == ["one", "two"]
    assert not (tmp_path / "home" / "docs").exists()


def test_a_name_of_ones_own_can_be_given(tmp_path: Path) -> None:
    source = package(tmp_path / "odd name")
    with pytest.raises(PackageError, match="not allowed"):
        install_packages(str(source), tmp_path / "home")
    assert install_packages(str(source), tmp_path / "home", name="mine")[0].name == "mine"


def test_installing_again_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    old = package(tmp_path / "a" / "cot")
    (old / "gone.lua").write_text("return 1")
    install_packages(str(old), home)
    install_packages(str(package(tmp_path / "b" / "cot", "1.1")), home)
    assert [info.version for info in list_packages([home])] == ["1.1"]
    assert sorted(os.listdir(home)) == ["cot"]
    assert os.listdir(home / "cot") == ["init.lua"]


def test_packages_that_are_there_can_be_left_as_they_are(tmp_path: Path) -> None:
    home = tmp_path / "home"
    install_packages(str(package(tmp_path / "a" / "one")), home)
    package(tmp_path / "all" / "one", "2.0")
    package(tmp_path / "all" / "two", "2.0")
    done = put_packages(str(tmp_path / "all"), home, replaces=False)
    assert ([info.name for info in done.installed], done.skipped) == (["two"], ["one"])
    assert [(info.name, info.version) for info in list_packages([home])] == [("one", "1.0"), ("two", "2.0")]
    assert sorted(os.listdir(home)) == ["one", "two"]


def test_a_bare_repository_is_cloned(tmp_path: Path, bare: Path) -> None:
    home = tmp_path / "home"
    installed = install_packages(f"file://{bare}", home)
    assert [(info.name, info.version) for info in installed] == [("one", "1.0"), ("two", "2.0")]
    assert sorted(os.listdir(home)) == ["one", "two"]


def test_a_repository_that_is_not_there_is_an_error_with_gits_words(tmp_path: Path) -> None:
    with pytest.raises(
        PackageError, match=r"cloning 'file://.*' failed: .*not appear to be a git repository"
    ):
        install_packages(f"file://{tmp_path}/nowhere.git", tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_a_clone_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    hang = tmp_path / "bin" / "git"
    hang.parent.mkdir()
    hang.write_text("#!/bin/sh\nexec sleep 60\n")
    hang.chmod(0o755)
    env = {"PATH": f"{hang.parent}:{os.environ['PATH']}"}
    with pytest.raises(PackageError, match=r"took longer than 0\.2 s"):
        install_packages("https://example.invalid/a.git", tmp_path / "home", env=env, timeout_s=0.2)


@pytest.mark.parametrize(
    "source",
    [
        "http://example.invalid/a.git",
        "ext::sh -c id",
        "--upload-pack=id",
        "git://example.invalid/a",
        "",
        "nowhere",
    ],
)
def test_other_sources_are_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackageError):
        install_packages(source or str(tmp_path / "empty"), tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_hooks_of_a_template_are_not_run(tmp_path: Path, bare: Path) -> None:
    hook = tmp_path / "template" / "hooks" / "post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_TEMPLATE_DIR": str(tmp_path / "template")}
    install_packages(f"file://{bare}", tmp_path / "home", env=env)
    assert not (tmp_path / "ran").exists()


def test_links_and_hidden_files_are_not_installed(tmp_path: Path) -> None:
    source = package(tmp_path / "cot")
    (source / "passwd.lua").symlink_to("/etc/passwd")
    (source / ".git").mkdir()
    install_packages(str(source), tmp_path / "home")
    assert os.listdir(tmp_path / "home" / "cot") == ["init.lua"]


def test_a_package_whose_init_is_a_link_replaces_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    install_packages(str(package(tmp_path / "a" / "cot")), home)
    bad = tmp_path / "b" / "cot"
    bad.mkdir(parents=True)
    (bad / "init.lua").symlink_to("/etc/passwd")
    with pytest.raises(PackageError, match="not a readable file"):
        install_packages(str(bad), home)
    assert [info.version for info in list_packages([home])] == ["1.0"]


def test_passwords_in_urls_are_not_shown() -> None:
    assert masked("https://me:secret@host/a.git") == "https://host/a.git"


def test_a_listing_shows_what_require_would_find(tmp_path: Path) -> None:
    package(tmp_path / "one" / "cot", "1")
    package(tmp_path / "two" / "cot", "2")
    package(tmp_path / "two" / "debate", "3")
    (tmp_path / "two" / "empty").mkdir()
    (tmp_path / "two" / "out").symlink_to(package(tmp_path / "elsewhere"))
    found = list_packages([tmp_path / "one", tmp_path / "two", tmp_path / "missing"])
    assert [(info.name, info.version) for info in found] == [("cot", "1"), ("debate", "3")]
    assert found[0].path == str(tmp_path / "one" / "cot")
    assert found[0].description == "d"


def test_a_package_is_removed(tmp_path: Path) -> None:
    package(tmp_path / "cot")
    assert remove_package("cot", tmp_path) == str(tmp_path / "cot")
    assert os.listdir(tmp_path) == []
    with pytest.raises(PackageError, match="not installed"):
        remove_package("cot", tmp_path)


def test_a_package_of_one_file_is_listed_and_removed(tmp_path: Path) -> None:
    (tmp_path / "one.lua").write_text("return {meta = {version = '7'}}")
    package(tmp_path / "both", "1")
    (tmp_path / "both.lua").write_text("return {meta = {version = '2'}}")
    (tmp_path / "notes.txt").write_text("")
    found = [(info.name, info.version, info.path) for info in list_packages([tmp_path])]
    assert found == [("both", "1", f"{tmp_path}/both"), ("one", "7", f"{tmp_path}/one.lua")]
    assert remove_package("one", tmp_path) == f"{tmp_path}/one.lua"
    remove_package("both", tmp_path)
    assert [info.version for info in list_packages([tmp_path])] == ["2"]


def test_removing_a_linked_package_keeps_what_it_links_to(tmp_path: Path) -> None:
    target = package(tmp_path / "mine" / "cot")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cot").symlink_to(target)
    remove_package("cot", tmp_path / "home")
    assert (target / "init.lua").exists()
    assert os.listdir(tmp_path / "home") == []


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc", "a.b"])
def test_a_name_that_leads_elsewhere_removes_nothing(tmp_path: Path, name: str) -> None:
    package(tmp_path / "home" / "a" / "b")
    with pytest.raises(PackageError, match="not allowed"):
        remove_package(name, tmp_path / "home")
    assert (tmp_path / "home" / "a" / "b" / "init.lua").exists()
