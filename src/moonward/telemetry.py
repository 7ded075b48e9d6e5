"""Where the host's log events go: structlog as the host has configured it, else Python's `logging`.

Without any configuration nothing is printed: a library is silent. The logger's name is `moonward`.
"""

from __future__ import annotations

import logging
from typing import Any

import structlog

from moonward.actors.services import Log

NAME = "moonward"


class StandardLog:
    """Log events through `logging`; the fields become attributes of the record, and its text."""

    def __init__(self) -> None:
        logger = logging.getLogger(NAME)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        self._logger = logger
        self._chain = structlog.wrap_logger(
            logger,
            processors=[
                structlog.stdlib.add_log_level,
                structlog.processors.format_exc_info,
                structlog.processors.KeyValueRenderer(key_order=["event"]),
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    @property
    def is_verbose(self) -> bool:
        """Whether details are wanted."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def debug(self, event: str, **fields: Any) -> None:
        """Detail."""
        if self._logger.isEnabledFor(logging.DEBUG):
            self._chain.debug(event, **fields)

    def info(self, event: str, **fields: Any) -> None:
        """Something happened as it should."""
        if self._logger.isEnabledFor(logging.INFO):
            self._chain.info(event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something happened that was mended."""
        self._chain.warning(event, **fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something failed."""
        self._chain.error(event, **fields)


class Guarded:
    """A log that can fail without hurting what it tells of."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._chooses = isinstance(inner, StandardLog)

    @property
    def is_verbose(self) -> bool:
        """Whether details are wanted; structlog of a host decides that by itself."""
        return self._inner.is_verbose if self._chooses else True

    def debug(self, event: str, **fields: Any) -> None:
        """Detail."""
        self._tell("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Something happened as it should."""
        self._tell("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something happened that was mended."""
        self._tell("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something failed."""
        self._tell("error", event, fields)

    def _tell(self, level: str, event: str, fields: dict[str, Any]) -> None:
        try:
            getattr(self._inner, level)(event, **fields)
        except Exception:
            pass  # the host's logging is broken; sessions go on


def host_log() -> Log:
    """The log of a Runtime."""
    if structlog.is_configured():
        return Guarded(structlog.get_logger(NAME))
    return Guarded(StandardLog())
