"""Pages of the documentation as shell scripts: they are executed from their own text, and must say what happens.

A block with a title becomes a file of that path; each command of a console block prints what the page says.  On a page, …
stands for anything on its line, and alone on a line for any lines; an id that is cut short, such as pay_…, is the last of
its kind that was printed.
"""

import os
import random
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r'^( *)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)

PORTS = ("8123", "8124", "8125", "9464")
"""The ports that pages give to servers; executed, they are some that are free."""

SHELL = r"""
latest() { grep -ohE "\\b$1_([0-9]+_)?[0-9a-f]{16,}" "$SAID"/* | tail -n 1; }
begun() { while [ ! -s "$1" ]; do sleep 0.05; done; }
"""


class PageIsWrong(Exception):
    """A page says something else than what happens."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    title: str | None
    text: str


@dataclass(frozen=True)
class Command:
    """A command of a console block, and what the page says that it prints."""

    line: str
    says: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    return [
        Block(language, title or None, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, title, text in FENCE.findall(page.read_text(encoding="utf-8"))
    ]


def commands(page: Path) -> list[Command]:
    """The commands of a page, in order."""
    return [command for block in blocks(page) if block.language == "console" for command in _commands(block)]


def execute(page: Path, folder: Path, environment: Mapping[str, str], *, shell: str = "", seconds: float = 120) -> None:
    """Follow a page in this folder.  Raises PageIsWrong when something else happens than it says.

    ``shell`` is put before it: functions that stand for programs.  The environment that the page leaves behind is gone
    with it, its files stay.
    """
    ports = {port: _free_port() for port in PORTS}
    said = folder / ".said" / page.stem
    said.mkdir(parents=True)
    script = "\n".join(_script(page, folder, said, ports))
    complaint = _run_in_a_group(SHELL + shell + script, folder, dict(environment) | {"SAID": str(said)}, seconds)
    if complaint:
        raise PageIsWrong(complaint)
    for number, command in enumerate(commands(page)):
        printed = (said / f"{number:03}").read_text(encoding="utf-8").strip("\n").split("\n")
        text = "\n".join(line.rstrip() for line in printed)
        if not _as_pattern(command.says, ports).fullmatch(text):
            raise PageIsWrong(f"$ {command.line}\n\nthe page says:\n{command.says}\nbut it is:\n{text}")


def _commands(block: Block) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, says = part.partition("\n")
        yield Command(line, says)


def _script(page: Path, folder: Path, said: Path, ports: Mapping[str, str]) -> Iterator[str]:
    number = 0
    for block in blocks(page):
        if block.title is not None:
            yield f"cat > {folder / block.title} <<'END OF FILE'\n{_with_ports(block.text, ports)}END OF FILE"
        elif block.language == "console":
            for command in _commands(block):
                line = re.sub(r"\b([a-z]+)_…", r"$(latest \1)", _with_ports(command.line, ports))
                output = said / f"{number:03}"
                background = line.endswith("&")
                yield f"{{ {line.rstrip(' &')}; }} > {output} 2>&1 {'&' if background else ''}"
                if background:
                    yield f"begun {output}"
                number += 1


def _with_ports(text: str, ports: Mapping[str, str]) -> str:
    return re.sub("|".join(ports), lambda found: ports[found.group()], text)


def _as_pattern(says: str, ports: Mapping[str, str]) -> re.Pattern[str]:
    # Columns may be wider than shown.
    lines = _with_ports(says, ports).strip("\n").split("\n")
    return re.compile("\n".join(r"(?:.*\n)*?.*" if line.strip() == "…" else _as_line_pattern(line) for line in lines))


def _as_line_pattern(line: str) -> str:
    return re.sub(r"(?:\\ ){2,}", " {2,}", re.escape(line.rstrip())).replace("…", ".*")


def _free_port() -> str:
    # One that the system gives to nobody by itself: between here and the page's own server, it would go to another test.
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return str(port)


def _run_in_a_group(script: str, folder: Path, environment: dict[str, str], seconds: float) -> str:
    """Run a script, and end all that it left running.  Returns what it printed as errors."""
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        return shell.communicate(timeout=seconds)[1]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
