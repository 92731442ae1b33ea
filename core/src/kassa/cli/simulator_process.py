"""The simulated payment provider that the demo pays with: a process of its own, on loopback, ended with the demo."""

import http.client
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kassa.errors import NotFound

ENDING_SECONDS = 5
ANSWERING_SECONDS = 10


@dataclass(frozen=True, slots=True)
class SimulatorProcess:
    """A running simulator: where it listens, and the key that it takes."""

    url: str
    api_key: str

    def answer_challenge(self, page: str, answer: str) -> str | None:
        """What the shopper does in their browser: submit the page's form.  Returns the way back to the shop."""
        form = {"content-type": "application/x-www-form-urlencoded"}
        # Not a client that follows redirects: the way back leads to a shop that does not exist.
        return self._ask("POST", page, f"answer={answer}", form).getheader("location")

    def books(self) -> list[dict[str, Any]]:
        """Every effect in the provider's own books, oldest first."""
        answer = self._ask("GET", f"{self.url}/books", None, {"authorization": f"Bearer {self.api_key}"})
        effects: list[dict[str, Any]] = json.loads(answer.read())["effects"]
        return effects

    def _ask(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWERING_SECONDS)
        connection.request(method, parts.path, body, headers)
        return connection.getresponse()


@contextmanager
def running_simulator(books: Path) -> Iterator[SimulatorProcess]:
    """A simulator that keeps its books in this file, until the block ends.  Raises NotFound where it is not installed."""
    api_key = secrets.token_hex(16)
    environment = {**os.environ, "KASSA_SIMULATOR_API_KEY": api_key}
    # It ends by itself when our end of its stdin closes, whatever becomes of us.
    command = [sys.executable, "-m", "kassa_simulator", "--books", str(books), "--until-stdin-closes"]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield SimulatorProcess(_url(process), api_key)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None and process.stderr is not None, "both are pipes"
    ready = process.stdout.readline()
    if not ready:
        last = (process.stderr.read().strip().splitlines() or ["it ended without a word"])[-1]
        raise NotFound(f"the simulated provider did not start ({last}); install it: pip install 'kassa[demo]'")
    url: str = json.loads(ready)["url"]
    return url
