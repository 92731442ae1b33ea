"""The layers of the proof, in their order."""

import argparse
from collections.abc import Callable

import matrix
from lanes import Lanes, Work
from report import Report

CRASHES_IN_CI = 3_000

WORKS: dict[str, Work] = {"crash": matrix.run}
"""What a lane does for each kind of job."""


def _crashes(lanes: Lanes, report: Report, asked: argparse.Namespace) -> None:
    runs = None if asked.full else CRASHES_IN_CI
    databases = asked.databases.split(",")
    matrix.prove(lanes, report, databases, asked.runs or runs, asked.only, asked.stop_at_first)


LAYERS: dict[str, Callable[[Lanes, Report, argparse.Namespace], None]] = {"crashes": _crashes}


def prove(lanes: Lanes, report: Report, asked: argparse.Namespace) -> None:
    """Every layer, or those that were asked for, or one run again."""
    if asked.run is not None:
        kind = next((kind for kind in WORKS if asked.run.startswith(f"{kind}:")), "crash")
        job = {"kind": kind, "run": asked.run.removeprefix(f"{kind}:")}
        for told in report.follow("one run again", lanes.results([job]), 1):
            print(told)
        return
    names = asked.layers.split(",") if asked.layers else list(LAYERS)
    for name in names:
        LAYERS[name](lanes, report, asked)
