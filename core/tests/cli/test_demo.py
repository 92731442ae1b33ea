"""``kassa demo``: as its users run it, in a process of its own."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kassa import Engine


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "80", "TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "kassa", "demo", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Any:
    ended = run_demo(tmp_path_factory.mktemp("demo"), "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_it_tells_its_story_on_80_columns_and_leaves_nothing_behind(tmp_path: Path) -> None:
    ended = run_demo(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert max(map(len, ended.stdout.splitlines())) <= 80
    for words in ("An invoice only up to 150 EUR", "/challenge/", "is too much", "Where to go next"):
        assert words in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_both_checkouts_end_in_an_order(document: Any) -> None:
    assert [(order["region_id"], order["total"]["amount"]) for order in document["orders"]] == [
        ("eu", "49.98"),
        ("jp", "4500"),
    ]


def test_our_ledger_is_found_in_the_providers_books(document: Any) -> None:
    assert [(each["type"], each["amount"]["amount"]) for each in document["ledger"]] == [
        ("capture", "24.99"),
        ("refund", "5.00"),
        ("capture", "24.99"),
    ]
    assert all(each["in_provider_books"] for each in document["ledger"])


def test_the_calls_that_it_shows_are_calls_that_there_are(document: Any) -> None:
    shown = [ast.parse(step["code"]) for step in document["steps"]]
    verbs = {
        node.attr
        for tree in shown
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "engine"
    }
    assert "complete_cart" in verbs
    assert [verb for verb in verbs if not hasattr(Engine, verb)] == []


def test_without_its_plugins_it_says_what_to_install() -> None:
    # What is installed belongs to the machine; in this process nothing is.
    script = (
        "import kassa.discovery; from kassa.cli import app\n"
        "kassa.discovery.entry_points = lambda **_: ()\n"
        "app(['demo'])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == (
        "the demo pays with kassa-system and kassa-simulator; install: pip install kassa-system kassa-simulator\n"
    )
