"""The database: its settings, its migrations, and the rules that it repeats."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from kassa.errors import InternalError, StoreUnavailable
from kassa.ids import Kind, new_id
from kassa.model import PaymentCollection
from kassa.store import collections, events, schema
from kassa.store.database import Database
from kassa.store.tables import UtcDateTime, metadata
from kassa_sdk import Money

NOW = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with the current schema."""
    database = Database(database_url)
    schema.prepare(database)
    yield database
    database.dispose()


def new_collection(**different: object) -> PaymentCollection:
    """A collection that is in no database yet."""
    facts = {
        "id": new_id(Kind.PAYMENT_COLLECTION),
        "store_id": "default",
        "region_id": "eu",
        "cart_id": None,
        "order_id": None,
        "order_is_paid": False,
        "amount": Money(4999, "EUR"),
        "created_at": NOW,
        "updated_at": NOW,
        "completed_at": None,
    }
    return PaymentCollection.model_validate(facts | different)


def test_a_collection_comes_back_as_it_was_stored(database: Database) -> None:
    collection = new_collection()
    database.transact(lambda connection: collections.add(connection, collection))
    assert database.read(lambda connection: collections.load(connection, "default", collection.id)) == collection


def test_the_largest_amount_comes_back_as_it_was_stored(database: Database) -> None:
    collection = new_collection(amount=Money(2**63 - 1, "EUR"))
    database.transact(lambda connection: collections.add(connection, collection))
    stored = database.read(lambda connection: collections.load(connection, "default", collection.id))
    assert stored.amount.minor == 2**63 - 1


def test_nothing_of_a_transaction_that_raises_remains(database: Database) -> None:
    collection = new_collection()

    def fail(connection: Connection) -> None:
        collections.add(connection, collection)
        raise ValueError("changed my mind")

    with pytest.raises(ValueError, match="changed my mind"):
        database.transact(fail)
    counted = database.read(lambda c: c.execute(text("SELECT count(*) FROM payment_collections")).scalar())
    assert counted == 0


def test_one_cart_has_one_collection(database: Database) -> None:
    database.transact(lambda c: collections.add(c, new_collection(cart_id="cart_1")))
    with pytest.raises(IntegrityError):
        database.transact(lambda c: collections.add(c, new_collection(cart_id="cart_1")))


def test_two_stores_may_have_carts_of_the_same_id(database: Database) -> None:
    database.transact(lambda c: collections.add(c, new_collection(cart_id="cart_1", store_id="one")))
    database.transact(lambda c: collections.add(c, new_collection(cart_id="cart_1", store_id="two")))
    found = database.read(lambda c: collections.find_by_cart(c, "two", "cart_1"))
    assert found is not None
    assert found.store_id == "two"


@pytest.mark.parametrize("statement", ["UPDATE events SET name = 'x'", "DELETE FROM events"])
def test_history_is_append_only(database: Database, statement: str) -> None:
    database.transact(lambda c: events.append(c, "default", None, "order.placed", "order_1", NOW))
    with pytest.raises(DBAPIError, match="append-only"):
        database.transact(lambda c: c.execute(text(statement)))


def test_a_transaction_does_not_begin_another(database: Database) -> None:
    with pytest.raises(InternalError, match="inside a database transaction"):
        database.transact(lambda _connection: database.transact(lambda _inner: None))


def test_the_migrations_lead_to_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": False}), metadata))

    assert database.read(differences) == []


def test_the_migrations_lead_to_the_checks_of_the_code(database: Database) -> None:
    def checks(connection: Connection) -> dict[str, set[str]]:
        inspector = inspect(connection)
        return {table: {str(c["name"]) for c in inspector.get_check_constraints(table)} for table in metadata.tables}

    def as_the_code_says(connection: Connection) -> dict[str, set[str]]:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        return checks(connection)

    migrated = database.read(checks)
    assert sum(map(len, migrated.values())) > 10
    assert migrated == database.transact(as_the_code_says)


def test_opening_twice_changes_nothing(database: Database) -> None:
    schema.prepare(database)
    assert database.read(schema.version) == schema.HEAD


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", "kassa.store:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def at_schema(database_url: str, revision: str) -> Database:
    """A database as an earlier release left it."""
    database = Database(database_url)
    config = Config()
    config.set_main_option("script_location", "kassa.store:migrations")

    def upgrade(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    database.transact(upgrade)
    return database


FIRST_RELEASE = text(
    "INSERT INTO payment_collections (id, store_id, region_id, cart_id, order_is_paid, currency, amount_minor, created_at,"
    " updated_at) VALUES (:id, :store_id, :region_id, :cart_id, :is_paid, :currency, :minor, :created_at, :created_at)"
).bindparams(bindparam("created_at", type_=UtcDateTime))


def test_what_the_first_release_stored_is_there_after_the_upgrade(database_url: str) -> None:
    database = at_schema(database_url, "0001")
    collection = new_collection()
    row = {
        "id": collection.id,
        "store_id": collection.store_id,
        "region_id": collection.region_id,
        "cart_id": collection.cart_id,
        "is_paid": collection.order_is_paid,
        "currency": collection.amount.currency,
        "minor": collection.amount.minor,
        "created_at": collection.created_at,
    }
    database.transact(lambda connection: connection.execute(FIRST_RELEASE, row))
    schema.upgrade(database)
    assert database.read(schema.version) == schema.HEAD
    assert database.read(lambda connection: collections.load(connection, "default", collection.id)) == collection
    database.dispose()


def test_every_event_is_in_the_outbox_from_its_own_transaction_on(database: Database) -> None:
    database.transact(lambda c: events.append(c, "default", None, "order.placed", "order_1", NOW))
    waiting = database.read(lambda c: c.execute(text("SELECT event_id FROM outbox")).scalars().all())
    assert waiting == database.read(lambda c: c.execute(text("SELECT id FROM events")).scalars().all())


def test_a_database_of_a_later_release_is_refused(database: Database) -> None:
    database.transact(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreUnavailable, match="9999"):
        schema.prepare(database)


def test_processes_that_start_at_once_migrate_one_after_the_other(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    failures: list[BaseException] = []

    def start(database: Database) -> None:
        try:
            schema.prepare(database)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert databases[0].read(schema.version) == schema.HEAD
    for database in databases:
        database.dispose()


def test_a_new_sqlite_file_that_another_process_is_just_creating_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "kassa.db"
    database = Database(f"sqlite:///{file}")
    # Not in WAL mode yet, and being written: SQLite refuses to change the mode at once, whatever the timeout.
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE of_another (id INTEGER)")
    ends = threading.Timer(0.3, other.close)
    ends.start()
    assert database.read(schema.version) is None
    ends.join()
    database.dispose()


def test_a_new_sqlite_file_that_stays_in_use_is_told_after_the_timeout(tmp_path: Path) -> None:
    file = tmp_path / "kassa.db"
    database = Database(f"sqlite:///{file}?timeout=0.2")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="cannot be opened: database is locked"):
        database.read(schema.version)
    other.close()
    assert database.read(schema.version) is None
    database.dispose()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "in memory loses its payments"),
        ("sqlite:///:memory:", "in memory loses its payments"),
        ("mysql://root@localhost/kassa", "SQLite or PostgreSQL, not in mysql"),
        ("kassa.db", "not a database URL"),
    ],
)
def test_a_database_that_cannot_keep_money_is_refused(url: str, message: str) -> None:
    with pytest.raises(StoreUnavailable, match=message):
        Database(url)


def test_sqlite_runs_with_a_write_ahead_log_and_waits_for_the_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kassa.db'}")
    pragmas = database.read(
        lambda c: [
            c.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    assert pragmas == ["wal", 2, 1]
    database.dispose()


def test_what_is_being_read_is_read_to_its_end_before_the_sqlite_file_is_closed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kassa.db'}")
    reading, connections = threading.Event(), []

    def read(connection: Connection) -> None:
        connections.append(connection.connection.driver_connection)
        reading.set()
        time.sleep(0.1)
        connection.execute(text("SELECT 1"))

    reader = threading.Thread(target=database.read, args=(read,))
    reader.start()
    reading.wait()
    database.dispose()
    reader.join()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")


def test_writers_of_sqlite_wait_for_each_other(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kassa.db'}")
    schema.prepare(database)
    collection = new_collection(amount=Money(1, "EUR"))
    database.transact(lambda c: collections.add(c, collection))

    def add_one() -> None:
        def work(connection: Connection) -> None:
            found = collections.lock(connection, "default", collection.id)
            collections.set_amount(connection, found, found.amount + Money(1, "EUR"), NOW)

        for _ in range(10):
            database.transact(work)

    threads = [threading.Thread(target=add_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = database.read(lambda c: collections.load(c, "default", collection.id))
    assert stored.amount == Money(81, "EUR")
    database.dispose()
