"""What every test gets: a data directory of its own, and none of the machine's settings."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """A shell starts what it has in the background with interrupts ignored, and children would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's data or settings; and what it starts buffers its output, as elsewhere."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    for name in list(os.environ):
        ours = name.startswith("MOONWARD_") and not name.startswith("MOONWARD_TEST_")
        if ours or name in ("ALC_HOME", "ALC_PACKAGES_PATH", "PYTHONUNBUFFERED"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def tree() -> Path:
    """The source tree; `make test` runs elsewhere and says where it is."""
    return Path(os.environ.get("MOONWARD_TEST_TREE") or Path(__file__).parents[1])
