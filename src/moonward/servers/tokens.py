"""Who may use a server over HTTP: bearer tokens, and the names of those that hold them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mcp.server.auth.provider import AccessToken

from moonward.actors.errors import SettingsError

SOLE_USER: Final = "token"
"""The name of whoever holds the one token that was given without a name."""

TOKEN: Final = re.compile(r"[!-~]+")
"""What an HTTP header carries as it is: printable ASCII without spaces."""

NAME: Final = re.compile(r"[A-Za-z0-9_.@-]{1,64}")


class Tokens:
    """Tokens by their SHA-256, so that looking one up tells nothing of the others by the time it takes."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {_digest(token): name for token, name in names.items()}
        self.users = frozenset(names.values())

    @classmethod
    def of(cls, token: str | None, file: Path | None) -> Tokens | None:
        """The tokens of a server: one, or those of a file; None if there are none. Raises `SettingsError`."""
        names: dict[str, str] = {}
        if token is not None:
            names[_checked(token, "the token")] = SOLE_USER
        if file is not None:
            names |= _read(file)
        return cls(names) if names else None

    async def verify_token(self, token: str) -> AccessToken | None:
        """The SDK's question whose token this is; None for nobody's."""
        name = self._names.get(_digest(token))
        return None if name is None else AccessToken(token=token, client_id=name, scopes=[])


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _checked(token: str, what: str) -> str:
    if not TOKEN.fullmatch(token):
        raise SettingsError(f"{what} must be printable ASCII without spaces, and not empty")
    return token


def _read(file: Path) -> dict[str, str]:
    """The tokens of a file: a line each, a name and a token with a space between; `#` begins a remark."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise SettingsError(f"the file of tokens {str(file)!r} cannot be read: {error}") from None
    names: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        where = f"{file}, line {number}"
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or not NAME.fullmatch(words[0]):
            raise SettingsError(
                f"{where}: a name (letters, digits, '_', '.', '@', '-') and a token are needed"
            )
        token = _checked(words[1], where)
        if names.setdefault(token, words[0]) != words[0]:
            raise SettingsError(f"{where}: this token is another name's already")
    if not names:
        raise SettingsError(f"the file of tokens {str(file)!r} holds none")
    return names
