"""Run pytest as an unprivileged user, on a copy of everything that such a user can read: `as_nobody.py [ARGUMENTS]`.

The tree, the virtual environment, the interpreter or a directory above them may be closed to others; so all of them
are copied (linked, where that is possible), and nothing of the caller's environment comes along but what says how
tests are run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import moonward
import moonward.actors
import moonward.supervisor

NOBODY = 65534
"""The user and the group that own nothing, on every Linux."""

TESTS = Path(__file__).resolve().parents[1]

NOT_NEEDED = shutil.ignore_patterns(
    "__pycache__", "matplotlib*", "numpy*", "mypy*", "PIL*", "pip*", "fontTools*", "moonward"
)
"""Packages that are large, and of no use to these tests; and moonward, which is copied from wherever it is installed."""


def run(arguments: list[str], **settings: str) -> subprocess.CompletedProcess[str]:
    """pytest with these arguments, as nobody, in a copy; `settings` are added to its environment. Needs root."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        copy_to(place)
        return subprocess.run(
            [
                str(place / "python" / "bin" / Path(sys._base_executable).name),
                "-P",
                "-m",
                "pytest",
                *arguments,
            ],
            cwd=place / "tree",
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(place / "home"),
                "TMPDIR": str(place / "home"),
                "PYTHONHOME": str(place / "python"),
                "PYTHONPATH": str(place / "packages"),
                "PYTHONDONTWRITEBYTECODE": "1",
                **settings,
            },
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            text=True,
            capture_output=True,
        )


def copy_to(place: Path) -> None:
    """What the run needs: `python`, `packages`, `tree` and a `home`."""
    place.chmod(0o755)
    shutil.copytree(
        sysconfig.get_path("purelib"), place / "packages", ignore=NOT_NEEDED, copy_function=link_or_copy
    )
    copy_interpreter(place / "python")
    for front in moonward.__path__:
        shutil.copytree(front, place / "packages" / "moonward", dirs_exist_ok=True)
    for part in (moonward.actors, moonward.supervisor):
        (source,) = part.__path__
        shutil.copytree(source, place / "packages" / part.__name__.replace(".", "/"), dirs_exist_ok=True)
    shutil.copytree(TESTS, place / "tree" / "tests", ignore=NOT_NEEDED)
    shutil.copy(TESTS.parent / "pyproject.toml", place / "tree")
    (place / "home").mkdir()
    for each in (place / "home", place / "tree"):
        shutil.chown(each, NOBODY, NOBODY)


def copy_interpreter(place: Path) -> None:
    """The interpreter and its standard library, in a prefix of its own."""
    library = Path(sysconfig.get_path("stdlib"))
    ignore = shutil.ignore_patterns("site-packages", "__pycache__", "test", "idlelib", "config-*")
    shutil.copytree(library, place / "lib" / library.name, ignore=ignore, copy_function=link_or_copy)
    (place / "bin").mkdir()
    link_or_copy(os.path.realpath(sys._base_executable), place / "bin" / Path(sys._base_executable).name)
    for shared in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        link_or_copy(os.path.realpath(shared), place / "lib" / shared.name)


def link_or_copy(source: str, target: str | Path) -> None:
    """A second name of the file, which costs nothing; a copy where links do not reach."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


def main() -> int:
    """Show what it prints; its exit status."""
    chosen = {name: value for name, value in os.environ.items() if name.startswith("MOONWARD_TEST_LONG")}
    result = run(["-p", "no:cacheprovider", *sys.argv[1:]], **chosen)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
