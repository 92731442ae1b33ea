"""The layers of the proof, in their order."""

import argparse
from collections.abc import Callable
from typing import Any

import catching
import matrix
import notice_orders
import races
import random_stories
from lanes import Lanes, Work
from report import Report

CRASHES, CRASHES_IN_CI = 24_000, 3_000
ROUNDS, ROUNDS_IN_CI = 200, 4
DUPLICATED_ORDERS, DUPLICATED_ORDERS_IN_CI = 2_000, 300

STORIES, STORIES_IN_CI = 200, 20

WORKS: dict[str, Work] = {
    "crash": matrix.run,
    "race": races.run,
    "notices": notice_orders.run,
    "stories": random_stories.run,
    "planted": catching.run,
}
"""What a lane does for each kind of job."""


def _crashes(lanes: Lanes, report: Report, asked: argparse.Namespace) -> None:
    runs = asked.runs or (CRASHES if asked.full else CRASHES_IN_CI)
    matrix.prove(lanes, report, _databases(asked), runs, asked.only, asked.stop_at_first)


def _races(lanes: Lanes, report: Report, asked: argparse.Namespace) -> None:
    rounds = ROUNDS if asked.full else ROUNDS_IN_CI
    jobs = [job for job in races.jobs(_databases(asked), rounds) if matrix.is_named(job["run"], asked.only)]
    _all(lanes, report, f"races of {races.CLIENTS} processes", jobs, sum(job["rounds"] for job in jobs), asked)
    report.rows[-1].what = f"{len(races.RACES)} races"


def _notices(lanes: Lanes, report: Report, asked: argparse.Namespace) -> None:
    duplicated = DUPLICATED_ORDERS if asked.full else DUPLICATED_ORDERS_IN_CI
    jobs = notice_orders.jobs(_databases(asked), duplicated, report.seed, on_all=asked.full)
    jobs = jobs[: asked.runs]
    total = (len(notice_orders.ORDERS) + duplicated) * (len(_databases(asked)) if asked.full else 1)
    _all(lanes, report, "notices and the answer", jobs, total, asked)
    report.rows[-1].what = f"all {len(notice_orders.ORDERS)} orders, and {duplicated:,} with repetitions"


def _stories(lanes: Lanes, report: Report, asked: argparse.Namespace) -> None:
    stories = asked.runs or (STORIES if asked.full else STORIES_IN_CI)
    jobs = list(random_stories.jobs(_databases(asked), stories, report.seed))
    _all(lanes, report, "random stories", jobs, len(jobs) * random_stories.STORIES_A_JOB, asked)
    report.rows[-1].what = f"{random_stories.STEPS} steps each: verbs, faults, notices, deaths, people"


def _planted(lanes: Lanes, report: Report, asked: argparse.Namespace) -> None:
    jobs = catching.jobs(report.seed, asked.databases, full=asked.full)
    jobs = [job for job in jobs if matrix.is_named(job["run"], asked.only)]
    _all(lanes, report, "planted bugs", jobs, len(jobs), asked)
    names = [job["run"] for job in jobs]
    report.planted.sort(key=lambda each: names.index(each.name))
    report.rows[-1].what = f"{len(catching.BUGS)} mistakes, each in a copy of the code, and the code without them"


def _all(
    lanes: Lanes, report: Report, layer: str, jobs: list[dict[str, Any]], total: int, asked: argparse.Namespace
) -> None:
    for told in report.follow(layer, lanes.results(jobs), total):
        if asked.stop_at_first and told["violations"]:
            return


def _databases(asked: argparse.Namespace) -> list[str]:
    names: list[str] = asked.databases.split(",")
    return names


LAYERS: dict[str, Callable[[Lanes, Report, argparse.Namespace], None]] = {
    "crashes": _crashes,
    "races": _races,
    "notices": _notices,
    "stories": _stories,
    "planted": _planted,
}


def prove(lanes: Lanes, report: Report, asked: argparse.Namespace) -> None:
    """Every layer, or those that were asked for, or one run again."""
    if asked.run is not None:
        kind = next((kind for kind in WORKS if asked.run.startswith(f"{kind}:")), "crash")
        job = {"kind": kind, "run": asked.run.removeprefix(f"{kind}:")}
        job |= {"seed": report.seed, "databases": asked.databases}
        _all(lanes, report, "one run again", [job], 1, asked)
        return
    names = asked.layers.split(",") if asked.layers else list(LAYERS)
    for name in names:
        LAYERS[name](lanes, report, asked)
