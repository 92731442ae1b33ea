"""Reasons for refunds: the shop's own list."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from kassa.errors import NotFound
from kassa.ids import Kind, require_kind
from kassa.model import RefundReason
from kassa.store.tables import refund_reasons as table

_INSERT = insert(table)
_OFFERED = (table.c.store_id == bindparam("store"), table.c.deleted_at.is_(None))
_LOAD = select(table).where(*_OFFERED, table.c.id == bindparam("key"))
_PAGE = select(table).where(*_OFFERED).order_by(table.c.id.desc()).limit(bindparam("limit")).offset(bindparam("offset"))
_COUNT = select(func.count()).select_from(table).where(*_OFFERED)
_OF_IDS = select(table).where(table.c.store_id == bindparam("store"), table.c.id.in_(bindparam("keys", expanding=True)))
_SAVE = (
    update(table)
    .where(*_OFFERED, table.c.id == bindparam("key"))
    .values(
        code=bindparam("its_code"),
        label=bindparam("its_label"),
        description=bindparam("its_description"),
        updated_at=bindparam("now"),
    )
)
_DELETE = update(table).where(*_OFFERED, table.c.id == bindparam("key")).values(deleted_at=bindparam("now"))


def add(connection: Connection, reason: RefundReason) -> None:
    """Store a new reason.  A second one with its code breaks a unique rule of the database."""
    connection.execute(_INSERT, reason.model_dump())


def load(connection: Connection, store_id: str, reason_id: str) -> RefundReason:
    """The reason.  Raises InvalidData, NotFound."""
    require_kind(Kind.REFUND_REASON, reason_id, "refund_reason_id")
    row = connection.execute(_LOAD, {"store": store_id, "key": reason_id}).first()
    if row is None:
        raise NotFound(f"there is no refund reason {reason_id} in this store")
    return _reason(row)


def page(connection: Connection, store_id: str, limit: int, offset: int) -> tuple[tuple[RefundReason, ...], int]:
    """A page of the reasons that are offered, newest first; and how many there are at all."""
    rows = connection.execute(_PAGE, {"store": store_id, "limit": limit, "offset": offset})
    return tuple(map(_reason, rows)), connection.execute(_COUNT, {"store": store_id}).scalar_one()


def by_id(connection: Connection, store_id: str, ids: set[str]) -> dict[str, RefundReason]:
    """These reasons, also those that are not offered any more."""
    rows = connection.execute(_OF_IDS, {"store": store_id, "keys": sorted(ids)}) if ids else ()
    return {row.id: _reason(row) for row in rows}


def save(connection: Connection, reason: RefundReason) -> None:
    """Store a reason that was changed.  A code that another one has breaks a unique rule of the database."""
    connection.execute(
        _SAVE,
        {
            "store": reason.store_id,
            "key": reason.id,
            "its_code": reason.code,
            "its_label": reason.label,
            "its_description": reason.description,
            "now": reason.updated_at,
        },
    )


def delete(connection: Connection, reason: RefundReason, now: datetime) -> None:
    """Offer it no more."""
    connection.execute(_DELETE, {"store": reason.store_id, "key": reason.id, "now": now})


def _reason(row: Row[Any]) -> RefundReason:
    columns = row._asdict()
    del columns["deleted_at"]
    return RefundReason.model_validate(columns)
