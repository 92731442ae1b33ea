"""The documentation is true: its examples are executed from the pages' own text, its generated parts are fresh."""

import ast
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import generate_diagrams
import generate_reference
import pytest

import kassa
import kassa_sdk

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FENCE = re.compile(r'^( *)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)
NAMED_TEST = re.compile(r"`((?:tests|core|sdk|plugins)/[\w/]+\.py)::([^`]+)`")
"""How a page names a test: the file, and the name of the function, the scenario or the race in it."""

PORTS = ("8123", "8124", "8125", "9464")
"""The ports that pages give to servers; executed, they are some that are free."""

# What a page's commands mean here.  `pip install -e .` makes the distribution in the folder known, as pip would; whatever
# else pip installs is there already.  An id that is cut short, such as pay_…, is the last of its kind that was printed.
SHELL = r"""
kassa() { "$PYTHON" -m kassa "$@"; }
python() { "$PYTHON" "$@"; }
flask() { "$PYTHON" -m flask "$@"; }
uvicorn() { "$PYTHON" -m uvicorn "$@"; }
pip() { [ "$*" != "install -e ." ] || "$PYTHON" -c "$MAKE_KNOWN"; }
latest() { grep -ohE "\\b$1_([0-9]+_)?[0-9a-f]{16,}" said-* | tail -n 1; }
begun() { while [ ! -s "$1" ]; do sleep 0.05; done; }
"""


MAKE_KNOWN = """
import os, pathlib, tomllib
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
metadata = pathlib.Path(os.environ["SITE"], f"{project['name'].replace('-', '_')}-{project['version']}.dist-info")
metadata.mkdir(parents=True)
(metadata / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {project['name']}\\nVersion: {project['version']}\\n")
with open(metadata / "entry_points.txt", "w") as file:
    for group, entries in project["entry-points"].items():
        print(f"[{group}]", *(f"{name} = {target}" for name, target in entries.items()), sep="\\n", file=file)
"""
"""What `pip install -e .` does, as far as a page needs it: the entry points of the folder become known."""


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
    return [
        Block(language, title or None, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, title, text in FENCE.findall(page.read_text(encoding="utf-8"))
    ]


def commands(block: Block) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, says = part.partition("\n")
        yield Command(line, says)


def is_executed(page: Path) -> bool:
    return any(block.language == "console" for block in blocks(page))


def name_of(page: Path) -> str:
    return str(page.relative_to(DOCS).with_suffix(""))


def written_in_full(text: str) -> str:
    return re.sub(r"\b([a-z]+)_…", r"$(latest \1)", text)


def with_ports(text: str, ports: Mapping[str, str]) -> str:
    return re.sub("|".join(ports), lambda found: ports[found.group()], text)


def script(page: Path, ports: Mapping[str, str]) -> Iterator[str]:
    """The page as a shell script: titled blocks become files, each command says what it prints into a file of its own."""
    yield SHELL
    number = 0
    for block in blocks(page):
        if block.title is not None:
            yield f"cat > {block.title} <<'END OF FILE'\n{with_ports(block.text, ports)}END OF FILE"
        elif block.language == "console":
            for command in commands(block):
                line = written_in_full(with_ports(command.line, ports))
                output = f"said-{number:03}"
                background = line.endswith("&")
                yield f"{{ {line.rstrip(' &')}; }} > {output} 2>&1 {'&' if background else ''}"
                if background:
                    yield f"begun {output}"
                number += 1


def as_pattern(says: str, ports: Mapping[str, str]) -> re.Pattern[str]:
    """What a page shows: … is anything on its line, and alone on a line any lines; columns may be wider than shown."""
    lines = with_ports(says, ports).strip("\n").split("\n")
    return re.compile("\n".join(r"(?:.*\n)*?.*" if line.strip() == "…" else as_line_pattern(line) for line in lines))


def as_line_pattern(line: str) -> str:
    return re.sub(r"(?:\\ ){2,}", " {2,}", re.escape(line.rstrip())).replace("…", ".*")


def free_port() -> str:
    """One that the system gives to nobody by itself: between here and the page's own server, it would go to another test."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return str(port)


def run_in_a_group(shell_script: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a script, and end all that it left running.  Returns what it printed as errors."""
    shell = subprocess.Popen(
        ["bash", "-c", shell_script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        return shell.communicate(timeout=120)[1]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)


def test_there_are_pages_that_are_executed() -> None:
    assert {"tutorial", "extend/write-a-provider"} <= {name_of(page) for page in PAGES if is_executed(page)}


@pytest.mark.skipif(shutil.which("bash") is None or shutil.which("curl") is None, reason="the pages use bash and curl")
@pytest.mark.parametrize("page", [page for page in PAGES if is_executed(page)], ids=name_of)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    ports = {port: free_port() for port in PORTS}
    folder = tmp_path / "folder"
    folder.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("KASSA")},
        # Where no bytecode is kept, each command would compile all that it imports; here only the first one does.
        "PYTHONDONTWRITEBYTECODE": "",
        # What is printed stands in its file at once, as it would on a terminal.
        "PYTHONUNBUFFERED": "1",
        "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode"),
        "PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(folder)]),
        "MAKE_KNOWN": MAKE_KNOWN,
        "SITE": str(tmp_path / "site"),
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    assert run_in_a_group("\n".join(script(page, ports)), folder, environment) == ""
    told = [command for block in blocks(page) if block.language == "console" for command in commands(block)]
    for number, command in enumerate(told):
        said = "\n".join(line.rstrip() for line in (folder / f"said-{number:03}").read_text().strip("\n").split("\n"))
        if not as_pattern(command.says, ports).fullmatch(said):
            pytest.fail(f"$ {command.line}\n\nthe page says:\n{command.says}\nbut it is:\n{said}", pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_code_on_a_page_is_code(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text)
        if block.language == "toml":
            tomllib.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_one_title_and_no_long_dashes_for_effect(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert "—" not in text


@pytest.mark.parametrize("name", generate_reference.PAGES)
def test_the_reference_is_that_of_the_code(name: str) -> None:
    kept = (generate_reference.FOLDER / name).read_text(encoding="utf-8")
    assert kept == generate_reference.PAGES[name](), "run: python tools/generate_reference.py"


@pytest.mark.parametrize("drawing", generate_diagrams.DRAWINGS, ids=lambda drawing: drawing.name)
def test_the_pictures_are_those_of_the_tables(drawing: generate_diagrams.Drawing) -> None:
    kept = (generate_diagrams.FOLDER / f"{drawing.name}.svg").read_text(encoding="utf-8")
    assert kept == drawing.svg(), "run: python tools/generate_diagrams.py"


@pytest.mark.parametrize("module", [kassa, kassa_sdk], ids=lambda module: module.__name__)
def test_the_reference_has_every_public_name(module: object) -> None:
    reference = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    name = module.__name__  # type: ignore[attr-defined]
    told = re.findall(rf"^::: {name}\.(\w+)$", reference, re.MULTILINE)
    assert set(module.__all__) - set(told) == set()  # type: ignore[attr-defined]


def names_in(file: Path) -> set[str]:
    """What a file of tests holds: its functions, and its texts, because a scenario or a race is named by one."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return functions | {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def regressions() -> list[str]:
    """The rows of the table of what went wrong elsewhere."""
    page = (DOCS / "reliability.md").read_text(encoding="utf-8")
    section = page.partition("\n## What went wrong elsewhere\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_test_that_a_page_names_is_there(page: Path) -> None:
    named = NAMED_TEST.findall(page.read_text(encoding="utf-8"))
    missing = [f"{file}::{name}" for file, name in named if name not in names_in(DOCS.parent / file)]
    assert missing == [], "name the test that holds it now"


def test_every_case_that_went_wrong_elsewhere_names_its_test() -> None:
    assert [row for row in regressions() if not NAMED_TEST.search(row)] == []


def test_every_regression_test_is_in_the_table() -> None:
    file = "tests/flows/test_regressions.py"
    told = {name for row in regressions() for path, name in NAMED_TEST.findall(row) if path == file}
    assert {name for name in names_in(DOCS.parent / file) if name.startswith("test_")} == told
