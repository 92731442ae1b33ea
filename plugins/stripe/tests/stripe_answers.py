"""Answers and events in the shape that Stripe documents, for what localstripe cannot show."""

import json
from datetime import UTC, datetime
from typing import Any

import stripe

from kassa_sdk import RawNotice

Json = dict[str, Any]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def intent(**changes: Any) -> Json:
    """A PaymentIntent of 100.00 EUR that is held."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 10_000,
        "amount_capturable": 10_000,
        "amount_received": 0,
        "capture_method": "manual",
        "client_secret": "pi_1_secret_Canary4713",
        "currency": "eur",
        "latest_charge": "ch_1",
        "last_payment_error": None,
        "livemode": False,
        "metadata": {"kassa_reference": "payses_1", "kassa_attempt_key": "initiate-1"},
        "next_action": None,
        "status": "requires_capture",
        **changes,
    }


def charge(**changes: Any) -> Json:
    """The charge of 100.00 EUR, all of it captured."""
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 10_000,
        "amount_captured": 10_000,
        "amount_refunded": 0,
        "captured": True,
        "currency": "eur",
        "payment_intent": "pi_1",
        "status": "succeeded",
        **changes,
    }


def refund(**changes: Any) -> Json:
    """A refund of 40.00 EUR that is ours."""
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 4_000,
        "balance_transaction": "txn_1",
        "charge": "ch_1",
        "currency": "eur",
        "metadata": {"kassa_reference": "payses_1", "kassa_attempt_key": "refund-1"},
        "payment_intent": "pi_1",
        "reason": None,
        "status": "succeeded",
        **changes,
    }


def dispute(**changes: Any) -> Json:
    """A dispute about 100.00 EUR."""
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 10_000,
        "charge": "ch_1",
        "currency": "eur",
        "payment_intent": "pi_1",
        "status": "needs_response",
        **changes,
    }


def event(type: str, thing: Json, **changes: Any) -> Json:
    """An event about this."""
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(NOW.timestamp()),
        "data": {"object": thing},
        "livemode": False,
        "type": type,
        **changes,
    }


def error(type: str, code: str | None = None, **changes: Any) -> str:
    """The body of an error."""
    return json.dumps({"error": {"type": type, "code": code, "message": f"About {code or type}.", **changes}})


def page(*things: Json) -> str:
    """The body of a list that has no further page."""
    return json.dumps({"object": "list", "data": list(things), "has_more": False, "url": "/v1/things"})


def signed(content: Json | bytes, secret: str, *, age_seconds: float = 0) -> RawNotice:
    """A webhook as it comes in at NOW, signed so long before by Stripe's own SDK."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    timestamp = int(NOW.timestamp() - age_seconds)
    header = stripe.WebhookSignature.generate_signature_header(body.decode("utf-8", "replace"), secret, timestamp)
    return RawNotice(body=body, headers={"stripe-signature": header}, received_at=NOW)
