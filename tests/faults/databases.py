"""A fresh database for each run, fast: an SQLite file is copied, a PostgreSQL database is emptied."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
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


class Databases(Protocol):
    """Where fresh databases come from; one run after the other."""

    kind: str

    def fresh(self) -> str:
        """The URL of a database with the schema and nothing else in it."""
        ...

    def read(self, url: str) -> Tables:
        """Everything in it."""
        ...

    def holds(self, url: str, text: str) -> bool:
        """Whether this text stands anywhere in it."""
        ...


@dataclass
class SqliteDatabases:
    """Copies of one file.  As durable as in a shop: nothing is switched off."""

    folder: Path
    kind: str = "sqlite"

    def __post_init__(self) -> None:
        self._template = self.folder / "template.db"
        self._numbers = count()
        self._last: Path | None = None
        _prepare(f"sqlite:///{self._template}")

    def fresh(self) -> str:
        self._remove_last()
        self._last = self.folder / f"run{next(self._numbers)}.db"
        shutil.copy(self._template, self._last)
        return f"sqlite:///{self._last}"

    def read(self, url: str) -> Tables:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.row_factory = sqlite3.Row
        try:
            return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in TABLES}
        finally:
            connection.close()

    def holds(self, url: str, text: str) -> bool:
        path = Path(url.removeprefix("sqlite:///"))
        files = (path, path.with_name(path.name + "-wal"))
        return any(text.encode() in file.read_bytes() for file in files if file.exists())

    def _remove_last(self) -> None:
        if self._last is not None:
            for suffix in ("", "-wal", "-shm"):
                self._last.with_name(self._last.name + suffix).unlink(missing_ok=True)


@dataclass
class PostgresqlDatabases:
    """One database of a server, emptied before each run."""

    url: str
    kind: str = "postgresql"

    def __post_init__(self) -> None:
        _prepare(self.url)
        self._connection = psycopg.connect(self.url, autocommit=True, row_factory=psycopg.rows.dict_row)
        # History is append-only by triggers, which do not fire for a replica.
        self._connection.execute("SET session_replication_role = replica")
        self._connection.execute("SET synchronous_commit = off")
        self._empty = "; ".join(f"DELETE FROM {name}" for name in reversed(TABLES))
        self._used = 0

    def fresh(self) -> str:
        self._used += 1
        if self._used % 500 == 0:
            self._connection.execute(f"TRUNCATE {', '.join(TABLES)}")
        else:
            self._connection.execute(self._empty)
        return self.url

    def read(self, url: str) -> Tables:
        return {name: self._connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}

    def holds(self, url: str, text: str) -> bool:
        return any(text in repr(row) for rows in self.read(url).values() for row in rows)

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
