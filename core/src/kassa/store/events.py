"""The append-only history: one event for each change, appended in the transaction of the change."""

from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, insert, select

from kassa.ids import Kind, new_id
from kassa.model import Event
from kassa.store.tables import events
from kassa_sdk import JsonObject

_INSERT = insert(events)
_OF_COLLECTION = (
    select(events)
    .where(events.c.store_id == bindparam("store"), events.c.payment_collection_id == bindparam("collection"))
    .order_by(events.c.id)
)


def append(  # an event is this many facts
    connection: Connection,
    store_id: str,
    payment_collection_id: str | None,
    name: str,
    entity_id: str,
    now: datetime,
    data: JsonObject | None = None,
) -> None:
    """Append one event."""
    connection.execute(
        _INSERT,
        {
            "id": new_id(Kind.EVENT),
            "store_id": store_id,
            "payment_collection_id": payment_collection_id,
            "name": name,
            "entity_id": entity_id,
            "data": data or {},
            "created_at": now,
        },
    )


def of_collection(connection: Connection, store_id: str, payment_collection_id: str) -> tuple[Event, ...]:
    """The history of one payment collection, oldest first."""
    rows = connection.execute(_OF_COLLECTION, {"store": store_id, "collection": payment_collection_id})
    return tuple(_event(row) for row in rows)


def _event(row: Row[tuple[object, ...]]) -> Event:
    return Event.model_validate(row._asdict())
