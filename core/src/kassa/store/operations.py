"""Operations: each intent towards a provider, durable before it is sent."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from kassa.errors import Conflict, NotFound
from kassa.model import Operation, OperationKind, Payment, PaymentCollection, PaymentSession
from kassa.store import events
from kassa.store.tables import IS_OPEN
from kassa.store.tables import operations as table
from kassa.transitions import OPEN_OPERATION, OperationStatus, SessionStatus, advance
from kassa_sdk import Money

DUE_STATUSES = (
    OperationStatus.PLANNED,
    OperationStatus.IN_FLIGHT,
    OperationStatus.UNKNOWN,
    OperationStatus.PENDING,
)
"""Where recovery has something to do; a shopper who must act, and a person who must decide, are waited for."""

_OWN = (table.c.store_id == bindparam("store"), table.c.id == bindparam("key"))
_INSERT = insert(table)
_LOCK = select(table).where(*_OWN).with_for_update()
_OF_COLLECTION = (
    select(table)
    .where(table.c.store_id == bindparam("store"), table.c.payment_collection_id == bindparam("collection"))
    .order_by(table.c.id)
)
_OF_PAYMENT = (
    select(table)
    .where(table.c.store_id == bindparam("store"), table.c.payment_id == bindparam("payment"))
    .order_by(table.c.id)
)
_OPEN_OF_SESSION = (
    select(table)
    .where(
        table.c.store_id == bindparam("store"),
        table.c.payment_session_id == bindparam("session"),
        table.c.status.in_([status.value for status in OPEN_OPERATION]),
    )
    .order_by(table.c.id)
)
_IS_DUE = (
    table.c.due_at <= bindparam("now"),
    table.c.status.in_([status.value for status in DUE_STATUSES]),
)
_ANY_DUE = select(table.c.id).where(*_IS_DUE).limit(1)
_DUE = (
    select(table)
    .where(*_IS_DUE)
    .order_by(table.c.due_at, table.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    update(table)
    .where(table.c.id == bindparam("key"), table.c.generation == bindparam("holder"))
    .values(
        generation=table.c.generation + 1,
        checks=table.c.checks + 1,
        lease_until=bindparam("lease"),
        due_at=bindparam("lease"),
    )
)
_POSTPONE = (
    update(table)
    .where(*_OWN, table.c.generation == bindparam("holder"))
    .values(due_at=bindparam("due"), lease_until=None, checks=bindparam("next_checks"), cause=bindparam("why"))
)
_IN_DOUBT = (
    select(table)
    .where(table.c.store_id == bindparam("store"), IS_OPEN)
    .order_by(table.c.created_at, table.c.id)
    .limit(bindparam("limit"))
)
_LATEST = (
    select(table)
    .where(
        table.c.store_id == bindparam("store"),
        table.c.payment_session_id == bindparam("session"),
        table.c.kind == bindparam("wanted"),
    )
    .order_by(table.c.id.desc())
    .limit(1)
)
_MOVE = (
    update(table)
    .where(*_OWN, table.c.status == bindparam("current"), table.c.generation == bindparam("holder"))
    .values(
        status=bindparam("following"),
        cause=bindparam("why"),
        answer=func.coalesce(bindparam("said"), table.c.answer),
        due_at=bindparam("due"),
        lease_until=None,
        updated_at=bindparam("now"),
    )
)
_SEND_AGAIN = (
    update(table)
    .where(*_OWN, table.c.status == bindparam("current"), table.c.generation == bindparam("holder"))
    .values(
        status=OperationStatus.IN_FLIGHT.value,
        hook=bindparam("next_hook"),
        attempt=bindparam("next_attempt"),
        attempt_key=bindparam("next_key"),
        request=bindparam("next_request"),
        sends=bindparam("next_sends"),
        first_sent_at=bindparam("next_first_sent_at"),
        last_sent_at=bindparam("next_last_sent_at"),
        checks=bindparam("next_checks"),
        generation=table.c.generation + 1,
        lease_until=bindparam("lease"),
        due_at=bindparam("due"),
        cause=None,
        updated_at=bindparam("now"),
    )
)


def add(connection: Connection, operation: Operation) -> None:
    """Store a new operation.  A second open one that may not run beside it breaks a unique rule of the database."""
    amount = operation.amount
    columns = operation.model_dump(exclude={"amount"}) | {
        "currency": None if amount is None else amount.currency,
        "amount_minor": None if amount is None else amount.minor,
    }
    connection.execute(_INSERT, columns)
    _tell(connection, operation, operation.status, operation.created_at, None)


def lock(connection: Connection, store_id: str, operation_id: str) -> Operation:
    """Lock and load an operation; the collection is locked already.  Raises NotFound."""
    row = connection.execute(_LOCK, {"store": store_id, "key": operation_id}).first()
    if row is None:
        raise NotFound(f"there is no operation {operation_id} in this store")
    return _operation(row)


def of_collection(connection: Connection, store_id: str, collection_id: str) -> tuple[Operation, ...]:
    """Every operation of a collection, oldest first."""
    return tuple(map(_operation, connection.execute(_OF_COLLECTION, {"store": store_id, "collection": collection_id})))


def open_of_session(connection: Connection, store_id: str, session_id: str) -> tuple[Operation, ...]:
    """The operations of a session that are not settled, oldest first."""
    return tuple(map(_operation, connection.execute(_OPEN_OF_SESSION, {"store": store_id, "session": session_id})))


def paying_session(connection: Connection, collection: PaymentCollection) -> PaymentSession | None:
    """A session of the collection in which money is promised or on its way, if there is one."""
    for session in collection.live_sessions:
        is_early = session.status in (SessionStatus.PENDING, SessionStatus.ERROR)
        under_way = open_of_session(connection, session.store_id, session.id)
        if not is_early or any(operation.kind is OperationKind.AUTHORIZE for operation in under_way):
            return session
    return None


def latest(connection: Connection, store_id: str, session_id: str, kind: OperationKind) -> Operation:
    """The newest operation of this kind of a session; there is one."""
    parameters = {"store": store_id, "session": session_id, "wanted": kind}
    return _operation(connection.execute(_LATEST, parameters).one())


def newest_of_session(connection: Connection, store_id: str, session_id: str, kind: OperationKind) -> Operation | None:
    """The newest operation of this kind of a session, if there is one."""
    row = connection.execute(_LATEST, {"store": store_id, "session": session_id, "wanted": kind}).first()
    return None if row is None else _operation(row)


def of_payment(connection: Connection, payment: Payment) -> tuple[Operation, ...]:
    """Every operation on a payment, oldest first."""
    parameters = {"store": payment.store_id, "payment": payment.id}
    return tuple(map(_operation, connection.execute(_OF_PAYMENT, parameters)))


def is_any_due(connection: Connection, now: datetime) -> bool:
    """Whether some operation, of any store, is due."""
    return connection.execute(_ANY_DUE, {"now": now}).first() is not None


def claim_due(connection: Connection, now: datetime, lease_until: datetime, limit: int) -> tuple[Operation, ...]:
    """Take over operations that are due, of every store: nobody else gets them until the lease ends.

    One whose sender did not come back in time is unknown from then on.
    """
    claimed = []
    for row in connection.execute(_DUE, {"now": now, "limit": limit}).all():
        claimed.append(_taken_over(connection, _operation(row), now, lease_until))
    return tuple(claimed)


def _taken_over(connection: Connection, operation: Operation, now: datetime, lease_until: datetime) -> Operation:
    connection.execute(_CLAIM, {"key": operation.id, "holder": operation.generation, "lease": lease_until})
    held = {
        "generation": operation.generation + 1,
        "checks": operation.checks + 1,
        "lease_until": lease_until,
        "due_at": lease_until,
    }
    operation = operation.model_copy(update=held)
    if operation.status is OperationStatus.IN_FLIGHT:
        cause = "its sender did not come back"
        return move(connection, operation, OperationStatus.UNKNOWN, now, cause=cause, due_at=lease_until)
    return operation


def claim(connection: Connection, store_id: str, operation_id: str, now: datetime, lease_until: datetime) -> Operation:
    """Take over one operation, due or not.  Raises NotFound, Conflict where another holds it, or where it is settled."""
    operation = lock(connection, store_id, operation_id)
    held = operation.lease_until is not None and operation.lease_until > now
    if held or operation.status not in DUE_STATUSES:
        raise Conflict(f"operation {operation_id} is {operation.status.value}{', and being worked on' if held else ''}")
    return _taken_over(connection, operation, now, lease_until)


def postpone(connection: Connection, operation: Operation, due_at: datetime | None, cause: str | None) -> None:
    """Look for its fate again at this moment, with so many checks made as ``operation`` says.

    Does nothing when somebody else has taken it over.
    """
    parameters = {"store": operation.store_id, "key": operation.id, "holder": operation.generation}
    connection.execute(_POSTPONE, parameters | {"due": due_at, "next_checks": operation.checks, "why": cause})


def in_doubt(connection: Connection, store_id: str, limit: int) -> tuple[Operation, ...]:
    """The operations of a store that are not settled, oldest first."""
    return tuple(map(_operation, connection.execute(_IN_DOUBT, {"store": store_id, "limit": limit})))


def move(  # what a move carries
    connection: Connection,
    operation: Operation,
    following: OperationStatus,
    now: datetime,
    *,
    cause: str | None = None,
    answer: str | None = None,
    due_at: datetime | None = None,
) -> Operation:
    """Move the operation to another status, if the table allows it.  Raises IllegalTransition, Conflict."""
    advance(operation.status, following)
    parameters = {
        "store": operation.store_id,
        "key": operation.id,
        "current": operation.status,
        "holder": operation.generation,
        "following": following,
        "why": cause,
        "said": answer,
        "due": due_at,
        "now": now,
    }
    if connection.execute(_MOVE, parameters).rowcount != 1:
        raise _overtaken(operation)
    _tell(connection, operation, following, now, cause)
    moved = {"status": following, "cause": cause, "due_at": due_at, "lease_until": None, "updated_at": now}
    return operation.model_copy(update=moved | {"answer": answer or operation.answer})


def send_again(connection: Connection, operation: Operation, send: Operation) -> Operation:
    """Put the operation in flight again, as ``send`` says, under the next generation.

    Raises IllegalTransition, Conflict.
    """
    advance(operation.status, OperationStatus.IN_FLIGHT)
    parameters = {
        "store": operation.store_id,
        "key": operation.id,
        "current": operation.status,
        "holder": operation.generation,
        "next_hook": send.hook,
        "next_attempt": send.attempt,
        "next_key": send.attempt_key,
        "next_request": send.request,
        "next_sends": send.sends,
        "next_first_sent_at": send.first_sent_at,
        "next_last_sent_at": send.last_sent_at,
        "next_checks": send.checks,
        "lease": send.lease_until,
        "due": send.due_at,
        "now": send.updated_at,
    }
    if connection.execute(_SEND_AGAIN, parameters).rowcount != 1:
        raise _overtaken(operation)
    _tell(connection, send, OperationStatus.IN_FLIGHT, send.updated_at, None)
    return send.model_copy(update={"status": OperationStatus.IN_FLIGHT, "generation": operation.generation + 1})


def _overtaken(operation: Operation) -> Conflict:
    return Conflict(f"operation {operation.id} has moved on from {operation.status.value}; load it again")


def _tell(
    connection: Connection, operation: Operation, status: OperationStatus, now: datetime, cause: str | None
) -> None:
    name = f"kassa.operation.{status.value}"
    data = {"kind": operation.kind.value, "attempt_key": operation.attempt_key, "cause": cause}
    events.append(connection, operation.store_id, operation.payment_collection_id, name, operation.id, now, dict(data))


def _operation(row: Row[Any]) -> Operation:
    columns = row._asdict()
    currency, minor = columns.pop("currency"), columns.pop("amount_minor")
    amount = None if currency is None else Money(minor, currency)
    return Operation(
        amount=amount,
        kind=OperationKind(columns.pop("kind")),
        status=OperationStatus(columns.pop("status")),
        **columns,
    )
