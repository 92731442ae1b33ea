"""What all commands have in common."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from kassa.cli import COMMANDS, app, under

from .conftest import Kassa

WORDS = [words for heading in COMMANDS for words in under(heading)]
HEAVY = {"alembic", "pluggy", "pydantic", "pydantic_settings", "sqlalchemy", "stevedore", "kassa_sdk"}


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from kassa.cli import app\n"
        "try: app(['--help'])\n"
        f"except SystemExit: print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Usage" in ended.stdout
    assert ended.stderr.strip() == "[]"


def test_python_m_kassa_is_the_command_line() -> None:
    ended = subprocess.run([sys.executable, "-m", "kassa", "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("kassa ")


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_command_explains_itself_and_its_options(words: tuple[str, ...], kassa: Kassa) -> None:
    ended = kassa(*words, "--help")
    assert ended.exit_code == 0
    assert "Usage" in ended.stdout
    command = get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    assert [option.name for option in command.params if not option.help] == []


def test_every_command_can_answer_in_json(kassa: Kassa) -> None:
    assert [words for words in WORDS if "--json" not in kassa(*words, "--help").stdout] == []


def test_a_wrong_command_line_ends_with_2(kassa: Kassa) -> None:
    assert kassa("captuer").exit_code == 2
    assert kassa("capture").exit_code == 2


def test_the_configuration_may_be_named_by_the_environment(
    kassa: Kassa, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "kassa.toml").rename(shop / "elsewhere.toml")
    monkeypatch.setenv("KASSA_CONFIG", "elsewhere.toml")
    assert kassa("check", "--json").document["file"] == "elsewhere.toml"


def test_a_missing_configuration_is_said_in_one_sentence(kassa: Kassa) -> None:
    ended = kassa("payments")
    assert ended.exit_code == 1
    assert ended.stdout == ""
    assert ended.stderr == "kassa.toml: cannot be read (No such file or directory); write one with `kassa init`\n"


def test_with_json_an_error_is_an_object_on_stderr(kassa: Kassa, shop: Path) -> None:
    ended = kassa("explain", "mars", "--json")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.document == {"error": {"type": "NotFound", "message": "region 'mars' is not configured; there are eu"}}


def test_an_unreachable_database_is_said_in_one_sentence(kassa: Kassa, shop: Path) -> None:
    (shop / "kassa.db").mkdir()
    ended = kassa("payments")
    assert ended.exit_code == 1
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["doctor"],
        ["providers"],
        ["regions"],
        ["explain", "eu"],
        ["payments"],
        ["orders"],
        ["migrate"],
        ["init", "another.toml"],
    ],
    ids=" ".join,
)
def test_json_is_one_document(arguments: list[str], kassa: Kassa, shop: Path) -> None:
    ended = kassa(*arguments, "--json")
    assert ended.exit_code == 0
    assert isinstance(ended.document, dict)


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("command", ["check", "doctor", "providers", "regions", "payments", "orders"])
def test_ids_and_lines_fit_on_the_terminal(
    command: str, columns: str, kassa: Kassa, paid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    ended = kassa(command)
    assert ended.exit_code == 0
    assert max(map(len, ended.stdout.splitlines())) <= int(columns)
    if command == "payments":
        assert paid in ended.stdout, "an id is copied, so it is never broken"


def test_migrate_says_from_where_to_where(kassa: Kassa, shop: Path) -> None:
    first, second = kassa("migrate", "--json").document, kassa("migrate", "--json").document
    assert (first["from"], first["changed"]) == (None, True)
    assert (second["from"], second["changed"]) == (first["to"], False)
