"""The whole checkout through kassa's engine."""

from pathlib import Path

import pytest

kassa = pytest.importorskip("kassa", reason="kassa is not installed here: the plugin is tested without its engine")

TOML = """
[database]
url = "sqlite:///{folder}/kassa.db"

[providers.default]
plugin = "system"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["default"]
"""


def test_a_cart_is_ordered_and_its_money_recorded_by_hand(tmp_path: Path) -> None:
    (tmp_path / "kassa.toml").write_text(TOML.format(folder=tmp_path), encoding="utf-8")
    engine = kassa.open(tmp_path / "kassa.toml")
    price = kassa.Money.parse("49.99", "EUR")
    cart = engine.create_cart("eu", [kassa.NewItem(title="A thing", quantity=1, unit_price=price)])
    collection = engine.create_payment_collection(cart.id)
    engine.create_payment_session(collection.id, "pp_system_default")
    (payment,) = engine.complete_cart(cart.id).payment_collection.payments
    assert engine.capture_payment(payment.id).captured == price
    assert engine.refund_payment(payment.id, kassa.Money.parse("9.99", "EUR")).refunded.minor == 999
    engine.close()
