"""How what operators look at stands on the wire: what is in doubt, the history, the inbox, cases, deliveries, switches.

Named as everything else there is: amounts in major units with their currency beside them, moments in UTC.
"""

from decimal import Decimal

from typing_extensions import TypedDict

from kassa.http import exact
from kassa.http.documents import Amount, Moment, Object, moment, moment_or_none
from kassa.model import Case, Delivery, Event, Operation, ProviderSwitch, ReceivedNotice, Reconciliation
from kassa.regions import Verdict
from kassa_sdk import Money


class OperationDocument(TypedDict):
    """One intent towards a provider, without what was sent: that holds the shopper's data."""

    id: str
    payment_collection_id: str
    payment_session_id: str
    payment_id: str | None
    provider_id: str
    region_id: str
    kind: str
    status: str
    amount: Amount | None
    currency_code: str | None
    attempt: int
    attempt_key: str
    sends: int
    checks: int
    first_sent_at: Moment | None
    last_sent_at: Moment | None
    due_at: Moment | None
    cause: str | None
    answer: str | None
    created_at: Moment
    updated_at: Moment


class EventDocument(TypedDict):
    """One fact of the history, which is only ever added to."""

    id: str
    name: str
    entity_id: str
    payment_collection_id: str | None
    data: Object
    created_at: Moment


class NoticeDocument(TypedDict):
    """One verified message of a provider.  ``body`` is as it came, without secrets and card numbers."""

    id: str
    provider_id: str
    type: str
    status: str
    provider_reference: str | None
    payment_collection_id: str | None
    payment_session_id: str | None
    attempts: int
    due_at: Moment | None
    cause: str | None
    body: str
    received_at: Moment
    updated_at: Moment


class CaseDocument(TypedDict):
    """Something about money that a person should know about, or decide."""

    id: str
    kind: str
    status: str
    provider_id: str
    payment_collection_id: str | None
    payment_session_id: str | None
    subject: str
    amount: Amount | None
    currency_code: str | None
    cause: str
    opened_at: Moment
    closed_at: Moment | None
    closed_by: str | None
    closed_why: str | None


class DeliveryDocument(TypedDict):
    """The telling of one event to one subscriber or extension."""

    id: str
    event: EventDocument
    subscriber: str
    status: str
    attempts: int
    due_at: Moment | None
    cause: str | None
    created_at: Moment
    updated_at: Moment


class SwitchDocument(TypedDict):
    """Who switched a provider off, where (None: everywhere), why, and until when."""

    id: str
    provider_id: str
    region_id: str | None
    reason: str
    off_by: str
    off_at: Moment
    on_by: str | None
    on_at: Moment | None
    on_why: str | None


class VerdictDocument(TypedDict):
    """Whether a region offers a provider, and if not, every reason why."""

    provider_id: str
    is_offered: bool
    reasons: list[str]


class ReconciliationDocument(TypedDict):
    """One time of one provider, compared with its own list of payments."""

    id: str
    provider_id: str
    since: Moment
    until: Moment
    listed: int
    adopted: int
    reported: int
    cause: str | None
    started_at: Moment
    finished_at: Moment | None


class OperationAnswer(TypedDict):
    """One operation."""

    operation: OperationDocument


class Operations(TypedDict):
    """Operations, oldest first."""

    operations: list[OperationDocument]


class Events(TypedDict):
    """The whole history of a payment collection, oldest first."""

    events: list[EventDocument]


class Part(TypedDict):
    """Which page of a list this is; how long it is at all, is not counted."""

    offset: int
    limit: int


class NoticesPart(Part):
    """A page of the inbox, newest first."""

    notices: list[NoticeDocument]


class NoticeAnswer(TypedDict):
    """One message."""

    notice: NoticeDocument


class CasesPart(Part):
    """A page of the cases, newest first."""

    cases: list[CaseDocument]


class CaseAnswer(TypedDict):
    """One case."""

    case: CaseDocument


class DeliveriesPart(Part):
    """A page of the deliveries, newest first."""

    deliveries: list[DeliveryDocument]


class DeliveryAnswer(TypedDict):
    """One delivery."""

    delivery: DeliveryDocument


class SwitchesPart(Part):
    """A page of the switches: what is off first."""

    provider_switches: list[SwitchDocument]


class SwitchAnswer(TypedDict):
    """One switch."""

    provider_switch: SwitchDocument


class Verdicts(TypedDict):
    """The verdict on each provider that a region enables, in its order."""

    verdicts: list[VerdictDocument]


class ReconciliationsPart(Part):
    """A page of the comparisons, newest first."""

    reconciliations: list[ReconciliationDocument]


def operation(found: Operation) -> OperationDocument:
    """An operation."""
    return {
        "id": found.id,
        "payment_collection_id": found.payment_collection_id,
        "payment_session_id": found.payment_session_id,
        "payment_id": found.payment_id,
        "provider_id": found.provider_id,
        "region_id": found.region_id,
        "kind": found.kind.value,
        "status": found.status.value,
        "amount": _major(found.amount),
        "currency_code": _currency(found.amount),
        "attempt": found.attempt,
        "attempt_key": found.attempt_key,
        "sends": found.sends,
        "checks": found.checks,
        "first_sent_at": moment_or_none(found.first_sent_at),
        "last_sent_at": moment_or_none(found.last_sent_at),
        "due_at": moment_or_none(found.due_at),
        "cause": found.cause,
        "answer": found.answer,
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
    }


def event(found: Event) -> EventDocument:
    """An event."""
    return {
        "id": found.id,
        "name": found.name,
        "entity_id": found.entity_id,
        "payment_collection_id": found.payment_collection_id,
        "data": found.data,
        "created_at": moment(found.created_at),
    }


def notice(found: ReceivedNotice) -> NoticeDocument:
    """A message of a provider."""
    return {
        "id": found.id,
        "provider_id": found.provider_id,
        "type": found.type,
        "status": found.status.value,
        "provider_reference": found.provider_reference,
        "payment_collection_id": found.payment_collection_id,
        "payment_session_id": found.payment_session_id,
        "attempts": found.attempts,
        "due_at": moment_or_none(found.due_at),
        "cause": found.cause,
        "body": found.body,
        "received_at": moment(found.received_at),
        "updated_at": moment(found.updated_at),
    }


def case(found: Case) -> CaseDocument:
    """A case."""
    return {
        "id": found.id,
        "kind": found.kind.value,
        "status": found.status.value,
        "provider_id": found.provider_id,
        "payment_collection_id": found.payment_collection_id,
        "payment_session_id": found.payment_session_id,
        "subject": found.subject,
        "amount": _major(found.amount),
        "currency_code": _currency(found.amount),
        "cause": found.cause,
        "opened_at": moment(found.opened_at),
        "closed_at": moment_or_none(found.closed_at),
        "closed_by": found.closed_by,
        "closed_why": found.closed_why,
    }


def delivery(found: Delivery) -> DeliveryDocument:
    """A delivery."""
    return {
        "id": found.id,
        "event": event(found.event),
        "subscriber": found.subscriber,
        "status": found.status.value,
        "attempts": found.attempts,
        "due_at": moment_or_none(found.due_at),
        "cause": found.cause,
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
    }


def switch(found: ProviderSwitch) -> SwitchDocument:
    """A switch."""
    return {
        "id": found.id,
        "provider_id": found.provider_id,
        "region_id": found.region_id,
        "reason": found.reason,
        "off_by": found.off_by,
        "off_at": moment(found.off_at),
        "on_by": found.on_by,
        "on_at": moment_or_none(found.on_at),
        "on_why": found.on_why,
    }


def verdict(found: Verdict) -> VerdictDocument:
    """A verdict."""
    return {"provider_id": found.provider_id, "is_offered": found.is_offered, "reasons": list(found.reasons)}


def reconciliation(found: Reconciliation) -> ReconciliationDocument:
    """A comparison."""
    return {
        "id": found.id,
        "provider_id": found.provider_id,
        "since": moment(found.since),
        "until": moment(found.until),
        "listed": found.listed,
        "adopted": found.adopted,
        "reported": found.reported,
        "cause": found.cause,
        "started_at": moment(found.started_at),
        "finished_at": moment_or_none(found.finished_at),
    }


def _major(amount: Money | None) -> Decimal | None:
    return None if amount is None else exact.major(amount)


def _currency(amount: Money | None) -> str | None:
    return None if amount is None else amount.currency.lower()
