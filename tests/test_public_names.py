"""The public names are a list, and the list is true."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import moonward

BETWEEN_OUR_PARTS = {"CallDiverged", "CallError", "Fenced", "HostStorageError"}
"""Errors that a caller does not tell apart: they become an error in Lua, the end of a session, or `JournalError`."""


def test_every_public_name_can_be_imported() -> None:
    missing = [name for name in moonward.__all__ if not hasattr(moonward, name)]
    assert not missing


def test_every_error_that_the_project_raises_is_public_and_has_one_root() -> None:
    from moonward.actors import errors

    raised = BETWEEN_OUR_PARTS ^ {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert raised <= set(moonward.__all__)
    assert all(issubclass(getattr(moonward, name), moonward.MoonwardError) for name in raised)


def test_the_names_for_type_checkers_are_those_that_can_be_imported(tree: Path) -> None:
    module = ast.parse((tree / "src/moonward/__init__.py").read_text())
    guarded = next(node for node in module.body if isinstance(node, ast.If))
    names = {
        alias.name for node in ast.walk(guarded) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert names | {"__version__"} == set(moonward.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Runtimes'"):
        _ = moonward.Runtimes


def test_dir_lists_the_public_names() -> None:
    assert dir(moonward) == sorted(moonward.__all__)
