"""What a worker can do that has been taken over: any bytes, at any time. Each of these is played by a process that is
confined and connected as a worker is; see `entries/rogue_worker.py`."""

from __future__ import annotations

import json
from typing import Any

from .attack import CANCELLED, CRASH, LIMIT, LONG, LUA, PROTOCOL, VALUE, Attack

FRAME = 1 << 20
"""Largest frame in these attacks, in bytes."""

SLICE_S = 2.0 if LONG else 1.0
"""Seconds of a slice: a rogue can do nothing for so long."""

NOTE = '{"t":"notes","notes":[["log","info","alc.log","x"]]}'
NO_NOTES = '{"t":"notes","notes":[]}'


def rogue(
    name: str, *arguments: Any, row: str = "", allowed: tuple[str, ...] = (PROTOCOL,), **more: Any
) -> Attack:
    """An attack by the rogue of this name. `row`: its number in the list of what sandboxes have failed on."""
    given = json.dumps(list(arguments))[1:-1]
    limits = {"max_frame_bytes": FRAME, "slice_seconds": SLICE_S, **more.pop("limits", {})}
    return Attack(
        f"{row} {name} {given}".strip()[:70], f"--rogue {name} {given}", allowed, limits=limits, **more
    )


def large(prompt: str) -> str:
    """An answer that no pipe holds."""
    return "x" * 900_000


EITHER = (LIMIT, PROTOCOL, CRASH)

FRAMES = [
    rogue("write", "\xff\xff\xff\xff", row="P1", says="bad frame length 4294967295"),
    rogue("write", "\0\0\0\0", row="P2", says="bad frame length 0"),
    rogue("write", "\1\0\x10\0x", says=f"bad frame length {FRAME + 1}"),
    rogue("write_and_exit", '\x30\0\0\0{"t":"do', row="P3", allowed=(CRASH, PROTOCOL)),
    rogue("write", '\x30\0\0\0{"t":"do', row="P4", allowed=EITHER),
    rogue("write", "Traceback (most recent call last):\n  File", row="P6", says="bad frame length"),
    rogue("write", "\x8a\x11\x94\xfe\0\xde\xad\xbe\xef" * 50, row="P7", says="bad frame length"),
    rogue("body", "{", row="P8", says="undecodable"),
    rogue("body", "[]", says="undecodable"),
    rogue("body", "null", says="undecodable"),
    rogue("body", '"x"', says="undecodable"),
    rogue("body", '{"t":"done"}', says="undecodable"),
    rogue("body", '{"t":"done","value":1,"more":1}', says="undecodable"),
    rogue("body", '{"t":"done","value":1} {}', says="undecodable"),
    rogue("body", '{"t":"mystery"}', row="P23", says="undecodable"),
    rogue("body", '{"value":1}', says="undecodable"),
    rogue("body", '{"t":7}', says="undecodable"),
    rogue("huge_digits", row="P10", says="bad frame length"),
    rogue("huge_digits", allowed=(PROTOCOL, LIMIT), limits={"max_frame_bytes": 8 << 20}),
    rogue("body", '{"t":"done","value":NaN}', row="P11", says="undecodable"),
    rogue("body", '{"t":"done","value":Infinity}', says="undecodable"),
    rogue("body", '{"t":"done","value":1e999}', allowed=(PROTOCOL,)),
    rogue("body", '{"t":"done","value":%s}' % ("9" * 4000), allowed=(PROTOCOL,)),
    rogue("body", '{"t":"done","value":18446744073709551616}', allowed=(PROTOCOL,)),
    rogue("body", '{"t":"done","value":"\\ud800"}', row="P12", allowed=(PROTOCOL,)),
    rogue("body", '{"t":"done","value":"\xff\xfe"}', allowed=(PROTOCOL,)),
    rogue("body", '{"t":"ask","queries":[{"prompt":"\\ud800"}]}', says="undecodable"),
    rogue("body", '{"t":"ask","queries":[{"prompt":"\xff"}]}', says="undecodable"),
    rogue("body", '{"t":"ask","t":"done","queries":[],"value":1}', says="undecodable"),
    rogue("body", '{"t":"done","value":1,"value":2}', allowed=(PROTOCOL, VALUE)),
    rogue("body", '{"t":"done","value":{"a":1,"a":2}}', row="P12", allowed=(PROTOCOL, VALUE)),
    rogue("body", '{"t":"\\u001b[31m\\n\\r"}', says="undecodable"),
    rogue("body", '{"t":"done","value":1,"\\u001b[2J":1}', says="undecodable"),
]

NUMBERS = [
    rogue("body", '{"t":"ask","queries":[{"prompt":"x","max_tokens":%d}]}' % 10**30),
    rogue("body", '{"t":"ask","queries":[{"prompt":"x","max_tokens":-1}]}'),
    rogue("body", '{"t":"ask","queries":[{"prompt":"x","extra":{"a":%d}}]}' % 10**30),
    rogue("body", '{"t":"ask","queries":[{"prompt":"x","extra":{"a":[1]}}]}'),
    rogue("body", '{"t":"ask","queries":[{"prompt":"x","extra":{"a":1e999}}]}'),
    rogue("body", '{"t":"ask","queries":[{"prompt":"x"}],"clocks":[[-5,1]]}'),
    rogue("body", '{"t":"ask","queries":[{"prompt":"x"}],"clocks":[[1,-1]]}'),
    rogue("body", '{"t":"ask","queries":[{"prompt":"x"}],"clocks":[[%d,1]]}' % 10**30),
    rogue("body", '{"t":"ask","queries":[{"prompt":"x"}],"clocks":[[1,2,3]]}'),
    rogue("body", '{"t":"done","value":1,"clocks":[[%d,%d]]}' % (10**30, 10**30)),
    rogue("note", "stat", "k", 10**30),
    rogue("note", "progress", 10**30, 1, None),
    rogue("note", "progress", [[1]], {}, None),
    rogue("note", "progress", 1, 2, {"a": 1}),
    rogue("note", "progress", "one", "two", "three"),
    rogue("note", "log", "info", 7, "x"),
    rogue("note", "log", "i" * 100_000, "s" * 100_000, "m" * 100_000),
    rogue("note", "mystery", 1),
    rogue("note"),
    rogue("note", "stat", 7, 1),
]

FLOODS = [
    rogue("endless", NOTE, row="P13", allowed=EITHER),
    rogue("endless", NO_NOTES, allowed=EITHER),
    rogue("endless_big_notes", allowed=EITHER, limits={"max_frame_bytes": 8 << 20}),
    rogue("many", NOTE, 5000, allowed=EITHER),
    rogue("many_stats", 20_000, 10, allowed=EITHER),
    rogue("many_stats", 200, 100_000, allowed=EITHER),
    rogue("many_calls", 200_000, allowed=EITHER),
    rogue("big_results", 300, allowed=EITHER, limits={"max_frame_bytes": 8 << 20}),
    rogue("stores_much", 300, allowed=EITHER, limits={"max_frame_bytes": 8 << 20}),
    rogue("makes_cards", 1000, allowed=EITHER),
    rogue("asks_much", 1000, 900_000, allowed=(*EITHER, CANCELLED), feeds=2000),
    rogue("fills_stderr", allowed=(VALUE, LIMIT)),
    rogue("drips", allowed=EITHER),
    rogue("drips_slowly", 26, allowed=(VALUE,)),
]

HOLLOW = [
    rogue("hollow", kind, item, count, allowed=EITHER, limits={"max_frame_bytes": 8 << 20})
    for kind, item, count in (
        ("notes", "[]", 2_700_000),
        ("note", "{}", 2_700_000),
        ("stat", "[]", 2_700_000),
        ("ask", '{"prompt":""}', 590_000),
        ("clocks", "[0,1]", 1_390_000),
        ("done", "[]", 2_700_000),
        ("done clocks", "[0,1]", 1_390_000),
        ("fork", '""', 2_700_000),
    )
] + [
    rogue("options", 700_000, allowed=EITHER, limits={"max_frame_bytes": 8 << 20}),
    rogue("hollow", "call", "[]", 2_700_000, allowed=(*EITHER, VALUE), limits={"max_frame_bytes": 8 << 20}),
]

DEPTHS = [
    rogue("deep", kind, levels, allowed=(PROTOCOL, LIMIT))
    for kind in ("done", "stat", "progress")
    for levels in (200, 800, 940, 100_000)
] + [rogue("deep", "call", 100_000), rogue("deep", "fork", 100_000)]

STREAM = [
    rogue("never_reads", row="P15", allowed=EITHER, answer=large),
    rogue("asks_without_reading", 20_000, allowed=EITHER),
    rogue("store_and_ask_without_reading", 1000, allowed=EITHER, limits={"max_frame_bytes": 8 << 20}),
    rogue("closes_its_output", row="P16", says="closed its output"),
    rogue("closes_its_output_and_spins", says="closed its output"),
    rogue("closes_its_input", allowed=EITHER, answer=large),
    rogue("is_silent", allowed=EITHER),
    rogue("says_nothing_and_spins", allowed=(LIMIT,)),
    rogue("hello_again", says="second greeting"),
    rogue("stops", row="P25", allowed=(LIMIT,)),
    rogue("stops_while_asked", row="P25", allowed=(LIMIT,)),
]

ORDER = [
    rogue("write", "\x0d\0\0\0\x03" + "\0" * 12, row="P19", says="undecodable"),
    rogue(
        "body",
        '{"t":"ask","queries":[{"prompt":"x"}],"session":"victim"}',
        row="P24",
        says="undecodable",
    ),
    rogue("body", '{"t":"ask","queries":[{"prompt":"x","id":"q-0"}]}', says="undecodable"),
    rogue("done_at_once", allowed=(VALUE,), value="forged"),
    rogue("done_then", '{"t":"done","value":2}', row="P21", allowed=(VALUE,), value=1),
    rogue(
        "done_then", '{"t":"call","name":"state.get","args":["a","b"]}', row="P22", allowed=(VALUE,), value=1
    ),
    rogue("ends_while_asked", allowed=(PROTOCOL, VALUE)),
    rogue("breaks_while_asked", "lua", allowed=(PROTOCOL, LUA)),
    rogue("breaks_while_asked", "limit", allowed=(LIMIT, PROTOCOL)),
    rogue("answers_itself", row="P20", allowed=(PROTOCOL, LIMIT)),
    rogue("ask_then_notes", 100, allowed=(VALUE, PROTOCOL)),
    rogue("another_namespace", row="P24", allowed=(VALUE,)),
    rogue("call_named", 900_000, allowed=(PROTOCOL, LUA)),
    rogue("require_named", 900_000, allowed=(PROTOCOL, LUA)),
    rogue("unknown_call", "state.drop", allowed=(VALUE,), value=[2, "state.drop: no such call of the host"]),
    rogue("unknown_call", "\x1b[2J", allowed=(PROTOCOL,)),
    rogue("body", '{"t":"require","name":"../../etc/passwd"}', allowed=EITHER),
    rogue("body", '{"t":"fork","strategies":["../x"],"ctx":{}}', allowed=EITHER),
    rogue("body", '{"t":"fork","strategies":["none"],"ctx":[1,2]}', allowed=EITHER),
    rogue("body", '{"t":"failed","error":"forged","kind":"budget"}', allowed=(LUA,), says="forged"),
    rogue("body", '{"t":"failed","error":"forged","kind":"internal"}', allowed=(LUA,), says="forged"),
    rogue("body", '{"t":"failed","error":"%s","kind":"lua"}' % ("x" * 100_000), allowed=(PROTOCOL, LUA)),
]

TRIES = (
    "open",
    "stat",
    "list",
    "connect",
    "send",
    "signal",
    "signal the host",
    "trace",
    "read memory",
    "open memory",
)

ESCAPES = [
    *[rogue("tries", each, allowed=(VALUE, CRASH), value="refused") for each in TRIES],
    rogue("forks", row="P18", allowed=(CRASH,), says="SIGSYS"),
    rogue("executes", allowed=(CRASH,), says="SIGSYS"),
    rogue("aborts", allowed=(CRASH,), says="SIGABRT"),
    rogue("takes_memory", allowed=(CRASH, LIMIT)),
]

ROGUES = [*FRAMES, *NUMBERS, *FLOODS, *HOLLOW, *DEPTHS, *STREAM, *ORDER, *ESCAPES]
