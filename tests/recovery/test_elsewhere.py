"""Replay in another process, in another second, with other addresses: journals recorded earlier, and by all sorts of
scripts. The trap: two VMs of one process in one second agree on more than they ought to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

import moonward
from moonward.actors.errors import WorkerError
from moonward.actors.journal.archive import Archive
from moonward.actors.journal.entries import Ended
from moonward.actors.journal.store import ALL
from moonward.testing import Faults, FaultyRuntime

from .record import play, record
from .reproducible import PURE, SCRIPTS, answer_to, write_packages

RECORDED = Path(__file__).parent / "recorded"
VERSIONS = sorted(path.name.removesuffix(".tar.xz") for path in RECORDED.glob("*.tar.xz"))
DAY_S = 86400.0

EARLIER_S = 2.0
"""How much older than its repetition a recording has to be, in seconds: more than any clock with whole seconds."""


class Replayer:
    """A process that repeats journals, with a clock that is a day ahead."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("replayer.py")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(program), str(DAY_S)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.place: str = self._read()["place"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def repeat(self, path: Path) -> dict[str, Any]:
        """Its report on one journal."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def replayer() -> Iterator[Replayer]:
    replayer = Replayer()
    yield replayer
    replayer.close()


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Journals recorded by this version, in this process."""
    folder = tmp_path_factory.mktemp("now")
    record(folder)
    return folder


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Journals recorded by each version that was released, in a folder of its name."""
    folder = tmp_path_factory.mktemp("earlier")
    for version in VERSIONS:
        with tarfile.open(RECORDED / f"{version}.tar.xz") as archive:
            archive.extractall(folder / version, filter="data")
    return folder


def started_s(journal: Path) -> float:
    """When a session started, in seconds since the epoch."""
    for line in journal.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("type") == "started":
            return float(entry["at_ms"]) / 1000
    raise AssertionError(f"{journal} has no start")


def check(replayer: Replayer, journal: Path) -> None:
    """A journal is repeated as it was recorded, and comes to the same end from each of its pauses."""
    found = replayer.repeat(journal)
    assert found["report"]["agrees"], found["report"]
    assert found["report"]["reached"] == "end"
    if journal.stem in PURE:
        end = json.loads(journal.with_name("ends.json").read_text())[journal.stem]
        assert found["ends"] == [end] * len(found["ends"])
        assert len(found["ends"]) >= 2


def test_there_are_recordings_of_earlier_versions() -> None:
    assert "0.1.0" in VERSIONS


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_journal_recorded_earlier_is_repeated_in_another_process(
    earlier: Path, replayer: Replayer, version: str, name: str
) -> None:
    journal = earlier / version / f"{name}.moonward"
    assert time.time() - started_s(journal) > EARLIER_S
    check(replayer, journal)


def check_file(file: Path, tmp_path: Path) -> None:
    """A journal file is looked at as it is, then opened: who ended has ended so, who waits goes on."""
    path = tmp_path / "journal.db"
    path.write_bytes(file.read_bytes())
    with Archive(str(path)) as shelf:
        past = {row.id: shelf.entries(row.id)[-1] for row in shelf.rows(ALL)}
    assert path.read_bytes() == file.read_bytes()
    with moonward.Runtime(journal=f"sqlite:///{path}", data_dir=tmp_path / "data") as runtime:
        *ended, waiting = runtime.sessions()
        assert [each.id for each in (*ended, waiting)] == list(past)
        assert len(ended) > 20
        for each in ended:
            entry = past[each.id]
            assert isinstance(entry, Ended)
            assert each.finished(20).state == entry.state
        assert runtime.replay(ended[0].id, timeout=20).agrees
        assert [each["response"] for each in waiting.transcript()] == ["first", None]
        assert play(waiting).state.result == ["first", 1, answer_to("two?")]
        assert runtime.replay(waiting.id, timeout=20).agrees


@pytest.mark.parametrize("version", VERSIONS)
def test_the_file_of_an_earlier_version_is_opened_and_goes_on(
    earlier: Path, tmp_path: Path, version: str
) -> None:
    check_file(earlier / version / "journal.db", tmp_path)


def test_the_file_of_this_version_is_opened_and_goes_on(now: Path, tmp_path: Path) -> None:
    check_file(now / "journal.db", tmp_path)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_journal_of_this_version_is_repeated_in_another_process_on_another_day(
    now: Path, replayer: Replayer, name: str
) -> None:
    check(replayer, now / f"{name}.moonward")


def test_what_is_not_reproducible_by_contract_is_told_and_never_guessed(
    now: Path, replayer: Replayer
) -> None:
    found = replayer.repeat(now / "not reproducible.moonward")
    report = found["report"]
    assert not report["agrees"]
    assert report["entry"] == 1
    assert report["expected"] != report["actual"]
    assert report["diff"]
    assert "diverged at entry 1: expected the question" in found["ends"][0]


@pytest.mark.skipif(
    Path("/proc/sys/kernel/randomize_va_space").read_text().strip() == "0",
    reason="this machine places every process alike",
)
def test_the_other_process_has_other_addresses(replayer: Replayer) -> None:
    again = Replayer()
    again.close()
    assert again.place != replayer.place


# -- all sorts of scripts ----------------------------------------------------------------------------------------------

KEYS = st.one_of(
    st.integers(-3, 12).map(str),
    st.sampled_from(["true", "2.5", "1e300", "math.maxinteger", "-0.5"]),
    st.text("abcxyz", min_size=1, max_size=4).map(json.dumps),
)
VALUES = st.one_of(KEYS, st.sampled_from(["#acc", "acc[#acc]", "'v' .. #acc", "{}"]))

SIMPLE = st.one_of(
    st.builds("t[{}] = {}".format, KEYS, VALUES),
    st.builds("t[{}] = nil".format, KEYS),
    st.builds("for i = 1, {} do t['k' .. i * {}] = i end".format, st.integers(1, 60), st.integers(1, 99)),
    st.just("for k, v in pairs(t) do put(k) put(v) end"),
    st.just("put(next(t))"),
    st.builds("put(math.random({}))".format, st.integers(1, 1000)),
    st.builds("math.randomseed({})".format, st.sampled_from(["", "7", "#acc", "os.time()"])),
    st.sampled_from(["put(os.time())", "put(alc.time())", "put(os.clock())", "put(os.date('!%F %T'))"]),
    st.builds("sorted({}, {})".format, st.integers(2, 300), st.integers(1, 11)),
    st.just("put(alc.llm('ask ' .. digest()))"),
    st.just(
        "for _, a in ipairs(alc.llm_batch({ { prompt = digest() }, { prompt = 'b' .. #acc } })) do put(a) end"
    ),
    st.just("put(alc.state.incr('n'))"),
    st.builds("alc.state.set({}, digest())".format, st.sampled_from(["'a'", "'b'"])),
    st.sampled_from(["put(alc.state.get('a'))", "put(table.concat(alc.state.keys()))"]),
    st.sampled_from(["alc.log('info', digest())", "print(#acc, 'x')", "alc.progress(#acc, 99)"]),
    st.sampled_from(["put({})", "put(print)", "put(function() end)", "put(coroutine.create(print))"]),
    st.sampled_from(["put(pcall(error, 'x'))", "put(select(2, pcall(function() return t.a.b.c end)))"]),
    st.just("put(('a b'):gsub('%a', function(x) return alc.llm(x .. #acc) end))"),
    st.sampled_from(["collectgarbage()", "t = setmetatable({}, { __mode = 'v' })", "t = {}"]),
    st.just("put(select(2, pcall(alc.json_encode, t)))"),
    st.just("put(require('shapes').area(#acc))"),
)


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Statements around statements."""
    block = st.lists(inner, min_size=1, max_size=3).map("\n".join)
    return st.one_of(
        st.builds("for i = 1, {} do {} end".format, st.integers(1, 3), block),
        st.builds("if #acc % 2 == 0 then {} else {} end".format, block, block),
        st.builds("pcall(function() {} end)".format, block),
        st.builds("coroutine.wrap(function() {} end)()".format, block),
        st.builds("pcall(function() {} error(digest()) end)".format, block),
    )


SCRIPT = st.lists(st.recursive(SIMPLE, nested, max_leaves=6), min_size=2, max_size=8).map("\n".join)

AROUND = """
local t, acc = {{}}, {{}}
local function put(...) for i = 1, select("#", ...) do acc[#acc + 1] = tostring((select(i, ...))) end end
local function digest() return alc.fingerprint(table.concat(acc, "|")) .. " " .. #acc end
local function sorted(n, m)
  local list = {{}}
  for i = 1, n do list[i] = {{ key = i * 7919 % m, at = i }} end
  table.sort(list, function(a, b) return a.key < b.key end)
  for i = 1, n, 7 do put(list[i].at) end
end
put(alc.llm("begin"))
{}
return alc.llm("end " .. digest())
"""


@pytest.fixture(scope="module")
def stormy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyRuntime]:
    """A Runtime in which each session loses its worker up to four times: what it records was repeated already."""
    faults = Faults(3).add("kill", "ask", chance=0.1, times=2).add("kill", "called", chance=0.1, times=2)
    packages = write_packages(tmp_path_factory.mktemp("packages"))
    data = tmp_path_factory.mktemp("data")
    with FaultyRuntime(
        faults, data_dir=data, package_paths=[packages], restart_intensity=10**6, restart_period=0.001
    ) as runtime:
        yield runtime


@pytest.mark.timeout(600)
@settings(
    max_examples=400 if os.environ.get("MOONWARD_TEST_LONG") else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=SCRIPT)
def test_whatever_a_script_does_its_journal_is_repeated_elsewhere(
    script: str, stormy: FaultyRuntime, replayer: Replayer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    session = stormy.start(AROUND.format(script))
    end = play(session).state
    assert not isinstance(end, moonward.Failed) or end.error_kind == "lua", end
    path = tmp_path_factory.mktemp("one") / "session.moonward"
    stormy.export(session.id, path)
    found = replayer.repeat(path)
    assert found["report"]["agrees"], found["report"]


def test_a_journal_whose_worker_cannot_start_elsewhere_is_no_divergence(now: Path, tmp_path: Path) -> None:
    """Nor is it an agreement: who asks is told that nobody can know."""
    with FaultyRuntime(Faults().add("fail", "start", times=None), data_dir=tmp_path) as runtime:
        session = runtime.import_(now / "sort.moonward")
        with pytest.raises(WorkerError, match="lost its worker"):
            runtime.replay(session.id, timeout=20)
