"""What sessions run on when something is upgraded under them: what they began with. New ones run what is there now."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import moonward

from .remote import RemoteHost
from .steered import WAIT_S

STRATEGY = """
local words = require("words")
return { run = function(ctx)
  local first = alc.llm(words.ask(1))
  local second = alc.llm(words.ask(2))
  return { first, second, require("words.later").name }
end }
"""


def write_package(folder: Path, edition: str) -> Path:
    """A strategy `asks` and what it needs, which say which edition they are."""
    (folder / "words").mkdir(exist_ok=True)
    (folder / "asks.lua").write_text(STRATEGY.replace("words.ask(2)", f"'{edition}: ' .. words.ask(2)"))
    (folder / "words" / "init.lua").write_text(
        f"return {{ ask = function(n) return '{edition} words ' .. n end }}"
    )
    (folder / "words" / "later.lua").write_text(f"return {{ name = '{edition} later' }}")
    return folder


CODE = "return require('asks').run(ctx)"


def waits(session: moonward.Session) -> list[str]:
    """The ids of the questions that a session waits with."""
    event = session.wait(WAIT_S)
    assert isinstance(event, moonward.Paused)
    return [query.id for query in event.queries]


def end(
    session: moonward.Session, answer: Callable[[moonward.LlmQuery], str] = lambda query: query.prompt
) -> Any:
    """The result of a session whose answers are its questions, unless told otherwise."""
    state = moonward.drive(session, answer).state
    assert isinstance(state, moonward.Completed)
    return state.result


def test_a_package_is_edited_under_a_session_that_goes_on_with_what_it_had(tmp_path: Path) -> None:
    packages = write_package(tmp_path, "old")
    settings = {"journal": f"sqlite:///{tmp_path / 'j.db'}", "data_dir": tmp_path / "data"}
    with moonward.Runtime(**settings) as before:  # type: ignore[arg-type]
        old = before.start(CODE, packages=[packages])
        assert waits(old) == ["q-0"]
        write_package(tmp_path, "new")
        new = before.start(CODE, packages=[packages])
        assert end(new) == ["new words 1", "new: new words 2", "new later"]
    with moonward.Runtime(**settings) as after:  # type: ignore[arg-type]
        # What it had not required yet is read when it is.
        assert end(after.session(old.id)) == ["old words 1", "old: old words 2", "new later"]
        shutil.rmtree(tmp_path / "words")
        (tmp_path / "asks.lua").unlink()
        assert [after.replay(each.id).agrees for each in (old, new)] == [True, True]
        with pytest.raises(moonward.MoonwardError):
            after.start(CODE, packages=[tmp_path / "words"])


def test_a_fork_from_before_an_edit_runs_what_its_origin_ran(tmp_path: Path) -> None:
    packages = write_package(tmp_path, "old")
    with moonward.Runtime(data_dir=tmp_path / "data") as runtime:
        old = runtime.start(CODE, packages=[packages])
        first = end(old)
        write_package(tmp_path, "new")
        entries = runtime.replay(old.id).entries
        copies = [runtime.fork(old.id, at) for at in range(entries - 1)]
        ends = [end(copy) for copy in copies]
        assert first in ends
        for each in ends:  # each module is of the edition that had been required by then, or of the new one
            assert each[0].startswith(("old", "new"))
        assert ends[0] == ["new words 1", "new: new words 2", "new later"]
        assert ends[-1] == first


# -- the prelude -----------------------------------------------------------------------------------------------------


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another version of moonward, whose prelude asks in another way. Hosts started in the test run it."""
    place = tmp_path / "newer"
    shutil.copytree(
        Path(moonward.__file__).parent, place / "moonward", ignore=shutil.ignore_patterns("__pycache__")
    )
    llm = place / "moonward" / "actors" / "lua" / "llm.lua"
    source = llm.read_text()
    asked = "local query, problem = K.query(prompt, opts)"
    assert asked in source
    llm.unlink()  # it may be a link to the one that is tested
    llm.write_text(source.replace(asked, 'local query, problem = K.query(prompt .. " (newer)", opts)'))
    monkeypatch.setenv("PYTHONPATH", str(place))
    return place


TWO = "return { alc.llm('one?'), alc.llm('two?') }"


def prompts(host: RemoteHost, session_id: str) -> list[str]:
    """What a session has asked."""
    return [each["prompt"] for each in host.ask("transcript", session_id)]


def test_a_session_goes_on_with_the_prelude_that_it_began_with(
    tmp_path: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j.db"
    with moonward.Runtime(journal=f"sqlite:///{path}", data_dir=tmp_path / "data") as runtime:
        old = runtime.start(TWO)
        assert waits(old) == ["q-0"]
    with RemoteHost(path) as host:
        new = host.ask("start", TWO)
        assert prompts(host, new) == ["one? (newer)"]
        assert host.ask("feed", old.id, "q-0", "a")["query_id"] == "q-1"
        assert prompts(host, old.id) == ["one?", "two?"]
        assert host.ask("feed", new, "q-0", "a")["query_id"] == "q-1"
        assert host.ask("feed", old.id, "q-1", "b")["result"] == ["a", "b"]
    # And back again: the older version finds the newer one's prelude in the journal.
    with moonward.Runtime(journal=f"sqlite:///{path}", data_dir=tmp_path / "data") as runtime:
        session = runtime.session(new)
        assert end(session, lambda query: "a" if query.id == "q-0" else query.prompt) == ["a", "two? (newer)"]
        assert [runtime.replay(each).agrees for each in (old.id, new)] == [True, True]
        path = tmp_path / "new.moonward"
        runtime.export(new, path)
    with moonward.Runtime(data_dir=tmp_path / "data") as runtime:
        assert runtime.replay(runtime.import_(path).id).agrees


def test_a_prelude_goes_to_the_children_of_a_fork_too(tmp_path: Path, newer: Path) -> None:
    path = tmp_path / "j.db"
    (tmp_path / "child.lua").write_text(
        "return { run = function() return alc.llm('one?') .. alc.llm('two?') end }"
    )
    with moonward.Runtime(journal=f"sqlite:///{path}", data_dir=tmp_path / "data") as runtime:
        old = runtime.start("return alc.fork({ 'child', 'child' }, {})[1].result", packages=[tmp_path])
        queries = waits(old)
        assert len(queries) == 2
    with RemoteHost(path) as host:
        for query in queries:
            host.ask("feed", old.id, query, "a")
        assert prompts(host, old.id) == ["one?", "one?", "two?", "two?"]
