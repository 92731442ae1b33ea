"""Stores (tenants): nobody sees anything of another."""

import pytest

from kassa import NotFound

from ..conftest import CARDS, Shop


def test_what_one_store_has_another_cannot_find(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    shop.engine.complete_cart(cart.id)
    payment = shop.collection_of(cart).payments[0]
    other = shop.engine.for_store("other")
    for verb, known in [
        ("retrieve_cart", cart.id),
        ("create_payment_collection", cart.id),
        ("complete_cart", cart.id),
        ("retrieve_payment_collection", session.payment_collection_id),
        ("list_events", session.payment_collection_id),
        ("list_operations", session.payment_collection_id),
        ("retrieve_payment_session", session.id),
        ("authorize_payment_session", session.id),
        ("delete_payment_session", session.id),
        ("retrieve_payment", payment.id),
        ("capture_payment", payment.id),
        ("refund_payment", payment.id),
        ("cancel_payment", payment.id),
    ]:
        with pytest.raises(NotFound, match="in this store"):
            getattr(other, verb)(known)
    with pytest.raises(NotFound, match="in this store"):
        other.create_payment_session(session.payment_collection_id, CARDS)
    assert other.list_payments() == ()
    assert other.list_orders() == ()
