"""Lanes: one process for each core, which takes jobs one after the other and tells how they ended."""

import gc
import json
import os
import select
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memory import roomy_memory
from postgresql_server import PostgreSQLServer
from theatre import Theatre, opened

Job = dict[str, Any]
Told = dict[str, Any]
Work = Callable[[Theatre, Job], Told]


@dataclass
class Lane:
    """A lane as the driver sees it."""

    process: int
    jobs: int
    answers: int
    under_way: Job | None = None
    _rest: bytes = field(default=b"")

    def give(self, job: Job) -> None:
        """Hand over the next job."""
        self.under_way = job
        _write(self.jobs, job)

    def read(self) -> list[Told]:
        """What it has told since; raises EOFError when it has ended."""
        data = os.read(self.answers, 1 << 20)
        if not data:
            raise EOFError
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]


class Lanes:
    """All lanes."""

    def __init__(self, lanes: list[Lane]) -> None:
        self._lanes = lanes

    def results(self, jobs: Iterable[Job]) -> Iterator[Told]:
        """How the jobs ended, each when it did.  A lane that ends by itself is an error of the harness."""
        waiting = iter(jobs)
        for lane in self._lanes:
            self._next(lane, waiting)
        while any(lane.under_way for lane in self._lanes):
            busy = {lane.answers: lane for lane in self._lanes if lane.under_way}
            for ready in select.select(list(busy), [], [])[0]:
                lane = busy[ready]
                try:
                    told = lane.read()
                except EOFError:
                    raise RuntimeError(f"a lane has ended at {lane.under_way}") from None
                for each in told:
                    self._next(lane, waiting)
                    yield each

    def _next(self, lane: Lane, waiting: Iterator[Job]) -> None:
        lane.under_way = None
        job = next(waiting, None)
        if job is not None:
            lane.give(job)


@contextmanager
def running_lanes(
    count: int, kinds: list[str], server: PostgreSQLServer | None, works: dict[str, Work]
) -> Iterator[Lanes]:
    """So many lanes, each with its own databases and providers.  ``works``: what is done for each kind of job."""
    lanes: list[Lane] = []
    try:
        for _ in range(count):
            lanes.append(_begin(kinds, server, works, lanes))
        yield Lanes(lanes)
    finally:
        for lane in lanes:
            os.close(lane.jobs)
        for lane in lanes:
            os.waitpid(lane.process, 0)


def _begin(kinds: list[str], server: PostgreSQLServer | None, works: dict[str, Work], others: list[Lane]) -> Lane:
    job_reader, job_writer = os.pipe()
    answer_reader, answer_writer = os.pipe()
    process = os.fork()
    if process:
        os.close(job_reader)
        os.close(answer_writer)
        return Lane(process, job_writer, answer_reader)
    for file in (job_writer, answer_reader, *(lane.jobs for lane in others)):
        os.close(file)
    # The driver ends the lanes; an interrupt from the keyboard reaches them all alike.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = 1
    try:
        _serve(kinds, server, works, job_reader, answer_writer)
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def _serve(kinds: list[str], server: PostgreSQLServer | None, works: dict[str, Work], jobs: int, answers: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="kassa-faults-", dir=roomy_memory()))
    try:
        with opened(folder, kinds, server) as theatre, os.fdopen(jobs, "rb") as lines:
            gc.collect()
            gc.freeze()
            for line in lines:
                job = json.loads(line)
                _write(answers, works[job["kind"]](theatre, job))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(file: int, value: Any) -> None:
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(file, data) :]
