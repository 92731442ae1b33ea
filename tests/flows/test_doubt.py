"""Nobody knows what became of a call: nothing is lost, nothing is done twice, nobody is told "failed"."""

import pytest

from kassa import Money, NotAllowed, OrderPlaced, Processing, ProviderUnavailable, StillProcessing
from kassa.transitions import OperationStatus, SessionStatus
from kassa_simulator.server.faults import Fault

from ..conftest import CASH, Shop

FATE_UNKNOWN = [Fault.ACT_THEN_CUT, Fault.ACT_THEN_SILENCE, Fault.SERVER_ERROR_AFTER_ACTING, Fault.MALFORMED_BODY]


@pytest.mark.parametrize("fault", FATE_UNKNOWN)
def test_an_authorization_whose_answer_is_lost_is_processing_and_never_sent_again(shop: Shop, fault: Fault) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    shop.simulator.control.add_fault(fault, "authorize")
    assert isinstance(shop.engine.complete_cart(cart.id), Processing)
    assert isinstance(shop.engine.complete_cart(cart.id), Processing)
    assert shop.books(session, "authorized") == [5000]
    assert shop.engine.list_orders() == ()


@pytest.mark.parametrize("fault", FATE_UNKNOWN)
def test_a_capture_whose_answer_is_lost_stays_reserved(shop: Shop, fault: Fault) -> None:
    payment = shop.paid("100.00")
    shop.simulator.control.add_fault(fault, "capture")
    with pytest.raises(StillProcessing, match="nothing is lost, ask again later"):
        shop.engine.capture_payment(payment.id, Money.parse("60.00", "EUR"))
    after = shop.engine.retrieve_payment(payment.id).payment
    assert (after.captured, after.capturing) == (Money(0, "EUR"), Money(6000, "EUR"))
    with pytest.raises(NotAllowed, match=r"has 40\.00 EUR left to capture"):
        shop.engine.capture_payment(payment.id, Money.parse("60.00", "EUR"))


def test_a_refund_whose_answer_is_lost_is_not_sent_twice(shop: Shop) -> None:
    payment = shop.paid("100.00")
    shop.engine.capture_payment(payment.id)
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "refund")
    with pytest.raises(StillProcessing):
        shop.engine.refund_payment(payment.id)
    with pytest.raises(NotAllowed, match=r"has 0\.00 EUR left to refund"):
        shop.engine.refund_payment(payment.id)
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    assert shop.books(session, "refunded") == [10000]


@pytest.mark.parametrize("fault", [Fault.TOO_MANY_REQUESTS, Fault.UNAUTHORIZED])
def test_what_the_provider_turned_away_unread_frees_the_reservation_and_may_be_tried_again(
    shop: Shop, fault: Fault
) -> None:
    payment = shop.paid("100.00")
    shop.simulator.control.add_fault(fault, "capture")
    with pytest.raises(ProviderUnavailable, match="try again"):
        shop.engine.capture_payment(payment.id)
    assert shop.engine.capture_payment(payment.id).captured == Money(10000, "EUR")


def test_a_provider_that_cannot_be_reached_leaves_the_session_as_it_was(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    shop.simulator.kill()
    try:
        with pytest.raises(ProviderUnavailable):
            shop.engine.complete_cart(cart.id)
        assert shop.engine.retrieve_payment_session(session.id).status is SessionStatus.PENDING
    finally:
        shop.simulator.restart()
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)


@pytest.mark.parametrize("fault", [Fault.WRONG_AMOUNT, Fault.WRONG_CURRENCY])
def test_an_answer_that_is_not_what_was_asked_is_reviewed_and_never_paid(shop: Shop, fault: Fault) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    shop.simulator.control.add_fault(fault, "authorize")
    assert isinstance(shop.engine.complete_cart(cart.id), Processing)
    operation = shop.engine.list_operations(session.payment_collection_id)[-1]
    assert operation.status is OperationStatus.REVIEW
    names = [event.name for event in shop.engine.list_events(session.payment_collection_id)]
    assert "kassa.alarm.review" in names
    assert shop.engine.list_orders() == ()


def test_a_session_whose_initiation_never_answered_can_be_replaced_at_once(shop: Shop) -> None:
    cart = shop.cart()
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "initiate")
    with pytest.raises(StillProcessing):
        shop.session(cart)
    assert isinstance(shop.complete(cart, provider=CASH), OrderPlaced)


def test_a_session_whose_close_is_not_confirmed_keeps_its_place(shop: Shop) -> None:
    cart = shop.cart()
    first = shop.session(cart)
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "cancel")
    with pytest.raises(StillProcessing):
        shop.session(cart, provider=CASH)
    (live,) = shop.collection_of(cart).live_sessions
    assert live.id == first.id


def test_what_is_in_doubt_has_a_next_check(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "authorize")
    shop.engine.complete_cart(cart.id)
    operation = shop.engine.list_operations(session.payment_collection_id)[-1]
    assert operation.status is OperationStatus.UNKNOWN
    assert operation.due_at is not None
    assert operation.cause


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_who_asks_again_while_nobody_knows_moves_nothing_a_second_time(shop: Shop, verb: str) -> None:
    payment = shop.paid("100.00")
    if verb == "refund":
        shop.engine.capture_payment(payment.id)
    move = getattr(shop.engine, f"{verb}_payment")
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, verb)  # type: ignore[arg-type]  # one of its operations
    for _ in range(2):
        with pytest.raises(StillProcessing, match="nothing is lost"):
            move(payment.id, Money.parse("40.00", "EUR"))
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    moved = "captured" if verb == "capture" else "refunded"
    assert shop.books(session, moved) == [4000]
    move(payment.id, Money.parse("10.00", "EUR"))
    move(payment.id, Money.parse("40.00", "EUR"), idempotency_key="another forty is meant")
    assert shop.books(session, moved) == [4000, 1000, 4000]
