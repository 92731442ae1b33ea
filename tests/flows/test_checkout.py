"""One checkout: collection, providers of the region, session, complete cart, order."""

import pytest

from kassa import Circumstances, Money, OrderPlaced, Processing, Refused
from kassa.amounts import collection_status
from kassa.model import CollectionStatus
from kassa.transitions import SessionStatus

from ..conftest import CARDS, CASH, Shop


def test_a_region_offers_its_providers_in_the_order_of_the_configuration(shop: Shop) -> None:
    assert shop.engine.list_payment_providers("eu") == (CARDS, CASH)


def test_a_provider_that_is_not_eligible_is_left_out_with_a_reason(shop: Shop) -> None:
    circumstances = Circumstances(amount=Money.parse("150.01", "EUR"))
    assert shop.engine.list_payment_providers("eu", circumstances) == (CARDS,)
    hidden = shop.engine.explain_providers("eu", circumstances)[1]
    assert (hidden.provider_id, hidden.reasons) == (CASH, ("Cash on delivery only up to 150 EUR",))


@pytest.mark.parametrize("provider", [CARDS, CASH])
def test_a_cart_is_paid_and_ordered(shop: Shop, provider: str) -> None:
    cart = shop.cart("49.99")
    completion = shop.complete(cart, provider=provider)
    assert isinstance(completion, OrderPlaced)
    (order,) = shop.engine.list_orders()
    assert (order.id, order.cart_id, order.total) == (completion.order_id, cart.id, Money.parse("49.99", "EUR"))


@pytest.mark.parametrize(("price", "currency"), [("500", "JPY"), ("49.99", "EUR"), ("1.234", "KWD")])
def test_the_provider_is_asked_for_exactly_the_price_in_every_kind_of_currency(
    shop: Shop, price: str, currency: str
) -> None:
    cart = shop.cart(price, currency)
    shop.complete(cart)
    session = shop.collection_of(cart).sessions[0]
    assert shop.books(session, "authorized") == [Money.parse(price, currency).minor]


def test_a_completed_cart_answers_with_the_same_order_again(shop: Shop) -> None:
    cart = shop.cart()
    first = shop.complete(cart)
    second = shop.engine.complete_cart(cart.id)
    assert isinstance(first, OrderPlaced)
    assert isinstance(second, OrderPlaced)
    assert second.order_id == first.order_id
    assert len(shop.engine.list_orders()) == 1


def test_a_completed_collection_is_authorized(shop: Shop) -> None:
    cart = shop.cart()
    shop.complete(cart)
    assert collection_status(shop.collection_of(cart)) is CollectionStatus.AUTHORIZED


def test_an_immediate_sale_is_captured_with_its_authorization(shop: Shop) -> None:
    payment = shop.paid("80.00", scenario="immediate_sale")
    ledger = shop.engine.retrieve_payment(payment.id)
    assert [capture.amount for capture in ledger.captures] == [Money.parse("80.00", "EUR")]
    assert ledger.payment.captured == Money.parse("80.00", "EUR")


def test_a_decline_says_why_and_places_no_order(shop: Shop) -> None:
    cart = shop.cart()
    completion = shop.complete(cart, "insufficient_funds")
    assert isinstance(completion, Refused)
    assert (completion.code, completion.retryable) == ("insufficient_funds", True)
    assert shop.engine.list_orders() == ()
    assert shop.collection_of(cart).sessions[0].status is SessionStatus.ERROR


def test_after_a_decline_the_shopper_pays_with_another_provider(shop: Shop) -> None:
    cart = shop.cart()
    shop.complete(cart, "decline")
    assert isinstance(shop.complete(cart, provider=CASH), OrderPlaced)


def test_a_cart_that_costs_nothing_is_ordered_without_a_payment(shop: Shop) -> None:
    completion = shop.engine.complete_cart(shop.cart("0.00").id)
    assert isinstance(completion, OrderPlaced)
    assert completion.payment_collection is None


def test_a_pending_payment_is_processing_and_places_no_order_by_itself(shop: Shop) -> None:
    cart = shop.cart()
    assert isinstance(shop.complete(cart, "pending"), Processing)
    assert isinstance(shop.engine.complete_cart(cart.id), Processing)
    assert shop.engine.list_orders() == ()


def test_where_the_region_consents_an_order_waits_for_its_money(shop: Shop) -> None:
    cart = shop.cart("9.500", "KWD")
    completion = shop.complete(cart, "pending")
    assert isinstance(completion, OrderPlaced)
    assert not completion.is_paid
    (order,) = shop.engine.list_orders()
    assert not order.is_paid
    assert shop.collection_of(cart).sessions[0].status is SessionStatus.PENDING_AUTHORIZATION


def test_every_step_is_in_the_history(shop: Shop) -> None:
    cart = shop.cart()
    shop.complete(cart)
    events = [event.name for event in shop.engine.list_events(shop.collection_of(cart).id)]
    assert events == [
        "payment.payment_collection.created",
        "payment.payment_session.created",
        "kassa.operation.in_flight",
        "kassa.operation.succeeded",
        "kassa.operation.in_flight",
        "payment.payment_session.authorized",
        "payment.payment.created",
        "kassa.operation.succeeded",
        "order.placed",
    ]


def test_a_custom_flow_pays_an_amount_that_no_cart_stands_behind(shop: Shop) -> None:
    collection = shop.engine.create_custom_payment_collection("eu", Money.parse("20.00", "EUR"))
    session = shop.engine.create_payment_session(collection.id, CARDS)
    authorized = shop.engine.authorize_payment_session(session.id)
    assert authorized.status is SessionStatus.AUTHORIZED
    (payment,) = shop.engine.retrieve_payment_collection(collection.id).payments
    assert shop.engine.capture_payment(payment.id).captured == Money.parse("20.00", "EUR")
