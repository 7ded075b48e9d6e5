"""The same sessions without faults, in another process:  python calm.py FOLDER

FOLDER holds journals of sessions that have ended (`NUMBER.moonward`) and the packages they need. Each is repeated and
compared with itself, then begun once more from its entry 0 (the same script, seeds and context) and answered as it was.
Writes one JSON object a line: the number, whether the repetition agrees, and the outcome of the second run.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import moonward

if __package__:
    from .outcome import Outcome
    from .scripts import Part, answer_to
else:  # started as a program
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from chaos.outcome import Outcome
    from chaos.scripts import Part, answer_to

PATIENCE_S = 60.0


def main(folder: Path) -> None:
    """Run every journal in `folder`."""
    with tempfile.TemporaryDirectory() as data, moonward.Runtime(data_dir=data) as runtime:
        for path in sorted(folder.glob("*.moonward"), key=lambda each: int(each.stem)):
            print(json.dumps(run(runtime, path)), flush=True)


def run(runtime: moonward.Runtime, path: Path) -> dict[str, object]:
    """One journal, again and anew."""
    number = int(path.stem)
    past = runtime.import_(path)
    report = runtime.replay(past.id, timeout=PATIENCE_S)
    session = runtime.fork(past.id, 0)
    event: moonward.Accepted | moonward.Paused | moonward.Finished = session.wait(PATIENCE_S)
    while isinstance(event, moonward.Paused):
        for query in event.queries:
            event = session.feed(answer_to(query.prompt), query_id=query.id, timeout=PATIENCE_S)
    assert isinstance(event, moonward.Finished)
    outcome = Outcome.of(session, event, side_by_side=Part.of(number).kind == "forks")
    return {"number": number, "agrees": report.agrees, "report": report.to_json(), "outcome": vars(outcome)}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
