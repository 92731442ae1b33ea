"""Intents: the operation record, with its attempt key and the exact request, before anything is stored or sent.  Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypedDict

from kassa.ids import Kind, new_id
from kassa.model import Operation, OperationKind, Payment, PaymentSession
from kassa.transitions import OPEN_OPERATION, OperationStatus
from kassa_sdk import (
    ActionRequest,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    InitiateRequest,
    JsonObject,
    LookUpRequest,
    Money,
    ProviderRequest,
    RefundRequest,
    UpdateRequest,
)


class _About(TypedDict):
    attempt_key: str
    our_reference: str
    provider_reference: str
    data: JsonObject


LEASE = timedelta(seconds=120)
"""How long the sender of a call is left alone before recovery takes the operation over."""

LONGEST_CALL = timedelta(seconds=90)
"""How long a sender may wait for its provider at most: so far inside the lease that it is there to merge what it hears."""

REQUESTS: Mapping[str, type[ProviderRequest]] = {
    "initiate": InitiateRequest,
    "authorize": AuthorizeRequest,
    "action": ActionRequest,
    "update": UpdateRequest,
    "capture": CaptureRequest,
    "refund": RefundRequest,
    "cancel": CancelRequest,
}
"""The request that each hook takes."""

_ALWAYS = OPEN_OPERATION
_WAITING = frozenset({OperationStatus.REQUIRES_MORE, OperationStatus.PENDING})

MAY_RUN_BESIDE: Mapping[OperationKind, Mapping[OperationKind, frozenset[OperationStatus]]] = {
    OperationKind.INITIATE: {},
    OperationKind.AUTHORIZE: {},
    OperationKind.UPDATE: {},
    # Closing ends what waits for the shopper or for the provider; an initiation that never answered needs no closing yet.
    OperationKind.CANCEL: {
        OperationKind.AUTHORIZE: _WAITING,
        OperationKind.INITIATE: frozenset({OperationStatus.UNKNOWN, OperationStatus.PENDING}),
        OperationKind.REFUND: _ALWAYS,
    },
    # Their amounts are reserved, so they cannot take the same money twice.
    OperationKind.CAPTURE: {OperationKind.CAPTURE: _ALWAYS, OperationKind.REFUND: _ALWAYS},
    OperationKind.REFUND: {
        OperationKind.CAPTURE: _ALWAYS,
        OperationKind.REFUND: _ALWAYS,
        OperationKind.CANCEL: _ALWAYS,
    },
}
"""Which open operations of a session do not hinder the beginning of another: kind begun, kind open, its statuses."""


def hinders(open_operation: Operation, beginning: OperationKind, now: datetime) -> bool:
    """Whether an operation of this kind must wait for the open one."""
    status = open_operation.status
    if status is OperationStatus.IN_FLIGHT and not is_leased(open_operation, now):
        status = OperationStatus.UNKNOWN
    return status not in MAY_RUN_BESIDE[beginning].get(open_operation.kind, frozenset())


def is_in_doubt(operation: Operation, now: datetime) -> bool:
    """Whether nobody knows what came of it, and nobody is waiting for its answer."""
    has_no_sender = operation.status is OperationStatus.IN_FLIGHT and not is_leased(operation, now)
    return has_no_sender or operation.status in (OperationStatus.UNKNOWN, OperationStatus.REVIEW)


def is_leased(operation: Operation, now: datetime) -> bool:
    """Whether somebody holds the operation at this moment."""
    return operation.lease_until is not None and operation.lease_until > now


RequestFor = Callable[[str], ProviderRequest]
"""Builds the request for an attempt key."""


def attempt_key(operation_id: str, hook: str, attempt: int) -> str:
    """The key that the provider gets: the same for every resend of an attempt, never the same for anything else."""
    return f"{operation_id}-{hook}-{attempt}"


def intent(  # an operation is this many facts
    session: PaymentSession,
    kind: OperationKind,
    build: RequestFor,
    now: datetime,
    *,
    amount: Money | None = None,
    payment: Payment | None = None,
) -> Operation:
    """An operation that is to be sent at once."""
    operation_id = new_id(Kind.OPERATION)
    key = attempt_key(operation_id, kind.value, 1)
    return Operation(
        id=operation_id,
        store_id=session.store_id,
        payment_collection_id=session.payment_collection_id,
        payment_session_id=session.id,
        payment_id=None if payment is None else payment.id,
        provider_id=session.provider_id,
        region_id=session.region_id,
        kind=kind,
        status=OperationStatus.IN_FLIGHT,
        amount=amount,
        hook=kind.value,
        attempt=1,
        attempt_key=key,
        request=build(key).model_dump_json(),
        sends=1,
        first_sent_at=now,
        last_sent_at=now,
        checks=0,
        generation=1,
        lease_until=now + LEASE,
        due_at=now + LEASE,
        cause=None,
        answer=None,
        created_at=now,
        updated_at=now,
    )


def told(session: PaymentSession, now: datetime) -> Operation:
    """The authorization of a session that the shopper made with the provider alone: nothing was sent, we were told."""

    def request(key: str) -> AuthorizeRequest:
        return AuthorizeRequest(**about(session, key), amount=session.amount, shopper=session.shopper)

    operation = intent(session, OperationKind.AUTHORIZE, request, now, amount=session.amount)
    unsent = {"sends": 0, "first_sent_at": None, "last_sent_at": None, "lease_until": None, "due_at": now}
    return operation.model_copy(update=unsent)


def continuation(operation: Operation, hook: str, build: RequestFor, now: datetime) -> Operation:
    """The same operation with another request: its last attempt was answered, this one has a key of its own."""
    attempt = operation.attempt + 1
    key = attempt_key(operation.id, hook, attempt)
    following = {
        "hook": hook,
        "attempt": attempt,
        "attempt_key": key,
        "request": build(key).model_dump_json(),
        "sends": 1,
        "first_sent_at": now,
        "last_sent_at": now,
        "checks": 0,
        "lease_until": now + LEASE,
        "due_at": now + LEASE,
        "cause": None,
        "updated_at": now,
    }
    return operation.model_copy(update=following)


def resend(operation: Operation, now: datetime) -> Operation:
    """The same operation with the same request and the same key, once more (or for the first time, when planned)."""
    again = {
        "sends": operation.sends + 1,
        "first_sent_at": operation.first_sent_at or now,
        "last_sent_at": now,
        "lease_until": now + LEASE,
        "due_at": now + LEASE,
        "cause": None,
        "updated_at": now,
    }
    return operation.model_copy(update=again)


def planned(operation: Operation) -> Operation:
    """The operation, left for recovery to send."""
    later = {
        "status": OperationStatus.PLANNED,
        "sends": 0,
        "first_sent_at": None,
        "last_sent_at": None,
        "lease_until": None,
        "due_at": operation.created_at,
    }
    return operation.model_copy(update=later)


def close(session: PaymentSession, now: datetime) -> Operation:
    """The intent to close an open session at its provider."""
    return intent(session, OperationKind.CANCEL, lambda key: CancelRequest(**about(session, key)), now)


def about(session: PaymentSession, key: str) -> _About:
    """What every request about an initiated session carries."""
    return {
        "attempt_key": key,
        "our_reference": session.id,
        "provider_reference": session.provider_reference or "",
        "data": session.data,
    }


def look_up_request(operation: Operation, session: PaymentSession) -> LookUpRequest:
    """How to ask the provider what became of an operation."""
    return LookUpRequest(
        hook=operation.hook,
        attempt_key=operation.attempt_key,
        our_reference=session.id,
        provider_reference=session.provider_reference,
    )


def request_of(operation: Operation) -> ProviderRequest:
    """The request exactly as it was stored."""
    return REQUESTS[operation.hook].model_validate_json(operation.request)
