"""Clients' keys: each unique in its store, with what was asked under it and the answer."""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from kassa.answers import ANSWER, Answer, IdempotencyKey
from kassa.errors import Conflict
from kassa.store.tables import idempotency_keys as table

_OWN = (table.c.store_id == bindparam("store"), table.c.client_key == bindparam("key"))
_INSERT = insert(table)
_FIND = select(table).where(*_OWN)
_REPLACE = (
    update(table)
    .where(*_OWN, table.c.operation_id == bindparam("replaced"))
    .values(
        operation_id=bindparam("next_operation"),
        answer=bindparam("said", type_=table.c.answer.type),
        created_at=bindparam("now"),
    )
)
_ANSWER = (
    update(table)
    .where(*_OWN, table.c.operation_id == bindparam("operation"))
    .values(answer=bindparam("said", type_=table.c.answer.type))
)


def find(connection: Connection, store_id: str, client_key: str) -> IdempotencyKey | None:
    """The key, if it was used in this store."""
    row = connection.execute(_FIND, {"store": store_id, "key": client_key}).first()
    return None if row is None else _key(row)


def add(connection: Connection, key: IdempotencyKey) -> None:
    """Store a key.  When another transaction stores it at the same moment, this breaks a unique rule of the database."""
    connection.execute(_INSERT, key.model_dump(exclude={"answer"}) | {"answer": _json(key.answer)})


def replace(connection: Connection, former: IdempotencyKey, key: IdempotencyKey) -> None:
    """Use a key for another try at the same thing, unless somebody did so already.  Raises Conflict."""
    parameters = {
        "store": former.store_id,
        "key": former.client_key,
        "replaced": former.operation_id,
        "next_operation": key.operation_id,
        "said": _json(key.answer),
        "now": key.created_at,
    }
    if connection.execute(_REPLACE, parameters).rowcount != 1:
        raise Conflict(f"idempotency key {key.client_key!r} is being used at this moment; ask again")


def answer(connection: Connection, store_id: str, client_key: str, operation_id: str, said: Answer) -> None:
    """Keep the answer to what was asked under a key; a key that was used for another try since then keeps that one's."""
    parameters = {"store": store_id, "key": client_key, "operation": operation_id, "said": _json(said)}
    connection.execute(_ANSWER, parameters)


def _json(said: Answer | None) -> Any:
    return None if said is None else ANSWER.dump_python(said, mode="json")


def _key(row: Row[Any]) -> IdempotencyKey:
    return IdempotencyKey.model_validate(row._asdict())
