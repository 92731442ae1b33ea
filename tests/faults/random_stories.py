"""Random stories as a layer of the proof: so many on each database, each of the same number of steps."""

import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from children import Tell, in_a_child
from databases import Databases
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from machine import Machine
from story import opened
from theatre import Theatre

STEPS = 50
STORIES_A_JOB = 10
"""The first story of each job is the shortest that there is, which is how Hypothesis begins."""


def jobs(databases: list[str], stories: int, chosen_by: int) -> Iterator[dict[str, Any]]:
    """So many stories on each of them; each job can be run again by its name."""
    for number in range(stories // STORIES_A_JOB):
        for database in databases:
            yield {"kind": "stories", "run": f"{database}/{chosen_by}.{number}"}


def run(theatre: Theatre, job: dict[str, Any]) -> dict[str, Any]:
    """Some stories, in a lane."""
    database = job["run"].partition("/")[0]
    told = in_a_child(lambda tell: _tell(theatre.databases[database], job["run"], tell))
    found = told.told.get("violations", []) + ([told.error] if told.error else [])
    return {"run": f"stories:{job['run']}", "runs": STORIES_A_JOB, "violations": found}


def _tell(databases: Databases, name: str, tell: Tell) -> None:
    chosen = settings(
        max_examples=STORIES_A_JOB,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        # What has failed is told as it was found: to find a shorter story takes many times as long.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    said = StringIO()
    with tempfile.TemporaryDirectory(prefix="kassa-stories-") as folder, opened(Path(folder), databases) as ground:
        try:
            with redirect_stdout(said):
                run_state_machine_as_test(seed(name)(lambda: Machine(ground)), settings=chosen)
        except Exception as error:
            if not ground.violated:
                raise
            steps = [*getattr(error, "__notes__", []), said.getvalue()]
            tell(violations=[*ground.violated[0], *filter(None, steps)])
