"""What may still be captured, refunded, canceled: arithmetic that must hold for any payment."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kassa.amounts import cancelable, capturable, collection_status, refundable
from kassa.model import CollectionStatus, Payment, PaymentCollection, PaymentSession
from kassa.transitions import SessionStatus
from kassa_sdk import Money, Portions, Shopper

NOW = datetime(2026, 1, 1, tzinfo=UTC)
amounts = st.integers(min_value=0, max_value=10**6)


def payment(  # every amount of a payment
    amount: int, captured: int = 0, capturing: int = 0, refunded: int = 0, refunding: int = 0, canceled: int = 0
) -> Payment:
    """A payment with these amounts in cents."""
    return Payment(
        id="pay",
        store_id="default",
        payment_collection_id="pay_col",
        payment_session_id="payses",
        provider_id="pp",
        provider_reference="theirs",
        amount=Money(amount, "EUR"),
        captured=Money(captured, "EUR"),
        capturing=Money(capturing, "EUR"),
        refunded=Money(refunded, "EUR"),
        refunding=Money(refunding, "EUR"),
        canceled=Money(canceled, "EUR"),
        returned=Money(0, "EUR"),
        created_at=NOW,
        updated_at=NOW,
        captured_at=None,
        canceled_at=None,
    )


@given(amount=amounts, captured=amounts, capturing=amounts, canceled=amounts, portions=st.sampled_from(Portions))
def test_capturing_all_that_is_capturable_never_takes_more_than_was_authorized(
    amount: int, captured: int, capturing: int, canceled: int, portions: Portions
) -> None:
    left = capturable(payment(amount, captured, capturing, canceled=canceled), portions)
    assert left.minor >= 0
    assert left.minor == 0 or captured + capturing + canceled + left.minor <= amount


@given(captured=amounts, refunded=amounts, refunding=amounts, portions=st.sampled_from(Portions))
def test_refunding_all_that_is_refundable_never_returns_more_than_was_captured(
    captured: int, refunded: int, refunding: int, portions: Portions
) -> None:
    left = refundable(payment(10**6, captured, refunded=refunded, refunding=refunding), portions)
    assert left.minor >= 0
    assert left.minor == 0 or refunded + refunding + left.minor <= captured


def test_what_is_in_doubt_counts_as_captured() -> None:
    assert capturable(payment(100, captured=40, capturing=60), Portions.MULTIPLE) == Money(0, "EUR")


def test_a_provider_that_captures_once_has_nothing_left_after_a_part() -> None:
    assert capturable(payment(100, captured=40), Portions.PARTIAL) == Money(0, "EUR")


def test_a_provider_that_captures_never_has_nothing_to_capture() -> None:
    assert capturable(payment(100), Portions.NONE) == Money(0, "EUR")


def test_nothing_can_be_canceled_while_a_capture_is_in_doubt() -> None:
    assert cancelable(payment(100, capturing=1), Portions.MULTIPLE) == Money(0, "EUR")


def test_the_rest_can_be_canceled_where_captures_are_many() -> None:
    assert cancelable(payment(100, captured=40), Portions.MULTIPLE) == Money(60, "EUR")


def session(status: SessionStatus, place: int | None = 0) -> PaymentSession:
    """The session of a payment, or of none yet."""
    return PaymentSession(
        id="payses",
        store_id="default",
        payment_collection_id="pay_col",
        place=place,
        provider_id="pp",
        region_id="eu",
        amount=Money(100, "EUR"),
        status=status,
        provider_reference=None,
        data={},
        shopper=Shopper(),
        action=None,
        failure=None,
        created_at=NOW,
        updated_at=NOW,
    )


def paid(payment: Payment, *, place: int | None = 0) -> PaymentCollection:
    """A collection of 1.00 EUR with a payment."""
    status = SessionStatus.CANCELED if payment.canceled == payment.amount else SessionStatus.AUTHORIZED
    return collection(session(status, place), payments=(payment,))


def collection(*sessions: PaymentSession, payments: tuple[Payment, ...] = ()) -> PaymentCollection:
    """A collection of 1.00 EUR."""
    return PaymentCollection(
        id="pay_col",
        store_id="default",
        region_id="eu",
        cart_id=None,
        order_id=None,
        order_is_paid=False,
        amount=Money(100, "EUR"),
        sessions=sessions,
        payments=payments,
        created_at=NOW,
        updated_at=NOW,
        completed_at=None,
    )


def test_a_collection_is_as_paid_as_its_amounts_say() -> None:
    told = {
        collection_status(collection()): CollectionStatus.NOT_PAID,
        collection_status(collection(session(SessionStatus.PENDING))): CollectionStatus.AWAITING,
        collection_status(collection(session(SessionStatus.ERROR))): CollectionStatus.FAILED,
        collection_status(paid(payment(40))): CollectionStatus.PARTIALLY_AUTHORIZED,
        collection_status(paid(payment(100))): CollectionStatus.AUTHORIZED,
        collection_status(paid(payment(100, captured=40))): CollectionStatus.PARTIALLY_CAPTURED,
        collection_status(paid(payment(100, captured=100))): CollectionStatus.COMPLETED,
        collection_status(paid(payment(100, canceled=100))): CollectionStatus.CANCELED,
    }
    assert all(found is expected for found, expected in told.items())
    assert set(told) == set(CollectionStatus)


def test_money_that_is_given_back_pays_nothing() -> None:
    assert collection_status(paid(payment(100, captured=100), place=None)) is CollectionStatus.CANCELED
