"""The outbox: events that have no deliveries yet.  A trigger adds each event in the event's own transaction."""

from sqlalchemy import Connection, bindparam, delete, select

from kassa.model import Event
from kassa.store.tables import events
from kassa.store.tables import outbox as table

_ANY = select(table.c.event_id).limit(1)
_CLAIM = (
    select(events)
    .join(table, table.c.event_id == events.c.id)
    .order_by(table.c.event_id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=table)
)
_DROP = delete(table).where(
    table.c.event_id.in_(
        select(table.c.event_id).order_by(table.c.event_id).limit(bindparam("limit")).with_for_update(skip_locked=True)
    )
)
_REMOVE = delete(table).where(table.c.event_id == bindparam("key"))


def is_empty(connection: Connection) -> bool:
    """Whether every event has its deliveries."""
    return connection.execute(_ANY).first() is None


def drop(connection: Connection, limit: int) -> int:
    """Take the oldest events out, of every store, where nobody is told any.  Returns how many there were."""
    return connection.execute(_DROP, {"limit": limit}).rowcount


def take(connection: Connection, limit: int) -> tuple[Event, ...]:
    """Take the oldest events out, of every store, for their deliveries to be added in this transaction."""
    rows = connection.execute(_CLAIM, {"limit": limit}).all()
    if rows:
        connection.execute(_REMOVE, [{"key": row.id} for row in rows])
    return tuple(Event.model_validate(row._asdict()) for row in rows)
