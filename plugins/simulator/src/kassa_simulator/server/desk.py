"""The desk: what a caller may ask, checked against the payment.  Each function answers with the effect it would have.

Nothing here writes.  A refusal is raised before anything has happened.
"""

import re
from typing import assert_never

from kassa_simulator.server.calls import Fields, Refused
from kassa_simulator.server.effects import Effect, EffectType, MovementStatus
from kassa_simulator.server.payments import Payment
from kassa_simulator.server.scenarios import SCRIPTS, MovementScript, Scenario

_WEB_ADDRESS = re.compile(r"https?://[!-~]+", re.ASCII)


def initiate(fields: Fields) -> Effect:
    """Prepare a payment; no money is asked for yet."""
    scenario = _scenario(fields.text_or("scenario", Scenario.APPROVE.value))
    script = SCRIPTS[scenario]
    return Effect(
        "payment_created",
        our_reference=fields.text("our_reference"),
        amount=fields.amount(),
        currency=fields.currency(),
        scenario=scenario.value,
        return_url=_web_address(fields.optional_text("return_url")),
        code=script.decline_code if script.initiate_declines else None,
    )


def authorize(payment: Payment, fields: Fields, *, keys_are_native: bool) -> Effect:
    """Hold the amount, take it, decline it, or ask the shopper: as the scenario says."""
    # A provider without keys takes a repeated authorization for a new one. That is the double charge to be found.
    repeatable = ("created", "declined") if keys_are_native else ("created", "declined", "authorized")
    if payment.status not in repeatable:
        code = "already_authorized" if payment.status == "authorized" else "wrong_status"
        raise Refused(409, code, f"the payment is {payment.status} and cannot be authorized", payment.id)
    amount, currency = fields.amount(), fields.currency()
    if (amount, currency) != (payment.amount, payment.currency):
        message = f"the payment is about {payment.amount} {payment.currency}, not {amount} {currency}"
        raise Refused(422, "wrong_amount", message, payment.id)
    match payment.script.authorize:
        case "hold" | "sale" as holding:
            return approval(payment, sale=holding == "sale")
        case "decline":
            return Effect("declined", payment_id=payment.id, code=payment.script.decline_code)
        case "action":
            return Effect("action_required", payment_id=payment.id)
        case "pending":
            return Effect("pending", payment_id=payment.id)


def approval(payment: Payment, *, sale: bool, amount: int | None = None) -> Effect:
    """The amount is held; with ``sale`` it is taken at once."""
    return Effect(
        "sold" if sale else "authorized",
        payment_id=payment.id,
        amount=payment.amount if amount is None else amount,
        currency=payment.currency,
    )


def answer_challenge(payment: Payment, *, approve: bool) -> Effect:
    """The shopper has decided."""
    if payment.status != "requires_action":
        raise Refused(
            409, "nothing_to_answer", f"the payment is {payment.status}; there is nothing to decide", payment.id
        )
    if approve:
        return approval(payment, sale=payment.script.approved == "sale")
    return Effect("declined", payment_id=payment.id, code="authentication_failed")


def update(payment: Payment, fields: Fields) -> Effect:
    """The amount is another one, before the payment is authorized."""
    if payment.status not in ("created", "declined"):
        raise Refused(409, "wrong_status", f"the payment is {payment.status}; its amount is fixed", payment.id)
    _require_currency(payment, fields)
    return Effect("amount_changed", payment_id=payment.id, amount=fields.amount(), currency=payment.currency)


def capture(payment: Payment, fields: Fields) -> Effect:
    """Take a part of what is authorized, or all of it."""
    _require_currency(payment, fields)
    amount = fields.amount()
    if payment.status != "authorized":
        raise Refused(409, "wrong_status", f"the payment is {payment.status}; nothing can be captured", payment.id)
    if amount > payment.capturable:
        raise Refused(409, "over_capture", f"{amount} asked for, {payment.capturable} can be captured", payment.id)
    return _movement("captured", "capture_declined", payment, amount, payment.script.capture)


def refund(payment: Payment, fields: Fields) -> Effect:
    """Give back a part of what was captured, or all of it."""
    _require_currency(payment, fields)
    amount = fields.amount()
    if amount > payment.refundable:
        raise Refused(409, "over_refund", f"{amount} asked for, {payment.refundable} can be refunded", payment.id)
    return _movement("refunded", "refund_declined", payment, amount, payment.script.refund)


def cancel(payment: Payment) -> Effect | None:
    """Close the payment, or release what was not captured; None: it was canceled before."""
    if payment.status == "canceled":
        return None
    if payment.captures and payment.capturable <= 0:
        raise Refused(409, "already_captured", "everything was captured; refund it instead", payment.id)
    return Effect("canceled", payment_id=payment.id)


def _movement(done: EffectType, declined: EffectType, payment: Payment, amount: int, script: MovementScript) -> Effect:
    status: MovementStatus
    match script:
        case "declines":
            code = "capture_rejected" if done == "captured" else "refund_rejected"
            return Effect(declined, payment_id=payment.id, amount=amount, currency=payment.currency, code=code)
        case "succeeds":
            status = "succeeded"
        case "settles_later" | "fails_later":
            status = "pending"
        case _:
            assert_never(script)
    return Effect(done, payment_id=payment.id, amount=amount, currency=payment.currency, movement_status=status)


def _require_currency(payment: Payment, fields: Fields) -> None:
    currency = fields.currency()
    if currency != payment.currency:
        raise Refused(422, "wrong_currency", f"the payment is in {payment.currency}, not in {currency}", payment.id)


def _scenario(name: str) -> Scenario:
    try:
        return Scenario(name)
    except ValueError:
        known = ", ".join(scenario.value for scenario in Scenario)
        raise Refused(422, "unknown_scenario", f"there is no scenario {name[:60]!r}; there are: {known}") from None


def _web_address(url: str | None) -> str | None:
    # No spaces and no control characters: the address goes into a header when the shopper is sent back.
    if url is not None and not _WEB_ADDRESS.fullmatch(url):
        raise Refused(422, "invalid_return_url", "return_url must be an address with https:// or http://")
    return url
