"""What nobody can mean is refused, with the name of the field and what was expected; and nothing is changed."""

import json

import pytest

from .conftest import Shop, paid, refusal

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "Field required"),
        (b"{", "expected JSON in UTF-8"),
        (b"\xff\xfe", "expected JSON in UTF-8"),
        (b'{"cart_id": NaN}', "NaN is no number"),
        (b'{"cart_id": -Infinity}', "-Infinity is no number"),
        (b'{"cart_id": "a", "cart_id": "b"}', "the key 'cart_id' stands there twice"),
        (b'{"cart_id": ' + b"[" * 1000 + b"]" * 1000 + b"}", "at most 20 objects and lists"),
        (b"[" * 30_000, "at most 20 objects and lists"),
        (b'{"cart_id": ' + b"1" * 5000 + b"}", "a number of 5000 digits"),
        (b'{"cart_id": "\\u0000"}', "without NUL characters and lone surrogates"),
        (b'{"cart_id": "\\ud800"}', "without NUL characters and lone surrogates"),
        (b'{"cart_id": 5}', "cart_id: Input should be a valid string"),
        (b'{"cart_id": null}', "cart_id: Input should be a valid string"),
        (b'{"cart_id": "cart_1", "amount": 1}', "amount: Extra inputs are not permitted"),
        (b'["cart_1"]', "Input should be a valid dictionary"),
        (b'{"cart_id": "cart_1"}', "cart_id: expected an id that starts with cart_"),
        (b'{"cart_id": "\xc3\xa4"}', "cart_id: expected 1 to 255 printable characters of ASCII"),
    ],
)
def test_a_body_that_nobody_can_mean_is_refused(shop: Shop, body: bytes, told: str) -> None:
    status, type_, message = refusal(shop.storefront().post("/store/payment-collections", content=body, headers=JSON))
    assert (status, type_) == (400, "invalid_data")
    assert told in message


def test_a_body_that_is_too_large_is_not_read(shop: Shop) -> None:
    storefront = shop.storefront()
    large = json.dumps({"cart_id": "x" * 70_000}).encode()
    huge = b" " * 2_000_000
    for content in (large, huge, iter([huge])):
        answer = storefront.post("/store/payment-collections", content=content, headers=JSON)
        assert (answer.status_code, answer.json()["message"].startswith("body: expected at most")) == (413, True)


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("0.001", "amount: 0.001 EUR has 3 decimals; EUR has 2, and amounts are never rounded"),
        ("1e-9", "never rounded"),
        ("50", "so 50.00 EUR is too much"),
        ("92233720368547758.08", "do not fit into 64 bits"),
        ("1e30", "do not fit into 64 bits"),
        ("0", "expected more than zero"),
        ("-5", "expected more than zero"),
        ('"5.00"', "Input should be"),
        ("true", "Input should be"),
        ("[5]", "Input should be"),
    ],
)
def test_an_amount_that_cannot_be_taken_is_refused_and_nothing_is_taken(shop: Shop, amount: str, told: str) -> None:
    paid(shop.storefront())
    payment = shop.engine.list_payments()[0]
    body = b'{"amount": ' + amount.encode() + b"}"
    answer = shop.backend().post(f"/admin/payments/{payment.id}/capture", content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["message"]
    assert not shop.engine.retrieve_payment(payment.id).captures


@pytest.mark.parametrize(("region", "unit"), [("eu", "24.99"), ("jp", "4500"), ("kw", "8.25")])
def test_amounts_are_the_decimal_numbers_that_were_meant_in_both_directions(shop: Shop, region: str, unit: str) -> None:
    currency = {"eu": "EUR", "jp": "JPY", "kw": "KWD"}[region]
    item = f'{{"title": "Tea", "quantity": 3, "unit_price": {unit}}}'
    body = f'{{"region_id": "{region}", "items": [{item}]}}'.encode()
    answer = shop.backend().post("/admin/carts", content=body, headers=JSON)
    assert answer.status_code == 200, answer.text
    assert f'"unit_price":{unit},' in answer.text
    (cart,) = [shop.engine.retrieve_cart(answer.json()["cart"]["id"])]
    assert str(cart.items[0].unit_price) == f"{float(unit):.{ {'EUR': 2, 'JPY': 0, 'KWD': 3}[currency] }f} {currency}"


def test_a_query_that_there_is_not_is_refused(shop: Shop) -> None:
    backend = shop.backend()
    for query, told in [
        ("colour=red", "colour: Extra inputs are not permitted"),
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=many", "limit: Input should be a valid integer"),
        ("order=secret", "order: Input should be"),
        ("created_at[$gte]=yesterday", "created_at[$gte]: Value error, expected a moment such as 2026-11-01T00:00:00Z"),
        ("q=a%00b", "q: String should match pattern"),
        ("fields=id,secret", "fields: expected fields that there are, not 'secret'"),
    ]:
        status, _, message = refusal(backend.get(f"/admin/payments?{query}"))
        assert (status, told in message) == (400, True), message


def test_a_shopper_names_no_price(shop: Shop) -> None:
    item = {"variant_id": "tea", "quantity": 1, "unit_price": 0.01}
    answer = shop.storefront().post("/store/carts", json={"region_id": "eu", "items": [item]})
    assert refusal(answer) == (400, "invalid_data", "items.0.unit_price: Extra inputs are not permitted")


def test_a_method_that_a_path_does_not_have_is_refused_with_those_that_it_has(shop: Shop) -> None:
    answer = shop.storefront().put("/store/regions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("label", ["", " ", "\n", "\x04", "Chipped\x04", "x" * 1001])
def test_words_that_are_none_are_refused_before_anything_is_looked_for(shop: Shop, label: str) -> None:
    answer = shop.backend().post("/admin/refund-reasons", json={"label": label, "code": "chipped"})
    status, type_, message = refusal(answer)
    assert (status, type_) == (400, "invalid_data")
    assert message.startswith("label: String should ")
