"""Fuzz each target for some seconds: `run.py --seconds 60 [TARGET ...]`. What it finds is kept in `.fuzz/`.

With atheris (the extra `fuzz`) mutations are led by what they reach; where there is none for this interpreter, seeds
are mutated blindly, and that is said.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

KEPT = Path(".fuzz")
MAX_BYTES = 8192


def main() -> int:
    """Every target in a process of its own; 1 if one of them found something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*")
    given = parser.parse_args()
    if given.one:
        return fuzz(given.one, given.seconds)
    from fuzz.targets import TARGETS

    failed = 0
    for name in given.targets or TARGETS:
        print(f"== {name}, {given.seconds} s", flush=True)
        again = [sys.executable, "-P", __file__, "--one", name, "--seconds", str(given.seconds)]
        failed |= subprocess.run(again).returncode
    return int(failed != 0)


def fuzz(name: str, seconds: int) -> int:
    """One target, in this process."""
    try:
        import atheris
    except ImportError:
        print("no atheris here: seeds are mutated blindly", flush=True)
        return blindly(name, seconds)
    with atheris.instrument_imports(include=["moonward"]):
        from fuzz.targets import SEEDS, TARGETS
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        f"-artifact_prefix={corpus}-",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(corpus)], TARGETS[name])
    atheris.Fuzz()
    return 0


def blindly(name: str, seconds: int) -> int:
    """Random bytes in place of others, in the seeds."""
    from fuzz.targets import SEEDS, TARGETS

    chance = random.Random(0)
    until_s = time.monotonic() + seconds
    runs = 0
    while time.monotonic() < until_s:
        data = bytearray(chance.choice(SEEDS[name]))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data) + 1)
            data[at : at + chance.randint(0, 8)] = chance.randbytes(chance.randint(0, 8))
        TARGETS[name](bytes(data))
        runs += 1
    print(f"{runs} runs, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
