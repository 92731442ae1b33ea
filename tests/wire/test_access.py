"""Nobody gets in who does not belong: keys, scopes, and the walls between stores."""

import httpx
import pytest

from kassa.model import Scope
from kassa_simulator.process import SimulatorProcess

from .conftest import Shop, paid, refusal
from .test_operator import disputed

STORE = "x-publishable-api-key: expected a publishable key in force; see `kassa keys`"
ADMIN = "expected a secret key in force as the user name of HTTP Basic; see `kassa keys`"


def test_without_a_key_everything_but_hooks_and_health_is_closed(shop: Shop) -> None:
    described = shop.client().get("/openapi.json").json()["paths"]
    for path, methods in described.items():
        for method in methods:
            if not path.startswith(("/hooks/", "/health", "/ready")):
                answer = shop.client().request(method, path.replace("{", "").replace("}", ""), json={})
                assert answer.status_code == 401, (method, path, answer.text)


@pytest.mark.parametrize("key", ["", "pk_", "pk_nobody", "sk_nobody", "pk_" + "0" * 64])
def test_a_key_that_is_not_in_force_opens_nothing(shop: Shop, key: str) -> None:
    storefront = shop.client(headers={"x-publishable-api-key": key})
    assert refusal(storefront.get("/store/regions")) == (401, "unauthorized", STORE)
    assert refusal(shop.client(auth=(key, "")).get("/admin/payments")) == (401, "unauthorized", ADMIN)


def test_a_key_of_one_kind_opens_nothing_of_the_other(shop: Shop) -> None:
    publishable = shop.engine.create_publishable_key("shop").token
    secret = shop.engine.create_secret_key("backend", [Scope.ADMIN]).token
    assert shop.client(headers={"x-publishable-api-key": secret}).get("/store/regions").status_code == 401
    assert shop.client(auth=(publishable, "")).get("/admin/payments").status_code == 401


def test_a_revoked_key_opens_nothing_from_the_next_request_on(shop: Shop) -> None:
    issued = shop.engine.create_publishable_key("shop")
    storefront = shop.client(headers={"x-publishable-api-key": issued.token})
    assert storefront.get("/store/regions").status_code == 200
    shop.engine.revoke_api_key(issued.key.id)
    assert storefront.get("/store/regions").status_code == 401


def test_a_secret_key_opens_just_what_its_scopes_say(shop: Shop) -> None:
    paid(shop.storefront())
    payment = shop.engine.list_payments()[0].id
    reader, capturer, refunder = (shop.backend(scope) for scope in (Scope.READ, Scope.CAPTURE, Scope.REFUND))
    statuses = {
        "read": [each.get("/admin/payments").status_code for each in (reader, capturer, refunder)],
        "capture": [
            each.post(f"/admin/payments/{payment}/capture", json={}).status_code
            for each in (reader, refunder, capturer)
        ],
        "refund": [
            each.post(f"/admin/payments/{payment}/refund", json={}).status_code for each in (reader, capturer, refunder)
        ],
        "admin": [each.post("/admin/refund-reasons", json={}).status_code for each in (reader, capturer, refunder)],
    }
    assert statuses == {
        "read": [200, 403, 403],
        "capture": [403, 403, 200],
        "refund": [403, 403, 200],
        "admin": [403, 403, 403],
    }


def test_what_belongs_to_another_store_is_not_there(shop: Shop, simulator: SimulatorProcess) -> None:
    notice = disputed(shop, simulator)
    order = paid(shop.storefront())
    payment = shop.engine.list_payments()[0]
    reason = shop.engine.create_refund_reason("late", "Late").id
    ids = {
        "cart_id": order["cart_id"],
        "line_item_id": order["items"][0]["id"],
        "payment_collection_id": payment.payment_collection_id,
        "payment_session_id": payment.payment_session_id,
        "payment_id": payment.id,
        "refund_reason_id": reason,
        "operation_id": shop.engine.list_operations(payment.payment_collection_id)[0].id,
        "notice_id": notice,
        "case_id": shop.engine.list_cases()[0].id,
        "delivery_id": shop.engine.list_deliveries()[0].id,
    }
    bodies = {
        "line-items": {"variant_id": "tea", "quantity": 1},
        "payment-sessions": {"provider_id": "pp_simulator_cards"},
        "mark-as-paid": {"order_id": order["id"]},
        "resolve": {"has_succeeded": True, "who": "Ada", "why": "mine"},
        "close": {"who": "Ada", "why": "mine"},
    }
    elsewhere = shop.engine.for_store("elsewhere")
    stranger, intruder = shop.storefront(elsewhere), shop.backend(engine=elsewhere)
    asked = 0
    for path, methods in shop.client().get("/openapi.json").json()["paths"].items():
        if "{" not in path or path.startswith("/hooks/") or "{region_id}" in path or "{provider_id}" in path:
            continue
        who: httpx.Client = stranger if path.startswith("/store/") else intruder
        body = bodies.get(path.rpartition("/")[2], {"quantity": 1} if path.endswith("{line_item_id}") else {})
        for method in methods:
            answer = who.request(method, path.format(**ids), json=None if method in ("get", "delete") else body)
            assert answer.status_code == 404, (method, path, answer.text)
            asked += 1
    assert asked > 22
    assert refusal(stranger.post("/store/payment-collections", json={"cart_id": order["cart_id"]}))[0] == 404
    assert intruder.get("/admin/payments").json()["count"] == 0
    for things in ("operations", "notices", "cases", "deliveries"):
        assert intruder.get(f"/admin/{things}").json()[things] == []


def test_an_id_that_nothing_can_have_is_not_there(shop: Shop) -> None:
    assert shop.backend().get("/admin/payments/nonsense").status_code == 404
    assert shop.storefront().get("/store/carts/nonsense").status_code == 404


def test_a_browser_may_ask_from_the_pages_of_a_storefront_and_from_no_others(shop: Shop) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-publishable-api-key"}
    client = shop.client()
    ours = client.options("/store/carts", headers={**asked, "origin": "https://shop.example.org"})
    assert ours.headers["access-control-allow-origin"] == "https://shop.example.org"
    for path, origin in [
        ("/store/carts", "https://shop.example.org.evil.example"),
        ("/store/carts", "null"),
        ("/admin/payments", "https://shop.example.org"),
    ]:
        answer = client.options(path, headers={**asked, "origin": origin})
        assert "access-control-allow-origin" not in answer.headers, (path, origin)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.org.evil.example/back",
        "https://shop.example.org@evil.example/back",
        "https://evil.example/https://shop.example.org",
        "https:\\\\shop.example.org/back",
        "http://shop.example.org/back",
        "//shop.example.org/back",
        "javascript:alert(1)",
        42,
    ],
)
def test_a_shopper_is_sent_back_to_nowhere_but_a_storefront(shop: Shop, url: object) -> None:
    storefront = shop.storefront()
    cart = storefront.post("/store/carts", json={"region_id": "eu", "items": [{"variant_id": "tea", "quantity": 1}]})
    collection = storefront.post("/store/payment-collections", json={"cart_id": cart.json()["cart"]["id"]})
    path = f"/store/payment-collections/{collection.json()['payment_collection']['id']}/payment-sessions"
    body = {"provider_id": "pp_simulator_cards", "data": {"return_url": url}}
    assert refusal(storefront.post(path, json=body)) == (
        400,
        "invalid_data",
        "data.return_url: expected a URL of one of the storefronts; see [http] storefronts in the configuration",
    )
    body["data"] = {"return_url": "https://shop.example.org/back?cart=1"}
    assert storefront.post(path, json=body).status_code == 200


@pytest.mark.parametrize("url", ["https://[::1/", "https://shop.example.org]/", "https://shop.example.org\uff0fevil"])
def test_an_address_that_there_cannot_be_is_none_of_a_storefront(shop: Shop, url: str) -> None:
    path = "/store/payment-collections/pay_col_0/payment-sessions"
    body = {"provider_id": "pp_simulator_cards", "data": {"return_url": url}}
    assert refusal(shop.storefront().post(path, json=body))[:2] == (400, "invalid_data")


def test_a_shopper_changes_nothing_in_a_cart_that_the_shop_has_filled_but_who_they_are(shop: Shop) -> None:
    items = [{"title": "Gold tin", "variant_id": "tea", "quantity": 1, "unit_price": 500}]
    body = {"region_id": "eu", "items": items, "metadata": {"dealer": "7"}}
    filled = shop.backend().post("/admin/carts", json=body).json()["cart"]
    storefront, path = shop.storefront(), f"/store/carts/{filled['id']}"
    line = f"{path}/line-items/{filled['items'][0]['id']}"
    for asked in (
        storefront.post(path, json={"region_id": "jp"}),
        storefront.post(path, json={"metadata": {"dealer": "VIP"}}),
        storefront.post(f"{path}/line-items", json={"variant_id": "tea", "quantity": 1}),
        storefront.post(line, json={"quantity": 10}),
        storefront.delete(line),
    ):
        status, kind, message = refusal(asked)
        assert (status, kind) == (400, "not_allowed")
        assert "the shop has filled" in message
    told = storefront.post(path, json={"email": "ada@example.org"}).json()["cart"]
    assert (told["email"], told["total"], len(told["items"])) == ("ada@example.org", 500, 1)
