"""A fresh database for each run, fast: an SQLite file is copied, a PostgreSQL database is emptied."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
from postgresql_server import PostgreSQLServer

from kassa.store import schema
from kassa.store.database import Database
from kassa.store.tables import metadata

Row = dict[str, Any]
Tables = dict[str, list[Row]]
"""A whole database, read row by row without any of our code."""

TABLES = [table.name for table in metadata.sorted_tables]

RUNS_BETWEEN_TRUNCATIONS = 200
"""To delete a few rows is faster than to truncate, until their remains slow everything down."""


class Databases(Protocol):
    """A database that is fresh again for each run, at the same URL; one run after the other."""

    kind: str
    url: str

    def renew(self) -> None:
        """From now on it has the schema and nothing else.  Nobody is connected to it."""
        ...

    def read(self) -> Tables:
        """Everything in it."""
        ...

    def holds(self, text: str, tables: Tables) -> bool:
        """Whether this text stands anywhere in it; ``tables``: as it was just read."""
        ...


class SqliteDatabases:
    """Copies of one file.  As durable as in a shop: nothing is switched off."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._template, self._file = folder / "template.db", folder / "shop.db"
        self.url = f"sqlite:///{self._file}"
        _prepare(f"sqlite:///{self._template}")
        self.renew()

    def renew(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        shutil.copy(self._template, self._file)

    def read(self) -> Tables:
        connection = sqlite3.connect(self._file)
        connection.row_factory = sqlite3.Row
        try:
            return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in TABLES}
        finally:
            connection.close()

    def holds(self, text: str, tables: Tables) -> bool:
        # What was removed from the tables may still stand in the file.
        files = (self._file, self._file.with_name(self._file.name + "-wal"))
        return any(text.encode() in file.read_bytes() for file in files if file.exists())


class PostgresqlDatabases:
    """One database of a server, emptied before each run."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        self.url = url
        _prepare(url)
        # Without prepared statements: forked children use it too, one after the other, and know nothing of each other.
        self._connection = psycopg.connect(
            url, autocommit=True, row_factory=psycopg.rows.dict_row, prepare_threshold=None
        )
        # History is append-only by triggers, which do not fire for a replica.
        self._connection.execute("SET session_replication_role = replica")
        self._connection.execute("SET synchronous_commit = off")
        self._runs = 0

    def renew(self) -> None:
        self._runs += 1
        if self._runs % RUNS_BETWEEN_TRUNCATIONS == 0:
            self._connection.execute(f"TRUNCATE {', '.join(TABLES)}")
        else:
            self._connection.execute("; ".join(f"DELETE FROM {name}" for name in reversed(TABLES)))

    def read(self) -> Tables:
        return {name: self._connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}

    def holds(self, text: str, tables: Tables) -> bool:
        return any(text in repr(row) for rows in tables.values() for row in rows)

    def close(self) -> None:
        """End the connection; the server drops the database."""
        self._connection.close()


@contextmanager
def postgresql_databases(server: PostgreSQLServer) -> Iterator[PostgresqlDatabases]:
    """A database of its own on this server."""
    with server.database() as url:
        databases = PostgresqlDatabases(url)
        try:
            yield databases
        finally:
            databases.close()


def _prepare(url: str) -> None:
    database = Database(url)
    schema.prepare(database)
    database.dispose()
