"""Reconciliations: which time of which provider was compared with its own list, how far, and what came of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, text, update

from kassa.errors import Conflict
from kassa.model import Reconciliation
from kassa.store.tables import reconciliations as table

_INSERT = insert(table)
_LOAD = select(table).where(table.c.id == bindparam("key"))
_NEWEST_DAILY = (
    select(table)
    .where(table.c.provider_id == bindparam("provider"), table.c.is_daily)
    .order_by(table.c.since.desc())
    .limit(1)
)
_LEFT = (
    select(table)
    .where(
        table.c.provider_id == bindparam("provider"),
        table.c.finished_at.is_(None),
        table.c.lease_until <= bindparam("now"),
    )
    .order_by(table.c.started_at, table.c.id)
    .limit(1)
)
_NEWEST = select(table).order_by(table.c.id.desc()).limit(bindparam("limit")).offset(bindparam("offset"))
# Who holds it is told by the end of the lease: whoever takes it over gives it a later one.
_HELD = (table.c.id == bindparam("key"), table.c.lease_until == bindparam("held"), table.c.finished_at.is_(None))
_HOLD = update(table).where(*_HELD).values(lease_until=bindparam("lease"), cause=bindparam("why"))
_GO_ON = (
    update(table)
    .where(*_HELD)
    .values(
        listed=table.c.listed + bindparam("more"),
        cursor=bindparam("place"),
        lease_until=bindparam("lease"),
        cause=bindparam("why"),
    )
)
_FINISH = update(table).where(*_HELD).values(lease_until=None, cursor=None, finished_at=bindparam("now"))
_COUNT = (
    update(table)
    .where(table.c.id == bindparam("key"))
    .values(adopted=table.c.adopted + bindparam("news"), reported=table.c.reported + bindparam("cases"))
)


def be_alone(connection: Connection, provider_id: str) -> None:
    """From here to the end of the transaction, nobody else begins or takes over a reconciliation of this provider."""
    # SQLite has one writer at a time anyway.
    if connection.dialect.name == "postgresql":
        name = f"kassa reconciliation {provider_id}"
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def add(connection: Connection, reconciliation: Reconciliation) -> None:
    """Store a new one.  A second daily one that begins at the same moment breaks a unique rule of the database."""
    connection.execute(_INSERT, reconciliation.model_dump())


def load(connection: Connection, reconciliation_id: str) -> Reconciliation:
    """The reconciliation; there is one."""
    return _reconciliation(connection.execute(_LOAD, {"key": reconciliation_id}).one())


def newest_daily(connection: Connection, provider_id: str) -> Reconciliation | None:
    """Up to where the days of this provider were compared, or are being compared."""
    row = connection.execute(_NEWEST_DAILY, {"provider": provider_id}).first()
    return None if row is None else _reconciliation(row)


def left(connection: Connection, provider_id: str, now: datetime) -> Reconciliation | None:
    """The oldest one of this provider that is not finished, and that nobody holds."""
    row = connection.execute(_LEFT, {"provider": provider_id, "now": now}).first()
    return None if row is None else _reconciliation(row)


def newest(connection: Connection, limit: int, offset: int) -> tuple[Reconciliation, ...]:
    """A page of all of them, newest first."""
    return tuple(map(_reconciliation, connection.execute(_NEWEST, {"limit": limit, "offset": offset})))


def hold(
    connection: Connection, held: Reconciliation, lease_until: datetime, cause: str | None = None
) -> Reconciliation:
    """Nobody else works at it before this moment.  Raises Conflict where somebody has taken it over."""
    _change(connection, held, _HOLD, {"lease": lease_until, "why": cause})
    return load(connection, held.id)


def go_on(
    connection: Connection, held: Reconciliation, listed: int, cursor: str | None, lease_until: datetime
) -> Reconciliation:
    """One page of the list is compared.  Raises Conflict where somebody has taken it over."""
    told = {"more": listed, "place": cursor, "lease": lease_until, "why": None}
    _change(connection, held, _GO_ON, told)
    return load(connection, held.id)


def finish(connection: Connection, held: Reconciliation, now: datetime) -> Reconciliation:
    """Both directions are compared.  Raises Conflict where somebody has taken it over."""
    _change(connection, held, _FINISH, {"now": now})
    return load(connection, held.id)


def count(connection: Connection, held: Reconciliation, *, adopted: int = 0, reported: int = 0) -> None:
    """In the transaction of what was adopted or reported, so that a kill counts nothing twice."""
    connection.execute(_COUNT, {"key": held.id, "news": adopted, "cases": reported})


def _change(connection: Connection, held: Reconciliation, statement: Any, told: dict[str, Any]) -> None:
    parameters = {"key": held.id, "held": held.lease_until, **told}
    if connection.execute(statement, parameters).rowcount != 1:
        raise Conflict(f"reconciliation {held.id} was taken over by another process, which goes on with it")


def _reconciliation(row: Row[Any]) -> Reconciliation:
    return Reconciliation.model_validate(row._asdict())
