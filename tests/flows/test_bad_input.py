"""Bad input gets a clear error that names the field and what was expected; nothing is changed by it."""

import pytest

from kassa import InvalidData, Money, NewItem, NotAllowed, NotFound
from kassa.config import parse
from kassa.errors import CallerError, ConfigurationError
from kassa.opening import assemble
from kassa_sdk import MoneyError

from ..conftest import CARDS, CASH, Shop


def test_an_unknown_region_is_told_with_those_there_are(shop: Shop) -> None:
    with pytest.raises(NotFound, match="region_id: 'us' is not configured; there are eu, jp, kw"):
        shop.engine.create_cart("us", [])


def test_an_unknown_provider_is_told_with_those_there_are(shop: Shop) -> None:
    collection = shop.collection_of(shop.cart())
    with pytest.raises(NotFound, match=f"provider_id: 'pp_acme' is not configured; there are {CARDS}, {CASH}"):
        shop.engine.create_payment_session(collection.id, "pp_acme")


def test_a_provider_that_the_region_does_not_enable_is_refused(shop: Shop) -> None:
    cart = shop.cart("500", "JPY")
    with pytest.raises(NotAllowed, match=f"provider_id: {CASH} is not enabled in region jp; it enables {CARDS}"):
        shop.session(cart, provider=CASH)


def test_a_provider_that_is_not_eligible_is_refused_with_the_reason(shop: Shop) -> None:
    with pytest.raises(NotAllowed, match="Cash on delivery only up to 150 EUR"):
        shop.session(shop.cart("150.01"), provider=CASH)


def test_a_price_in_another_currency_than_the_region_s_is_refused(shop: Shop) -> None:
    items = [NewItem(title="A thing", quantity=1, unit_price=Money(500, "JPY"))]
    with pytest.raises(InvalidData, match=r"items\[0\]\.unit_price: expected a price in EUR"):
        shop.engine.create_cart("eu", items)


def test_a_negative_price_is_refused(shop: Shop) -> None:
    items = [NewItem(title="A thing", quantity=1, unit_price=Money(-1, "EUR"))]
    with pytest.raises(InvalidData, match=r"items\[0\]\.unit_price: expected zero or more"):
        shop.engine.create_cart("eu", items)


@pytest.mark.parametrize("amount", [Money(0, "EUR"), Money(-500, "EUR"), Money(500, "JPY")])
def test_a_custom_collection_is_for_more_than_nothing_in_the_currency_of_the_region(shop: Shop, amount: Money) -> None:
    with pytest.raises(InvalidData, match="amount: expected"):
        shop.engine.create_custom_payment_collection("eu", amount)


def test_a_cart_that_costs_nothing_has_nothing_to_collect(shop: Shop) -> None:
    with pytest.raises(NotAllowed, match="there is nothing to pay"):
        shop.engine.create_payment_collection(shop.cart("0.00").id)


def test_an_empty_cart_is_not_ordered(shop: Shop) -> None:
    cart = shop.engine.create_cart("eu", [])
    with pytest.raises(NotAllowed, match="is empty"):
        shop.engine.complete_cart(cart.id)


def test_a_cart_without_a_payment_is_not_completed(shop: Shop) -> None:
    cart = shop.cart()
    with pytest.raises(NotAllowed, match="has no payment collection"):
        shop.engine.complete_cart(cart.id)
    shop.collection_of(cart)
    with pytest.raises(NotAllowed, match="has no payment session"):
        shop.engine.complete_cart(cart.id)


@pytest.mark.parametrize(
    ("verb", "wrong", "expected"),
    [
        ("retrieve_payment_collection", "pay_0123", "payment_collection_id: expected an id that starts with pay_col_"),
        ("retrieve_payment_session", "pay_col_1", "payment_session_id: expected an id that starts with payses_"),
        ("authorize_payment_session", "", "payment_session_id: expected an id that starts with payses_"),
        ("retrieve_payment", "pay_col_" + "0" * 32, "payment_id: expected an id that starts with pay_"),
        ("capture_payment", "payses_" + "0" * 32, "payment_id: expected an id that starts with pay_"),
        ("refund_payment", "capt_" + "0" * 32, "payment_id: expected an id that starts with pay_"),
        ("cancel_payment", "' OR 1=1 --", "payment_id: expected an id that starts with pay_"),
        ("complete_cart", "order_" + "0" * 32, "cart_id: expected an id that starts with cart_"),
        ("create_payment_collection", "cart_XYZ", "cart_id: expected an id that starts with cart_"),
    ],
)
def test_an_id_of_the_wrong_kind_is_refused_by_name(shop: Shop, verb: str, wrong: str, expected: str) -> None:
    with pytest.raises(InvalidData) as caught:
        getattr(shop.engine, verb)(wrong)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        ("retrieve_payment_collection", "pay_col"),
        ("retrieve_payment_session", "payses"),
        ("delete_payment_session", "payses"),
        ("authorize_payment_session", "payses"),
        ("retrieve_payment", "pay"),
        ("capture_payment", "pay"),
        ("complete_cart", "cart"),
        ("retrieve_cart", "cart"),
    ],
)
def test_what_is_not_there_is_not_found(shop: Shop, verb: str, kind: str) -> None:
    with pytest.raises(NotFound, match=f"{kind}_{'0' * 32} in this store"):
        getattr(shop.engine, verb)(f"{kind}_{'0' * 32}")


@pytest.mark.parametrize("data", [{"a": object()}, {"a": float("nan")}, {1: "a"}, ["a"]])
def test_data_for_the_provider_is_a_json_object(shop: Shop, data: object) -> None:
    collection = shop.collection_of(shop.cart())
    with pytest.raises(InvalidData, match="data"):
        shop.engine.create_payment_session(collection.id, CARDS, data)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1001, 0), (10, -1)])
def test_a_page_has_bounds(shop: Shop, limit: int, offset: int) -> None:
    with pytest.raises(InvalidData, match=r"^(limit|offset): expected"):
        shop.engine.list_payments(limit=limit, offset=offset)


@pytest.mark.parametrize("wrong", [1.5, True, None, "1,5", "1e3", "NaN", "٣", " 1", "1_000", "--1"])
def test_an_amount_that_is_not_one_is_refused(wrong: object) -> None:
    with pytest.raises(MoneyError):
        Money.parse(wrong, "EUR")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("currency", ["eur", "EURO", "XXX", "", "XAU"])
def test_a_currency_that_nobody_can_pay_with_is_refused(currency: str) -> None:
    with pytest.raises(MoneyError, match="is not a currency that can be paid with"):
        Money(1, currency)


def test_all_that_is_wrong_with_a_configuration_is_told_before_anything_is_created(configured: str) -> None:
    broken = configured.replace('plugin = "system"', 'plugin = "sytsem"').replace("timeout_seconds", "timeout_secodns")
    with pytest.raises(ConfigurationError) as caught:
        assemble(parse(broken))
    assert [mistake.field for mistake in caught.value.mistakes] == [
        "providers.default.plugin",
        "providers.cards.options.timeout_secodns",
    ]


def test_a_refusal_leaves_no_trace(shop: Shop) -> None:
    payment = shop.paid("100.00")
    before = shop.engine.list_events(payment.payment_collection_id)
    for amount in (Money(10001, "EUR"), Money(0, "EUR"), Money(1, "JPY")):
        with pytest.raises(CallerError):
            shop.engine.capture_payment(payment.id, amount)
    assert shop.engine.list_events(payment.payment_collection_id) == before


@pytest.mark.parametrize("number", ["4242424242424242", "3782 822463 10005"])
def test_the_number_of_a_card_is_refused_wherever_it_is_given_and_not_repeated(shop: Shop, number: str) -> None:
    cart, told = shop.cart(), r"{}: looks like the number of a card, and kassa takes none; the provider's own form"
    collection = shop.engine.create_payment_collection(cart.id)
    attempts = {
        "data.card.number": lambda: shop.engine.create_payment_session(
            collection.id, CARDS, {"card": {"number": number}}
        ),
        "metadata.note": lambda: shop.engine.create_cart("eu", [], metadata={"note": number}),
        "reason": lambda: shop.engine.refund_payment("pay_1", reason=f"back to {number}"),
        "answer.0": lambda: shop.engine.answer_action("payses_1", {"0": number}),
    }
    for field, attempt in attempts.items():
        with pytest.raises(InvalidData, match=told.format(field)) as refused:
            attempt()
        assert number not in str(refused.value)
    assert not shop.collection_of(cart).sessions
