"""Child processes, and what they tell: forked, so that everything is imported already."""

import json
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Tell = Callable[..., None]

ACCIDENT = "an accident: "
"""How a sentence begins about a process that went wrong: it must not happen, but it says nothing about anybody's money."""


@dataclass
class Child:
    """How a child ended, and what it had told until then."""

    was_killed: bool
    error: str | None
    told: dict[str, Any] = field(default_factory=dict)


def in_a_child(work: Callable[[Tell], None]) -> Child:
    """Run this in a process of its own, which may die at any moment.  What it told last, of each name, counts."""
    return waited_for(*begin_child(work))


def begin_child(work: Callable[[Tell], None]) -> tuple[int, int]:
    """As ``in_a_child``, without waiting: the process's id, and the file to read from."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        _be_the_child(work, writer)
    os.close(writer)
    return process, reader


def waited_for(process: int, reader: int) -> Child:
    """The child's end."""
    with os.fdopen(reader, "rb") as pipe:
        lines = pipe.read().splitlines()
    _, status = os.waitpid(process, 0)
    told: dict[str, Any] = {}
    for line in lines:
        told |= json.loads(line)
    was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    error = told.pop("error", None)
    if error is None and not was_killed and status != 0:
        error = f"a process ended with status {status}"
    return Child(was_killed, error and ACCIDENT + error, told)


def _be_the_child(work: Callable[[Tell], None], writer: int) -> None:
    def tell(**news: Any) -> None:
        data = json.dumps(news).encode() + b"\n"
        while data:
            data = data[os.write(writer, data) :]

    try:
        work(tell)
        status = 0
    except BaseException as error:
        tell(error=f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-6)}")
        status = 1
    # Neither the parent's connections nor its files are to be closed by a child that goes.
    os._exit(status)
