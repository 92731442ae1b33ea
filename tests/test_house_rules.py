"""The rules of the house that no other tool checks.  Each message says what to do."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = sorted(file.parent for file in (*ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")))
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "services", "misc"}
NOT_OURS = re.compile(
    r"(^|/)(\.git|\.tox|\.venv|\.[a-z_]*_cache|\.hypothesis|__pycache__|dist|build|node_modules)(/|$)"
)
# Written in two parts, because this file is searched too.
PLACES_ON_ONE_MACHINE = re.compile(
    "|".join(
        [
            r"(?<![\w.}/])/(?:root|work|Users)" + r"/\w",
            r"(?<![\w.}/])/home" + r"/(?!\w*[<{$])\w",
            r"(?<![\w.}/])/opt" + r"/\w",
            r"\b(?:test\.)?pypi" + r"\.org",
            r"pythonhosted" + r"\.org",
            r"registry\.npmjs" + r"\.",
            r"deb\.debian" + r"\.org",
        ]
    )
)


def source_files() -> list[Path]:
    """All files that are, or would be, in git; all that look like ours where there is no git."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0 and (ROOT / ".git").exists():
        names = listing.stdout.splitlines()
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
    return [ROOT / name for name in sorted(names) if not NOT_OURS.search(name) and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for file in source_files():
        try:
            yield file.relative_to(ROOT), file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def python_sources() -> Iterator[tuple[Path, ast.Module]]:
    """What users get: the sources of every distribution."""
    for distribution in DISTRIBUTIONS:
        for file in sorted(distribution.glob("src/**/*.py")):
            yield file.relative_to(ROOT), ast.parse(file.read_text(encoding="utf-8"))


def settings(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def package_of(distribution: Path) -> Path:
    (package,) = (path for path in (distribution / "src").iterdir() if (path / "__init__.py").exists())
    return package


@pytest.fixture(params=DISTRIBUTIONS, ids=lambda path: path.name)
def distribution(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_there_are_the_distributions_that_the_picture_shows() -> None:
    names = {str(path.relative_to(ROOT)) for path in DISTRIBUTIONS}
    assert {"core", "sdk", "plugins/system", "plugins/simulator", "plugins/stripe"} <= names


def test_a_file_is_named_after_what_lives_there() -> None:
    nameless = [str(path) for path, _ in texts() if path.stem in NAMES_THAT_SAY_NOTHING]
    folders = [str(path) for path, _ in texts() if NAMES_THAT_SAY_NOTHING & set(path.parts[:-1])]
    assert nameless + folders == [], "name these after the one noun that lives in them"


def test_nothing_points_to_a_place_on_one_machine_or_to_a_registry() -> None:
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in texts()
        for match in PLACES_ON_ONE_MACHINE.finditer(text)
    ]
    assert found == [], (
        "these hold for one machine only; say it relative to the project, or leave it to the tool's settings"
    )


def test_no_lock_file_is_kept() -> None:
    locks = [str(path) for path, _ in texts() if path.name in {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"}]
    assert locks == [], "we are a library: our users resolve, and tox tests the oldest and the newest"


def test_a_distribution_comes_with_its_papers(distribution: Path) -> None:
    papers = [distribution / name for name in ("README.md", "CHANGELOG.md", "LICENSE")]
    papers_missing = [
        paper.name for paper in papers if not paper.exists() or not paper.read_text(encoding="utf-8").strip()
    ]
    assert papers_missing == []
    assert (package_of(distribution) / "py.typed").exists()


def test_the_changelog_tells_of_the_version_that_is_built(distribution: Path) -> None:
    version = settings(distribution / "pyproject.toml")["project"]["version"]
    changelog = (distribution / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[?(\d+\.\d+\.\d+)\]? - \d{4}-\d{2}-\d{2}$", changelog, re.MULTILINE)
    assert released[:1] == [version]


def test_a_requirement_on_one_of_ours_has_both_ends(distribution: Path) -> None:
    project = settings(distribution / "pyproject.toml")["project"]
    extras = project.get("optional-dependencies", {}).values()
    requirements = [*project["dependencies"], *(requirement for extra in extras for requirement in extra)]
    endless = [text for text in requirements if text.startswith("kassa") and not (">=" in text and "<" in text)]
    assert endless == []


def test_every_distribution_is_checked_by_every_tool(distribution: Path) -> None:
    folder = str(distribution.relative_to(ROOT))
    package = package_of(distribution).name
    tools = settings(ROOT / "pyproject.toml")["tool"]
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert f"{folder}/src" in tools["mypy"]["files"]
    assert f"{folder}/src" in tools["mypy"]["mypy_path"].split(":")
    assert package in tools["importlinter"]["root_packages"]
    assert re.search(rf"^our_wheels = .*\b{folder}(\[| |$)", tox, re.MULTILINE)
    assert f"{{tox_root}}/{folder}/src" in tox
    assert re.search(rf"^env_list = .*\b{distribution.name}\b", tox, re.MULTILINE)


def test_the_import_contracts_know_every_plugin() -> None:
    contracts = {
        contract["id"]: contract for contract in settings(ROOT / "pyproject.toml")["tool"]["importlinter"]["contracts"]
    }
    plugins = {package_of(path).name for path in DISTRIBUTIONS if path.parent.name == "plugins"}
    assert set(contracts["plugins"]["source_modules"]) == plugins
    assert set(contracts["strangers"]["modules"]) == plugins
    assert set(contracts["core"]["forbidden_modules"]) == plugins
    assert plugins <= set(contracts["sdk"]["forbidden_modules"])


def test_nothing_is_imported_by_a_name_in_a_string() -> None:
    hidden = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path, tree in python_sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and is_import(node.func) and any(map(is_written_out, node.args))
    ]
    assert hidden == [], "write an import statement, which the import contracts see"


def is_import(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"import_module", "__import__", "resolve_name", "find_spec"}


def is_written_out(argument: ast.expr) -> bool:
    return isinstance(argument, ast.JoinedStr) or (
        isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


def test_the_table_of_currencies_is_that_of_the_iso_list() -> None:
    pytest.importorskip("iso4217", reason="iso4217 is not installed here: the table of currencies was not compared")
    generator = [sys.executable, str(ROOT / "tools" / "generate_currencies.py")]
    generated = subprocess.run(generator, capture_output=True, check=True, encoding="utf-8").stdout
    kept = (ROOT / "sdk/src/kassa_sdk/currencies.py").read_text(encoding="utf-8")
    assert kept == generated, "run: python tools/generate_currencies.py > sdk/src/kassa_sdk/currencies.py"


def commands_of_the_readme() -> list[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Two commands\n")[2].partition("\n## ")[0]
    return [block.strip() for block in re.findall(r"^```\w*\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)]


def test_the_readme_has_two_commands_one_that_shows_and_one_that_tests() -> None:
    demo, tests = commands_of_the_readme()
    assert demo.endswith("kassa demo")
    assert tests.endswith("tox")


def test_the_demo_installs_ours_from_their_folders() -> None:
    demo, _ = commands_of_the_readme()
    (installed,) = re.findall(r"pip install -q (.*?) &&", demo)
    assert all(folder.startswith("./") and (ROOT / folder / "pyproject.toml").exists() for folder in installed.split())


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    _, tests = commands_of_the_readme()
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines[-1] == tests
    assert "set -euo pipefail" in lines
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111, "make .ci/run executable"
