"""Notes, logs and totals, read from the journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from moonward.actors.journal.sqlite_file import INDEX_BITS

from .inside import ECHO, ERAS, call, client, refusal, run

pytestmark = pytest.mark.parametrize("era", ERAS)


def durable(tmp_path: Path) -> dict[str, Any]:
    package = tmp_path / "packages" / "asker"
    package.mkdir(parents=True, exist_ok=True)
    (package / "init.lua").write_text("return {run = function(ctx) return alc.llm(ctx.task) end}")
    return {"journal": f"sqlite:///{tmp_path / 'journal.db'}", "package_paths": [tmp_path / "packages"]}


async def finish(host: Any, asked: dict[str, Any], response: str = "4") -> str:
    await call(host, "alc_continue", session_id=asked["session_id"], response=response)
    return str(asked["session_id"])


def test_logs_outlive_the_server_and_show_the_transcript(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era, **durable(tmp_path)) as host:
            session_id = await finish(host, await call(host, "alc_advice", strategy="asker", task="why?"))
            note = await call(host, "alc_note", session_id=session_id, content="good", title="overall")
            assert note == {"session_id": session_id, "notes_count": 1}
        async with client(tmp_path, era, **durable(tmp_path)) as host:
            log = await call(host, "alc_log_view", session_id=session_id)
            assert log["transcript"] == [
                {"query_id": "q-0", "prompt": "why?", "system": None, "response": "4"}
            ]
            assert (log["strategy"], log["phase"], log["stats"]["llm_calls"]) == ("asker", "completed", 1)
            (kept,) = log["notes"]
            assert (kept["title"], kept["content"]) == ("overall", "good")
            assert (await call(host, "alc_note", session_id=session_id, content={"a": 1}))["notes_count"] == 2
            assert (await call(host, "alc_result", session_id=session_id))["result"] == "4"

    run(test)


def test_a_note_that_no_journal_could_hold_is_refused_by_the_name_of_its_argument(
    era: str, tmp_path: Path
) -> None:
    async def test() -> None:
        async with client(tmp_path, era) as host:
            where = {"session_id": (await call(host, "alc_run", code=ECHO))["session_id"]}
            half = "cut \ud83d"
            assert "content holds a lone surrogate" in await refusal(host, "alc_note", **where, content=half)
            assert "title holds a lone" in await refusal(host, "alc_note", **where, content="x", title=half)
            assert (await call(host, "alc_note", **where, content="x"))["notes_count"] == 1

    run(test)


def test_the_list_shows_the_newest_that_have_ended_newest_last(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era, **durable(tmp_path)) as host:
            assert await call(host, "alc_log_view") == {"sessions": [], "total": 0}
            await call(host, "alc_run", code=ECHO)
            ids = [await finish(host, await call(host, "alc_run", code=ECHO)) for _ in range(3)]
            await call(host, "alc_note", session_id=ids[2], content="x")
            listed = await call(host, "alc_log_view", limit="2")
            assert [each["session_id"] for each in listed["sessions"]] == ids[1:]
            assert listed["total"] == 3
            last = listed["sessions"][-1]
            assert (last["task_hint"], last["llm_calls"], last["notes_count"]) == ("What is 2+2?", 1, 1)
            assert (await call(host, "alc_log_view", limit=0))["sessions"] == []

    run(test)


def test_a_log_is_cut_from_its_oldest_round(era: str, tmp_path: Path) -> None:
    code = "for i = 1, 5 do alc.llm(i .. (' long'):rep(100)) end"

    async def test() -> None:
        async with client(tmp_path, era, **durable(tmp_path)) as host:
            asked = await call(host, "alc_run", code=code)
            where = {"session_id": asked["session_id"]}
            while asked["status"] == "needs_response":
                asked = await call(host, "alc_continue", **where, response="x")
            whole = await call(host, "alc_log_view", **where)
            assert len(whole["transcript"]) == 5
            assert "truncated" not in whole
            cut = await call(host, "alc_log_view", **where, max_chars=2000)
            assert cut["transcript"] == whole["transcript"][-cut["returned_rounds"] :]
            assert (cut["truncated"], cut["original_rounds"]) == (True, 5)
            assert 0 < cut["returned_rounds"] < 5
            assert await call(host, "alc_log_view", **where, max_chars=0) == whole

    run(test)


def test_totals_are_by_strategy_and_by_time(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era, **durable(tmp_path)) as host:
            assert await call(host, "alc_stats") == {"total_sessions": 0, "strategies": {}}
            for _ in range(2):
                await finish(host, await call(host, "alc_advice", strategy="asker", task="why?"))
            await call(host, "alc_run", code="error('x')")
            await call(host, "alc_run", code=ECHO)
            totals = await call(host, "alc_stats", days=1)
            assert totals["total_sessions"] == 3
            asker, other = totals["strategies"]["asker"], totals["strategies"]["unknown"]
            assert (asker["count"], asker["completed"], asker["avg_llm_calls"]) == (2, 2, 1)
            assert (asker["total_prompt_chars"], asker["total_response_chars"]) == (8, 2)
            assert (other["count"], other["failed"]) == (1, 1)
            only = await call(host, "alc_stats", strategy="asker")
            assert set(only["strategies"]) == {"asker"}
            assert (await call(host, "alc_stats", days=0))["total_sessions"] == 0

    run(test)


def test_a_session_that_cannot_be_read_does_not_hide_the_others(era: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with client(tmp_path, era, **durable(tmp_path)) as host:
            ids = [await finish(host, await call(host, "alc_run", code=ECHO)) for _ in range(2)]
            waiting = [(await call(host, "alc_run", code=ECHO))["session_id"] for _ in range(2)]
        with sqlite3.connect(tmp_path / "journal.db") as journal:
            for session_id in (ids[0], waiting[0]):
                (num,) = journal.execute("SELECT num FROM sessions WHERE id=?", (session_id,)).fetchone()
                journal.execute("DELETE FROM entries WHERE id=?", (num << INDEX_BITS | 1,))
        journal.close()
        async with client(tmp_path, era, **durable(tmp_path)) as host:
            broken, whole = (await call(host, "alc_log_view"))["sessions"]
            assert (broken["session_id"], whole["session_id"]) == tuple(ids)
            assert "entries" in broken["error"]
            assert (await call(host, "alc_stats"))["total_sessions"] == 1
            shown = (await call(host, "alc_status"))["sessions"]
            assert [each["session_id"] for each in shown] == waiting
            assert ["error" in each for each in shown] == [True, False]
            assert "entries" in await refusal(host, "alc_result", session_id=ids[0])

    run(test)
