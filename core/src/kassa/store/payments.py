"""Payments, and the captures and refunds that happened to them.

Reservations are one guarded statement each: it checks and reserves, or changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Update, bindparam, insert, select, union_all, update

from kassa.errors import Conflict, NotFound
from kassa.ids import Kind, new_id, require_kind
from kassa.model import Capture, Operation, Payment, PaymentLedger, Refund
from kassa.store import events
from kassa.store.tables import captures, refunds
from kassa.store.tables import payments as table
from kassa_sdk import Money, Movement

_OWN = (table.c.store_id == bindparam("store"), table.c.id == bindparam("key"))
_MINOR: BindParameter[int] = bindparam("minor")
_INSERT = insert(table)
_INSERT_CAPTURE = insert(captures)
_INSERT_REFUND = insert(refunds)
_LOAD = select(table).where(*_OWN)
_OF_SESSION = select(table).where(
    table.c.store_id == bindparam("store"), table.c.payment_session_id == bindparam("session")
)
_BY_REFERENCE = select(table).where(
    table.c.store_id == bindparam("store"),
    table.c.provider_id == bindparam("provider"),
    table.c.provider_reference == bindparam("reference"),
)
_NEWEST = (
    select(table)
    .where(table.c.store_id == bindparam("store"))
    .order_by(table.c.created_at.desc(), table.c.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
_CAPTURES = (
    select(captures)
    .where(captures.c.store_id == bindparam("store"), captures.c.payment_id == bindparam("payment"))
    .order_by(captures.c.id)
)
_REFUNDS = (
    select(refunds)
    .where(refunds.c.store_id == bindparam("store"), refunds.c.payment_id == bindparam("payment"))
    .order_by(refunds.c.id)
)
_BOOKED = union_all(
    *(
        select(movements.c.provider_reference, movements.c.operation_id).where(
            movements.c.store_id == bindparam("store"), movements.c.payment_id == bindparam("payment")
        )
        for movements in (captures, refunds)
    )
)
_CAPTURES_OF, _REFUNDS_OF = (
    select(movements).where(movements.c.payment_id.in_(bindparam("payments", expanding=True))).order_by(movements.c.id)
    for movements in (captures, refunds)
)

_RESERVE_CAPTURE = (
    update(table)
    .where(
        *_OWN,
        table.c.captured_minor + table.c.capturing_minor + table.c.canceled_minor + _MINOR <= table.c.amount_minor,
    )
    .values(capturing_minor=table.c.capturing_minor + _MINOR)
)
_RESERVE_REFUND = (
    update(table)
    .where(*_OWN, table.c.refunded_minor + table.c.refunding_minor + _MINOR <= table.c.captured_minor)
    .values(refunding_minor=table.c.refunding_minor + _MINOR)
)
_RELEASE_CAPTURE = update(table).where(*_OWN).values(capturing_minor=table.c.capturing_minor - _MINOR)
_RELEASE_REFUND = update(table).where(*_OWN).values(refunding_minor=table.c.refunding_minor - _MINOR)
_BOOK_CAPTURE = (
    update(table)
    .where(*_OWN)
    .values(
        captured_minor=table.c.captured_minor + _MINOR,
        canceled_minor=bindparam("still_canceled"),
        captured_at=bindparam("now"),
        updated_at=bindparam("now"),
    )
)
_BOOK_REFUND = (
    update(table).where(*_OWN).values(refunded_minor=table.c.refunded_minor + _MINOR, updated_at=bindparam("now"))
)
_UNBOOK_REFUND = (
    update(table).where(*_OWN).values(refunded_minor=table.c.refunded_minor - _MINOR, updated_at=bindparam("now"))
)
_FAIL_REFUND = (
    update(refunds)
    .where(refunds.c.id == bindparam("refund"), refunds.c.failed_at.is_(None))
    .values(failed_at=bindparam("now"))
)
_CLAIM_CAPTURE, _CLAIM_REFUND = (
    update(movements)
    .where(
        movements.c.payment_id == bindparam("payment"),
        movements.c.provider_reference == bindparam("reference"),
        movements.c.operation_id.is_(None),
    )
    .values(operation_id=bindparam("operation"))
    for movements in (captures, refunds)
)
_SET_RETURNED = update(table).where(*_OWN).values(returned_minor=_MINOR, updated_at=bindparam("now"))
_BOOK_CANCEL = (
    update(table)
    .where(*_OWN)
    .values(canceled_minor=table.c.canceled_minor + _MINOR, canceled_at=bindparam("now"), updated_at=bindparam("now"))
)


def add(connection: Connection, payment: Payment) -> None:
    """Store a new payment: money was promised."""
    connection.execute(
        _INSERT,
        {
            "id": payment.id,
            "store_id": payment.store_id,
            "payment_collection_id": payment.payment_collection_id,
            "payment_session_id": payment.payment_session_id,
            "provider_id": payment.provider_id,
            "provider_reference": payment.provider_reference,
            "currency": payment.amount.currency,
            "amount_minor": payment.amount.minor,
            "created_at": payment.created_at,
            "updated_at": payment.updated_at,
        },
    )
    _tell(connection, payment, "payment.payment.created", payment.created_at)


def load(connection: Connection, store_id: str, payment_id: str) -> Payment:
    """The payment.  Raises InvalidData, NotFound."""
    require_kind(Kind.PAYMENT, payment_id, "payment_id")
    row = connection.execute(_LOAD, {"store": store_id, "key": payment_id}).first()
    if row is None:
        raise NotFound(f"there is no payment {payment_id} in this store")
    return from_row(row)


def ledger(connection: Connection, payment: Payment) -> PaymentLedger:
    """The payment with its captures and refunds."""
    parameters = {"store": payment.store_id, "payment": payment.id}
    return PaymentLedger(
        payment=payment,
        captures=tuple(map(_capture, connection.execute(_CAPTURES, parameters))),
        refunds=tuple(map(_refund, connection.execute(_REFUNDS, parameters))),
    )


def ledgers(connection: Connection, found: Sequence[Payment]) -> tuple[PaymentLedger, ...]:
    """These payments with their captures and refunds, in their order."""
    keys = {"payments": [payment.id for payment in found]}
    taken = [_capture(row) for row in connection.execute(_CAPTURES_OF, keys)] if found else []
    returned = [_refund(row) for row in connection.execute(_REFUNDS_OF, keys)] if found else []
    return tuple(
        PaymentLedger(
            payment=payment,
            captures=tuple(each for each in taken if each.payment_id == payment.id),
            refunds=tuple(each for each in returned if each.payment_id == payment.id),
        )
        for payment in found
    )


def newest(connection: Connection, store_id: str, limit: int, offset: int) -> tuple[Payment, ...]:
    """A page of the store's payments, newest first."""
    rows = connection.execute(_NEWEST, {"store": store_id, "limit": limit, "offset": offset})
    return tuple(map(from_row, rows))


def of_session(connection: Connection, store_id: str, session_id: str) -> Payment | None:
    """The payment that a session became, if it did."""
    row = connection.execute(_OF_SESSION, {"store": store_id, "session": session_id}).first()
    return None if row is None else from_row(row)


def booked(connection: Connection, payment: Payment) -> dict[str, str | None]:
    """The captures and refunds of a payment by the provider's reference: which operation made each (None: elsewhere)."""
    rows = connection.execute(_BOOKED, {"store": payment.store_id, "payment": payment.id})
    return {row.provider_reference: row.operation_id for row in rows}


def find_by_reference(connection: Connection, store_id: str, provider_id: str, reference: str) -> Payment | None:
    """The payment that the provider calls so, if there is one."""
    parameters = {"store": store_id, "provider": provider_id, "reference": reference}
    row = connection.execute(_BY_REFERENCE, parameters).first()
    return None if row is None else from_row(row)


def reserve_capture(connection: Connection, payment: Payment, amount: Money) -> None:
    """Reserve an amount for a capture.  Raises Conflict when less than that is left."""
    _guarded(connection, _RESERVE_CAPTURE, payment, amount, "capture")


def reserve_refund(connection: Connection, payment: Payment, amount: Money) -> None:
    """Reserve an amount for a refund.  Raises Conflict when less than that is left."""
    _guarded(connection, _RESERVE_REFUND, payment, amount, "refund")


def release_capture(connection: Connection, payment: Payment, amount: Money) -> None:
    """Free what a capture had reserved: its fate is known."""
    connection.execute(_RELEASE_CAPTURE, _own(payment) | {"minor": amount.minor})


def release_refund(connection: Connection, payment: Payment, amount: Money) -> None:
    """Free what a refund had reserved: its fate is known."""
    connection.execute(_RELEASE_REFUND, _own(payment) | {"minor": amount.minor})


def book_capture(
    connection: Connection, payment: Payment, movement: Movement, operation: Operation | None, now: datetime
) -> Capture:
    """Money was taken: add the capture and its amount."""
    capture = Capture(
        id=new_id(Kind.CAPTURE),
        payment_id=payment.id,
        operation_id=None if operation is None else operation.id,
        amount=movement.amount,
        provider_reference=movement.provider_reference,
        created_at=now,
    )
    connection.execute(_INSERT_CAPTURE, _movement_row(payment, capture))
    # What was captured after all was not released, whatever a cancellation has said.
    released = payment.amount.minor - payment.captured.minor - movement.amount.minor
    still_canceled = max(0, min(payment.canceled.minor, released))
    parameters = {"minor": movement.amount.minor, "still_canceled": still_canceled, "now": now}
    connection.execute(_BOOK_CAPTURE, _own(payment) | parameters)
    _tell(connection, payment, "payment.captured", now)
    return capture


def book_refund(  # as a capture, with its reason
    connection: Connection,
    payment: Payment,
    movement: Movement,
    operation: Operation | None,
    reason: str | None,
    now: datetime,
) -> Refund:
    """Money was given back: add the refund and its amount."""
    refund = Refund(
        id=new_id(Kind.REFUND),
        payment_id=payment.id,
        operation_id=None if operation is None else operation.id,
        amount=movement.amount,
        provider_reference=movement.provider_reference,
        reason=reason,
        refund_reason_id=None if operation is None else operation.refund_reason_id,
        created_at=now,
    )
    said = {"reason": reason, "refund_reason_id": refund.refund_reason_id}
    connection.execute(_INSERT_REFUND, _movement_row(payment, refund) | said)
    connection.execute(_BOOK_REFUND, _own(payment) | {"minor": movement.amount.minor, "now": now})
    _tell(connection, payment, "payment.refunded", now)
    return refund


def claim_movement(connection: Connection, payment: Payment, movement: Movement, operation: Operation) -> None:
    """What was told before its answer came, and so taken for made elsewhere, was made by this operation."""
    parameters = {"payment": payment.id, "reference": movement.provider_reference, "operation": operation.id}
    for statement in (_CLAIM_CAPTURE, _CLAIM_REFUND):
        connection.execute(statement, parameters)


def fail_refund(connection: Connection, payment: Payment, refund: Refund, now: datetime) -> None:
    """The provider looked again and says that this refund failed after all: it does not count."""
    if connection.execute(_FAIL_REFUND, {"refund": refund.id, "now": now}).rowcount:
        connection.execute(_UNBOOK_REFUND, _own(payment) | {"minor": refund.amount.minor, "now": now})
        _tell(connection, payment, "payment.refund_failed", now)


def set_returned(connection: Connection, payment: Payment, returned: Money, now: datetime) -> None:
    """So much of a debit was taken back by the bank, in total."""
    connection.execute(_SET_RETURNED, _own(payment) | {"minor": returned.minor, "now": now})
    _tell(connection, payment, "payment.payment.returned", now)


def book_cancel(connection: Connection, payment: Payment, amount: Money, now: datetime) -> None:
    """What was not captured is given up."""
    connection.execute(_BOOK_CANCEL, _own(payment) | {"minor": amount.minor, "now": now})
    _tell(connection, payment, "payment.payment.canceled", now)


def _guarded(connection: Connection, statement: Update, payment: Payment, amount: Money, what: str) -> None:
    if connection.execute(statement, _own(payment) | {"minor": amount.minor}).rowcount != 1:
        raise Conflict(f"payment {payment.id} has less than {amount} left to {what}; load it again")


def _own(payment: Payment) -> dict[str, Any]:
    return {"store": payment.store_id, "key": payment.id}


def _movement_row(payment: Payment, movement: Capture | Refund) -> dict[str, Any]:
    return {
        "id": movement.id,
        "store_id": payment.store_id,
        "payment_collection_id": payment.payment_collection_id,
        "payment_id": payment.id,
        "operation_id": movement.operation_id,
        "currency": movement.amount.currency,
        "amount_minor": movement.amount.minor,
        "provider_reference": movement.provider_reference,
        "created_at": movement.created_at,
    }


def _tell(connection: Connection, payment: Payment, name: str, now: datetime) -> None:
    events.append(connection, payment.store_id, payment.payment_collection_id, name, payment.id, now)


def from_row(row: Any) -> Payment:
    """As the engine has it; the row has the columns of the table."""
    currency = row.currency
    # A process that still runs the release before does not set it.
    changed = {} if row.updated_at is None else {"updated_at": row.updated_at}
    return Payment(
        id=row.id,
        store_id=row.store_id,
        payment_collection_id=row.payment_collection_id,
        payment_session_id=row.payment_session_id,
        provider_id=row.provider_id,
        provider_reference=row.provider_reference,
        amount=Money(row.amount_minor, currency),
        captured=Money(row.captured_minor, currency),
        capturing=Money(row.capturing_minor, currency),
        refunded=Money(row.refunded_minor, currency),
        refunding=Money(row.refunding_minor, currency),
        canceled=Money(row.canceled_minor, currency),
        returned=Money(row.returned_minor, currency),
        created_at=row.created_at,
        captured_at=row.captured_at,
        canceled_at=row.canceled_at,
        **changed,
    )


def _capture(row: Row[Any]) -> Capture:
    return Capture(
        id=row.id,
        payment_id=row.payment_id,
        operation_id=row.operation_id,
        amount=Money(row.amount_minor, row.currency),
        provider_reference=row.provider_reference,
        created_at=row.created_at,
    )


def _refund(row: Row[Any]) -> Refund:
    return Refund(
        id=row.id,
        payment_id=row.payment_id,
        operation_id=row.operation_id,
        amount=Money(row.amount_minor, row.currency),
        provider_reference=row.provider_reference,
        reason=row.reason,
        refund_reason_id=row.refund_reason_id,
        created_at=row.created_at,
        failed_at=row.failed_at,
    )
