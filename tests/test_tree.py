"""The rules of the architecture, held by tests: mapping, layers, purity, laziness, the wheel's content."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PURE = {
    "barrier",
    "budget",
    "interaction",
    "limits",
    "metrics",
    "notes",
    "pending_filter",
    "phase",
    "query",
    "rebuild",
    "session_state",
    "snapshot",
    "tape",
    "terminal",
    "tokens",
    "transcript",
}
"""Modules of `actors` that are given everything they know: no clock, no thread, no file, no process."""

IMPURE_IMPORTS = {
    "asyncio", "ctypes", "fcntl", "io", "logging", "multiprocessing", "os", "pathlib", "platformdirs", "pykka",
    "queue", "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "structlog",
    "subprocess", "sys", "tempfile", "threading", "time", "uuid", "lupa",
}  # fmt: skip

ROOTS = {"moonward.supervisor": "supervisor", "moonward.actors": "actors", "moonward": "src/moonward"}
"""Import package → folder; more specific names first."""


def modules(tree: Path, root: str) -> Iterator[tuple[str, Path]]:
    """Every module below an import package, with its file."""
    folder = tree / ROOTS[root]
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        name = ".".join((root, *parts)).removesuffix(".__init__")
        yield name, file


def imported(file: Path) -> set[str]:
    """Full names of what a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
    return names


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def pure_files(tree: Path) -> list[Path]:
    return [file for file in sorted((tree / "actors").glob("*.py")) if file.stem in PURE]


def listed_packages(tree: Path) -> set[str]:
    project = tomllib.loads((tree / "pyproject.toml").read_text())
    return set(project["tool"]["setuptools"]["packages"])


def test_every_package_of_the_tree_is_listed_for_the_wheel(tree: Path) -> None:
    found = {name for root in ROOTS for name, file in modules(tree, root) if file.name == "__init__.py"}
    assert found == listed_packages(tree)


def test_every_module_is_in_a_package(tree: Path) -> None:
    for root in ROOTS:
        for _, file in modules(tree, root):
            assert (file.parent / "__init__.py").exists(), f"{file.parent} has modules but no __init__.py"


def test_no_source_imports_relatively(tree: Path) -> None:
    for root in ROOTS:
        for name, file in modules(tree, root):
            hidden = {each for each in imported(file) if each.startswith(".")}
            assert not hidden, f"{name} imports {sorted(hidden)}: a relative import hides its layer"


def test_imports_point_one_way(tree: Path) -> None:
    may_import = {
        "moonward.supervisor": ("moonward.supervisor",),
        "moonward.actors": ("moonward.actors", "moonward.supervisor"),
    }
    for root, allowed in may_import.items():
        for name, file in modules(tree, root):
            ours = {each for each in imported(file) if within(each, "moonward")}
            wrong = {each for each in ours if not any(within(each, package) for package in allowed)}
            assert not wrong, f"{name} imports {sorted(wrong)}, above its own layer"


def test_no_module_imports_a_second_copy_by_its_folder_name(tree: Path) -> None:
    files = [file for root in ROOTS for _, file in modules(tree, root)]
    files += sorted((tree / "tests").rglob("*.py")) + sorted((tree / "examples").rglob("*.py"))
    for file in files:
        bare = {name for name in imported(file) if name.split(".")[0] in ("actors", "supervisor")}
        assert not bare, f"{file} imports {sorted(bare)}: use moonward.actors, moonward.supervisor"


def test_no_second_copy_is_loaded(tree: Path) -> None:
    sources = [str(tree / folder) + "/" for folder in ("actors", "supervisor")]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        assert within(name, "moonward") or not file.startswith(tuple(sources)), f"{name} is {file}"


def test_the_pure_centre_imports_nothing_that_acts(tree: Path) -> None:
    for file in pure_files(tree):
        module, names = file.stem, imported(file)
        acting = {name for name in names if name.split(".")[0] in IMPURE_IMPORTS}
        assert not acting, f"{module} is pure, but imports {sorted(acting)}"
        known = {*PURE, "errors", "journal.entries", "worker.wire"}
        ours = {name for name in names if within(name, "moonward.actors")}
        beyond = {each for each in ours if not any(within(each, f"moonward.actors.{one}") for one in known)}
        assert not beyond, f"{module} is pure, but imports {sorted(beyond)}, which are not"


def test_the_pure_centre_calls_nothing_that_acts(tree: Path) -> None:
    for file in pure_files(tree):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("open", "print", "input", "exec", "eval"), (
                    f"{file.stem}: {node.func.id}"
                )


def test_no_file_is_too_long_to_read_at_once(tree: Path) -> None:
    for root in ROOTS:
        for name, file in modules(tree, root):
            lines = len(file.read_text().splitlines())
            assert lines <= 400, f"{name} has {lines} lines"


def test_importing_moonward_loads_neither_lua_nor_actors() -> None:
    code = (
        "import sys, moonward\n"
        "print(sorted({n.split('.')[0] for n in sys.modules} & {'lupa', 'pykka', 'msgspec', 'structlog'}))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.fixture(scope="session")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `make test` built, else one built here."""
    built = os.environ.get("MOONWARD_TEST_WHEEL")
    if built:
        return Path(built)
    target = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    names = ["actors", "supervisor", "src", "pyproject.toml", "README.md", "LICENSE"]
    subprocess.run(["cp", "-r", *(tree / name for name in names), source], check=True)
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        target,
        source,
    ]
    subprocess.run(command, check=True, timeout=120)
    return next(target.glob("*.whl"))


@pytest.mark.timeout(180)
def test_the_wheel_holds_every_source_and_nothing_else(tree: Path, wheel: Path) -> None:
    expected: set[str] = set()
    for root, folder in ROOTS.items():
        base = tree / folder
        for pattern in ("*.py", "*.lua", "*.toml", "py.typed"):
            files = {file.relative_to(base).as_posix() for file in base.rglob(pattern)}
            expected |= {f"{root.replace('.', '/')}/{file}" for file in files}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected
