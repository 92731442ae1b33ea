"""Answers: Contract 1's words, translated into outcomes and facts.

What contradicts itself, or cannot be read, raises or is ``Unknown``; the engine takes both for "nobody can tell".
"""

from typing import Literal

from kassa_sdk import (
    ActionRequired,
    Challenge,
    Found,
    LookUpOutcome,
    Money,
    MoneyError,
    Movement,
    NotFound,
    Notice,
    NotSent,
    Outcome,
    PaymentFacts,
    Pending,
    ProviderError,
    Succeeded,
    Unknown,
)
from kassa_sdk.decline_codes import Decline, DeclineCodes
from kassa_sdk.http_client import HttpAnswer
from pydantic import BaseModel, ConfigDict, ValidationError

DECLINE_CODES = DeclineCodes(
    {
        "card_declined": Decline("The payment was declined."),
        "insufficient_funds": Decline("There is not enough money on the account."),
        "expired_card": Decline("The card has expired."),
        "stolen_card": Decline("The payment was declined.", retryable=False),
        "account_blocked": Decline("This payment cannot be taken.", retryable=False),
        "authentication_failed": Decline("The payment was not approved."),
        "debit_rejected": Decline("The bank has rejected the debit."),
        "capture_rejected": Decline("The bank has refused to pay the amount out.", retryable=False),
        "refund_rejected": Decline("The bank has refused to take the refund.", retryable=False),
    },
    otherwise=Decline("The payment was declined."),
)
"""Every code that Contract 1 documents; ``tests/test_decline_codes.py`` compares."""

DONE = {200, 201, 202}
REFUSED = {400, 402, 404, 409, 422}
# Only where the server promises that such a request was not even read; all else after the first byte is unknown.
TURNED_AWAY_UNREAD = {401, 429}

Sent = HttpAnswer | NotSent | Unknown


class _Told(BaseModel):
    # Strict: "12" or 1.0 is not an amount. What is not named here is of no interest.
    model_config = ConfigDict(frozen=True, strict=True)


class ToldError(_Told):
    """Why not."""

    code: str


class ToldMovement(_Told):
    """One capture or refund."""

    id: str
    amount: int
    currency: str
    status: Literal["pending", "succeeded", "failed"]
    attempt_key: str | None = None


class ToldAction(_Told):
    """What the shopper must do, or may be shown."""

    type: str
    url: str


class ToldPayment(_Told):
    """One payment, in totals."""

    id: str
    our_reference: str
    status: Literal["created", "requires_action", "pending", "authorized", "declined", "canceled", "expired"]
    currency: str
    authorized: int
    captured: int
    refunded: int
    captures: tuple[ToldMovement, ...]
    refunds: tuple[ToldMovement, ...]
    decline: ToldError | None
    action: ToldAction | None


class ToldAnswer(_Told):
    """One payment and what has just moved, the payments of a search, or a refusal."""

    payment: ToldPayment | None = None
    movement: ToldMovement | None = None
    payments: tuple[ToldPayment, ...] | None = None
    error: ToldError | None = None


class ToldEvent(_Told):
    """The body of a notice."""

    id: str
    type: str
    payment: ToldPayment | None = None


def prepared(sent: Sent) -> Outcome:
    """After ``initiate``.  What the storefront needs, such as a client secret, goes into ``data``."""
    told = _read(sent)
    if not isinstance(told, ToldAnswer):
        return told
    if told.payment is None or told.error is not None:
        return _refused(told)
    return Succeeded(facts=_reference(told.payment), data={"payment_id": told.payment.id})


def authorized(sent: Sent) -> Outcome:
    """After ``authorize`` and ``action``: where the payment stands."""
    told = _read(sent)
    if not isinstance(told, ToldAnswer):
        return told
    if told.payment is None or (told.error is not None and told.error.code != "already_authorized"):
        return _refused(told)
    return _standing(told.payment)


def captured(sent: Sent, attempt_key: str) -> Outcome:
    """After ``capture``: just one movement, with our key."""
    told = _read(sent)
    if not isinstance(told, ToldAnswer):
        return told
    if told.payment is None or told.movement is None:
        return _refused(told)
    taken = _movement(told.movement, attempt_key)
    return _moved(taken, _reference(told.payment).model_copy(update={"captures": (taken,)}))


def refunded(sent: Sent, attempt_key: str) -> Outcome:
    """After ``refund``: just one movement, with our key."""
    told = _read(sent)
    if not isinstance(told, ToldAnswer):
        return told
    if told.payment is None or told.movement is None:
        return _refused(told)
    given = _movement(told.movement, attempt_key)
    return _moved(given, _reference(told.payment).model_copy(update={"refunds": (given,)}))


def canceled(sent: Sent) -> Outcome:
    """After ``cancel``.  That the money was taken already is no failure: the facts say so."""
    told = _read(sent)
    if not isinstance(told, ToldAnswer):
        return told
    if told.payment is None or (told.error is not None and told.error.code != "already_captured"):
        return _refused(told)
    return Succeeded(facts=facts_of(told.payment))


def found(sent: Sent) -> LookUpOutcome:
    """After a look-up by Contract 1's own id."""
    told = _read(sent)
    if not isinstance(told, ToldAnswer):
        return told
    if told.payment is not None:
        return Found(facts=facts_of(told.payment), action=_action(told.payment))
    is_absent = told.error is not None and told.error.code == "unknown_payment"
    return NotFound() if is_absent else Unknown(cause="Contract 1 answered without a payment")


def searched(sent: Sent) -> LookUpOutcome:
    """After a search by something of ours."""
    told = _read(sent)
    if not isinstance(told, ToldAnswer):
        return told
    match told.payments:
        case ():
            return NotFound()
        case (payment,):
            return Found(facts=facts_of(payment), action=_action(payment))
        case _:
            return Unknown(cause="Contract 1 answered a search with something else than one payment or none")


def notices_in(body: bytes) -> tuple[Notice, ...]:
    """What a notice says whose signature was verified.  Raises ProviderError when it makes no sense."""
    try:
        event = ToldEvent.model_validate_json(body)
        if event.payment is None:
            return ()
        facts = facts_of(event.payment)
    except (ValidationError, MoneyError) as error:
        # From None, because the text of the cause repeats what was received.
        raise ProviderError(f"a signed notice of Contract 1 makes no sense ({type(error).__name__})") from None
    return (Notice(type=event.type, event_id=event.id, provider_reference=facts.provider_reference, facts=facts),)


def facts_of(payment: ToldPayment) -> PaymentFacts:
    """All that Contract 1 says about a payment, in cumulative totals."""
    return PaymentFacts(
        provider_reference=payment.id,
        our_reference=payment.our_reference,
        condition="open" if payment.status in ("created", "requires_action") else payment.status,
        authorized=Money(payment.authorized, payment.currency),
        captured=Money(payment.captured, payment.currency),
        refunded=Money(payment.refunded, payment.currency),
        captures=tuple(_movement(each) for each in payment.captures),
        refunds=tuple(_movement(each) for each in payment.refunds),
    )


def _read(sent: Sent) -> ToldAnswer | NotSent | Unknown:
    if not isinstance(sent, HttpAnswer):
        return sent
    if sent.status in TURNED_AWAY_UNREAD:
        return NotSent(cause=f"Contract 1 turned the request away (HTTP {sent.status})")
    if sent.status not in DONE | REFUSED:
        return Unknown(cause=f"Contract 1 answered with HTTP {sent.status}")
    told = sent.read(ToldAnswer, server="Contract 1")
    if isinstance(told, ToldAnswer) and (sent.status in DONE) == (told.error is not None):
        return Unknown(cause=f"Contract 1's answer contradicts its HTTP status {sent.status}")
    return told


def _refused(told: ToldAnswer) -> Outcome:
    if told.error is None:
        return Unknown(cause="Contract 1 answered without a payment")
    if told.error.code == "key_reused":
        return Unknown(cause="Contract 1 knows this key from another request")
    return DECLINE_CODES.declined(told.error.code, provider_reference=told.payment.id if told.payment else None)


def _standing(payment: ToldPayment) -> Outcome:
    facts, action = facts_of(payment), _action(payment)
    match payment.status:
        case "authorized":
            return Succeeded(facts=facts)
        case "requires_action" if action is not None:
            return ActionRequired(action=action, provider_reference=payment.id)
        case "pending":
            return Pending(facts=facts, action=action)
        case "declined" | "canceled" | "expired":
            code = payment.decline.code if payment.decline else payment.status
            return DECLINE_CODES.declined(code, provider_reference=payment.id)
        case _:
            return Unknown(cause=f"Contract 1 answered, and the payment is {payment.status}")


def _action(payment: ToldPayment) -> Challenge | None:
    if payment.action is None:
        return None
    return Challenge(script="contract-1", parameters={"url": payment.action.url})


def _reference(payment: ToldPayment) -> PaymentFacts:
    return PaymentFacts(provider_reference=payment.id, our_reference=payment.our_reference)


def _movement(told: ToldMovement, attempt_key: str | None = None) -> Movement:
    return Movement(
        provider_reference=told.id,
        amount=Money(told.amount, told.currency),
        status=told.status,
        attempt_key=attempt_key or told.attempt_key,
    )


def _moved(movement: Movement, facts: PaymentFacts) -> Outcome:
    match movement.status:
        case "succeeded":
            return Succeeded(facts=facts)
        case "pending":
            return Pending(facts=facts)
        case "failed":
            return DECLINE_CODES.declined("failed", provider_reference=facts.provider_reference)
