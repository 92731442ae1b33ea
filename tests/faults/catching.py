"""Whether the suite catches what is planted: its own layers, run against a copy of the sources until the first violation.

Each copy is tested by a process of its own, ``python tests/faults --sources COPY``, which has loaded nothing else.  The
control is a copy in which nothing was planted: run the same way, it has no violation.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from children import ACCIDENT
from lanes import Job, Told
from planted import BUGS, SOURCES, Bug, Misplanted, plant
from theatre import Theatre

RUNS = {"crashes": 600, "notices": 10, "stories": 100}
RUNS_IN_FULL = {"crashes": 3_000, "notices": 102, "stories": 400}
"""Without a violation in so many, a bug is not caught.  The races of a layer are always all run."""

RUNS_OF_CONTROL = {"crashes": 200, "notices": 10, "stories": 20}
"""More than nearly all bugs need; that the code has none in more runs is what the other layers prove."""

TAKES_AT_MOST_SECONDS = 3_600
CONTROL = "nothing, in the layer "
LONGEST_NAME, LONGEST_BREAKDOWN = 120, 600
"""Characters of what is told."""

_ID = re.compile(r"([a-z]+)_[0-9a-f]{32}")


def jobs(seed: int, databases: str, *, full: bool) -> list[Job]:
    """One for each bug, and the controls.  ``full``: no scenario is tried before the others."""
    told = {"kind": "planted", "seed": seed, "databases": databases, "full": full}
    layers = dict.fromkeys(bug.layer for bug in BUGS)
    return [told | {"run": name} for name in (*(CONTROL + layer for layer in layers), *(bug.name for bug in BUGS))]


def run(_: Theatre, job: Job) -> Told:
    """One copy, in a lane."""
    bug = next((bug for bug in BUGS if bug.name == job["run"]), None)
    with tempfile.TemporaryDirectory(prefix="kassa-planted-") as folder:
        sources, report = Path(folder) / "src", Path(folder) / "report.json"
        command = [*_command(bug, job), "--sources", str(sources), "--report", str(report)]
        try:
            shutil.copytree(SOURCES, sources)
            if bug is not None:
                plant(bug, sources)
            ended = subprocess.run(command, capture_output=True, text=True, timeout=TAKES_AT_MOST_SECONDS, check=False)
        except Misplanted as error:
            return _told(job, [str(error)])
        except subprocess.TimeoutExpired:
            return _told(job, [f"the suite did not come to an end within {TAKES_AT_MOST_SECONDS} seconds"])
        if not report.exists():
            return _told(job, [f"the suite itself broke: {ended.stderr[-LONGEST_BREAKDOWN:]}"])
        proof = json.loads(report.read_text(encoding="utf-8"))
    return _control(job, proof) if bug is None else _judged(bug, job, proof)


def _command(bug: Bug | None, job: Job) -> list[str]:
    layer = job["run"].removeprefix(CONTROL) if bug is None else bug.layer
    command = [sys.executable, str(Path(__file__).parent), "--lanes", "1", "--layers", layer]
    command += ["--seed", str(job["seed"]), "--databases", job["databases"]]
    full = job.get("full", False)
    runs = RUNS_OF_CONTROL if bug is None else RUNS_IN_FULL if full else RUNS
    command += ["--runs", str(runs[layer])] if layer in runs else []
    named = {each.only for each in BUGS if each.layer == layer} if bug is None else {bug.only}
    for text in () if full else sorted(named):
        command += ["--only", text]
    return command if bug is None else [*command, "--stop-at-first"]


def _control(job: Job, proof: dict[str, Any]) -> Told:
    found = [f"{run}: {'; '.join(sentences)}" for run, sentences in proof["violations"]]
    return _told(job, found + proof["mistakes"], tried=_tried(proof))


def _judged(bug: Bug, job: Job, proof: dict[str, Any]) -> Told:
    tried = _tried(proof)
    if not proof["violations"]:
        return _told(job, [f"nothing has caught it in {tried} runs of the layer {bug.layer}"], tried=tried)
    run, sentences = proof["violations"][0]
    caught = _evidence(bug, sentences)
    if caught is None:
        return _told(job, ["it breaks the code, and proves nothing", *sentences], tried=tried)
    shown = run if len(run) <= LONGEST_NAME else f"{run[:LONGEST_NAME]}…"
    return _told(job, [], tried=tried, by=_ID.sub(r"\1_…", caught), caught_in=shown)


def _evidence(bug: Bug, sentences: Sequence[str]) -> str | None:
    """The first sentence that is about the mistake, not about a process that a patch has broken."""
    for sentence in sentences:
        first_line = sentence.partition("\n")[0]
        if bug.refusal is None and not sentence.startswith(ACCIDENT):
            return first_line
        if bug.refusal is not None and bug.refusal in first_line:
            return f"our own refusal: {first_line.removeprefix(ACCIDENT)}"
    return None


def _tried(proof: dict[str, Any]) -> int:
    return sum(row["runs"] for row in proof["rows"])


def _told(job: Job, violations: list[str], *, tried: int = 0, by: str | None = None, caught_in: str = "") -> Told:
    bug = {"name": job["run"], "is_control": job["run"].startswith(CONTROL)}
    found = bug | {"tried": tried, "caught_by": by, "caught_in": caught_in}
    return {"run": f"planted:{job['run']}", "violations": violations, "planted": found}
