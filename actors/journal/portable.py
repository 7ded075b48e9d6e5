"""One session as one file that another journal can take: JSON, a value a line.

The first line says what it is and how much follows; then a line for each content, each note and each entry;
the last line is the SHA-256 of all before it. `pack` and `unpack` compute only, `collect` and `install` work on
a store; reading and writing the file is the caller's.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec

from moonward.actors.errors import JournalError
from moonward.actors.journal.entries import Entry
from moonward.actors.journal.outline import outline
from moonward.actors.journal.store import Done, Entries, Note, Notes, Store
from moonward.supervisor.errors import MoonwardError

FORMAT = 1
"""Version of the file's form; written by this program, and the newest it reads."""

_to_json = msgspec.json.Encoder().encode
_from_json: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class Portable(msgspec.Struct, frozen=True):
    """A session with all that it needs: `contents` are bodies by SHA-256."""

    session_id: str
    entries: list[Entry]
    contents: dict[str, bytes]
    notes: list[Note]


class _Head(msgspec.Struct, frozen=True, tag="session", tag_field="moonward", forbid_unknown_fields=True):
    """The first line."""

    format: int
    session_id: str
    contents: int
    notes: int
    entries: int


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a content, its body in base 64."""

    sha256: str
    body: str


class _End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line."""

    end: str


def pack(portable: Portable) -> bytes:
    """The file; `JournalError` for a session that would not come back the same."""
    lines = [
        _to_json(
            _Head(
                FORMAT,
                portable.session_id,
                len(portable.contents),
                len(portable.notes),
                len(portable.entries),
            )
        )
    ]
    for name, body in portable.contents.items():
        lines.append(_to_json(_Content(name, b64encode(body).decode())))
    lines += map(_to_json, portable.notes)
    for index, entry in enumerate(portable.entries):
        line = _to_json(entry)
        if _from_json.decode(line) != entry:
            raise JournalError(
                f"session {portable.session_id!r}, entry {index}: holds a number that JSON cannot hold"
            )
        lines.append(line)
    data = b"".join(line + b"\n" for line in lines)
    return data + _to_json(_End(sha256(data).hexdigest())) + b"\n"


def unpack(data: bytes) -> Portable:
    """The session of a file, checked; `JournalError` says what is wrong with it."""
    if not data.startswith(b'{"moonward":'):
        raise JournalError("not an exported session")
    head = _line(data.partition(b"\n")[0], _Head, "the first line")
    if head.format != FORMAT:
        raise JournalError(
            f"the exported session has format {head.format}; this program reads format {FORMAT}"
        )
    cut = data.rfind(b"\n", 0, len(data) - 1) + 1
    if _line(data[cut:].rstrip(b"\n"), _End, "the last line").end != sha256(data[:cut]).hexdigest():
        raise JournalError("the exported session is damaged: its checksum does not match")
    lines = data[:cut].splitlines()[1:]
    if len(lines) != head.contents + head.notes + head.entries:
        raise JournalError("the exported session has more or fewer lines than it says")
    notes_at, entries_at = head.contents, head.contents + head.notes
    portable = Portable(
        head.session_id,
        [_line(line, Entry, "an entry") for line in lines[entries_at:]],
        dict(_content(line) for line in lines[:notes_at]),
        [_line(line, Note, "a note") for line in lines[notes_at:entries_at]],
    )
    _check(portable)
    return portable


def collect(store: Store, session_id: str, done: Done[Portable]) -> None:
    """Gather a session from `store`; loop thread."""
    _Collector(store, session_id, done).begin()


def install(store: Store, portable: Portable, done: Done[str]) -> None:
    """Put a session into `store`; `done` gets its id, or a `JournalError` when that is taken. Loop thread."""
    for body in portable.contents.values():
        store.keep(body)

    notes = list(portable.notes)

    def restored(error: BaseException | None) -> None:
        if error is not None:
            done(None, error)
        elif notes:
            note = notes.pop(0)
            store.add_note(portable.session_id, note.title, note.text, note.at_ms, restored)
        else:
            done(portable.session_id, None)

    store.restore(portable.session_id, portable.entries, restored)


class _Collector:
    """Asks a store for the parts of a session, one after the other."""

    def __init__(self, store: Store, session_id: str, done: Done[Portable]) -> None:
        self._store = store
        self._session_id = session_id
        self._done = done
        self._entries: Entries = []
        self._wanted: list[str] = []
        self._contents: dict[str, bytes] = {}

    def begin(self) -> None:
        """The entries first: they say what else is needed."""
        self._store.look(self._session_id, self._looked)

    def _looked(self, entries: Entries | None, error: BaseException | None) -> None:
        try:
            if entries is None:
                assert error is not None
                raise error
            self._wanted = outline(self._session_id, entries).contents
        except MoonwardError as failure:
            self._done(None, failure)
            return
        assert entries is not None
        self._entries = entries
        self._next()

    def _next(self) -> None:
        if self._wanted:
            name = self._wanted.pop()
            self._store.content(name, partial(self._content, name))
        else:
            self._store.notes(self._session_id, self._noted)

    def _content(self, name: str, body: bytes | None, error: BaseException | None) -> None:
        if body is None:
            self._done(None, error)
        else:
            self._contents[name] = body
            self._next()

    def _noted(self, notes: Notes | None, error: BaseException | None) -> None:
        if notes is None:
            self._done(None, error)
        else:
            self._done(Portable(self._session_id, self._entries, self._contents, notes), None)


def _line(line: bytes, kind: Any, what: str) -> Any:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise JournalError(f"the exported session is damaged: {what} has a wrong form: {error}") from error


def _content(line: bytes) -> tuple[str, bytes]:
    content: _Content = _line(line, _Content, "a content")
    try:
        body = b64decode(content.body, validate=True)
    except ValueError as error:
        raise JournalError(f"the exported session is damaged: content {content.sha256}: {error}") from error
    if sha256(body).hexdigest() != content.sha256:
        raise JournalError(f"the exported session is damaged: content {content.sha256} is not what it says")
    return content.sha256, body


def _check(portable: Portable) -> None:
    for name in outline(portable.session_id, portable.entries).contents:
        if name not in portable.contents:
            raise JournalError(f"the exported session lacks the content with SHA-256 {name}")
