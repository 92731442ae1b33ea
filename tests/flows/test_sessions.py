"""Sessions: one live one a collection; changing one's mind never leaves two that can be paid."""

from contextlib import closing

import pytest

from kassa import Conflict, KeyReused, Money, NewItem, NotAllowed, OrderPlaced
from kassa.carts import CartChanges
from kassa.config import parse
from kassa.model import PaymentSession
from kassa.opening import assemble
from kassa.transitions import OperationStatus, SessionStatus
from kassa_sdk import Address, Shopper
from kassa_simulator.process import SimulatorProcess

from ..conftest import CARDS, CASH, Shop


def statuses(shop: Shop, cart_id: str) -> list[SessionStatus]:
    """The statuses of a cart's sessions, oldest first."""
    return [session.status for session in shop.engine.create_payment_collection(cart_id).sessions]


def test_a_cart_has_one_collection_however_often_it_is_asked_for(shop: Shop) -> None:
    cart = shop.cart()
    assert shop.collection_of(cart).id == shop.collection_of(cart).id


def test_the_same_request_again_gets_the_same_session(shop: Shop) -> None:
    cart = shop.cart()
    assert shop.session(cart).id == shop.session(cart).id


def test_another_provider_replaces_the_session_after_the_first_is_closed_at_its_provider(shop: Shop) -> None:
    cart = shop.cart()
    first = shop.session(cart)
    second = shop.session(cart, provider=CASH)
    assert shop.engine.retrieve_payment_session(first.id).status is SessionStatus.CANCELED
    assert shop.engine.retrieve_payment_session(second.id).status is SessionStatus.PENDING
    assert shop.simulator.control.payment(first.provider_reference or "")["status"] == "canceled"


def test_a_session_that_waits_for_the_shopper_can_be_replaced_too(shop: Shop) -> None:
    cart = shop.cart()
    shop.complete(cart, "challenge")
    assert isinstance(shop.complete(cart, provider=CASH), OrderPlaced)
    first, second = shop.engine.create_payment_collection(cart.id).sessions
    assert (first.status, second.status) == (SessionStatus.CANCELED, SessionStatus.AUTHORIZED)
    given_up = shop.engine.list_operations(first.payment_collection_id)[1]
    assert given_up.status is OperationStatus.FAILED
    assert given_up.cause == "its session was closed at the provider"


def test_an_authorized_session_is_not_replaced(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    shop.engine.authorize_payment_session(session.id)
    with pytest.raises(NotAllowed, match="is authorized; complete the cart, or cancel its payment first"):
        shop.session(cart, provider=CASH)


def test_after_the_payment_is_canceled_the_cart_can_be_paid_another_way(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    shop.engine.authorize_payment_session(session.id)
    (payment,) = shop.collection_of(cart).payments
    shop.engine.cancel_payment(payment.id)
    assert isinstance(shop.complete(cart, provider=CASH), OrderPlaced)


def test_a_completed_collection_takes_no_session(shop: Shop) -> None:
    cart = shop.cart()
    shop.complete(cart)
    with pytest.raises(NotAllowed, match="is completed; its order is order_"):
        shop.session(cart, provider=CASH)


def test_a_deleted_session_is_closed_at_the_provider_and_frees_its_place(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    shop.engine.delete_payment_session(session.id)
    shop.engine.delete_payment_session(session.id)
    assert statuses(shop, cart.id) == [SessionStatus.CANCELED]
    assert shop.simulator.control.payment(session.provider_reference or "")["status"] == "canceled"


def test_a_session_follows_the_total_of_its_cart(shop: Shop) -> None:
    cart = shop.cart("50.00")
    session = shop.session(cart)
    dearer = [NewItem(title="Two things", quantity=2, unit_price=Money.parse("50.00", "EUR"))]
    shop.engine.replace_cart_items(cart.id, dearer)
    updated = shop.engine.update_payment_session(session.id)
    assert (updated.id, updated.amount) == (session.id, Money.parse("100.00", "EUR"))
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)
    assert shop.books(updated, "authorized") == [10000]


def test_a_cart_that_changed_is_not_completed_with_the_old_amount(shop: Shop) -> None:
    cart = shop.cart("50.00")
    session = shop.session(cart)
    cheaper = [NewItem(title="A thing", quantity=1, unit_price=Money.parse("20.00", "EUR"))]
    shop.engine.replace_cart_items(cart.id, cheaper)
    with pytest.raises(Conflict, match=r"20\.00 EUR is owed now; update it"):
        shop.engine.complete_cart(cart.id)
    assert shop.books(session, "authorized") == []


def test_a_cart_that_is_being_paid_does_not_change(shop: Shop) -> None:
    cart = shop.cart()
    shop.complete(cart, "challenge")
    with pytest.raises(NotAllowed, match="is being paid"):
        shop.engine.replace_cart_items(cart.id, [])


def test_an_ordered_cart_does_not_change(shop: Shop) -> None:
    cart = shop.cart()
    shop.complete(cart)
    with pytest.raises(NotAllowed, match="is ordered already"):
        shop.engine.replace_cart_items(cart.id, [])


def test_a_session_that_the_provider_declines_at_once_can_be_replaced(shop: Shop) -> None:
    cart = shop.cart()
    with pytest.raises(Exception, match="account_blocked"):
        shop.session(cart, "initiate_declined")
    assert isinstance(shop.complete(cart), OrderPlaced)
    assert statuses(shop, cart.id) == [SessionStatus.CANCELED, SessionStatus.AUTHORIZED]


def test_the_data_that_the_provider_returns_is_for_the_storefront(shop: Shop) -> None:
    session = shop.session(shop.cart())
    assert session.data["payment_id"] == session.provider_reference
    assert session.provider_id == CARDS


RULE = """
[[regions.eu.rules]]
provider = "cards"
countries = ["DE"]
reason = "Cards from Germany only"
"""


def test_a_session_is_authorized_for_who_is_in_its_cart_then_or_not_at_all(
    configured: str, simulator: SimulatorProcess
) -> None:
    rules = configured.replace("[regions.jp]", RULE + "\n[regions.jp]")
    with closing(assemble(parse(rules))) as engine:
        shop = Shop(engine, simulator)
        cart = engine.update_cart(shop.cart().id, CartChanges(shipping_address=Address(country_code="DE")))
        session = shop.session(cart)
        engine.update_cart(cart.id, CartChanges(shipping_address=Address(country_code="FR")))
        with pytest.raises(NotAllowed, match="is not offered here: Cards from Germany only"):
            engine.complete_cart(cart.id)
        assert shop.books(session, "authorized") == []
        there = Address(country_code="DE", city="Bremen")
        engine.update_cart(cart.id, CartChanges(shipping_address=there))
        assert isinstance(engine.complete_cart(cart.id), OrderPlaced)
        assert engine.retrieve_payment_session(session.id).shopper.shipping_address == there
        sent = engine.list_operations(session.payment_collection_id)[-1]
        assert "Bremen" in sent.request


def test_a_session_leads_back_to_where_it_says_and_its_cart_is_not_asked(shop: Shop) -> None:
    cart = shop.cart()
    collection = shop.collection_of(cart)

    def leading_to(url: str, key: str) -> PaymentSession:
        who = Shopper(return_url=url)
        return shop.engine.create_payment_session(collection.id, CARDS, {}, who, idempotency_key=key)

    first = leading_to("https://shop.example/a", "key-1")
    assert first.shopper.return_url == "https://shop.example/a"
    with pytest.raises(KeyReused):
        leading_to("https://shop.example/b", "key-1")
    assert shop.engine.retrieve_payment_session(first.id).shopper.return_url == "https://shop.example/a"
    other = leading_to("https://shop.example/b", "key-2")
    assert (other.id == first.id, other.shopper.return_url) == (False, "https://shop.example/b")
    shop.engine.complete_cart(cart.id)
    assert leading_to("https://shop.example/b", "key-2").id == other.id
