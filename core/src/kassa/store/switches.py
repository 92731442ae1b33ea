"""Switches: who switched which provider off, where and why, and who switched it on again."""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from kassa.model import ProviderSwitch
from kassa.store.tables import provider_switches as table

EVERYWHERE = "*"
"""Stands for all regions; no region can be named so."""

_LOCK_KEY = 5_277_002
"""Any number that nobody else locks: shared by those who go by the switches, alone for the one who turns one."""

_INSERT = insert(table)
_IN_FORCE = select(table).where(table.c.on_at.is_(None)).order_by(table.c.id)
_FIND = _IN_FORCE.where(table.c.provider_id == bindparam("provider"), table.c.region_id == bindparam("region"))
_ALL = (
    select(table)
    .order_by(table.c.on_at.is_not(None), table.c.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
_SWITCH_ON = (
    update(table)
    .where(table.c.id == bindparam("key"), table.c.on_at.is_(None))
    .values(on_by=bindparam("who"), on_at=bindparam("now"), on_why=bindparam("why"))
)


def in_force(connection: Connection, *, until_commit: bool = False) -> tuple[ProviderSwitch, ...]:
    """What is switched off now.  ``until_commit``: nobody turns a switch before this writing transaction ends."""
    if until_commit:
        _lock(connection, func.pg_advisory_xact_lock_shared)
    return tuple(map(_switch, connection.execute(_IN_FORCE)))


def lock(connection: Connection) -> None:
    """Wait for those who go by the switches, and keep others from it until this transaction ends."""
    _lock(connection, func.pg_advisory_xact_lock)


def find(connection: Connection, provider_id: str, region_id: str | None) -> ProviderSwitch | None:
    """The switch of this provider that is off exactly there: in the region, or everywhere."""
    row = connection.execute(_FIND, {"provider": provider_id, "region": region_id or EVERYWHERE}).first()
    return None if row is None else _switch(row)


def page(connection: Connection, limit: int, offset: int) -> tuple[ProviderSwitch, ...]:
    """A page of all switches: what is off first, then the newest."""
    return tuple(map(_switch, connection.execute(_ALL, {"limit": limit, "offset": offset})))


def add(connection: Connection, switch: ProviderSwitch) -> None:
    """Store that a provider is off.  A second one for the same place breaks a unique rule of the database."""
    connection.execute(_INSERT, switch.model_dump() | {"region_id": switch.region_id or EVERYWHERE})


def switch_on(connection: Connection, switch: ProviderSwitch) -> None:
    """Store who switched it on again, when and why."""
    connection.execute(_SWITCH_ON, {"key": switch.id, "who": switch.on_by, "now": switch.on_at, "why": switch.on_why})


def _lock(connection: Connection, function: Any) -> None:
    # A statement of its own: the next one then sees what was committed while this one waited.  SQLite has one writer.
    if connection.dialect.name == "postgresql":
        connection.execute(select(function(_LOCK_KEY)))


def _switch(row: Row[Any]) -> ProviderSwitch:
    columns = row._asdict()
    region_id = columns.pop("region_id")
    return ProviderSwitch(region_id=None if region_id == EVERYWHERE else region_id, **columns)
