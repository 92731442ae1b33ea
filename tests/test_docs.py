"""The documentation is true: its examples are executed from the pages' own text, its generated parts are fresh."""

import ast
import os
import re
import shutil
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import generate_diagrams
import generate_reference
import pages
import pytest
from pydantic import SecretStr

import kassa
import kassa_sdk
import kassa_sdk.conformance
from kassa_sdk import BadSignature, RawNotice
from kassa_simulator.signature import SIGNATURE_HEADER, sign

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
NAMED_TEST = re.compile(r"`((?:tests|core|sdk|plugins)/[\w/]+\.py)::([^`]+)`")
"""How a page names a test: the file, and the name of the function, the scenario or the race in it."""

# What the programs of a page are here.  `pip install -e .` makes the distribution in the folder known, as pip would;
# whatever else pip installs is there already.
PROGRAMS = r"""
kassa() { "$PYTHON" -m kassa "$@"; }
python() { "$PYTHON" "$@"; }
flask() { "$PYTHON" -m flask "$@"; }
uvicorn() { "$PYTHON" -m uvicorn "$@"; }
pip() { [ "$*" != "install -e ." ] || "$PYTHON" -c "$MAKE_KNOWN"; }
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

FOLLOWED_BY_A_STRANGER = {"extend/write-a-provider", "extend/publish"}
"""Pages that install what they write: `tox -e downstream` follows them, in an environment of their own."""


def is_executed(page: Path) -> bool:
    return bool(pages.commands(page))


def name_of(page: Path) -> str:
    return str(page.relative_to(DOCS).with_suffix(""))


def test_there_are_pages_that_are_executed() -> None:
    executed = {name_of(page) for page in PAGES if is_executed(page)}
    assert {"tutorial", "extend/one-file"} | FOLLOWED_BY_A_STRANGER <= executed


def test_the_signature_check_that_authors_copy_takes_either_secret_while_it_is_changed() -> None:
    written = next(
        block.text
        for block in pages.blocks(DOCS / "extend" / "write-a-provider.md")
        if (block.title or "").endswith("signature.py")
    )
    recipe: dict[str, Any] = {}
    exec(written, recipe)
    now = datetime.now(UTC)
    new, old = (sign(b"{}", secret, int(now.timestamp())) for secret in ("new-secret", "old-secret"))
    header = f"{new},{old.partition(',')[2]}"
    raw = RawNotice(body=b"{}", headers={SIGNATURE_HEADER: header}, received_at=now)
    recipe["verify"](raw, [SecretStr("new-secret"), None])
    recipe["verify"](raw, [SecretStr("old-secret"), None])
    with pytest.raises(BadSignature):
        recipe["verify"](raw, [SecretStr("another-secret"), None])


@pytest.mark.skipif(shutil.which("bash") is None or shutil.which("curl") is None, reason="the pages use bash and curl")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if is_executed(page) and name_of(page) not in FOLLOWED_BY_A_STRANGER], ids=name_of
)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("KASSA")},
        # What is printed stands in its file at once, as it would on a terminal.
        "PYTHONUNBUFFERED": "1",
        "PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(folder)]),
        "MAKE_KNOWN": MAKE_KNOWN,
        "SITE": str(tmp_path / "site"),
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    try:
        pages.execute(page, folder, environment, shell=PROGRAMS)
    except pages.PageIsWrong as difference:
        pytest.fail(str(difference), pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_code_on_a_page_is_code(page: Path) -> None:
    for block in pages.blocks(page):
        if block.language == "python":
            ast.parse(block.text)
        if block.language == "toml":
            tomllib.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_one_title_and_no_long_dashes_for_effect(page: Path) -> None:
    text = pages.FENCE.sub("", page.read_text(encoding="utf-8"))
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


@pytest.mark.parametrize("module", [kassa, kassa_sdk, kassa_sdk.conformance], ids=lambda module: module.__name__)
def test_the_reference_has_every_public_name(module: object) -> None:
    reference = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    name = module.__name__  # type: ignore[attr-defined]
    told = re.findall(rf"^::: {name}(?:\.\w+)*\.(\w+)$", reference, re.MULTILINE)
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
