"""Answers: the simulator's own words, translated into outcomes, facts and actions."""

from typing import Annotated, Literal, assert_never

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from kassa_sdk import (
    Action,
    ActionRequired,
    Challenge,
    Declined,
    Dispute,
    DisputeStatus,
    Instruction,
    JsonObject,
    Money,
    Movement,
    NotSent,
    Outcome,
    PaymentFacts,
    Pending,
    Redirect,
    ShowInstructions,
    ShowQrCode,
    Succeeded,
    Unknown,
    Wait,
)
from kassa_sdk.facts import MovementStatus, PaymentCondition
from kassa_sdk.http_client import HttpAnswer

SERVER = "the simulator"


class _Told(BaseModel):
    # Strict, because an amount "12" or 1.0 is not an amount; further fields are of no interest.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ToldPage(_Told):
    """The shopper decides on a page of the simulator's: by a redirect, or embedded."""

    type: Literal["redirect", "challenge"]
    url: str


class ToldQrCode(_Told):
    """The shopper scans a code."""

    type: Literal["qr_code"]
    payload: str
    expires_at: Annotated[AwareDatetime, Field(strict=False)]


class ToldWait(_Told):
    """The shopper decides elsewhere."""

    type: Literal["wait"]
    poll_after_seconds: int


class ToldLine(_Told):
    """One line of instructions."""

    label: str
    value: str


class ToldInstructions(_Told):
    """The shopper pays by bank transfer."""

    type: Literal["instructions"]
    lines: tuple[ToldLine, ...]
    expires_at: Annotated[AwareDatetime, Field(strict=False)]


class ToldMovement(_Told):
    """One capture or refund."""

    id: str
    amount: int
    currency: str
    status: MovementStatus
    attempt_key: str | None


class ToldDispute(_Told):
    """One dispute."""

    id: str
    amount: int
    currency: str
    status: DisputeStatus


class ToldError(_Told):
    """Why not."""

    code: str
    reason: str
    retryable: bool = False


class ToldPayment(_Told):
    """One payment."""

    id: str
    our_reference: str
    status: Literal["created", "requires_action", "pending", "authorized", "declined", "canceled", "expired"]
    scenario: str
    currency: str
    authorized: int
    captured: int
    refunded: int
    returned: int
    captures: tuple[ToldMovement, ...]
    refunds: tuple[ToldMovement, ...]
    disputes: tuple[ToldDispute, ...]
    decline: ToldError | None
    action: Annotated[ToldPage | ToldQrCode | ToldWait | ToldInstructions, Field(discriminator="type")] | None
    expected_by: Annotated[AwareDatetime, Field(strict=False)] | None


class ToldAccountHolder(_Told):
    """A customer as the simulator knows them."""

    id: str


class ToldPaymentMethod(_Told):
    """A payment method that is kept."""

    id: str
    label: str


class ToldAnswer(_Told):
    """What an answer may carry: one payment, the capture or refund just made, the payments of a search or a list, or
    what is kept for a customer.
    """

    payment: ToldPayment | None = None
    movement: ToldMovement | None = None
    payments: tuple[ToldPayment, ...] | None = None
    next_cursor: str | None = None
    account_holder: ToldAccountHolder | None = None
    payment_method: ToldPaymentMethod | None = None
    payment_methods: tuple[ToldPaymentMethod, ...] | None = None
    error: ToldError | None = None


_SUCCESSES = frozenset({200, 201, 202})
_REFUSALS = frozenset({400, 402, 404, 409, 422})
_TURNED_AWAY_UNREAD = frozenset({401, 429})


def read_answer(answer: HttpAnswer) -> ToldAnswer | NotSent | Unknown:
    """The body of an answer that was given on purpose; otherwise what the status proves.

    The simulator's documentation promises that 401 and 429 were turned away unread.
    """
    if answer.status in _TURNED_AWAY_UNREAD:
        return NotSent(cause=f"the simulator turned the request away (HTTP {answer.status})")
    if answer.status not in _SUCCESSES | _REFUSALS:
        return Unknown(cause=f"the simulator answered with HTTP {answer.status}")
    told = answer.read(ToldAnswer, server=SERVER)
    if isinstance(told, Unknown):
        return told
    if (answer.status in _SUCCESSES) == (told.error is not None):
        return Unknown(cause=f"the simulator's answer contradicts its HTTP status {answer.status}")
    return told


def outcome_of(payment: ToldPayment) -> Outcome:
    """How a payment stands after ``authorize`` or ``action``."""
    facts, action = facts_of(payment), action_of(payment)
    match payment.status:
        case "authorized":
            return Succeeded(facts=facts, data=data_of(payment))
        case "requires_action":
            if action is None:
                return Unknown(cause="the simulator requires an action and does not say which")
            return ActionRequired(action=action, provider_reference=payment.id, data=data_of(payment))
        case "pending":
            return Pending(facts=facts, expected_by=payment.expected_by, action=action, data=data_of(payment))
        case "declined":
            return declined(payment.decline, payment)
        case "canceled" | "expired":
            reason = f"The payment is {payment.status}."
            return Declined(code=payment.status, reason=reason, provider_reference=payment.id)
        case "created":
            return Unknown(cause="the simulator answered, and has not begun with the payment")
        case _:
            assert_never(payment.status)


def declined(error: ToldError | None, payment: ToldPayment | None) -> Declined:
    """A definitive no, in the simulator's own codes."""
    error = error or ToldError(code="declined", reason="The payment was declined.")
    return Declined(
        code=error.code,
        reason=error.reason,
        retryable=error.retryable,
        provider_reference=None if payment is None else payment.id,
    )


def facts_of(payment: ToldPayment) -> PaymentFacts:
    """Everything that the simulator says about a payment, in cumulative totals."""
    return PaymentFacts(
        provider_reference=payment.id,
        our_reference=payment.our_reference,
        condition=_condition_of(payment),
        authorized=Money(payment.authorized, payment.currency),
        captured=Money(payment.captured, payment.currency),
        refunded=Money(payment.refunded, payment.currency),
        returned=Money(payment.returned, payment.currency),
        captures=tuple(movement_of(movement) for movement in payment.captures),
        refunds=tuple(movement_of(movement) for movement in payment.refunds),
        disputes=tuple(
            Dispute(
                provider_reference=dispute.id, amount=Money(dispute.amount, dispute.currency), status=dispute.status
            )
            for dispute in payment.disputes
        ),
    )


def reference_facts(
    payment: ToldPayment, captures: tuple[Movement, ...] = (), refunds: tuple[Movement, ...] = ()
) -> PaymentFacts:
    """What is told about one capture or refund alone."""
    return PaymentFacts(
        provider_reference=payment.id, our_reference=payment.our_reference, captures=captures, refunds=refunds
    )


def movement_of(told: ToldMovement, attempt_key: str | None = None) -> Movement:
    """One capture or refund; ``attempt_key``: it is the answer to the request with this key."""
    return Movement(
        provider_reference=told.id,
        amount=Money(told.amount, told.currency),
        status=told.status,
        attempt_key=attempt_key or told.attempt_key,
    )


def action_of(payment: ToldPayment) -> Action | None:
    """What the shopper must do, or may be shown meanwhile."""
    match payment.action:
        case None:
            return None
        case ToldPage(type="redirect", url=url):
            return Redirect(url=url)
        case ToldPage(url=url):
            return Challenge(script="simulator", parameters={"url": url, "payment_id": payment.id})
        case ToldQrCode(payload=payload, expires_at=expires_at):
            return ShowQrCode(payload=payload, expires_at=expires_at)
        case ToldWait(poll_after_seconds=seconds):
            return Wait(poll_after_seconds=seconds)
        case ToldInstructions(lines=lines, expires_at=expires_at):
            shown = tuple(Instruction(label=line.label, value=line.value) for line in lines)
            return ShowInstructions(instructions=shown, expires_at=expires_at)
        case _:
            assert_never(payment.action)


def data_of(payment: ToldPayment) -> JsonObject:
    """What is stored with the session; the storefront may read it."""
    return {"scenario": payment.scenario, "payment_id": payment.id}


def _condition_of(payment: ToldPayment) -> PaymentCondition:
    match payment.status:
        case "created" | "requires_action":
            return "open"
        case "pending" | "authorized" | "declined" | "canceled" | "expired":
            return payment.status
        case _:
            assert_never(payment.status)
