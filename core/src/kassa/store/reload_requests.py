"""Requests to every running process to read its configuration again."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select

from kassa.store.tables import reload_requests as table
from kassa_sdk import Record

_INSERT = insert(table)
_NEWEST = select(table).order_by(table.c.id.desc()).limit(bindparam("limit"))


class ReloadRequest(Record):
    """Who asked, and when; ids rise."""

    id: int
    requested_by: str
    requested_at: datetime


def add(connection: Connection, who: str, now: datetime) -> None:
    """Ask for it."""
    connection.execute(_INSERT, {"requested_by": who, "requested_at": now})


def newest(connection: Connection) -> ReloadRequest | None:
    """The last request, if there was one."""
    row = connection.execute(_NEWEST, {"limit": 1}).first()
    return None if row is None else ReloadRequest.model_validate(row._asdict())
