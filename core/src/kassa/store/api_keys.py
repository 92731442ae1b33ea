"""API keys: found by the hash of what the client sends; the key itself is not here."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from kassa.model import ApiKey, Scope
from kassa.store.tables import api_keys as table

_INSERT = insert(table)
_BY_HASH = select(table).where(table.c.token_hash == bindparam("hash"), table.c.revoked_at.is_(None))
_OF_STORE = select(table).where(table.c.store_id == bindparam("store"))
_LOAD = _OF_STORE.where(table.c.id == bindparam("key"))
_PAGE = (
    _OF_STORE.order_by(table.c.revoked_at.is_not(None), table.c.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
_REVOKE = (
    update(table)
    .where(table.c.store_id == bindparam("store"), table.c.id == bindparam("key"), table.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)


def add(connection: Connection, key: ApiKey, token_hash: str) -> None:
    """Store a new key."""
    scopes = " ".join(scope.value for scope in key.scopes)
    connection.execute(_INSERT, key.model_dump() | {"scopes": scopes, "token_hash": token_hash})


def in_force(connection: Connection, token_hash: str) -> ApiKey | None:
    """The key with this hash, of whichever store, unless it is revoked."""
    row = connection.execute(_BY_HASH, {"hash": token_hash}).first()
    return None if row is None else _key(row)


def find(connection: Connection, store_id: str, key_id: str) -> ApiKey | None:
    """The key of this store, revoked or not."""
    row = connection.execute(_LOAD, {"store": store_id, "key": key_id}).first()
    return None if row is None else _key(row)


def page(connection: Connection, store_id: str, limit: int, offset: int) -> tuple[ApiKey, ...]:
    """A page of the store's keys: those in force first, the newest first."""
    return tuple(map(_key, connection.execute(_PAGE, {"store": store_id, "limit": limit, "offset": offset})))


def revoke(connection: Connection, key: ApiKey, now: datetime) -> None:
    """From now on it opens nothing; nothing happens to one that was revoked before."""
    connection.execute(_REVOKE, {"store": key.store_id, "key": key.id, "now": now})


def _key(row: Row[Any]) -> ApiKey:
    columns = row._asdict()
    del columns["token_hash"]
    return ApiKey.model_validate(columns | {"scopes": tuple(map(Scope, columns["scopes"].split()))})
