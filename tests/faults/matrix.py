"""Which runs of the crash matrix are made: all of them, or a part that is spread evenly and leaves no point out."""

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import crashes
import scenarios
from crashes import Crash, Variant
from lanes import Lanes
from report import Report

Wanted = dict[Variant, list[str]]


def point_of(name: str) -> str:
    """The point, without the number that tells one passing of it from another."""
    return name.rpartition("#")[0]


def is_named(name: str, only: list[str]) -> bool:
    """Whether a run of this name was asked for: all are, where no part of a name was given."""
    return not only or any(text in name for text in only)


def prove(lanes: Lanes, report: Report, databases: list[str], runs: int, only: list[str], stop_early: bool) -> None:
    """List the points of every scenario, kill at them, and see that every registered point was killed.

    So many runs are spread over the scenarios and their circumstances; each point is killed at least once.
    """
    for verb in sorted(scenarios.verbs_without_a_scenario()):
        report.mistake(f"the verb {verb} is in no scenario of tests/faults/scenarios.py")
    chosen = [variant for variant in crashes.variants(databases) if is_named(str(variant), only)]
    registered: set[tuple[str, str]] = set()
    points: Wanted = {}
    # A client who comes back makes no difference to what the first one passed, but may hide that an answer was lost.
    listed = sorted({_listed_as(variant) for variant in chosen} | {each for each in chosen if each.answer == "lost"})
    for told in report.follow("crash matrix, nobody killed", lanes.results(map(_job, listed)), len(listed)):
        variant = Variant.parse(told["run"])
        points[variant] = told["trace"]
        registered |= {(variant.database, point) for point in told["passed"]}
        if stop_early and told["violations"]:
            return
    wanted = _chosen(chosen, points, runs, random.Random(report.seed))
    killed: set[tuple[str, str]] = set()
    jobs = (_job(variant, point) for variant, point in wanted)
    for told in report.follow("crash matrix, killed at a point", lanes.results(jobs), len(wanted)):
        crash = Crash.parse(told["run"])
        registered |= {(crash.variant.database, point) for point in told["passed"]}
        killed.add((crash.variant.database, point_of(crash.point or "")))
        if stop_early and told["violations"]:
            return
    report.rows[-1].what = f"{len(killed):,} points, {len(chosen):,} scenarios under their circumstances"
    if not only:
        for database, point in sorted(registered - killed):
            report.mistake(f"the point {point} was passed on {database}, but nobody was ever killed there")


def run(theatre: Any, job: dict[str, Any]) -> dict[str, Any]:
    """One job, in a lane."""
    ended = crashes.run(theatre, Crash.parse(job["run"]))
    return {
        "run": ended.crash,
        "violations": ended.violations,
        "trace": ended.trace if "@" not in ended.crash else [],
        "passed": ended.passed,
    }


def _job(variant: Variant, point: str | None = None) -> dict[str, Any]:
    return {"kind": "crash", "run": str(Crash(variant, point))}


def _chosen(variants: list[Variant], points: Wanted, runs: int, chance: random.Random) -> list[tuple[Variant, str]]:
    candidates = [(variant, point) for variant in variants for point in points[_listed_as(variant)]]
    chance.shuffle(candidates)
    if runs >= len(candidates):
        return candidates
    groups: dict[tuple[str, str], list[tuple[Variant, str]]] = defaultdict(list)
    for variant, point in candidates:
        groups[variant.database, point_of(point)].append((variant, point))
    chosen = [group[0] for group in groups.values()]
    taken = set(chosen)
    chosen += _evenly([each for each in candidates if each not in taken], max(0, runs - len(chosen)))
    return chosen


def _listed_as(variant: Variant) -> Variant:
    """Under which the points of this variant were listed."""
    return Variant(variant.scenario, variant.database, variant.provider, "returns", variant.answer)


def _evenly(candidates: list[tuple[Variant, str]], count: int) -> list[tuple[Variant, str]]:
    """The same number from each variant, as far as it has them."""
    by_variant: dict[Variant, list[tuple[Variant, str]]] = defaultdict(list)
    for variant, point in candidates:
        by_variant[variant].append((variant, point))
    return list(_one_of_each(list(by_variant.values()), count))


def _one_of_each(piles: list[list[tuple[Variant, str]]], count: int) -> Iterator[tuple[Variant, str]]:
    while piles and count > 0:
        for pile in piles[:]:
            if count == 0:
                return
            yield pile.pop()
            count -= 1
            if not pile:
                piles.remove(pile)
