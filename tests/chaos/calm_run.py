"""The calm run of a folder of journals, in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CALM = Path(__file__).with_name("calm.py")


def calm_runs(folder: Path) -> Iterator[dict[str, Any]]:
    """What `calm.py` says of each journal in `folder`; `RuntimeError` when it does not end well."""
    calm = subprocess.Popen([sys.executable, str(CALM), str(folder)], stdout=subprocess.PIPE, text=True)
    assert calm.stdout is not None
    with calm:
        for line in calm.stdout:
            yield json.loads(line)
    if calm.returncode:
        raise RuntimeError(f"the calm run ended with exit status {calm.returncode}")
