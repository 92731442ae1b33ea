"""Deliveries: the telling of one event to one listener.

Whoever claims one holds it until its lease ends; ``attempts`` rises with each claim, so that one who comes back late notes
nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from kassa.errors import NotFound
from kassa.ids import Kind, new_id, require_kind
from kassa.model import Delivery, Event
from kassa.store.tables import deliveries as table
from kassa.store.tables import events, outbox
from kassa.transitions import DeliveryStatus, advance

_EVENT_COLUMNS = tuple(column.label(f"event_{column.name}") for column in events.c)
_OWN_COLUMNS = tuple(column for column in table.c if column.name != "event_id")
_other = table.alias("other")

_INSERT = insert(table)
_SELECT = select(*_OWN_COLUMNS, *_EVENT_COLUMNS).join(events, events.c.id == table.c.event_id)
_DUE_SUBSCRIBERS = select(table.c.subscriber).where(table.c.due_at <= bindparam("now")).distinct()
# What waits, and only that, has a moment at which it is due.
_WAITING = (table.c.subscriber == bindparam("name"), table.c.due_at.is_not(None))
_LOCK_FIRST = select(table.c.id).where(*_WAITING).order_by(table.c.event_id).limit(1).with_for_update()
_FIRST_IN_OTHER_HANDS = (
    select(func.min(_other.c.event_id))
    .where(
        _other.c.subscriber == bindparam("name"),
        _other.c.due_at > bindparam("now"),
        _other.c.created_at > bindparam("patience"),
    )
    .scalar_subquery()
)
_FIRST_WITHOUT_DELIVERY = (
    select(func.min(outbox.c.event_id))
    .join(events, events.c.id == outbox.c.event_id)
    .where(events.c.created_at > bindparam("patience"))
    .scalar_subquery()
)
_DUE = (
    _SELECT.where(
        *_WAITING,
        table.c.due_at <= bindparam("now"),
        table.c.event_id <= func.coalesce(_FIRST_IN_OTHER_HANDS, table.c.event_id),
        table.c.event_id <= func.coalesce(_FIRST_WITHOUT_DELIVERY, table.c.event_id),
    )
    .order_by(table.c.event_id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=table)
)
_FORGOTTEN = (
    _SELECT.where(table.c.due_at <= bindparam("since"), table.c.subscriber.not_in(bindparam("known", expanding=True)))
    .order_by(table.c.due_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=table)
)
_HELD = (table.c.id == bindparam("key"), table.c.attempts == bindparam("held"), table.c.status == bindparam("current"))
_CLAIM = (
    update(table).where(table.c.id == bindparam("key")).values(attempts=table.c.attempts + 1, due_at=bindparam("lease"))
)
_PUT_BACK = update(table).where(*_HELD).values(attempts=table.c.attempts - 1, due_at=bindparam("due"))
_MOVE = (
    update(table)
    .where(*_HELD)
    .values(
        status=bindparam("following"),
        attempts=bindparam("tries"),
        due_at=bindparam("due"),
        cause=bindparam("why"),
        updated_at=bindparam("now"),
    )
)
_LOAD = _SELECT.where(table.c.store_id == bindparam("store"), table.c.id == bindparam("key"))
_LOCK = _LOAD.with_for_update(of=table)
_NEWEST = (
    _SELECT.where(table.c.store_id == bindparam("store"))
    .order_by(table.c.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
_NEWEST_OF_STATUS = _NEWEST.where(table.c.status == bindparam("wanted"))


def add_all(connection: Connection, wanted: Iterable[tuple[Event, str]], now: datetime) -> None:
    """Add a delivery, due at once, for each event and the listener who is to be told it."""
    rows = [
        {
            "id": new_id(Kind.DELIVERY),
            "store_id": event.store_id,
            "event_id": event.id,
            "subscriber": subscriber,
            "status": DeliveryStatus.NEW,
            "attempts": 0,
            "due_at": now,
            "created_at": now,
            "updated_at": now,
        }
        for event, subscriber in wanted
    ]
    if rows:
        connection.execute(_INSERT, rows)


def due_subscribers(connection: Connection, now: datetime) -> frozenset[str]:
    """Who has something due."""
    return frozenset(connection.execute(_DUE_SUBSCRIBERS, {"now": now}).scalars())


def claim_due(
    connection: Connection, subscriber: str, now: datetime, lease_until: datetime, patience: datetime, limit: int
) -> tuple[Delivery, ...]:
    """Take over what is due for one subscriber, in the order of the events; nobody else gets it until the lease ends.

    None is taken while an older one that was added after ``patience`` is in other hands, waits for its next try, or is not
    in the table yet.
    """
    # Those who claim for one subscriber do so one after the other: each then sees what the one before has taken.
    if connection.execute(_LOCK_FIRST, {"name": subscriber}).first() is None:
        return ()
    parameters = {"name": subscriber, "now": now, "patience": patience, "limit": limit}
    return _claimed(connection, _DUE, parameters, lease_until)


def claim_forgotten(
    connection: Connection, known: Sequence[str], since: datetime, lease_until: datetime, limit: int
) -> tuple[Delivery, ...]:
    """Take over what has been due since then for somebody who is not among the known."""
    return _claimed(connection, _FORGOTTEN, {"known": list(known), "since": since, "limit": limit}, lease_until)


def put_back(connection: Connection, claimed: Iterable[Delivery], now: datetime) -> None:
    """What was claimed and not tried is due again."""
    for delivery in claimed:
        connection.execute(_PUT_BACK, _held(delivery) | {"due": now})


def move(
    connection: Connection, delivery: Delivery, following: DeliveryStatus, now: datetime, cause: str | None = None
) -> Delivery | None:
    """Move a claimed delivery to another status; None when somebody else has taken it over meanwhile.

    Raises IllegalTransition.
    """
    advance(delivery.status, following)
    return _noted(connection, delivery, following, now, cause=cause)


def try_again(
    connection: Connection, delivery: Delivery, due_at: datetime, now: datetime, cause: str
) -> Delivery | None:
    """A claimed delivery is tried again at this moment; None when somebody else has taken it over meanwhile."""
    if delivery.status is not DeliveryStatus.RETRY:
        advance(delivery.status, DeliveryStatus.RETRY)
    return _noted(connection, delivery, DeliveryStatus.RETRY, now, cause=cause, due_at=due_at)


def replay(connection: Connection, delivery: Delivery, now: datetime) -> Delivery:
    """A delivery that came to its end is due again, as if it were new.  Raises IllegalTransition."""
    following = advance(delivery.status, DeliveryStatus.NEW)
    replayed = _noted(connection, delivery, following, now, due_at=now, tries=0)
    assert replayed is not None, "it is locked"
    return replayed


def lock(connection: Connection, store_id: str, delivery_id: str) -> Delivery:
    """Lock and load a delivery.  Raises InvalidData, NotFound."""
    require_kind(Kind.DELIVERY, delivery_id, "delivery_id")
    row = connection.execute(_LOCK, {"store": store_id, "key": delivery_id}).first()
    if row is None:
        raise NotFound(f"there is no delivery {delivery_id} in this store")
    return _delivery(row)


def newest(
    connection: Connection, store_id: str, status: DeliveryStatus | None, limit: int, offset: int
) -> tuple[Delivery, ...]:
    """A page of the store's deliveries, newest first: of one status, or all."""
    parameters = {"store": store_id, "limit": limit, "offset": offset}
    if status is None:
        return tuple(map(_delivery, connection.execute(_NEWEST, parameters)))
    return tuple(map(_delivery, connection.execute(_NEWEST_OF_STATUS, parameters | {"wanted": status})))


def _claimed(
    connection: Connection, statement: Select[Any], parameters: dict[str, Any], lease_until: datetime
) -> tuple[Delivery, ...]:
    found = tuple(map(_delivery, connection.execute(statement, parameters).all()))
    if found:
        connection.execute(_CLAIM, [{"key": each.id, "lease": lease_until} for each in found])
    return tuple(each.model_copy(update={"attempts": each.attempts + 1, "due_at": lease_until}) for each in found)


def _held(delivery: Delivery) -> dict[str, Any]:
    return {"key": delivery.id, "held": delivery.attempts, "current": delivery.status}


def _noted(  # what is noted about a try
    connection: Connection,
    delivery: Delivery,
    following: DeliveryStatus,
    now: datetime,
    *,
    cause: str | None = None,
    due_at: datetime | None = None,
    tries: int | None = None,
) -> Delivery | None:
    attempts = delivery.attempts if tries is None else tries
    noted = {"following": following, "tries": attempts, "due": due_at, "why": cause, "now": now}
    if connection.execute(_MOVE, _held(delivery) | noted).rowcount != 1:
        return None
    now_it_is = {"status": following, "attempts": attempts, "due_at": due_at, "cause": cause, "updated_at": now}
    return delivery.model_copy(update=now_it_is)


def _delivery(row: Row[Any]) -> Delivery:
    columns = row._asdict()
    event = {column.name: columns.pop(f"event_{column.name}") for column in events.c}
    status = DeliveryStatus(columns.pop("status"))
    return Delivery(event=Event.model_validate(event), status=status, **columns)
