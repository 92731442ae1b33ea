"""What comes after an order beside its payment: the shop's reasons for refunds, and what is owed beyond the price."""

import pytest

from kassa import InvalidData, Money, NotAllowed, NotFound
from kassa.model import Payment
from kassa.refund_reasons import ReasonChanges
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, CASH, Shop
from .test_at_once import at_once


def eur(amount: str) -> Money:
    """An amount in EUR."""
    return Money.parse(amount, "EUR")


def ordered(shop: Shop) -> tuple[str, Payment]:
    """The id of an order, and its payment, which is captured."""
    payment = shop.engine.capture_payment(shop.paid("100.00").id)
    order_id = shop.engine.retrieve_payment_collection(payment.payment_collection_id).order_id
    assert order_id is not None
    return order_id, payment


def test_a_refund_says_its_reason_also_when_the_reason_is_not_offered_any_more(shop: Shop) -> None:
    _, payment = ordered(shop)
    reason = shop.engine.create_refund_reason("chipped", "Chipped")
    shop.engine.refund_payment(payment.id, eur("5.00"), "the blue cup", refund_reason_id=reason.id)
    shop.engine.delete_refund_reason(reason.id)
    ledger = shop.engine.retrieve_payment(payment.id)
    assert [(each.reason, each.refund_reason_id) for each in ledger.refunds] == [("the blue cup", reason.id)]
    assert shop.engine.refund_reasons_of([ledger]) == {reason.id: reason}
    assert shop.engine.list_refund_reasons() == ((), 0)


def test_a_refund_whose_answer_is_lost_keeps_its_reason(shop: Shop) -> None:
    _, payment = ordered(shop)
    reason = shop.engine.create_refund_reason("late", "Late")
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "refund")
    with pytest.raises(Exception, match="nothing is lost"):
        shop.engine.refund_payment(payment.id, eur("5.00"), refund_reason_id=reason.id)
    (operation,) = shop.engine.list_operations_in_doubt()
    shop.engine.look_again(operation.id)
    assert [each.refund_reason_id for each in shop.engine.retrieve_payment(payment.id).refunds] == [reason.id]


def test_a_reason_of_another_store_is_no_reason(shop: Shop) -> None:
    _, payment = ordered(shop)
    theirs = shop.engine.for_store("other").create_refund_reason("late", "Late")
    with pytest.raises(NotFound, match="there is no refund reason"):
        shop.engine.refund_payment(payment.id, eur("5.00"), refund_reason_id=theirs.id)
    assert shop.engine.retrieve_payment(payment.id).refunds == ()


def test_a_code_is_the_code_of_one_reason(shop: Shop) -> None:
    first = shop.engine.create_refund_reason("late", "Late")
    second = shop.engine.create_refund_reason("broken", "Broken", "it was so when it came")
    with pytest.raises(InvalidData, match=r"^code: 'late' is the code of another reason already"):
        shop.engine.create_refund_reason("late", "Again")
    with pytest.raises(InvalidData, match=r"^code: 'late' is the code of another reason already"):
        shop.engine.update_refund_reason(second.id, ReasonChanges(code="late"))
    changed = shop.engine.update_refund_reason(second.id, ReasonChanges(label="Very broken"))
    assert (changed.code, changed.label, changed.description) == ("broken", "Very broken", second.description)
    shop.engine.delete_refund_reason(first.id)
    assert shop.engine.create_refund_reason("late", "Too late").code == "late"


def test_what_is_owed_for_an_order_beyond_its_price_is_a_collection_of_its_own(shop: Shop) -> None:
    order_id, _ = ordered(shop)
    debt = shop.engine.create_payment_collection_for_order(order_id, eur("12.50"))
    assert (debt.for_order_id, debt.order_id, debt.cart_id) == (order_id, None, None)
    with pytest.raises(NotFound, match="no payment collection of this store has paid an order order_nobody"):
        shop.engine.create_payment_collection_for_order("order_nobody", eur("1.00"))
    with pytest.raises(InvalidData, match=r"^amount: expected an amount in EUR"):
        shop.engine.create_payment_collection_for_order(order_id, Money.parse("100", "JPY"))


@pytest.mark.parametrize("provider", [CARDS, CASH])
def test_many_who_mark_as_paid_take_it_once(shop: Shop, provider: str) -> None:
    order_id, _ = ordered(shop)
    debt = shop.engine.create_payment_collection_for_order(order_id, eur("12.50"))
    at_once(lambda: shop.engine.mark_as_paid(debt.id, provider))
    paid = shop.engine.mark_as_paid(debt.id, provider)
    assert paid.captured == eur("12.50")
    assert len(shop.engine.retrieve_payment_collection(debt.id).payments) == 1


def test_the_collection_of_a_cart_is_completed_and_never_marked_as_paid(shop: Shop) -> None:
    cart = shop.cart()
    collection = shop.engine.create_payment_collection(cart.id)
    with pytest.raises(NotAllowed, match="complete the cart instead"):
        shop.engine.mark_as_paid(collection.id, CASH)
    with pytest.raises(NotAllowed, match="change the cart instead"):
        shop.engine.delete_payment_collection(collection.id)


def test_what_is_given_up_cannot_be_paid_any_more(shop: Shop) -> None:
    order_id, _ = ordered(shop)
    debt = shop.engine.create_payment_collection_for_order(order_id, eur("12.50"))
    session = shop.engine.create_payment_session(debt.id, CARDS)
    with pytest.raises(NotAllowed, match="has sessions or payments; give them up first"):
        shop.engine.delete_payment_collection(debt.id)
    shop.engine.delete_payment_session(session.id)
    shop.engine.delete_payment_collection(debt.id)
    shop.engine.delete_payment_collection(debt.id)
    with pytest.raises(NotAllowed, match="was deleted; create another one"):
        shop.engine.create_payment_session(debt.id, CARDS)
    with pytest.raises(NotAllowed, match="was deleted; create another one"):
        shop.engine.mark_as_paid(debt.id, CASH)


def test_cash_is_not_taken_from_the_card_that_somebody_else_has_authorized(shop: Shop) -> None:
    order_id, _ = ordered(shop)
    debt = shop.engine.create_payment_collection_for_order(order_id, eur("12.50"))
    session = shop.engine.create_payment_session(debt.id, CARDS)
    shop.engine.authorize_payment_session(session.id)
    with pytest.raises(NotAllowed, match="is authorized with pp_simulator_cards; capture that, or give it up first"):
        shop.engine.mark_as_paid(debt.id, CASH)
    assert shop.books(session, "captured") == []
