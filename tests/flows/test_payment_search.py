"""Payments are found by words, ids and times; who keeps up with them asks for those that changed since."""

import os

from sqlalchemy import create_engine, text

from kassa import Money
from kassa.store.payment_search import Moments, PaymentSearch

from ..conftest import Clock, Shop


def found(shop: Shop, wanted: PaymentSearch) -> list[str]:
    """The ids of what fits, in their order."""
    ledgers, count = shop.engine.search_payments(wanted)
    assert len(ledgers) == count
    return [ledger.payment.id for ledger in ledgers]


def test_what_was_taken_given_back_or_given_up_since_is_what_changed_since(timed: Shop, clock: Clock) -> None:
    untouched, captured, refunded, canceled = (timed.paid().id for _ in range(4))
    timed.engine.capture_payment(refunded)
    clock.forward(hours=1)
    since = clock.now
    assert found(timed, PaymentSearch(updated=Moments(gte=since))) == []
    clock.forward(minutes=1)
    timed.engine.capture_payment(captured, Money.parse("10.00", "EUR"))
    clock.forward(minutes=1)
    timed.engine.refund_payment(refunded)
    clock.forward(minutes=1)
    timed.engine.cancel_payment(canceled)
    changed = PaymentSearch(updated=Moments(gte=since), order="updated_at")
    assert found(timed, changed) == [captured, refunded, canceled]
    assert found(timed, PaymentSearch(updated=Moments(lt=since))) == [untouched]


def test_payments_are_found_by_when_they_were_made(timed: Shop, clock: Clock) -> None:
    first = timed.paid().id
    clock.forward(hours=1)
    second = timed.paid().id
    assert found(timed, PaymentSearch(created=Moments(gt=clock.now))) == []
    assert found(timed, PaymentSearch(created=Moments(gte=clock.now))) == [second]
    assert found(timed, PaymentSearch(created=Moments(lt=clock.now))) == [first]
    assert found(timed, PaymentSearch(order="created_at")) == [first, second]


def test_payments_are_found_by_what_their_ids_and_references_begin_with(shop: Shop) -> None:
    payment, _ = shop.paid(), shop.paid()
    for words in (payment.id, payment.provider_reference, payment.payment_session_id, payment.payment_collection_id):
        assert found(shop, PaymentSearch(text=words)) == [payment.id]
    assert found(shop, PaymentSearch(text="%")) == []
    assert found(shop, PaymentSearch(ids=(payment.id, "pay_none"))) == [payment.id]
    assert found(shop, PaymentSearch(session_ids=(payment.payment_session_id,))) == [payment.id]


def test_a_payment_of_a_process_that_still_runs_the_release_before_is_loaded_and_moved(shop: Shop) -> None:
    payment = shop.paid()
    engine = create_engine(os.environ["SHOP_DATABASE"].replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE payments SET updated_at = NULL"))
    engine.dispose()
    assert shop.engine.retrieve_payment(payment.id).payment.updated_at == payment.created_at
    assert shop.engine.capture_payment(payment.id).captured == payment.amount
