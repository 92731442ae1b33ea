"""The inbox: every verified message of a provider, stored once before it is acknowledged."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from kassa.errors import NotFound
from kassa.ids import Kind, require_kind
from kassa.model import PaymentSession, ReceivedNotice
from kassa.store.tables import notices as table
from kassa.transitions import NoticeStatus, advance
from kassa_sdk import PaymentFacts

WAITING = (NoticeStatus.RECEIVED, NoticeStatus.UNMATCHED, NoticeStatus.ERROR)
"""Where the worker has something to do."""

STORE_OF_STRANGERS = "default"
"""The store whose operators see the messages that match no payment: nobody can tell whose they are."""

_INSERT = insert(table)
_LOAD = select(table).where(table.c.id == bindparam("key"))
_VISIBLE = func.coalesce(table.c.store_id, STORE_OF_STRANGERS) == bindparam("store")
_LOOK = _LOAD.where(_VISIBLE)
_LOCK = _LOOK.with_for_update()
_BY_KEY = select(table).where(table.c.provider_id == bindparam("provider"), table.c.dedupe_key == bindparam("dedupe"))
_IS_DUE = (table.c.due_at <= bindparam("now"), table.c.status.in_([status.value for status in WAITING]))
_ANY_DUE = select(table.c.id).where(*_IS_DUE).limit(1)
_DUE = (
    select(table)
    .where(*_IS_DUE)
    .order_by(table.c.due_at, table.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    update(table).where(table.c.id == bindparam("key")).values(due_at=bindparam("due"), attempts=table.c.attempts + 1)
)
_MOVE = (
    update(table)
    .where(table.c.id == bindparam("key"), table.c.status == bindparam("current"))
    .values(
        status=bindparam("following"),
        cause=bindparam("why"),
        due_at=bindparam("due"),
        attempts=bindparam("tries"),
        store_id=bindparam("store"),
        payment_collection_id=bindparam("collection"),
        payment_session_id=bindparam("session"),
        updated_at=bindparam("now"),
    )
)
_NEWEST = (
    select(table).where(_VISIBLE).order_by(table.c.id.desc()).limit(bindparam("limit")).offset(bindparam("offset"))
)
_NEWEST_IN = _NEWEST.where(table.c.status == bindparam("wanted"))


def find(connection: Connection, provider_id: str, dedupe_key: str) -> ReceivedNotice | None:
    """The message of this provider that was stored under this key, if one was."""
    row = connection.execute(_BY_KEY, {"provider": provider_id, "dedupe": dedupe_key}).first()
    return None if row is None else _notice(row)


def add(connection: Connection, notice: ReceivedNotice) -> None:
    """Store a new message.  A second one with its key breaks a unique rule of the database."""
    facts = None if notice.facts is None else notice.facts.model_dump(mode="json", exclude_none=True)
    connection.execute(_INSERT, notice.model_dump(exclude={"facts"}) | {"facts": facts})


def load(connection: Connection, store_id: str, notice_id: str, *, for_update: bool = False) -> ReceivedNotice:
    """A message that this store may see.  Raises InvalidData, NotFound."""
    require_kind(Kind.NOTICE, notice_id, "notice_id")
    row = connection.execute(_LOCK if for_update else _LOOK, {"key": notice_id, "store": store_id}).first()
    if row is None:
        raise NotFound(f"there is no notice {notice_id} in this store")
    return _notice(row)


def newest(
    connection: Connection, store_id: str, status: NoticeStatus | None, limit: int, offset: int
) -> tuple[ReceivedNotice, ...]:
    """A page of what this store may see of the inbox, newest first: all of it, or what stands in one status."""
    page = {"store": store_id, "limit": limit, "offset": offset}
    if status is None:
        return tuple(map(_notice, connection.execute(_NEWEST, page)))
    return tuple(map(_notice, connection.execute(_NEWEST_IN, page | {"wanted": status})))


def is_any_due(connection: Connection, now: datetime) -> bool:
    """Whether some message is to be applied."""
    return connection.execute(_ANY_DUE, {"now": now}).first() is not None


def claim_due(connection: Connection, now: datetime, next_due_at: datetime, limit: int) -> tuple[ReceivedNotice, ...]:
    """Take messages that are to be applied; nobody else gets them until they are due again."""
    rows = connection.execute(_DUE, {"now": now, "limit": limit}).all()
    for row in rows:
        connection.execute(_CLAIM, {"key": row.id, "due": next_due_at})
    held = {"due_at": next_due_at}
    return tuple(_notice(row).model_copy(update=held | {"attempts": row.attempts + 1}) for row in rows)


def about(notice: ReceivedNotice, session: PaymentSession) -> ReceivedNotice:
    """The message, matched: it is about this session."""
    matched = {
        "store_id": session.store_id,
        "payment_collection_id": session.payment_collection_id,
        "payment_session_id": session.id,
    }
    return notice.model_copy(update=matched)


def move(  # what a move carries
    connection: Connection,
    notice: ReceivedNotice,
    following: NoticeStatus,
    now: datetime,
    *,
    cause: str | None = None,
    due_at: datetime | None = None,
) -> ReceivedNotice:
    """Move the message to another status, if the table allows it; staying only notes the cause and the next try.

    Does nothing when somebody else has moved it meanwhile.
    """
    if following is not notice.status:
        advance(notice.status, following)
    parameters = {
        "key": notice.id,
        "current": notice.status,
        "following": following,
        "why": cause,
        "due": due_at,
        "tries": notice.attempts,
        "store": notice.store_id,
        "collection": notice.payment_collection_id,
        "session": notice.payment_session_id,
        "now": now,
    }
    if connection.execute(_MOVE, parameters).rowcount != 1:
        return _notice(connection.execute(_LOAD, {"key": notice.id}).one())
    moved = {"status": following, "cause": cause, "due_at": due_at, "updated_at": now}
    return notice.model_copy(update=moved)


def _notice(row: Row[Any]) -> ReceivedNotice:
    columns = row._asdict()
    facts = columns.pop("facts")
    return ReceivedNotice(
        facts=None if facts is None else PaymentFacts.model_validate(facts),
        status=NoticeStatus(columns.pop("status")),
        **columns,
    )
