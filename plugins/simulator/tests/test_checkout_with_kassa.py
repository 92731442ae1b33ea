"""The whole checkout through kassa's engine; more of it is told in the core's own flows."""

from pathlib import Path

import pytest

from kassa_simulator.process import SimulatorProcess

kassa = pytest.importorskip("kassa", reason="kassa is not installed here: the plugin is tested without its engine")

TOML = """
[database]
url = "sqlite:///{folder}/kassa.db"

[providers.cards]
plugin = "simulator"
options = {{ base_url = "{url}", api_key = "env:API_KEY", webhook_secret = "env:WEBHOOK_SECRET" }}

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["cards"]
"""


def test_a_cart_whose_payment_is_challenged_is_ordered_after_the_shopper_approved(
    tmp_path: Path, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", simulator.settings.api_key)
    monkeypatch.setenv("WEBHOOK_SECRET", simulator.settings.webhook_secret)
    (tmp_path / "kassa.toml").write_text(TOML.format(folder=tmp_path, url=simulator.url), encoding="utf-8")
    engine = kassa.open(tmp_path / "kassa.toml")
    item = kassa.NewItem(title="A thing", quantity=1, unit_price=kassa.Money.parse("49.99", "EUR"))
    cart = engine.create_cart("eu", [item])
    collection = engine.create_payment_collection(cart.id)
    session = engine.create_payment_session(collection.id, "pp_simulator_cards", {"scenario": "challenge"})
    assert isinstance(engine.complete_cart(cart.id), kassa.ActionNeeded)
    simulator.control.answer_challenge(session.provider_reference, "approve")
    assert isinstance(engine.complete_cart(cart.id), kassa.OrderPlaced)
    engine.close()
