"""Cases: what a person should know about, or decide, although no operation waits for them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from kassa.errors import NotFound
from kassa.ids import Kind, new_id, require_kind
from kassa.model import Case, CaseKind, CaseStatus, PaymentSession
from kassa.store import events
from kassa.store.tables import cases as table
from kassa_sdk import Money

LONGEST_SUBJECT = 255

_OWN = (table.c.store_id == bindparam("store"), table.c.id == bindparam("key"))
_INSERT = insert(table)
_LOAD = select(table).where(*_OWN)
_LOCK = _LOAD.with_for_update()
_ABOUT = select(table).where(
    table.c.store_id == bindparam("store"), table.c.kind == bindparam("wanted"), table.c.subject == bindparam("about")
)
_NEWEST = (
    select(table)
    .where(table.c.store_id == bindparam("store"), table.c.status == bindparam("wanted"))
    .order_by(table.c.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
_OF_COLLECTION = (
    select(table)
    .where(table.c.store_id == bindparam("store"), table.c.payment_collection_id == bindparam("collection"))
    .order_by(table.c.id)
)
_ANY_DUE = select(table.c.id).where(table.c.due_at <= bindparam("now")).limit(1)
_DUE = (
    select(table)
    .where(table.c.due_at <= bindparam("now"))
    .order_by(table.c.due_at, table.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_POSTPONE = update(table).where(table.c.id == bindparam("key")).values(due_at=bindparam("due"))
_CLOSE = (
    update(table)
    .where(*_OWN)
    .values(
        status=CaseStatus.CLOSED.value,
        closed_at=bindparam("now"),
        closed_by=bindparam("who"),
        closed_why=bindparam("why"),
        due_at=None,
    )
)


def open_case(connection: Connection, case: Case, *, due_at: datetime | None = None, raises_alarm: bool = True) -> bool:
    """Open a case and raise its alarm, unless there is one of this kind about the same subject, open or closed.

    ``due_at`` is when the worker does what the policy says.  Returns whether it is new.
    """
    known = {"store": case.store_id, "wanted": case.kind, "about": case.subject}
    if connection.execute(_ABOUT, known).first() is not None:
        return False
    amount = case.amount
    columns = case.model_dump(exclude={"amount"}) | {
        "currency": None if amount is None else amount.currency,
        "amount_minor": None if amount is None else amount.minor,
        "due_at": due_at,
    }
    connection.execute(_INSERT, columns)
    if raises_alarm:
        alarm(connection, case, case.cause, case.opened_at)
    else:
        _tell(connection, case, "kassa.case.opened", case.opened_at, {"kind": case.kind.value, "cause": case.cause})
    return True


def alarm(connection: Connection, case: Case, cause: str, now: datetime) -> None:
    """Somebody should look at this case."""
    _tell(connection, case, f"kassa.alarm.{case.kind.value}", now, {"cause": cause})


def about(
    session: PaymentSession, kind: CaseKind, subject: str, cause: str, now: datetime, amount: Money | None = None
) -> Case:
    """A case about a session, to be opened."""
    return Case(
        id=new_id(Kind.CASE),
        store_id=session.store_id,
        payment_collection_id=session.payment_collection_id,
        payment_session_id=session.id,
        provider_id=session.provider_id,
        kind=kind,
        status=CaseStatus.OPEN,
        subject=subject[:LONGEST_SUBJECT],
        amount=amount,
        cause=cause,
        opened_at=now,
        closed_at=None,
        closed_by=None,
        closed_why=None,
    )


def about_stranger(
    store_id: str, provider_id: str, subject: str, cause: str, now: datetime, amount: Money | None = None
) -> Case:
    """A case about a payment at a provider that we do not know, to be opened."""
    return Case(
        id=new_id(Kind.CASE),
        store_id=store_id,
        payment_collection_id=None,
        payment_session_id=None,
        provider_id=provider_id,
        kind=CaseKind.ORPHAN,
        status=CaseStatus.OPEN,
        subject=subject[:LONGEST_SUBJECT],
        amount=amount,
        cause=cause,
        opened_at=now,
        closed_at=None,
        closed_by=None,
        closed_why=None,
    )


def load(connection: Connection, store_id: str, case_id: str, *, for_update: bool = False) -> Case:
    """The case.  Raises InvalidData, NotFound."""
    require_kind(Kind.CASE, case_id, "case_id")
    row = connection.execute(_LOCK if for_update else _LOAD, {"store": store_id, "key": case_id}).first()
    if row is None:
        raise NotFound(f"there is no case {case_id} in this store")
    return _case(row)


def newest(connection: Connection, store_id: str, status: CaseStatus, limit: int, offset: int) -> tuple[Case, ...]:
    """A page of the store's cases in this status, newest first."""
    parameters = {"store": store_id, "wanted": status, "limit": limit, "offset": offset}
    return tuple(map(_case, connection.execute(_NEWEST, parameters)))


def of_collection(connection: Connection, store_id: str, collection_id: str) -> tuple[Case, ...]:
    """Every case of a collection, oldest first."""
    return tuple(map(_case, connection.execute(_OF_COLLECTION, {"store": store_id, "collection": collection_id})))


def is_any_due(connection: Connection, now: datetime) -> bool:
    """Whether some case, of any store, is due."""
    return connection.execute(_ANY_DUE, {"now": now}).first() is not None


def claim_due(connection: Connection, now: datetime, next_due_at: datetime, limit: int) -> tuple[Case, ...]:
    """Cases, of every store, in which the worker is to act; nobody else gets them until they are due again."""
    rows = connection.execute(_DUE, {"now": now, "limit": limit}).all()
    for row in rows:
        connection.execute(_POSTPONE, {"key": row.id, "due": next_due_at})
    return tuple(map(_case, rows))


def close_about(connection: Connection, store_id: str, kind: CaseKind, subject: str, why: str, now: datetime) -> None:
    """What an open case of this kind was about has ended well by itself."""
    row = connection.execute(_ABOUT, {"store": store_id, "wanted": kind, "about": subject}).first()
    if row is not None and row.status == CaseStatus.OPEN:
        close(connection, _case(row), "kassa", why, now)


def postpone(connection: Connection, case: Case, due_at: datetime | None) -> None:
    """The worker looks at it again then (None: never, a person decides)."""
    connection.execute(_POSTPONE, {"key": case.id, "due": due_at})


def close(connection: Connection, case: Case, who: str, why: str, now: datetime) -> None:
    """Nobody needs to look at it any more."""
    connection.execute(_CLOSE, {"store": case.store_id, "key": case.id, "who": who, "why": why, "now": now})
    _tell(connection, case, "kassa.case.closed", now, {"kind": case.kind.value, "who": who, "why": why})


def _tell(connection: Connection, case: Case, name: str, now: datetime, data: dict[str, Any]) -> None:
    events.append(connection, case.store_id, case.payment_collection_id, name, case.id, now, data)


def _case(row: Row[Any]) -> Case:
    columns = row._asdict()
    currency, minor = columns.pop("currency"), columns.pop("amount_minor")
    columns.pop("due_at")
    return Case(
        amount=None if currency is None else Money(minor, currency),
        kind=CaseKind(columns.pop("kind")),
        status=CaseStatus(columns.pop("status")),
        **columns,
    )
