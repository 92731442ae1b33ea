"""An action is required: show it, let the shopper answer, retry."""

import pytest

from kassa import ActionNeeded, NotAllowed, OrderPlaced, Refused
from kassa.transitions import OperationStatus, SessionStatus

from ..conftest import Shop


@pytest.mark.parametrize(
    ("scenario", "action"),
    [("challenge", "challenge"), ("redirect", "redirect"), ("qr_code", "qr_code"), ("wait", "wait")],
)
def test_a_required_action_is_shown_answered_and_the_cart_completed(shop: Shop, scenario: str, action: str) -> None:
    cart = shop.cart()
    needed = shop.complete(cart, scenario)
    assert isinstance(needed, ActionNeeded)
    assert needed.action.type == action
    reference = needed.payment_session.provider_reference
    assert reference is not None
    shop.simulator.control.answer_challenge(reference, "approve")
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)


def test_before_the_shopper_has_acted_the_action_is_asked_for_again(shop: Shop) -> None:
    cart = shop.cart()
    first = shop.complete(cart, "challenge")
    again = shop.engine.complete_cart(cart.id)
    assert isinstance(first, ActionNeeded)
    assert isinstance(again, ActionNeeded)
    assert again.action == first.action


def test_an_action_that_fails_is_a_decline_and_the_shopper_may_try_again(shop: Shop) -> None:
    cart = shop.cart()
    needed = shop.complete(cart, "challenge")
    assert isinstance(needed, ActionNeeded)
    shop.simulator.control.answer_challenge(needed.payment_session.provider_reference or "", "decline")
    refused = shop.engine.complete_cart(cart.id)
    assert isinstance(refused, Refused)
    assert isinstance(shop.complete(cart), OrderPlaced)


def test_the_answer_of_the_shopper_is_given_to_the_provider_without_completing_the_cart(shop: Shop) -> None:
    cart = shop.cart()
    needed = shop.complete(cart, "challenge")
    assert isinstance(needed, ActionNeeded)
    shop.simulator.control.answer_challenge(needed.payment_session.provider_reference or "", "approve")
    session = shop.engine.answer_action(needed.payment_session.id, {"came": "back"})
    assert session.status is SessionStatus.AUTHORIZED
    assert shop.engine.list_orders() == ()
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)


def test_all_of_it_is_one_operation_with_a_key_for_each_attempt(shop: Shop) -> None:
    cart = shop.cart()
    needed = shop.complete(cart, "challenge")
    assert isinstance(needed, ActionNeeded)
    shop.engine.complete_cart(cart.id)
    shop.simulator.control.answer_challenge(needed.payment_session.provider_reference or "", "approve")
    shop.engine.complete_cart(cart.id)
    _, authorization = shop.engine.list_operations(needed.payment_session.payment_collection_id)
    assert authorization.status is OperationStatus.SUCCEEDED
    assert authorization.attempt_key == f"{authorization.id}-action-3"


def test_a_session_that_waits_for_nothing_takes_no_answer(shop: Shop) -> None:
    session = shop.session(shop.cart())
    with pytest.raises(NotAllowed, match="does not wait for an action"):
        shop.engine.answer_action(session.id, {})


def test_after_the_action_the_session_has_no_action_any_more(shop: Shop) -> None:
    cart = shop.cart()
    needed = shop.complete(cart, "redirect")
    assert isinstance(needed, ActionNeeded)
    shop.simulator.control.answer_challenge(needed.payment_session.provider_reference or "", "approve")
    shop.engine.complete_cart(cart.id)
    assert shop.engine.retrieve_payment_session(needed.payment_session.id).action is None
