"""The state tables, in the code and in the database."""

from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from kassa.errors import IllegalTransition
from kassa.store import schema
from kassa.store.database import Database
from kassa.transitions import (
    DELIVERY_MOVES,
    NOTICE_MOVES,
    OPERATION_MOVES,
    RESERVING,
    SESSION_MOVES,
    DeliveryStatus,
    NoticeStatus,
    OperationStatus,
    SessionStatus,
    advance,
)

TABLES = {
    "operations": (OperationStatus, OPERATION_MOVES),
    "payment_sessions": (SessionStatus, SESSION_MOVES),
    "notices": (NoticeStatus, NOTICE_MOVES),
    "deliveries": (DeliveryStatus, DELIVERY_MOVES),
}
PAIRS = [(table, *pair) for table, (statuses, _) in TABLES.items() for pair in product(statuses, statuses)]


@pytest.mark.parametrize(("table", "current", "following"), PAIRS)
def test_a_status_moves_exactly_as_its_table_says(table: str, current: Any, following: Any) -> None:
    moves: Any = TABLES[table][1]
    if following in moves[current]:
        assert advance(current, following) is following
    else:
        with pytest.raises(IllegalTransition, match=f"from {current.value} to {following.value}"):
            advance(current, following)


def test_succeeded_never_regresses() -> None:
    assert OPERATION_MOVES[OperationStatus.SUCCEEDED] == frozenset()


def test_nothing_in_doubt_can_be_withdrawn() -> None:
    in_doubt = RESERVING
    assert all(OperationStatus.CANCELED not in OPERATION_MOVES[status] for status in in_doubt)


def test_every_status_has_a_row() -> None:
    assert all(set(moves) == set(statuses) for statuses, moves in TABLES.values())


def test_the_database_refuses_what_the_tables_refuse(database_url: str) -> None:
    database = Database(database_url)
    schema.prepare(database)
    for table, (statuses, moves) in TABLES.items():
        _insert_one_of_each(database, table)
        pairs = list(product(statuses, statuses))
        allowed = {pair for pair in pairs if _database_allows(database, table, *pair)}
        expected = {pair for pair in pairs if pair[0] == pair[1] or pair[1] in moves[pair[0]]}  # type: ignore[index]
        assert allowed == expected
    database.dispose()


def _insert_one_of_each(database: Database, table: str) -> None:
    moment = "'2026-01-01 00:00:00'"
    rows = {
        "payment_collections": (
            "INSERT INTO payment_collections (id, store_id, region_id, order_is_paid, currency, amount_minor, created_at, "
            f"updated_at) VALUES ('c', 's', 'eu', false, 'EUR', 1, {moment}, {moment})"
        ),
        "payment_sessions": (
            "INSERT INTO payment_sessions (id, store_id, payment_collection_id, place, provider_id, currency, amount_minor, "
            f"status, data, shopper, created_at, updated_at) VALUES ('p', 's', 'c', 0, 'x', 'EUR', 1, 'pending', '{{}}', "
            f"'{{}}', {moment}, {moment})"
        ),
        "operations": (
            "INSERT INTO operations (id, store_id, payment_collection_id, payment_session_id, provider_id, kind, status, "
            "hook, attempt, attempt_key, request, sends, checks, generation, created_at, updated_at) VALUES "
            f"('o', 's', 'c', 'p', 'x', 'capture', 'planned', 'capture', 1, 'k', '{{}}', 1, 0, 1, {moment}, {moment})"
        ),
        "notices": (
            "INSERT INTO notices (id, provider_id, dedupe_key, type, status, body, attempts, received_at, updated_at) "
            f"VALUES ('n', 'x', 'k', 't', 'received', '', 0, {moment}, {moment})"
        ),
        "events": (
            "INSERT INTO events (id, store_id, name, entity_id, data, created_at) "
            f"VALUES ('e', 's', 'n', 'x', '{{}}', {moment})"
        ),
        "deliveries": (
            "INSERT INTO deliveries (id, store_id, event_id, subscriber, status, attempts, created_at, updated_at) "
            f"VALUES ('d', 's', 'e', 'x', 'new', 0, {moment}, {moment})"
        ),
    }
    for needed in rows:
        exists = database.read(lambda c, t=needed: c.execute(text(f"SELECT count(*) FROM {t}")).scalar())
        if not exists:
            database.transact(lambda c, t=needed: c.execute(text(rows[t])))
        if needed == table:
            return


def _database_allows(database: Database, table: str, current: str, following: str) -> bool:
    database.transact(lambda c: _put(c, table, current))
    try:
        database.transact(lambda c: c.execute(text(f"UPDATE {table} SET status = '{following}'")))
    except DBAPIError as error:
        assert "illegal status move" in str(error.orig)
        return False
    return True


def _put(connection: Connection, table: str, status: str) -> None:
    # The trigger guards moves, so the row is written anew in the status that the move begins with.
    execute = connection.execute
    if table == "payment_sessions":
        execute(text("DELETE FROM operations"))
    columns = ", ".join(column for column in execute(text(f"SELECT * FROM {table}")).keys())
    execute(text(f"CREATE TEMPORARY TABLE kept AS SELECT * FROM {table}"))
    execute(text(f"UPDATE kept SET status = '{status}'"))
    execute(text(f"DELETE FROM {table}"))
    execute(text(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM kept"))
    execute(text("DROP TABLE kept"))
