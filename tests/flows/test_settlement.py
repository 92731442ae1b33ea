"""After the order: capture, refund, cancel, in whole and in parts, and never too much."""

import pytest

from kassa import InvalidData, Money, NotAllowed, PaymentDeclined
from kassa.amounts import collection_status
from kassa.model import CollectionStatus, Payment, PaymentStatus
from kassa_sdk import ExcessPrecision

from ..conftest import CARDS, CASH, Shop


def eur(amount: str) -> Money:
    """An amount in EUR."""
    return Money.parse(amount, "EUR")


def books(shop: Shop, payment: Payment, *types: str) -> list[int]:
    """What the provider has in its books for a payment, in cents."""
    effects = shop.simulator.control.effects(*types)
    return [effect["amount"] for effect in effects if effect["payment_id"] == payment.provider_reference]


@pytest.mark.parametrize("provider", [CARDS, CASH])
def test_all_is_captured_when_no_amount_is_given(shop: Shop, provider: str) -> None:
    payment = shop.paid(provider=provider)
    assert shop.engine.capture_payment(payment.id).captured == eur("100.00")


def test_the_provider_takes_exactly_what_is_captured(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id, eur("10.00"))
    shop.engine.capture_payment(payment.id, eur("25.50"))
    assert books(shop, payment, "captured") == [1000, 2550]


def test_several_captures_and_refunds_are_in_the_ledger(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id, eur("60.00"))
    shop.engine.capture_payment(payment.id)
    shop.engine.refund_payment(payment.id, eur("10.00"), "scratched")
    shop.engine.refund_payment(payment.id, eur("15.00"))
    ledger = shop.engine.retrieve_payment(payment.id)
    assert [capture.amount for capture in ledger.captures] == [eur("60.00"), eur("40.00")]
    assert [(refund.amount, refund.reason) for refund in ledger.refunds] == [
        (eur("10.00"), "scratched"),
        (eur("15.00"), None),
    ]
    assert books(shop, payment, "refunded") == [1000, 1500]


def test_a_collection_is_completed_when_all_of_it_is_captured(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id)
    collection = shop.engine.retrieve_payment_collection(payment.payment_collection_id)
    assert collection_status(collection) is CollectionStatus.COMPLETED


def test_more_than_was_authorized_is_never_captured(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id, eur("60.00"))
    with pytest.raises(NotAllowed, match=r"has 40\.00 EUR left to capture, so 40\.01 EUR is too much"):
        shop.engine.capture_payment(payment.id, eur("40.01"))
    assert books(shop, payment, "captured") == [6000]


def test_all_is_not_captured_a_second_time(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id)
    with pytest.raises(NotAllowed, match=r"has 0\.00 EUR left to capture"):
        shop.engine.capture_payment(payment.id)
    assert books(shop, payment, "captured") == [10000]


def test_more_than_was_captured_is_never_refunded(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id, eur("50.00"))
    shop.engine.refund_payment(payment.id, eur("30.00"))
    with pytest.raises(NotAllowed, match=r"has 20\.00 EUR left to refund"):
        shop.engine.refund_payment(payment.id, eur("20.01"))
    assert books(shop, payment, "refunded") == [3000]


def test_what_was_never_captured_is_not_refunded(shop: Shop) -> None:
    with pytest.raises(NotAllowed, match=r"has 0\.00 EUR left to refund"):
        shop.engine.refund_payment(shop.paid().id)


@pytest.mark.parametrize("amount", [Money(0, "EUR"), Money(-1, "EUR")])
@pytest.mark.parametrize("verb", ["capture_payment", "refund_payment"])
def test_nothing_and_less_than_nothing_is_refused(shop: Shop, verb: str, amount: Money) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id, eur("50.00"))
    with pytest.raises(InvalidData, match="amount: expected more than zero"):
        getattr(shop.engine, verb)(payment.id, amount)


@pytest.mark.parametrize("verb", ["capture_payment", "refund_payment"])
def test_another_currency_is_refused(shop: Shop, verb: str) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id, eur("50.00"))
    with pytest.raises(InvalidData, match="amount: 10 JPY is not in EUR"):
        getattr(shop.engine, verb)(payment.id, Money(10, "JPY"))


@pytest.mark.parametrize(("amount", "currency"), [("0.5", "JPY"), ("1.005", "EUR"), ("1.2345", "KWD")])
def test_more_digits_than_the_currency_has_are_never_rounded(amount: str, currency: str) -> None:
    with pytest.raises(ExcessPrecision, match=f"{amount} {currency} has"):
        Money.parse(amount, currency)


def test_a_payment_is_canceled_and_the_provider_releases_it(shop: Shop) -> None:
    payment = shop.engine.cancel_payment(shop.paid().id)
    assert (payment.status, payment.canceled) == (PaymentStatus.CANCELED, eur("100.00"))
    types = [
        effect["type"]
        for effect in shop.simulator.control.effects()
        if effect.get("payment_id") == payment.provider_reference
    ]
    assert types[-1] == "canceled"


def test_a_canceled_payment_is_not_captured(shop: Shop) -> None:
    payment = shop.engine.cancel_payment(shop.paid().id)
    with pytest.raises(NotAllowed, match=r"has 0\.00 EUR left to capture"):
        shop.engine.capture_payment(payment.id)


def test_the_rest_of_a_partly_captured_payment_is_canceled(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id, eur("30.00"))
    canceled = shop.engine.cancel_payment(payment.id)
    assert (canceled.captured, canceled.canceled) == (eur("30.00"), eur("70.00"))
    assert canceled.status is PaymentStatus.AUTHORIZED


def test_what_is_captured_whole_is_refunded_not_canceled(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id)
    with pytest.raises(NotAllowed, match="refund what was captured instead"):
        shop.engine.cancel_payment(payment.id)


def test_a_declined_capture_frees_what_it_reserved(shop: Shop) -> None:
    payment = shop.paid(scenario="capture_declined")
    with pytest.raises(PaymentDeclined, match="capture_rejected"):
        shop.engine.capture_payment(payment.id)
    after = shop.engine.retrieve_payment(payment.id).payment
    assert (after.captured, after.capturing) == (eur("0.00"), eur("0.00"))


def test_a_pending_refund_stays_reserved_and_counts(shop: Shop) -> None:
    payment = shop.paid(scenario="refund_pending")
    shop.engine.capture_payment(payment.id)
    refunding = shop.engine.refund_payment(payment.id, eur("60.00"))
    assert (refunding.refunded, refunding.refunding) == (eur("0.00"), eur("60.00"))
    with pytest.raises(NotAllowed, match=r"has 40\.00 EUR left to refund"):
        shop.engine.refund_payment(payment.id, eur("60.00"))


def test_nothing_is_canceled_while_a_capture_is_in_doubt(shop: Shop) -> None:
    payment = shop.paid(scenario="capture_pending")
    shop.engine.capture_payment(payment.id, eur("10.00"))
    with pytest.raises(NotAllowed, match="captures in doubt"):
        shop.engine.cancel_payment(payment.id)
