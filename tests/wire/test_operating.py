"""What those see who run the server: whether it works, its metrics, its log; and that no secret is in any of it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import kassa
from kassa.model import Scope
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from .conftest import configured, paid, serving

CARD = "4242 4242 4242 4242"


@dataclass(frozen=True)
class Running:
    """A server with metrics and a log in JSON, and where its database and its log are."""

    told: dict[str, Any]
    database: Path
    log: Path
    keys: tuple[str, str]
    clients: ExitStack

    def client(self, **settings: Any) -> httpx.Client:
        """Who asks."""
        client = httpx.Client(base_url=self.told["url"], timeout=30, trust_env=False, **settings)
        return self.clients.enter_context(client)

    def storefront(self) -> httpx.Client:
        """Who asks with the publishable key."""
        return self.client(headers={"x-publishable-api-key": self.keys[0]})

    def backend(self) -> httpx.Client:
        """Who asks with the secret key."""
        return self.client(auth=(self.keys[1], ""))

    def metrics(self) -> str:
        """What Prometheus would read."""
        return httpx.get(self.told["metrics"], trust_env=False).text

    def records(self) -> list[dict[str, Any]]:
        """The log so far; the line of a request is written once it is answered, so another one is asked first."""
        self.client().get("/health")
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def running(simulator: SimulatorProcess, tmp_path: Path) -> Iterator[Running]:
    """A server of this test's own, on SQLite, without a worker."""
    database, log = tmp_path / "kassa.db", tmp_path / "log.jsonl"
    with configured(tmp_path, f"sqlite:///{database}", simulator) as config:
        engine = kassa.open(config)
        keys = engine.create_publishable_key("shop").token, engine.create_secret_key("backend", [Scope.ADMIN]).token
        engine.close()
        options = ("--no-worker", "--config", str(config), "--metrics", "127.0.0.1:0", "--log", "json")
        with ExitStack() as clients, log.open("w", encoding="utf-8") as errors:
            told, _ = clients.enter_context(serving(*options, stderr=errors))
            yield Running(told, database, log, keys, clients)


def test_a_server_that_cannot_work_runs_and_is_not_ready(running: Running) -> None:
    client = running.client()
    assert [client.get(path).status_code for path in ("/health", "/ready")] == [200, 200]
    with closing(sqlite3.connect(running.database, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert client.get("/health").status_code == 200
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["type"]) == (503, "unexpected_state")
    assert answer.headers["retry-after"]
    assert "9999" not in answer.text
    assert any("schema 9999" in record["message"] for record in running.records())


def test_metrics_are_served_where_they_were_asked_for_and_nowhere_else(running: Running) -> None:
    paid(running.storefront())
    assert (
        'kassa_provider_calls_total{hook="authorize",outcome="succeeded",provider="pp_simulator_cards",region="eu"} 1.0'
        in (running.metrics())
    )
    assert running.backend().get("/metrics").status_code == 404


def test_everything_that_one_request_causes_is_found_in_the_log_by_its_id(running: Running) -> None:
    with closing(sqlite3.connect(running.database, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    answer = running.client().get("/ready?q=private", headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    why, line = (record for record in running.records() if record.get("request_id") == "mine-1")
    assert (why["logger"], why["level"]) == ("kassa.http", "error")
    assert (line["logger"], line["method"], line["path"], line["status"]) == ("kassa.requests", "GET", "/ready", 503)
    assert "private" not in running.log.read_text(encoding="utf-8")


def test_an_id_of_a_request_that_nobody_can_mean_is_replaced(running: Running) -> None:
    for given in ("", "x" * 65, 'a"b', "a b"):
        told = running.client().get("/health", headers={"x-request-id": given}).headers["x-request-id"]
        assert told != given and told.isalnum()


def test_no_secret_and_no_number_of_a_card_is_in_the_log_or_the_metrics(
    running: Running, simulator: SimulatorProcess
) -> None:
    publishable, secret = running.keys
    storefront, backend = running.storefront(), running.backend()
    paid(storefront)
    backend.get(f"/admin/payments/{secret}")
    backend.get(f"/admin/payments/{CARD}?q={secret}")
    storefront.get(f"/store/carts/{simulator.settings.api_key}")
    storefront.post("/store/carts", content=f'{{"email": "{CARD}"'.encode())
    running.client(auth=(secret[:-1], "")).get("/admin/payments")
    payment = backend.get("/admin/payments").json()["payments"][0]["id"]
    simulator.control.add_fault(Fault.SERVER_ERROR_BEFORE_ACTING, "capture")
    backend.post(f"/admin/payments/{payment}/capture", json={})
    told = running.log.read_text(encoding="utf-8") + running.metrics()
    assert "/admin/payments/***" in told
    for canary in (secret, simulator.settings.api_key, simulator.settings.webhook_secret, CARD, CARD.replace(" ", "")):
        assert canary not in told
    assert publishable not in told


def test_an_accident_is_answered_with_the_id_under_which_the_log_tells_of_it_and_quotes_nothing(
    running: Running,
) -> None:
    with closing(sqlite3.connect(running.database, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE refund_reasons RENAME TO gone")
    body = {"label": "a private word", "code": "private"}
    answer = running.backend().post("/admin/refund-reasons", json=body, headers={"x-request-id": "mine-2"})
    assert (answer.status_code, answer.json()["type"]) == (500, "unknown_error")
    assert answer.headers["x-request-id"] == "mine-2"
    why, line = (record for record in running.records() if record.get("request_id") == "mine-2")
    assert (why["logger"], why["level"], line["status"]) == ("kassa.http", "error", 500)
    log = running.log.read_text(encoding="utf-8")
    assert "private" not in log and "Traceback" not in log


def test_a_path_makes_no_lines_of_its_own_in_the_log(running: Running) -> None:
    running.client().get("/store%0Akassa%3A all is well")
    assert [record["path"] for record in running.records() if "all is well" in record.get("path", "")] == [
        "/store\N{REPLACEMENT CHARACTER}kassa: all is well"
    ]
