"""The state tables.  A status changes only through ``advance``; the database refuses the same moves by triggers.

The diagrams in the documentation are generated from these tables.  No I/O, no clock.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from kassa.errors import IllegalTransition


class OperationStatus(StrEnum):
    """Where one intent towards a provider stands."""

    PLANNED = "planned"
    """To be sent; nothing was."""
    IN_FLIGHT = "in_flight"
    """May have been sent."""
    REQUIRES_MORE = "requires_more"
    """The shopper must act."""
    PENDING = "pending"
    """The provider has it and will tell."""
    UNKNOWN = "unknown"
    """Nobody can tell; recovery finds out."""
    REVIEW = "review"
    """The evidence contradicts what was asked, or ran out; a person decides."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Definitively without effect; names its evidence."""
    CANCELED = "canceled"
    """Withdrawn before anything was sent."""


class SessionStatus(StrEnum):
    """Where one try to pay through one provider stands; the words are Medusa's."""

    PENDING = "pending"
    REQUIRES_MORE = "requires_more"
    PENDING_AUTHORIZATION = "pending_authorization"
    AUTHORIZED = "authorized"
    ERROR = "error"
    CANCELED = "canceled"


class NoticeStatus(StrEnum):
    """Where one verified message of a provider stands in our inbox."""

    RECEIVED = "received"
    """Stored and acknowledged; to be applied."""
    APPLIED = "applied"
    """What it says is in our books."""
    IGNORED = "ignored"
    """It says nothing about a payment of ours."""
    UNMATCHED = "unmatched"
    """We do not know the payment that it is about, yet."""
    ERROR = "error"
    """Applying it failed; it is tried again."""
    EXPIRED = "expired"
    """Nothing ever matched it."""
    DEAD = "dead"
    """Every try failed; a person replays it."""


class DeliveryStatus(StrEnum):
    """Where the telling of one event to one subscriber stands."""

    NEW = "new"
    RETRY = "retry"
    SENT = "sent"
    DEAD = "dead"
    """Every try failed; a person replays it."""


_O = OperationStatus
_S = SessionStatus
_N = NoticeStatus
_D = DeliveryStatus

OPERATION_MOVES: Mapping[OperationStatus, frozenset[OperationStatus]] = {
    _O.PLANNED: frozenset({_O.IN_FLIGHT, _O.CANCELED}),
    _O.IN_FLIGHT: frozenset({_O.SUCCEEDED, _O.FAILED, _O.PENDING, _O.REQUIRES_MORE, _O.UNKNOWN, _O.REVIEW}),
    _O.REQUIRES_MORE: frozenset({_O.IN_FLIGHT, _O.PENDING, _O.SUCCEEDED, _O.FAILED, _O.UNKNOWN, _O.REVIEW}),
    _O.PENDING: frozenset({_O.SUCCEEDED, _O.FAILED, _O.UNKNOWN, _O.REVIEW}),
    _O.UNKNOWN: frozenset({_O.IN_FLIGHT, _O.REQUIRES_MORE, _O.PENDING, _O.SUCCEEDED, _O.FAILED, _O.REVIEW}),
    _O.REVIEW: frozenset({_O.SUCCEEDED, _O.FAILED}),
    _O.FAILED: frozenset({_O.SUCCEEDED}),
    _O.SUCCEEDED: frozenset(),
    _O.CANCELED: frozenset(),
}

SESSION_MOVES: Mapping[SessionStatus, frozenset[SessionStatus]] = {
    _S.PENDING: frozenset({_S.REQUIRES_MORE, _S.PENDING_AUTHORIZATION, _S.AUTHORIZED, _S.ERROR, _S.CANCELED}),
    _S.REQUIRES_MORE: frozenset({_S.PENDING_AUTHORIZATION, _S.AUTHORIZED, _S.ERROR, _S.CANCELED}),
    _S.PENDING_AUTHORIZATION: frozenset({_S.AUTHORIZED, _S.ERROR, _S.CANCELED}),
    _S.ERROR: frozenset({_S.PENDING, _S.AUTHORIZED, _S.CANCELED}),
    # Its payment was canceled before an order was placed: the collection can be paid by another session.
    _S.AUTHORIZED: frozenset({_S.CANCELED}),
    # Late evidence: money arrived on a session that was given up.  Raises an alarm.
    _S.CANCELED: frozenset({_S.AUTHORIZED}),
}

NOTICE_MOVES: Mapping[NoticeStatus, frozenset[NoticeStatus]] = {
    _N.RECEIVED: frozenset({_N.APPLIED, _N.IGNORED, _N.UNMATCHED, _N.ERROR}),
    _N.UNMATCHED: frozenset({_N.APPLIED, _N.ERROR, _N.EXPIRED}),
    _N.ERROR: frozenset({_N.APPLIED, _N.UNMATCHED, _N.DEAD}),
    # A person replays it.
    _N.EXPIRED: frozenset({_N.RECEIVED}),
    _N.DEAD: frozenset({_N.RECEIVED}),
    _N.APPLIED: frozenset({_N.RECEIVED}),
    _N.IGNORED: frozenset({_N.RECEIVED}),
}

DELIVERY_MOVES: Mapping[DeliveryStatus, frozenset[DeliveryStatus]] = {
    _D.NEW: frozenset({_D.SENT, _D.RETRY, _D.DEAD}),
    _D.RETRY: frozenset({_D.SENT, _D.DEAD}),
    # A person replays it.
    _D.SENT: frozenset({_D.NEW}),
    _D.DEAD: frozenset({_D.NEW}),
}

RESERVING = frozenset({_O.IN_FLIGHT, _O.REQUIRES_MORE, _O.PENDING, _O.UNKNOWN, _O.REVIEW})
"""While an operation stands here, what it would take or give back stays reserved: only definitive failure frees it."""

OPEN_OPERATION = RESERVING | {_O.PLANNED}
"""Not settled: the operation still has something to become."""

LIVE_SESSION = frozenset(SessionStatus) - {_S.CANCELED}
"""A session that holds its place in the collection."""

_TABLES: Mapping[type[StrEnum], Mapping[StrEnum, frozenset[StrEnum]]] = {
    OperationStatus: OPERATION_MOVES,  # type: ignore[dict-item]  # a table maps one enumeration to itself
    SessionStatus: SESSION_MOVES,  # type: ignore[dict-item]
    NoticeStatus: NOTICE_MOVES,  # type: ignore[dict-item]
    DeliveryStatus: DELIVERY_MOVES,  # type: ignore[dict-item]
}

StatusT = TypeVar("StatusT", OperationStatus, SessionStatus, NoticeStatus, DeliveryStatus)


def advance(current: StatusT, following: StatusT) -> StatusT:
    """The following status, if the table allows the move.  Staying is not a move.  Raises IllegalTransition."""
    if following not in _TABLES[type(current)][current]:
        raise IllegalTransition(f"{type(current).__name__} cannot go from {current.value} to {following.value}")
    return following
