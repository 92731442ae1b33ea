"""The proof: ``python tests/faults`` in a few minutes, ``python tests/faults --full`` in as long as it takes.

Its last layer is the proof of the proof: ``--layers planted`` plants one mistake after the other in a copy of the code, and
every one must be caught.  ``--layers planted --only timeout`` does so with those of this name.
"""

import argparse
import logging
import os
import random
import sys
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]


def main() -> int:
    """Run the layers that were asked for.  Returns the status of the process: 0 when everything is proven."""
    asked = _arguments()
    if asked.sources is not None:
        # The code that is tested is the one in this folder: a copy with a planted bug.
        sys.path.insert(0, str(asked.sources))
    import layers
    from lanes import running_lanes
    from postgresql_server import running_server
    from report import Report

    # The runs break providers all the time: that a circuit is open is no news here, and would bury the progress.
    logging.getLogger("kassa").setLevel(logging.ERROR)
    report = Report(_command(asked), asked.seed)
    print(f"seed {asked.seed}", flush=True)
    databases = asked.databases.split(",")
    with ExitStack() as stack:
        server = stack.enter_context(running_server()) if "postgresql" in databases else None
        if server is not None:
            # For the processes that test copies of the code: they start no other server.
            os.environ["KASSA_TEST_PG_URL"] = server.url
        lanes = stack.enter_context(running_lanes(asked.lanes, databases, server, layers.WORKS))
        layers.prove(lanes, report, asked)
    if not any(row.runs for row in report.rows):
        report.mistake("nothing was run: no run has what --only says in its name")
    report.write(asked.report)
    return 0 if report.is_good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    parser.add_argument("--full", action="store_true", help="many times as much, in hours instead of minutes")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="chooses the runs and their order")
    parser.add_argument("--lanes", type=int, default=max(2, os.cpu_count() or 2), help="processes beside each other")
    parser.add_argument("--layers", default="", help="only these, with commas; see tests/faults/layers.py")
    parser.add_argument("--databases", default="sqlite,postgresql", help="on these, with commas")
    parser.add_argument("--only", action="append", default=[], help="only what has this in its name; may be repeated")
    parser.add_argument("--runs", type=int, help="so many runs of each layer that counts them")
    parser.add_argument("--run", help="this one run, as a violation names it")
    parser.add_argument("--report", type=Path, help="also write it into this file: as a table, or .json")
    parser.add_argument("--sources", type=Path, help="test the kassa in this folder")
    parser.add_argument("--stop-at-first", action="store_true", help="end at the first violation")
    return parser.parse_args()


def _command(asked: argparse.Namespace) -> str:
    sources = "" if asked.sources is None else f" --sources {asked.sources}"
    return f"python tests/faults --seed {asked.seed}{sources}"


if __name__ == "__main__":
    sys.exit(main())
