"""The configuration of a worker that runs is read again: by SIGHUP, and by ``kassa reload``."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import SHOP, Kassa

MISTAKEN = SHOP.replace('"EUR"', '"EUX"').replace('plugin = "system"', 'plugin = "sistem"')


class Worker:
    """``kassa worker`` in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kassa", "worker", *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )

    def says(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def complains(self) -> str:
        """The next line that it prints as an error."""
        assert self._process.stderr is not None
        return self._process.stderr.readline().rstrip("\n")

    def hang_up(self) -> None:
        """Send it SIGHUP."""
        os.kill(self._process.pid, signal.SIGHUP)

    @property
    def runs(self) -> bool:
        """Whether it did not end."""
        return self._process.poll() is None

    def end(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.communicate(timeout=60)


@pytest.fixture
def worker(shop: Path) -> Iterator[Worker]:
    """A worker of the shop, at work."""
    worker = Worker(shop)
    try:
        assert worker.says().startswith("Working")
        yield worker
    finally:
        worker.end()


needs_hang_ups = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")


@needs_hang_ups
def test_a_signal_makes_a_worker_read_its_configuration_again(worker: Worker, write: Callable[[str], None]) -> None:
    write(SHOP.replace("150.00", "20.00"))
    worker.hang_up()
    assert worker.says() == "The configuration is reloaded."
    worker.hang_up()
    assert worker.says() == "The configuration is reloaded."


@needs_hang_ups
def test_an_invalid_configuration_changes_nothing_and_every_mistake_is_told(
    worker: Worker, write: Callable[[str], None]
) -> None:
    write(MISTAKEN)
    worker.hang_up()
    assert worker.complains().startswith("kassa.toml:5: providers.default.plugin: ")
    assert worker.complains().startswith("kassa.toml:9: regions.eu.currency: ")
    assert worker.complains() == "the configuration is not reloaded; the one in force stays in force"
    assert worker.runs
    write(SHOP)
    worker.hang_up()
    assert worker.says() == "The configuration is reloaded."


def test_everybody_who_runs_is_asked(worker: Worker, kassa: Kassa, shop: Path) -> None:
    ended = kassa("reload")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("kassa.toml is valid; every process that runs is asked to read its file again.\n")
    assert worker.says() == "The configuration is reloaded."


def test_with_json_a_worker_tells_of_it_in_a_document(shop: Path, kassa: Kassa, write: Callable[[str], None]) -> None:
    assert kassa("migrate").exit_code == 0
    worker = Worker(shop, "--json")
    try:
        told = kassa("reload", "--who", "Ada", "--json").document
        assert told == {"file": "kassa.toml", "database": "sqlite:///kassa.db", "requested_by": "Ada"}
        assert document(worker) == {"configuration": {"reloaded": True, "mistakes": []}}
        write(MISTAKEN)
        (shop / "other.toml").write_text(SHOP, encoding="utf-8")
        assert kassa("reload", "--config", "other.toml").exit_code == 0
        refused = document(worker)["configuration"]
        assert refused["reloaded"] is False
        assert [each["field"] for each in refused["mistakes"]] == ["providers.default.plugin", "regions.eu.currency"]
    finally:
        worker.end()


def document(worker: Worker) -> Any:
    """The next document that a worker prints."""
    lines = []
    while True:
        lines.append(worker.says())
        try:
            return json.loads("\n".join(lines))
        except ValueError:
            assert worker.runs


def test_nobody_is_asked_to_read_an_invalid_file(kassa: Kassa, shop: Path, write: Callable[[str], None]) -> None:
    write(MISTAKEN)
    ended = kassa("reload")
    assert ended.exit_code == 1
    assert ended.stderr.count("\n") == 2
    assert ended.stderr.startswith("kassa.toml:5: providers.default.plugin: ")
    assert not (shop / "kassa.db").exists()


def test_the_doctor_tells_that_an_invalid_file_is_not_reloaded(kassa: Kassa, write: Callable[[str], None]) -> None:
    write(MISTAKEN)
    assert "a reload is refused until this is repaired" in " ".join(kassa("doctor").stdout.split())
