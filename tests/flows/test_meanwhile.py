"""Something else happens while a provider is being asked: another tab, an operator, a slow answer."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from kassa import Conflict, KassaError, Money, NewItem, NotAllowed, OrderPlaced, Processing, StillProcessing
from kassa.model import Operation, OperationKind
from kassa.transitions import OperationStatus
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, CASH, Shop

AnswerT = TypeVar("AnswerT")
DEAR = [NewItem(title="A dear thing", quantity=1, unit_price=Money.parse("500.00", "EUR"))]


def while_the_provider_is_slow(
    shop: Shop, hook: str, ask: Callable[[], object], meanwhile: Callable[[], AnswerT]
) -> tuple[object, AnswerT | KassaError]:
    """Ask, and do something else before the provider has answered.  Returns what both came to."""
    shop.simulator.control.add_fault(Fault.ANSWER_LATE, hook, seconds=0.6)  # type: ignore[arg-type]  # one of its calls
    with ThreadPoolExecutor(1) as pool:
        asked: Future[object] = pool.submit(_answer_or_error, ask)
        while not asked.done() and not any(map(_is_under_way, shop.engine.list_operations_in_doubt())):
            pass
        other = _answer_or_error(meanwhile)
        return asked.result(), other


def _is_under_way(operation: Operation) -> bool:
    return operation.status is OperationStatus.IN_FLIGHT


def _answer_or_error(work: Callable[[], AnswerT]) -> AnswerT | KassaError:
    try:
        return work()
    except KassaError as error:
        return error


def test_an_order_is_never_placed_for_more_than_was_authorized(shop: Shop) -> None:
    cart = shop.cart("50.00")
    shop.session(cart)

    def another_tab() -> object:
        shop.engine.replace_cart_items(cart.id, DEAR)
        return shop.engine.create_payment_collection(cart.id)

    while_the_provider_is_slow(shop, "authorize", lambda: shop.engine.complete_cart(cart.id), another_tab)
    orders = shop.engine.list_orders()
    assert all(order.total == Money.parse("50.00", "EUR") for order in orders)


def test_the_amount_of_a_collection_stays_while_it_is_being_paid(shop: Shop) -> None:
    cart = shop.cart("50.00")
    session = shop.session(cart)
    _, refused = while_the_provider_is_slow(
        shop,
        "authorize",
        lambda: shop.engine.authorize_payment_session(session.id),
        lambda: shop.engine.replace_cart_items(cart.id, DEAR),
    )
    assert isinstance(refused, NotAllowed)
    assert shop.collection_of(cart).amount == Money.parse("50.00", "EUR")


def test_no_order_is_placed_for_a_payment_that_is_being_canceled(shop: Shop) -> None:
    cart = shop.cart("50.00")
    session = shop.session(cart)
    shop.engine.authorize_payment_session(session.id)
    (payment,) = shop.collection_of(cart).payments
    canceled, completion = while_the_provider_is_slow(
        shop,
        "cancel",
        lambda: shop.engine.cancel_payment(payment.id),
        lambda: shop.engine.complete_cart(cart.id),
    )
    assert not isinstance(canceled, KassaError)
    assert not isinstance(completion, OrderPlaced)
    assert shop.engine.list_orders() == ()


def test_nothing_is_captured_while_the_payment_is_being_canceled(shop: Shop) -> None:
    payment = shop.paid("50.00")
    _, refused = while_the_provider_is_slow(
        shop,
        "cancel",
        lambda: shop.engine.cancel_payment(payment.id),
        lambda: shop.engine.capture_payment(payment.id),
    )
    assert isinstance(refused, StillProcessing)


def test_a_second_cancellation_waits_for_the_first(shop: Shop) -> None:
    payment = shop.paid("50.00")
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "cancel")
    for _ in range(2):
        with pytest.raises(StillProcessing):
            shop.engine.cancel_payment(payment.id)


def test_a_session_is_not_handed_out_again_while_it_is_being_closed(shop: Shop) -> None:
    cart = shop.cart()
    shop.session(cart)
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "cancel")
    with pytest.raises(StillProcessing):
        shop.session(cart, provider=CASH)
    with pytest.raises(StillProcessing):
        shop.session(cart)


def test_a_cart_that_became_free_is_not_ordered_at_another_price(shop: Shop) -> None:
    cart = shop.cart("0.00")
    snapshot = shop.engine.retrieve_cart(cart.id)
    shop.engine.replace_cart_items(cart.id, DEAR)
    assert not snapshot.total
    with pytest.raises(NotAllowed, match="has no payment collection"):
        shop.engine.complete_cart(cart.id)


def test_a_cart_that_costs_nothing_any_more_is_ordered_after_its_payment_is_given_up(shop: Shop) -> None:
    cart = shop.cart("50.00")
    session = shop.session(cart)
    shop.engine.replace_cart_items(cart.id, [NewItem(title="A gift", quantity=1, unit_price=Money(0, "EUR"))])
    with pytest.raises(NotAllowed, match="costs nothing now; give up its payment"):
        shop.engine.complete_cart(cart.id)
    shop.engine.delete_payment_session(session.id)
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)


def test_the_shopper_s_answer_is_asked_for_even_when_the_cart_has_changed(shop: Shop) -> None:
    cart = shop.cart("50.00")
    needed = shop.complete(cart, "challenge")
    reference = shop.collection_of(cart).sessions[0].provider_reference or ""
    shop.simulator.control.answer_challenge(reference, "approve")
    with pytest.raises(NotAllowed, match="is being paid"):
        shop.engine.replace_cart_items(cart.id, DEAR)
    assert not isinstance(needed, OrderPlaced)
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)


def test_an_order_that_waited_in_vain_can_be_paid_another_way(shop: Shop) -> None:
    cart = shop.cart("9.500", "KWD")
    placed = shop.complete(cart, "pending")
    assert isinstance(placed, OrderPlaced)
    reference = shop.collection_of(cart).sessions[0].provider_reference or ""
    shop.simulator.control.do("decline", reference, code="debit_rejected")
    _look_again_at(shop, cart.id, OperationKind.AUTHORIZE)
    again = shop.complete(cart, provider=CASH)
    assert isinstance(again, OrderPlaced)
    assert (again.order_id, again.is_paid) == (placed.order_id, True)
    (order,) = shop.engine.list_orders()
    assert order.is_paid


def test_an_order_that_waited_for_its_money_is_paid_when_it_comes(shop: Shop) -> None:
    cart = shop.cart("9.500", "KWD")
    placed = shop.complete(cart, "pending")
    assert isinstance(placed, OrderPlaced)
    reference = shop.collection_of(cart).sessions[0].provider_reference or ""
    shop.simulator.control.do("settle", reference)
    _look_again_at(shop, cart.id, OperationKind.AUTHORIZE)
    completion = shop.engine.complete_cart(cart.id)
    assert isinstance(completion, OrderPlaced)
    assert (completion.order_id, completion.is_paid) == (placed.order_id, True)
    (order,) = shop.engine.list_orders()
    assert order.is_paid


def _look_again_at(shop: Shop, cart_id: str, kind: OperationKind) -> None:
    collection_id = shop.engine.create_payment_collection(cart_id).id
    (operation,) = [each for each in shop.engine.list_operations(collection_id) if each.kind is kind]
    shop.engine.look_again(operation.id)


@pytest.mark.parametrize("reason", ["broken\x00", "x" * 2000])
def test_a_reason_that_no_database_keeps_is_refused_before_anything_is_sent(shop: Shop, reason: str) -> None:
    payment = shop.paid("50.00")
    shop.engine.capture_payment(payment.id)
    with pytest.raises(KassaError, match="reason: expected"):
        shop.engine.refund_payment(payment.id, reason=reason)
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    assert shop.books(session, "refunded") == []


def test_a_changed_cart_is_told_before_anything_is_authorized_in_a_custom_flow_too(shop: Shop) -> None:
    cart = shop.cart("50.00")
    session = shop.session(cart)
    shop.engine.replace_cart_items(cart.id, DEAR)
    with pytest.raises(Conflict, match=r"500\.00 EUR is owed now; update it"):
        shop.engine.authorize_payment_session(session.id)
    assert shop.books(session, "authorized") == []


def test_a_processing_completion_names_the_operation_to_ask_about(shop: Shop) -> None:
    cart = shop.cart("50.00")
    session = shop.session(cart)
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "authorize")
    processing = shop.engine.complete_cart(cart.id)
    assert isinstance(processing, Processing)
    assert processing.operation_id is not None
    assert shop.engine.look_again(processing.operation_id).status is OperationStatus.SUCCEEDED
    assert shop.books(session, "authorized") == [5000]
    assert CARDS == session.provider_id
