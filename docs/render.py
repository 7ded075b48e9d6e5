"""Writes the pages of `docs/` that are drawn from the sources: settings, errors, states,
the library. `make docs` runs it."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from moonward.actors import errors, limits, phase, settings
from moonward.actors.library import Entry, library
from moonward.supervisor.errors import MoonwardError, SupervisionError

GENERATED = "Drawn from {source} by `docs/render.py`; do not edit by hand, a test compares."


def documented_fields(module: ModuleType, name: str) -> Iterator[tuple[str, str, str]]:
    """Field, type and documentation of a class whose fields are followed by a text."""
    source = ast.parse(inspect.getsource(module))
    owner = next(node for node in source.body if isinstance(node, ast.ClassDef) and node.name == name)
    for node, after in zip(owner.body, owner.body[1:], strict=False):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if not isinstance(after, ast.Expr) or not isinstance(after.value, ast.Constant):
            raise ValueError(f"{name}.{node.target.id} has no documentation")
        yield node.target.id, ast.unparse(node.annotation), " ".join(str(after.value.value).split())


def field_table(module: ModuleType, name: str, defaults: Callable[[str], object]) -> str:
    """A Markdown table of the fields of a class."""
    lines = ["| field | type | default | meaning, and why this default |", "|---|---|---|---|"]
    for field, type_name, text in documented_fields(module, name):
        shown = type_name.replace("|", "\\|")
        lines.append(f"| `{field}` | `{shown}` | {default_text(field, defaults(field))} | {text} |")
    return "\n".join(lines) + "\n"


def default_text(field: str, value: object) -> str:
    """A default as a reader wants it: sizes in binary units, durations without a needless fraction."""
    if field == "idle_ttl":
        return "3 h, or `None`"
    if field == "limits":
        return "see below"
    if field.endswith("_bytes") and isinstance(value, int):
        unit, name = (1 << 20, "MiB") if value >= 1 << 20 else (1 << 10, "KiB")
        return f"{value // unit} {name}"
    if isinstance(value, float):
        return f"{value:g} s"
    return f"`{value!r}`"


def settings_page() -> str:
    """The text of `docs/settings.md`."""
    return (
        "# Settings and limits\n\n"
        + GENERATED.format(source="`actors/settings.py` and `actors/limits.py`")
        + "\n\n"
        "```python\n"
        "import moonward\n\n"
        'runtime = moonward.Runtime(journal="sqlite:////var/lib/app/sessions.db", idle_ttl=None)\n'
        'runtime = moonward.Runtime(moonward.Settings(warm_workers=8), journal="memory:")\n'
        "```\n\n"
        "A value comes from, first wins: an argument of `Runtime`, a field that was given to `Settings`, the\n"
        "environment variable `MOONWARD_<FIELD>` (upper case), the default. A wrong value, or a name that is not in\n"
        "this table, is a `SettingsError` at start that names the field. Durations are seconds or a `timedelta`; in\n"
        "the environment, seconds, and `none` for None. Directories in `MOONWARD_PACKAGE_PATHS` are separated by\n"
        "colons; `MOONWARD_LIMITS` is a JSON object.\n\n"
        "## Settings\n\n"
        + field_table(settings, "Settings", lambda field: getattr(settings.Settings(), field))
        + "\n## Limits\n\n"
        "Of one session, as `Settings.limits` for all and as `limits=` of a start for one. A session that crosses one\n"
        'ends `failed` with `error_kind: "limit"`, unless the line says otherwise.\n\n'
        + field_table(limits, "Limits", lambda field: getattr(limits.Limits(), field))
    )


def errors_page() -> str:
    """The text of `docs/errors.md`."""
    listed = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    rows = [
        f"| `{kind.__name__}` | {', '.join(f'`{base.__name__}`' for base in kind.__bases__)} | {summary(kind)} |"
        for kind in (MoonwardError, *listed, SupervisionError)
    ]
    tree = inspect.getdoc(errors) or ""
    drawing = tree.partition("\n\n")[2]
    return (
        "# Errors\n\n"
        + GENERATED.format(source="`actors/errors.py`")
        + "\n\nNobody has to parse a message: what differs in what a caller can do differs in its type.\n\n"
        f"```\n{drawing}\n```\n\n"
        "| error | is a | meaning, and whether trying again can help |\n|---|---|---|\n"
        + "\n".join(rows)
        + "\n\n"
        "A session that fails is not an error of Python: it is a `Finished` whose state is\n"
        "`Failed(error, error_kind)`. The kinds:\n\n"
        "| `error_kind` | meaning |\n|---|---|\n"
        "| `syntax` | the script does not compile |\n"
        "| `lua` | an error that the script did not catch |\n"
        "| `budget` | the last reply before the failure was a budget refusal |\n"
        "| `limit` | a limit of `Limits` was crossed, memory included |\n"
        "| `crash` | its worker was lost more often than `restart_intensity` allows |\n"
        "| `protocol` | the same, the last loss being a worker that broke the protocol |\n"
        "| `diverged` | a replay asked for something else than the journal holds |\n"
        "| `internal` | a fault of ours; please report it |\n"
    )


def summary(kind: type) -> str:
    """The documentation of an error on one line."""
    return " ".join((inspect.getdoc(kind) or "").split()).replace("|", "\\|")


LIBRARY_INTRODUCTION = """\
A script has two globals beside those of Lua: `ctx`, the JSON value that its session was started with, and `alc`, this
library. [Writing a strategy](strategies.md) shows how it is used, and what differs in the language. A wrong argument is
an error at the script's own line. `moonward types` writes all this as definitions for editors.
"""


def library_page() -> str:
    """The text of `docs/lua.md`."""
    described = library()
    parts = [
        "# The library of scripts\n",
        GENERATED.format(source="`actors/lua/library.toml`") + "\n",
        LIBRARY_INTRODUCTION,
    ]
    for section in described.section:
        parts.append(f"## {section.title}\n")
        if section.text:
            parts.append(section.text + "\n")
        parts += [f"**`alc.{entry.signature}`** {entry.text}\n" for entry in section.entry]
    parts.append("## Tables\n")
    for table in described.table:
        parts.append(f"**`{table.name}`** {table.text}\n")
        fields = [each.partition(" -- ") for each in table.fields]
        if fields:
            parts.append("\n".join(f"- `{field}` {text}".rstrip() for field, _, text in fields) + "\n")
    parts.append("## What is there, and what shows it\n")
    parts.append(
        "Every function is implemented. *Differs in*: what a package that was written for another host of `alc` may\n"
        "notice.\n"
    )
    rows = ["| | tested by | differs in |", "|---|---|---|"]
    for section in described.section:
        rows += [table_row(entry, section.tests) for entry in section.entry]
    parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def table_row(entry: Entry, shared: list[str]) -> str:
    """What shows that an entry works; tests of one file are listed behind its name."""
    files: dict[str, list[str]] = {}
    for test in dict.fromkeys([*entry.tests, *shared]):
        file, _, name = test.partition("::")
        files.setdefault(file, []).append(f"`{name}`")
    shown = "; ".join(f"`tests/{file}`: {', '.join(names)}" for file, names in files.items())
    return f"| `alc.{entry.name}` | {shown} | {entry.differs or '–'} |"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "states.md": phase.states_page,
    "lua.md": library_page,
}


def main(folder: Path) -> None:
    """Write every page into `folder`."""
    for name, page in PAGES.items():
        (folder / name).write_text(page())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
