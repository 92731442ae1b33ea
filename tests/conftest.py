"""A shop with two regions, real providers, and a real database: what every story and every fault begins with."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kassa import Completion, Engine, Money, NewItem, OrderPlaced
from kassa.config import parse
from kassa.model import Cart, Payment, PaymentCollection, PaymentSession
from kassa.opening import assemble
from kassa.store import schema
from kassa.store.database import Database
from kassa_simulator.process import SimulatorProcess, start_simulator

# Packages with tests of their own, which are run where they are installed: `tox -e compatibility`.
collect_ignore = ["compatibility"]

TOML = """
[database]
url = "env:SHOP_DATABASE"

[providers.default]
plugin = "system"

[providers.cards]
plugin = "simulator"

[providers.cards.options]
base_url = "env:SIMULATOR_URL"
api_key = "env:SIMULATOR_API_KEY"
webhook_secret = "env:SIMULATOR_WEBHOOK_SECRET"
timeout_seconds = 1.0

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE", "FR"]
providers = ["cards", "default"]

[[regions.eu.rules]]
provider = "default"
amount_max = "150.00"
reason = "Cash on delivery only up to 150 EUR"

[regions.jp]
name = "Japan"
currency = "JPY"
countries = ["JP"]
providers = ["cards"]

[regions.kw]
name = "Kuwait"
currency = "KWD"
countries = ["KW"]
providers = ["cards", "default"]
place_order = { cards = "pending" }
"""

CARDS = "pp_simulator_cards"
CASH = "pp_system_default"


@dataclass(frozen=True)
class Shop:
    """The engine, the provider's own books, and the steps that most stories share."""

    engine: Engine
    simulator: SimulatorProcess

    def cart(self, price: str = "50.00", currency: str = "EUR") -> Cart:
        """A cart of one item at this price, in the region of the currency."""
        region = {"EUR": "eu", "JPY": "jp", "KWD": "kw"}[currency]
        return self.engine.create_cart(
            region, [NewItem(title="A thing", quantity=1, unit_price=Money.parse(price, currency))]
        )

    def session(self, cart: Cart, scenario: str = "approve", provider: str = CARDS) -> PaymentSession:
        """A payment session for the cart; the scenario tells the simulated provider what is to happen."""
        collection = self.engine.create_payment_collection(cart.id)
        data = {"scenario": scenario} if provider == CARDS else {}
        return self.engine.create_payment_session(collection.id, provider, data)

    def complete(self, cart: Cart, scenario: str = "approve", provider: str = CARDS) -> Completion:
        """The whole checkout, as far as it goes at once."""
        self.session(cart, scenario, provider)
        return self.engine.complete_cart(cart.id)

    def paid(
        self, price: str = "100.00", currency: str = "EUR", scenario: str = "approve", provider: str = CARDS
    ) -> Payment:
        """A payment for a placed order."""
        completion = self.complete(self.cart(price, currency), scenario, provider)
        assert isinstance(completion, OrderPlaced)
        assert completion.payment_collection is not None
        return completion.payment_collection.payments[0]

    def collection_of(self, cart: Cart) -> PaymentCollection:
        """The cart's collection as it is now."""
        return self.engine.create_payment_collection(cart.id)

    def books(self, session: PaymentSession, *types: str) -> list[int]:
        """The amounts of the effects of these types that the provider has in its books for a session."""
        return [
            effect["amount"]
            for effect in self.simulator.control.effects(*types)
            if effect["payment_id"] == session.provider_reference
        ]


class Clock:
    """A clock that tests put forward."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> None:
        """It is later now."""
        self.now += timedelta(**duration)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the current schema and nothing in it: copying it is faster than migrating for each test."""
    path = tmp_path_factory.mktemp("template") / "kassa.db"
    _prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(request: pytest.FixtureRequest) -> Iterator[str]:
    """A PostgreSQL database with the current schema and nothing in it."""
    with request.getfixturevalue("postgresql_server").database() as url:
        _prepare(url)
        yield urlsplit(url).path.removeprefix("/")


def _prepare(url: str) -> None:
    database = Database(url)
    schema.prepare(database)
    database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database that only this test uses: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "kassa.db")
        yield f"sqlite:///{tmp_path / 'kassa.db'}"
        return
    server = request.getfixturevalue("postgresql_server")
    with server.database(template=request.getfixturevalue("postgresql_template")) as url:
        yield url


@pytest.fixture(scope="session")
def running_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A simulated provider in a process of its own."""
    with start_simulator(tmp_path_factory.mktemp("simulator") / "books.jsonl") as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: SimulatorProcess) -> SimulatorProcess:
    """The simulated provider, in good health."""
    running_simulator.control.clear_faults()
    return running_simulator


@pytest.fixture
def configured(simulator: SimulatorProcess, database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shop's configuration; what it refers to is in the environment."""
    monkeypatch.setenv("SHOP_DATABASE", database_url)
    monkeypatch.setenv("SIMULATOR_URL", simulator.url)
    monkeypatch.setenv("SIMULATOR_API_KEY", simulator.settings.api_key)
    monkeypatch.setenv("SIMULATOR_WEBHOOK_SECRET", simulator.settings.webhook_secret)
    return TOML


@pytest.fixture
def shop(configured: str, simulator: SimulatorProcess) -> Iterator[Shop]:
    """The shop, open: once on SQLite, once on PostgreSQL."""
    engine = assemble(parse(configured))
    yield Shop(engine, simulator)
    engine.close()


@pytest.fixture
def clock() -> Clock:
    """The engine's clock."""
    return Clock()


@pytest.fixture
def timed(configured: str, simulator: SimulatorProcess, clock: Clock) -> Iterator[Shop]:
    """The shop, by a clock that the test puts forward."""
    engine = assemble(parse(configured), clock=clock)
    yield Shop(engine, simulator)
    engine.close()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path, for distributions that a test writes; what was imported from it is forgotten."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    yield site
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(site)):
            del sys.modules[name]
