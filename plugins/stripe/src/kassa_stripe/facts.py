"""What Stripe's objects say about a payment, as facts in cumulative totals.

One translation for answers, look-ups and notices.  Amounts and currencies are Stripe's own; nothing is filled in from the
request, so that a difference is seen.
"""

import kassa_sdk
from kassa_sdk import DisputeStatus, Money, Movement, PaymentFacts
from kassa_sdk.facts import MovementStatus, PaymentCondition
from kassa_stripe.wire import Charge, Dispute, Intent, Refund, UnreadIntent

OUR_REFERENCE = "kassa_reference"
ATTEMPT_KEY = "kassa_attempt_key"
CAPTURE_KEY = "kassa_capture_key"
"""Our names in Stripe's metadata.  A capture has no metadata of its own, so its key stands beside the intent's."""

EXPIRED = frozenset({"automatic", "expired"})
"""The reasons for a cancellation by which Stripe itself gives up a hold that nobody captured in time."""

RELEASE_REASONS = frozenset({"expired_uncaptured_charge", "partial_capture"})
"""The reasons by which Stripe's "refund" is the release of a hold, and no money that goes back."""

INQUIRIES = frozenset({"warning_needs_response", "warning_under_review", "warning_closed", "prevented"})
"""The statuses of what never became a dispute, or has not yet: nothing is taken from anybody."""


def facts_of_intent(intent: Intent, capture_key: str | None = None) -> PaymentFacts:
    """What a PaymentIntent says.  ``capture_key`` is the key of the capture that this answers, if it answers one."""
    return PaymentFacts(
        provider_reference=intent.id,
        our_reference=intent.metadata.get(OUR_REFERENCE),
        condition=condition_of(intent),
        authorized=_authorized(intent),
        captured=intent.money_or_none(intent.amount_received),
        captures=_captures(intent, capture_key),
    )


def condition_of(intent: Intent) -> PaymentCondition:
    """Where a PaymentIntent stands.  A status that is new to this provider is as open as any other."""
    match intent.status:
        case "requires_payment_method" if intent.last_payment_error is not None:
            return "declined"
        case "requires_capture" | "succeeded":
            return "authorized"
        case "processing":
            return "pending"
        case "canceled":
            return "expired" if intent.cancellation_reason in EXPIRED else "canceled"
        case _:
            return "open"


def _authorized(intent: Intent) -> Money | None:
    match intent.status:
        case "requires_capture":
            return intent.money_or_none(intent.amount_capturable)
        case "succeeded":
            # After a partial capture the charge still tells the whole amount that was held.
            return intent.charge.money(intent.charge.amount) if intent.charge else intent.money(intent.amount)
        case _:
            return None


def _captures(intent: Intent, capture_key: str | None) -> tuple[Movement, ...]:
    if not intent.amount_received:
        return ()
    capture = Movement(
        provider_reference=intent.charge_reference or intent.id,
        amount=intent.money(intent.amount_received),
        attempt_key=intent.metadata.get(CAPTURE_KEY) or capture_key,
    )
    return (capture,)


def facts_of_unread_intent(intent: UnreadIntent) -> PaymentFacts:
    """What is sure about a PaymentIntent whose amounts cannot be read: that it exists."""
    return PaymentFacts(provider_reference=intent.id, our_reference=intent.metadata.get(OUR_REFERENCE))


def whole_facts(intent: Intent, refunds: tuple[Refund, ...], disputes: tuple[Dispute, ...]) -> PaymentFacts:
    """What a PaymentIntent and the lists of all its refunds and disputes say together."""
    genuine = tuple(refund for refund in refunds if not _belongs_to_hold(refund, intent))
    movements = tuple(map(refund_movement, genuine))
    succeeded = (movement.amount for movement in movements if movement.status == "succeeded")
    total = Money.total(succeeded, intent.currency.upper())
    return facts_of_intent(intent).model_copy(
        update={"refunded": total, "refunds": movements, "disputes": _disputes(disputes)}
    )


def _belongs_to_hold(refund: Refund, intent: Intent) -> bool:
    """Whether this refund released a part of the hold (or is of another payment), so that no money went back."""
    if refund.payment_intent != intent.id or releases_hold(refund):
        return True
    charge = intent.charge
    released = charge.amount - (charge.amount_captured or 0) if charge else 0
    return may_release_hold(refund) and released > 0 and refund.amount == released


def releases_hold(refund: Refund) -> bool:
    """Whether Stripe says itself that this refund is the release of a hold."""
    return refund.reason in RELEASE_REASONS


def may_release_hold(refund: Refund) -> bool:
    """Whether this refund could be such a release: done, not ours, and without a movement on the merchant's balance."""
    return refund.status == "succeeded" and refund.balance_transaction is None and ATTEMPT_KEY not in refund.metadata


def refund_movement(refund: Refund) -> Movement:
    """One refund, with our key where it carries it."""
    return Movement(
        provider_reference=refund.id,
        amount=refund.money(refund.amount),
        status=_refund_status(refund),
        attempt_key=refund.metadata.get(ATTEMPT_KEY),
    )


def _refund_status(refund: Refund) -> MovementStatus:
    match refund.status:
        case "succeeded":
            return "succeeded"
        case "failed" | "canceled":
            return "failed"
        case _:
            return "pending"


def facts_of_refund(refund: Refund, provider_reference: str) -> PaymentFacts:
    """What one refund says about its payment: itself, and no total."""
    return PaymentFacts(
        provider_reference=provider_reference,
        our_reference=refund.metadata.get(OUR_REFERENCE),
        refunds=(refund_movement(refund),),
    )


def facts_of_charge(charge: Charge, provider_reference: str) -> PaymentFacts | None:
    """The totals that a charge tells; None where they cannot be told apart from the release of a hold."""
    captured = charge.amount_captured
    if captured is None or (0 < captured < charge.amount and charge.amount_refunded):
        return None
    return PaymentFacts(
        provider_reference=provider_reference,
        captured=charge.money(captured),
        refunded=charge.money(charge.amount_refunded if captured else 0),
    )


def facts_of_dispute(dispute: Dispute, provider_reference: str) -> PaymentFacts:
    """What a dispute says about its payment: itself, and no total."""
    return PaymentFacts(provider_reference=provider_reference, disputes=_disputes((dispute,)))


def _disputes(told: tuple[Dispute, ...]) -> tuple[kassa_sdk.Dispute, ...]:
    """The disputes among these; an inquiry is none."""
    return tuple(
        kassa_sdk.Dispute(
            provider_reference=dispute.id, amount=dispute.money(dispute.amount), status=_dispute_status(dispute)
        )
        for dispute in told
        if dispute.status not in INQUIRIES
    )


def _dispute_status(dispute: Dispute) -> DisputeStatus:
    match dispute.status:
        case "won" | "lost" as decided:
            return decided
        case _:
            return "open"
