"""What may still be captured, refunded or canceled, and how far a collection is paid.  Pure arithmetic, no I/O.

Amounts in doubt always count as used: only definitive failure frees them.
"""

from kassa.model import CollectionStatus, Payment, PaymentCollection
from kassa.transitions import SessionStatus
from kassa_sdk import Money, Portions


def capturable(payment: Payment, portions: Portions) -> Money:
    """The most that may be captured now."""
    used = payment.captured + payment.capturing
    return _remaining(payment.amount - payment.canceled, used, portions)


def refundable(payment: Payment, portions: Portions) -> Money:
    """The most that may be refunded now."""
    used = payment.refunded + payment.refunding
    return _remaining(payment.captured, used, portions)


def cancelable(payment: Payment, captures: Portions) -> Money:
    """What a cancellation would release: all that was not captured, while no capture is in doubt.

    A provider that captures once releases the rest by that capture; there is nothing left to cancel.
    """
    if payment.capturing or (payment.captured and captures is not Portions.MULTIPLE):
        return Money.zero(payment.amount.currency)
    left = payment.amount - payment.captured - payment.canceled
    return max(left, Money.zero(payment.amount.currency))


def _remaining(whole: Money, used: Money, portions: Portions) -> Money:
    once = portions in (Portions.FULL, Portions.PARTIAL)
    if portions is Portions.NONE or (once and used) or used >= whole:
        return Money.zero(whole.currency)
    return whole - used


def collection_status(collection: PaymentCollection) -> CollectionStatus:
    """How far the collection is paid.  Surplus money, and what is given back, pays nothing of it."""
    currency = collection.amount.currency
    places = {session.id for session in collection.sessions if session.place is not None}
    paying = [payment for payment in collection.payments if payment.payment_session_id in places]
    captured = Money.total((payment.captured for payment in paying), currency)
    promised = Money.total((payment.amount - payment.canceled for payment in paying), currency)
    if collection.payments and not promised:
        return _unpaid(collection) if collection.live_sessions else CollectionStatus.CANCELED
    if captured:
        whole = captured >= collection.amount
        return CollectionStatus.COMPLETED if whole else CollectionStatus.PARTIALLY_CAPTURED
    if promised:
        whole = promised >= collection.amount
        return CollectionStatus.AUTHORIZED if whole else CollectionStatus.PARTIALLY_AUTHORIZED
    return _unpaid(collection)


def _unpaid(collection: PaymentCollection) -> CollectionStatus:
    live = collection.live_sessions
    if not live:
        return CollectionStatus.NOT_PAID
    has_failed = any(session.status is SessionStatus.ERROR for session in live)
    return CollectionStatus.FAILED if has_failed else CollectionStatus.AWAITING
