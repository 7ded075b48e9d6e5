"""Runs every script to its end and keeps the journals:  python record.py FOLDER

Those of a release are recorded once, on the commit that is tagged, with what is installed from it, and never again:

    python tests/recovery/record.py tests/recovery/recorded/VERSION.tar.xz

and committed after it. They are the exported journal of each script, `ends.json`, how each ended, and `journal.db`, the
SQLite journal in which all of them ran, and in which a session, `waiting`, is paused at its second question.
`test_elsewhere.py` repeats, continues and opens all that are there.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import moonward

sys.path.insert(0, str(Path(__file__).parents[1]))

from recovery.reproducible import CONTEXTS, NOT_REPRODUCIBLE, SCRIPTS, answer_to, write_packages

PATIENCE_S = 30.0

WAITING = "return { alc.llm('one?'), alc.state.incr('answered'), alc.llm('two?') }"
"""The script of the session that is left paused; its first answer is "first"."""


def play(session: moonward.Session) -> moonward.Finished:
    """Answer a session to its end."""
    event: Any = session.wait(PATIENCE_S)
    try:
        while isinstance(event, moonward.Paused):
            for query in event.queries:
                event = session.feed(answer_to(query.prompt), query_id=query.id, timeout=PATIENCE_S)
    except moonward.TransitionError:  # one that is repeated may diverge before it is answered
        event = session.finished(PATIENCE_S)
    assert isinstance(event, moonward.Finished)
    return event


def record(folder: Path) -> dict[str, Any]:
    """Journals of all scripts in `folder`, and the file in which they were kept; how each ended."""
    ends = {}
    scripts = {**SCRIPTS, "not reproducible": NOT_REPRODUCIBLE}
    with tempfile.TemporaryDirectory() as data:
        packages = write_packages(Path(data, "packages"))
        journal = f"sqlite:///{folder.absolute() / 'journal.db'}"
        with moonward.Runtime(journal=journal, data_dir=Path(data, "data")) as runtime:
            for name, code in scripts.items():
                session = runtime.start(code, CONTEXTS.get(name), packages=[packages])
                state = play(session).state
                assert isinstance(state, moonward.Completed), f"{name}: {state}"
                ends[name] = state.result
                runtime.export(session.id, folder / f"{name}.moonward")
            session = runtime.start(WAITING, {"name": "waiting"})
            session.wait(PATIENCE_S)
            session.feed("first", query_id="q-0", timeout=PATIENCE_S)
    (folder / "journal.db-hosts").unlink()
    (folder / "ends.json").write_text(json.dumps(ends, indent=1))
    return ends


def main(target: Path) -> None:
    """Record into a folder, or an archive."""
    if not target.name.endswith(".tar.xz"):
        record(target)
        return
    with tempfile.TemporaryDirectory() as folder, tarfile.open(target, "w:xz") as archive:
        record(Path(folder))
        for path in sorted(Path(folder).iterdir()):
            archive.add(path, path.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
