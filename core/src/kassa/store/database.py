"""One seam to the database: ``transact`` and ``read``.  SQLite and PostgreSQL, the same code path.

Nobody calls a provider while a transaction is open (``open_transaction.py``).
"""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from kassa import failpoints
from kassa.errors import InternalError, StoreUnavailable
from kassa.store.open_transaction import refuse_inside_transaction, transaction_open

ResultT = TypeVar("ResultT")

BUSY_TIMEOUT_SECONDS = 30
RETRIES = 8
"""How often a transaction that PostgreSQL asked to repeat (40001, 40P01) is repeated."""


class Database:
    """A pool of connections to one database.  Safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Raises StoreUnavailable for a URL that cannot be used; connects only when it is needed."""
        self._engine = _create_engine(url)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for migrations."""
        return self._engine

    def transact(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run ``work`` in one transaction and commit it; nothing of it remains when it raises.

        ``work`` may run several times (PostgreSQL may ask to repeat a transaction), so it has no effects elsewhere.
        """
        for repetition in range(RETRIES):
            try:
                with self._writing() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not _is_repeatable(error) or repetition == RETRIES - 1:
                    raise
                time.sleep(random.uniform(0.001, 0.02) * 2**repetition)
        raise InternalError("unreachable: the last repetition returns or raises")

    def read(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run ``work``, which only reads, on one consistent connection."""
        with self._connected() as connection:
            return work(connection)

    def dispose(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _connected(self) -> Connection:
        try:
            return self._engine.connect()
        except DBAPIError as error:
            raise StoreUnavailable(
                f"the database cannot be reached: {error.orig}; see database.url, and whether its server runs"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        refuse_inside_transaction("a second transaction")
        with self._connected() as plain:
            connection = plain.execution_options(kassa_writes=True)
            with connection.begin(), transaction_open():
                yield connection
                failpoints.passing("commit:before")
            failpoints.passing("commit:after")


def is_unique_violation(error: IntegrityError) -> bool:
    """Whether this is two rows that may not stand side by side, as opposed to any other broken rule."""
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return code in ("23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


def _is_repeatable(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in ("40001", "40P01")


def _create_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreUnavailable(
            "database.url is not a database URL; expected sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _create_sqlite(parsed.database or "", parsed.render_as_string(hide_password=False))
    if backend != "postgresql":
        raise StoreUnavailable(f"kassa keeps money in SQLite or PostgreSQL, not in {backend}")
    try:
        return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    except (ModuleNotFoundError, NoSuchModuleError):
        raise StoreUnavailable("PostgreSQL needs its driver: pip install 'kassa[postgresql]'") from None


def _create_sqlite(path: str, url: str) -> Engine:
    if path in ("", ":memory:"):
        raise StoreUnavailable("an SQLite database in memory loses its payments with the process; name a file")
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not begin transactions by itself: BEGIN IMMEDIATE takes the writer's place before the first read.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    full = 2
    if journal != "wal" or synchronous < full:
        raise StoreUnavailable(
            f"SQLite must run with journal_mode=wal and synchronous=FULL to keep payments through a power cut, "
            f"but this file allows journal_mode={journal}, synchronous={synchronous}; put it on a local disk"
        )


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("kassa_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
