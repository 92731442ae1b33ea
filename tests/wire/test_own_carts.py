"""A shop that brings its own carts: its storefront pays them over HTTP, and everything else about them stays the shop's."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

import kassa

from ..flows.test_own_carts import CONFIGURATION, folder
from .conftest import refusal, serving

__all__ = ["folder"]  # the fixture, which installs the shop's driver


@pytest.fixture
def storefront(folder: Path, site: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    """The storefront of the shop whose carts lie in this folder."""
    config = tmp_path / "kassa.toml"
    config.write_text(CONFIGURATION + '\n[http]\nstorefronts = ["https://shop.example.org"]\n', encoding="utf-8")
    engine = kassa.open(config)
    key = engine.create_publishable_key("shop").token
    engine.close()
    with ExitStack() as stack:
        told, _ = stack.enter_context(serving("--config", str(config), PYTHONPATH=str(site)))
        headers = {"x-publishable-api-key": key}
        yield stack.enter_context(httpx.Client(base_url=told["url"], headers=headers, timeout=30, trust_env=False))


def test_a_cart_of_the_shop_is_paid_over_http_and_ordered_by_the_shop(storefront: httpx.Client, folder: Path) -> None:
    (folder / "basket-7").write_text("12.50")
    cart = storefront.get("/store/carts/basket-7").json()["cart"]
    assert (cart["id"], cart["total"], cart["currency_code"], cart["region"]["name"]) == (
        "basket-7",
        12.5,
        "eur",
        "Europe",
    )
    assert "items" not in cart, "what is in it, the shop knows"
    collection = storefront.post("/store/payment-collections", json={"cart_id": "basket-7"}).json()[
        "payment_collection"
    ]
    refused = storefront.post("/store/carts/basket-7/complete")
    assert refused.status_code == 400, refused.text
    path = f"/store/payment-collections/{collection['id']}/payment-sessions"
    session = {"provider_id": "pp_system_default", "data": {"return_url": "https://shop.example.org/back"}}
    storefront.post(path, json=session).raise_for_status()
    for _ in range(2):
        completed = storefront.post("/store/carts/basket-7/complete").json()
        assert completed["type"] == "order"
        order = completed["order"]
        assert (order["id"], order["cart_id"], order["total"]) == ("order-of-basket-7", "basket-7", 12.5)
        assert order["payment_collections"][0]["id"] == collection["id"]
    assert (folder / "calls").read_text() == "basket-7\n"


def test_carts_that_the_shop_keeps_are_not_made_or_changed_here(storefront: httpx.Client, folder: Path) -> None:
    (folder / "basket-7").write_text("12.50")
    for path, body in [
        ("/store/carts", {"region_id": "eu"}),
        ("/store/carts/basket-7", {"email": "ada@example.org"}),
        ("/store/carts/basket-7/line-items", {"variant_id": "tea", "quantity": 1}),
    ]:
        told = refusal(storefront.post(path, json=body))
        assert told == (400, "not_allowed", "this shop keeps its carts itself; create and change them there"), path
    assert storefront.get("/store/carts/basket-8").status_code == 404
