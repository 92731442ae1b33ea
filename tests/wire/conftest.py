"""A real server in a process of its own, on a real database, asked over HTTP on loopback."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import httpx
import pytest

import kassa
from kassa import Engine
from kassa.model import Scope
from kassa_simulator.process import SimulatorProcess

from ..conftest import TOML

ENDING_SECONDS = 20

CATALOGUE = """
[carts.options.catalogue.tea]
title = "Tea"
prices = { EUR = "24.99", JPY = "4500", KWD = "8.250" }

[subscribers.books]
url = "http://127.0.0.1:9/events"
secret = "env:SUBSCRIBER_SECRET"
allow_private = true

[http]
storefronts = ["https://shop.example.org"]
"""


@contextmanager
def serving(
    *options: str, stderr: IO[str] | None = None, **environment: str
) -> Iterator[tuple[dict[str, Any], "subprocess.Popen[str]"]]:
    """``kassa serve --json`` with these options: what it says of itself when it is ready, and its process."""
    command = [sys.executable, "-m", "kassa", "serve", "--json", "--port", "0", *options]
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=stderr, text=True
    ) as process:
        try:
            assert process.stdout is not None, "it is a pipe"
            yield json.loads(process.stdout.readline()), process
        finally:
            process.terminate()
            process.wait(ENDING_SECONDS)


@dataclass(frozen=True)
class Server:
    """A server that several tests ask, each for a store of its own; ``engine`` is beside it, on the same database."""

    url: str
    engine: Engine


@dataclass(frozen=True)
class Shop:
    """A store that nobody else asks for, and its engine in this process, on the server's database."""

    url: str
    engine: Engine
    clients: ExitStack

    def storefront(self, engine: Engine | None = None) -> httpx.Client:
        """Who asks with a publishable key, of another store if one is given."""
        key = (engine or self.engine).create_publishable_key("a storefront").token
        return self.client(headers={"x-publishable-api-key": key})

    def backend(self, *scopes: Scope, engine: Engine | None = None) -> httpx.Client:
        """Who asks with a secret key, which opens this; everything, if nothing is said."""
        key = (engine or self.engine).create_secret_key("a backend", scopes or (Scope.ADMIN,)).token
        return self.client(auth=(key, ""))

    def client(self, **settings: Any) -> httpx.Client:
        """Who asks with nothing but this."""
        # Not what the environment says: nothing here leaves this machine.
        return self.clients.enter_context(httpx.Client(base_url=self.url, timeout=30, trust_env=False, **settings))


@contextmanager
def configured(folder: Path, database_url: str, simulator: SimulatorProcess) -> Iterator[Path]:
    """The configuration of the shop of the stories, with a catalogue and the origin of a storefront, in this folder."""
    known = {
        "SHOP_DATABASE": database_url,
        "SIMULATOR_URL": simulator.url,
        "SUBSCRIBER_SECRET": f"whsec_{b64encode(bytes(32)).decode()}",
        "SIMULATOR_API_KEY": simulator.settings.api_key,
        "SIMULATOR_WEBHOOK_SECRET": simulator.settings.webhook_secret,
    }
    config = folder / "kassa.toml"
    config.write_text(TOML + CATALOGUE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in known.items():
            environment.setenv(name, value)
        yield config


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest, running_simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server without a worker: once on SQLite, once on PostgreSQL."""
    folder = tmp_path_factory.mktemp("served")
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'kassa.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgresql_server").database())
        config = stack.enter_context(configured(folder, url, running_simulator))
        engine = kassa.open(config)
        stack.callback(engine.close)
        ready, _ = stack.enter_context(serving("--no-worker", "--config", str(config)))
        yield Server(ready["url"], engine)


@pytest.fixture
def shop(server: Server, simulator: SimulatorProcess) -> Iterator[Shop]:
    """A store of the server that nobody else asks for."""
    with ExitStack() as clients:
        yield Shop(server.url, server.engine.for_store(f"store-{token_hex(8)}"), clients)


def paid(storefront: httpx.Client, scenario: str = "approve") -> dict[str, Any]:
    """A cart of two teas that was completed; the order."""
    cart = storefront.post("/store/carts", json={"region_id": "eu", "items": [{"variant_id": "tea", "quantity": 2}]})
    cart_id = cart.json()["cart"]["id"]
    collection = storefront.post("/store/payment-collections", json={"cart_id": cart_id}).json()["payment_collection"]
    session = {"provider_id": "pp_simulator_cards", "data": {"scenario": scenario}}
    storefront.post(f"/store/payment-collections/{collection['id']}/payment-sessions", json=session).raise_for_status()
    completed = storefront.post(f"/store/carts/{cart_id}/complete").json()
    assert completed["type"] == "order", completed
    order: dict[str, Any] = completed["order"]
    return order


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    """The status, the type and the message of an error."""
    body = response.json()
    return response.status_code, body["type"], body["message"]
