"""Payment collections: what is owed for one purpose."""

from collections import namedtuple
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from kassa.errors import NotFound
from kassa.ids import Kind, require_kind
from kassa.model import PaymentCollection
from kassa.store import events, payments, sessions
from kassa.store.tables import payment_collections as table
from kassa.store.tables import payment_sessions
from kassa.store.tables import payments as payment_table
from kassa_sdk import Money

_INSERT = insert(table)
_OWN = (table.c.store_id == bindparam("store"), table.c.id == bindparam("key"))
_LOAD = select(table).where(*_OWN)
_LOCK = _LOAD.with_for_update()
_LOCK_OF_SESSION, _LOCK_OF_PAYMENT = (
    select(table)
    .where(
        table.c.store_id == bindparam("store"),
        table.c.id
        == select(inside.c.payment_collection_id)
        .where(inside.c.store_id == bindparam("store"), inside.c.id == bindparam("key"))
        .scalar_subquery(),
    )
    .with_for_update(of=table)
    for inside in (payment_sessions, payment_table)
)
_BY_CART = select(table).where(table.c.store_id == bindparam("store"), table.c.cart_id == bindparam("cart"))
_BY_ORDER = select(table).where(table.c.store_id == bindparam("store"), table.c.order_id == bindparam("order")).limit(1)
_DELETE = update(table).where(*_OWN).values(deleted_at=bindparam("now"), updated_at=bindparam("now"))
_SET_AMOUNT = update(table).where(*_OWN).values(amount_minor=bindparam("minor"), updated_at=bindparam("now"))
_EXPECT = (
    update(table).where(table.c.id == bindparam("key"), table.c.cart_id.is_not(None)).values(due_at=bindparam("due"))
)
_POSTPONE = (
    update(table).where(table.c.id == bindparam("key"), table.c.due_at.is_not(None)).values(due_at=bindparam("due"))
)
_ANY_DUE = select(table.c.id).where(table.c.due_at <= bindparam("now")).limit(1)
_DUE = (
    select(table)
    .where(table.c.due_at <= bindparam("now"))
    .order_by(table.c.due_at, table.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_COMPLETE = (
    update(table)
    .where(*_OWN)
    .values(
        order_id=bindparam("order"),
        order_is_paid=bindparam("is_paid"),
        completed_at=bindparam("completed"),
        due_at=None,
        updated_at=bindparam("now"),
    )
)
# Each session and the payment that it became, if it did, in one statement: what is loaded for every verb.
_INSIDE = (
    select(payment_sessions, payment_table)
    .outerjoin(payment_table, payment_table.c.payment_session_id == payment_sessions.c.id)
    .where(
        payment_sessions.c.store_id == bindparam("store"),
        payment_sessions.c.payment_collection_id == bindparam("collection"),
    )
    .order_by(payment_sessions.c.id)
)
_Session, _Payment = (cast(Any, namedtuple)(table.name, table.c.keys()) for table in (payment_sessions, payment_table))
"""Rows of one table, out of the wider rows of a join."""


def add(connection: Connection, collection: PaymentCollection) -> None:
    """Store a new collection.  A second one for the same cart breaks a unique rule of the database."""
    connection.execute(
        _INSERT,
        {
            "id": collection.id,
            "store_id": collection.store_id,
            "region_id": collection.region_id,
            "cart_id": collection.cart_id,
            "order_id": collection.order_id,
            "order_is_paid": collection.order_is_paid,
            "for_order_id": collection.for_order_id,
            "currency": collection.amount.currency,
            "amount_minor": collection.amount.minor,
            "created_at": collection.created_at,
            "updated_at": collection.updated_at,
            "completed_at": collection.completed_at,
        },
    )
    _tell(connection, collection.store_id, collection.id, "created", collection.created_at)


def lock(connection: Connection, store_id: str, collection_id: str) -> PaymentCollection:
    """Lock the collection until the end of the transaction, and load it.  Raises InvalidData, NotFound.

    Every change to anything of a collection begins here, so that two of them wait for each other.
    """
    return _found(connection, _LOCK, store_id, collection_id)


def lock_of_session(connection: Connection, store_id: str, session_id: str) -> PaymentCollection:
    """Lock the collection of a session, and load it.  Raises InvalidData, NotFound."""
    return _found(connection, _LOCK_OF_SESSION, store_id, session_id, Kind.PAYMENT_SESSION)


def lock_of_payment(connection: Connection, store_id: str, payment_id: str) -> PaymentCollection:
    """Lock the collection of a payment, and load it.  Raises InvalidData, NotFound."""
    return _found(connection, _LOCK_OF_PAYMENT, store_id, payment_id, Kind.PAYMENT)


def load(connection: Connection, store_id: str, collection_id: str) -> PaymentCollection:
    """The collection with its sessions and payments.  Raises InvalidData, NotFound."""
    return _found(connection, _LOAD, store_id, collection_id)


def find_by_cart(connection: Connection, store_id: str, cart_id: str) -> PaymentCollection | None:
    """The collection of this cart, if there is one."""
    row = connection.execute(_BY_CART, {"store": store_id, "cart": cart_id}).first()
    return None if row is None else _collection(connection, row)


def find_by_order(connection: Connection, store_id: str, order_id: str) -> PaymentCollection | None:
    """The collection that has paid this order, if there is one."""
    row = connection.execute(_BY_ORDER, {"store": store_id, "order": order_id}).first()
    return None if row is None else _collection(connection, row)


def delete(connection: Connection, collection: PaymentCollection, now: datetime) -> None:
    """Nothing is owed any more.  The row stays, for what providers may still say of it."""
    connection.execute(_DELETE, {"store": collection.store_id, "key": collection.id, "now": now})
    _tell(connection, collection.store_id, collection.id, "deleted", now)


def set_amount(connection: Connection, collection: PaymentCollection, amount: Money, now: datetime) -> None:
    """What is owed has changed."""
    parameters = {"store": collection.store_id, "key": collection.id, "minor": amount.minor, "now": now}
    connection.execute(_SET_AMOUNT, parameters)
    _tell(connection, collection.store_id, collection.id, "updated", now)


def expect_completion(connection: Connection, collection_id: str, due_at: datetime | None) -> None:
    """Its cart is paid: from this moment on the worker places the order, or notes that it is paid, if nobody has by then.

    None: there is nothing to place any more.
    """
    connection.execute(_EXPECT, {"key": collection_id, "due": due_at})


def postpone_completion(connection: Connection, collection_id: str, due_at: datetime) -> None:
    """Try again at this moment, unless there is nothing to place any more."""
    connection.execute(_POSTPONE, {"key": collection_id, "due": due_at})


def is_any_due(connection: Connection, now: datetime) -> bool:
    """Whether some collection, of any store, is due."""
    return connection.execute(_ANY_DUE, {"now": now}).first() is not None


def claim_due(
    connection: Connection, now: datetime, next_due_at: datetime, limit: int
) -> tuple[PaymentCollection, ...]:
    """Collections, of every store, that are paid and not completed; nobody else gets them until they are due again."""
    rows = connection.execute(_DUE, {"now": now, "limit": limit}).all()
    for row in rows:
        expect_completion(connection, row.id, next_due_at)
    return tuple(_collection(connection, row) for row in rows)


def complete(
    connection: Connection, collection: PaymentCollection, order_id: str, now: datetime, *, is_paid: bool
) -> PaymentCollection:
    """The order is placed, or the money that it waited for is there.  Changes nothing when that is known."""
    if collection.order_id == order_id and collection.order_is_paid >= is_paid:
        connection.execute(_EXPECT, {"key": collection.id, "due": None})
        return collection
    completed_at = collection.completed_at or now
    parameters = {"store": collection.store_id, "key": collection.id, "order": order_id, "is_paid": is_paid, "now": now}
    connection.execute(_COMPLETE, parameters | {"completed": completed_at})
    name = "order.placed" if collection.order_id is None else "kassa.order.paid"
    events.append(connection, collection.store_id, collection.id, name, order_id, now)
    return collection.model_copy(
        update={"order_id": order_id, "order_is_paid": is_paid, "completed_at": completed_at, "updated_at": now}
    )


def _tell(connection: Connection, store_id: str, collection_id: str, what: str, now: datetime) -> None:
    events.append(connection, store_id, collection_id, f"payment.payment_collection.{what}", collection_id, now)


def _found(
    connection: Connection, statement: Select[Any], store_id: str, key: str, kind: Kind = Kind.PAYMENT_COLLECTION
) -> PaymentCollection:
    what = kind.name.lower()
    require_kind(kind, key, f"{what}_id")
    row = connection.execute(statement, {"store": store_id, "key": key}).first()
    if row is None:
        raise NotFound(f"there is no {what.replace('_', ' ')} {key} in this store")
    return _collection(connection, row)


def _collection(connection: Connection, row: Row[Any]) -> PaymentCollection:
    inside = connection.execute(_INSIDE, {"store": row.store_id, "collection": row.id}).all()
    made = (_Payment._make(each[len(_Session._fields) :]) for each in inside)
    paid = [payments.from_row(each) for each in made if each.id is not None]
    return PaymentCollection(
        id=row.id,
        store_id=row.store_id,
        region_id=row.region_id,
        cart_id=row.cart_id,
        order_id=row.order_id,
        order_is_paid=row.order_is_paid,
        for_order_id=row.for_order_id,
        amount=Money(row.amount_minor, row.currency),
        sessions=tuple(sessions.from_row(_Session._make(each[: len(_Session._fields)])) for each in inside),
        payments=tuple(sorted(paid, key=attrgetter("id"))),
        created_at=row.created_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
        deleted_at=row.deleted_at,
    )
