"""Exit statuses of the command line; a contract."""

from __future__ import annotations

from typing import Final

COMPLETED: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2
"""Also what argparse exits with."""
CANCELLED: Final = 3
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells count."""
