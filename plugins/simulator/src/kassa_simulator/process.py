"""The launcher: a simulator in a process of its own, for tests."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kassa_simulator.control import SimulatorControl
from kassa_simulator.options import SimulatorOptions
from kassa_simulator.server.ledger import KeyMode

START_TAKES_AT_MOST_SECONDS = 30.0
STOP_TAKES_AT_MOST_SECONDS = 10.0


class SimulatorNotStarted(Exception):
    """The process ended, or said nothing, before it was ready; standard error says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """How the server is started.  Without fsync the books survive the death of the process, not of the machine."""

    keys: KeyMode = "native"
    key_window_seconds: float = 86_400.0
    fsync: bool = False
    api_key: str = field(default="simulator-api-key", repr=False)
    webhook_secret: str = field(default="simulator-webhook-secret", repr=False)
    webhook_url: str | None = None
    port: int = 0

    def command(self, books: Path, port: int) -> list[str]:
        """The command line; the secrets are not in it."""
        command = [sys.executable, "-m", "kassa_simulator", "--books", str(books), "--port", str(port)]
        command += ["--keys", self.keys, "--key-window-seconds", str(self.key_window_seconds), "--until-stdin-closes"]
        command += [] if self.fsync else ["--no-fsync"]
        return command + ([] if self.webhook_url is None else ["--webhook-url", self.webhook_url])

    def environment(self) -> dict[str, str]:
        secrets = {"KASSA_SIMULATOR_API_KEY": self.api_key, "KASSA_SIMULATOR_WEBHOOK_SECRET": self.webhook_secret}
        return dict(os.environ) | secrets


class SimulatorProcess:
    """A running simulator.  It may be killed and restarted; the address and the books stay the same.

    It also ends by itself when the process that started it does, however that ends.
    """

    def __init__(self, books: Path, settings: SimulatorSettings) -> None:
        self.books = books
        self.settings = settings
        self._process, self.url = _launch(books, settings, settings.port)
        self.control = SimulatorControl(self.url, settings.api_key)

    @property
    def pid(self) -> int:
        return self._process.pid

    def options(self, **overrides: Any) -> SimulatorOptions:
        """Options of a provider that fits this server."""
        fitting: dict[str, Any] = {
            "base_url": self.url,
            "api_key": self.settings.api_key,
            "webhook_secret": self.settings.webhook_secret,
            "keys": self.settings.keys,
            "key_window_hours": self.settings.key_window_seconds / 3600,
        }
        return SimulatorOptions.model_validate(fitting | overrides)

    def kill(self) -> None:
        """SIGKILL, at whatever it is doing."""
        self._process.kill()
        self._end()

    def restart(self) -> None:
        """Kill it if it runs, and start it again with the same books at the same address."""
        self.kill()
        port = int(self.url.rpartition(":")[2])
        self._process, self.url = _launch(self.books, self.settings, port)

    def stop(self) -> None:
        """End the process, by its own id."""
        self._process.terminate()
        self._end()
        self.control.close()

    def _end(self) -> None:
        try:
            self._process.wait(STOP_TAKES_AT_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _close_pipes(self._process)


@contextmanager
def start_simulator(books: Path, **settings: Any) -> Iterator[SimulatorProcess]:
    """Run a simulator; ``settings`` are those of SimulatorSettings.  Raises SimulatorNotStarted."""
    simulator = SimulatorProcess(books, SimulatorSettings(**settings))
    try:
        yield simulator
    finally:
        simulator.stop()


def _launch(books: Path, settings: SimulatorSettings, port: int) -> tuple[subprocess.Popen[bytes], str]:
    process = subprocess.Popen(
        settings.command(books, port), env=settings.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    # Reading has no time limit of its own, so the process is killed when it takes too long to be ready.
    watchdog = threading.Timer(START_TAKES_AT_MOST_SECONDS, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline() if process.stdout is not None else b""
    finally:
        watchdog.cancel()
    if not line:
        status = process.wait()
        _close_pipes(process)
        raise SimulatorNotStarted(
            f"the simulator with the books {books} ended with status {status} before it was ready"
        )
    return process, str(json.loads(line)["url"])


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
