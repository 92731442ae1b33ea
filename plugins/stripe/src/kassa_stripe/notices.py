"""Webhooks: verify the raw bytes, then say what the event means.

Source: https://docs.stripe.com/webhooks and https://docs.stripe.com/api/events/types.
"""

import stripe
from pydantic import ValidationError

from kassa_sdk import BadSignature, Notice, PaymentFacts, RawNotice
from kassa_stripe.facts import (
    facts_of_charge,
    facts_of_dispute,
    facts_of_intent,
    facts_of_refund,
    may_release_hold,
    releases_hold,
)
from kassa_stripe.wire import Charge, Dispute, Event, Intent, Refund

SIGNATURE_HEADER = "stripe-signature"
TOLERANCE_SECONDS = 300

INTENT_EVENTS = frozenset(
    f"payment_intent.{name}"
    for name in (
        "amount_capturable_updated",
        "canceled",
        "created",
        "partially_funded",
        "payment_failed",
        "processing",
        "requires_action",
        "succeeded",
    )
)
CHARGE_EVENTS = frozenset(
    f"charge.{name}" for name in ("captured", "expired", "failed", "pending", "refunded", "succeeded", "updated")
)
REFUND_EVENTS = frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"})
DISPUTE_EVENTS = frozenset(
    f"charge.dispute.{name}" for name in ("closed", "created", "funds_reinstated", "funds_withdrawn", "updated")
)


def read_event(raw: RawNotice, secrets: tuple[str, ...]) -> tuple[Notice, ...]:
    """The notices in this webhook.  Raises BadSignature unless one of ``secrets`` signed these very bytes just now."""
    event = _verified(raw, secrets)
    # Events of connected accounts tell about other people's money, even when they come to the same address.
    if event is None or event.account is not None:
        return ()
    try:
        notice = _notice(event)
    except ValidationError:
        notice = _unread(event)
    return () if notice is None else (notice,)


def _verified(raw: RawNotice, secrets: tuple[str, ...]) -> Event | None:
    header = raw.headers.get(SIGNATURE_HEADER)
    signed_with = next((secret for secret in secrets if _is_signed(raw.body, header, secret)), None)
    if header is None or signed_with is None:
        raise BadSignature("the Stripe-Signature header does not match the body; check webhook_secret and the endpoint")
    _refuse_outside_tolerance(header, raw)
    try:
        # Zero: the age was measured above, by the time at which the notice came in.
        event = stripe.Webhook.construct_event(raw.body, header, signed_with, tolerance=0)
        return Event.model_validate(event.to_dict())
    except (ValueError, TypeError, AttributeError):
        # Signed, so it is from Stripe; no snapshot of an object, so it tells nothing about a payment.
        return None


def _is_signed(body: bytes, header: str | None, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, header, secret))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False


def _refuse_outside_tolerance(header: str, raw: RawNotice) -> None:
    timestamps = [part.partition("=")[2] for part in header.split(",") if part.partition("=")[0] == "t"]
    age_seconds = raw.received_at.timestamp() - int(timestamps[0])
    # Both ways: the SDK itself only refuses what is too old, and by the clock of this machine.
    if abs(age_seconds) > TOLERANCE_SECONDS:
        raise BadSignature(
            f"the webhook was signed {age_seconds:.0f} seconds before it came in; at most {TOLERANCE_SECONDS} are allowed"
        )


def _notice(event: Event) -> Notice | None:
    thing = event.data.object
    if event.type in INTENT_EVENTS:
        intent = Intent.model_validate(thing)
        return _about(event, intent.id, facts_of_intent(intent))
    if event.type in CHARGE_EVENTS:
        charge = Charge.model_validate(thing)
        return _about_charge(event, charge)
    if event.type in REFUND_EVENTS:
        return _about_refund(event, Refund.model_validate(thing))
    if event.type in DISPUTE_EVENTS:
        dispute = Dispute.model_validate(thing)
        reference = dispute.payment_intent
        return None if reference is None else _about(event, reference, facts_of_dispute(dispute, reference))
    return None


def _about_charge(event: Event, charge: Charge) -> Notice | None:
    if charge.payment_intent is None:
        return None
    facts = facts_of_charge(charge, charge.payment_intent)
    if facts is not None and event.type == "charge.expired":
        facts = facts.model_copy(update={"condition": "expired"})
    return _about(event, charge.payment_intent, facts)


def _about_refund(event: Event, refund: Refund) -> Notice | None:
    if refund.payment_intent is None or releases_hold(refund):
        return None
    # Only beside its charge can such a refund be told from the release of a hold; so let the engine look.
    facts = None if may_release_hold(refund) else facts_of_refund(refund, refund.payment_intent)
    return _about(event, refund.payment_intent, facts)


def _about(event: Event, provider_reference: str, facts: PaymentFacts | None) -> Notice:
    return Notice(type=event.type, event_id=event.id, provider_reference=provider_reference, facts=facts)


def _unread(event: Event) -> Notice | None:
    """The notice of an event whose object cannot be read: somebody has to look, if it says about which payment."""
    thing = event.data.object
    reference = thing.get("id") if event.type in INTENT_EVENTS else thing.get("payment_intent")
    return _about(event, reference, None) if isinstance(reference, str) and reference else None
