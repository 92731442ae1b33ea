"""The screening in the engine, with a provider that keeps books: what is screened out was never asked of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

kassa = pytest.importorskip("kassa", reason="kassa is not installed here: the extension is tested without its engine")
process = pytest.importorskip("kassa_simulator.process", reason="kassa-simulator is not installed here")

TOML = """
[database]
url = "sqlite:///{folder}/kassa.db"

[extensions.fraud]
plugin = "screening"
options = {{ file = "{file}", amount_max = {{ EUR = "500.00" }}, providers = ["pp_simulator_card"], declines = 2 }}

[providers.card]
plugin = "simulator"
options = {{ base_url = "{url}", api_key = "env:API_KEY", webhook_secret = "env:WEBHOOK_SECRET" }}

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["card"]
"""


class Shop:
    """An engine with the screening, and the provider's own books."""

    def __init__(self, simulator: "process.SimulatorProcess", folder: Path, file: Path) -> None:
        (folder / "kassa.toml").write_text(TOML.format(folder=folder, file=file, url=simulator.url), encoding="utf-8")
        self.engine = kassa.open(folder / "kassa.toml")
        self.simulator = simulator

    def complete(self, email: str, scenario: str) -> "kassa.Completion":
        """One try of one shopper."""
        price = kassa.Money.parse("49.99", "EUR")
        items = [kassa.NewItem(title="A thing", quantity=1, unit_price=price)]
        shopper = kassa.Shopper(customer=kassa.Customer(email=email))
        cart = self.engine.create_cart("eu", items, shopper=shopper)
        collection = self.engine.create_payment_collection(cart.id)
        self.engine.create_payment_session(collection.id, "pp_simulator_card", {"scenario": scenario})
        return self.engine.complete_cart(cart.id)

    def asked(self) -> int:
        """How many authorizations the provider has declined or made."""
        return len(self.simulator.control.effects("authorized", "declined"))


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[process.SimulatorProcess]":
    with process.start_simulator(tmp_path / "books.jsonl") as running:
        monkeypatch.setenv("API_KEY", running.settings.api_key)
        monkeypatch.setenv("WEBHOOK_SECRET", running.settings.webhook_secret)
        yield running


@pytest.fixture
def shop(simulator: "process.SimulatorProcess", tmp_path: Path) -> Iterator[Shop]:
    opened = Shop(simulator, tmp_path, tmp_path / "screening.db")
    yield opened
    opened.engine.close()


def test_who_was_declined_too_often_is_not_even_sent(shop: Shop) -> None:
    assert [shop.complete("mallory@x.example", "decline").type for _ in range(2)] == ["refused", "refused"]
    asked = shop.asked()
    with pytest.raises(kassa.ProviderFailure, match="too many declined payments"):
        shop.complete("Mallory@x.example", "approve")
    assert shop.asked() == asked


def test_another_shopper_pays_meanwhile(shop: Shop) -> None:
    for _ in range(2):
        shop.complete("mallory@x.example", "decline")
    assert shop.complete("ada@x.example", "approve").type == "order_placed"


def test_a_payment_that_succeeds_counts_nothing(shop: Shop) -> None:
    assert [shop.complete("ada@x.example", "approve").type for _ in range(4)] == ["order_placed"] * 4


def test_an_amount_that_is_too_large_is_a_reason_against_the_provider(shop: Shop) -> None:
    (verdict,) = shop.engine.explain_providers("eu", kassa.Circumstances(amount=kassa.Money.parse("500.01", "EUR")))
    assert verdict.reasons == ("Not above 500.00 EUR, says the fraud screening",)


def test_screening_that_does_not_work_stops_nobody(
    simulator: "process.SimulatorProcess", tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(simulator, tmp_path, tmp_path / "there is no such folder" / "screening.db")
    assert shop.complete("ada@x.example", "approve").type == "order_placed"
    assert shop.complete("ada@x.example", "decline").type == "refused"
    shop.engine.close()
    assert "payments pass unscreened" in caplog.text
    assert "a declined payment was not counted" in caplog.text


def test_an_amount_that_is_none_is_a_mistake_in_the_configuration(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "kassa.toml"
    file.write_text(file.read_text().replace('"500.00"', '"500.001"'))
    with pytest.raises(kassa.ConfigurationError, match=r"500\.001"):
        kassa.open(file)
