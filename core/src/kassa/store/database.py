"""One seam to the database: ``transact`` and ``read``.  SQLite and PostgreSQL, the same promises.

Nobody calls a provider while a transaction is open (``open_transaction.py``).
"""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError

from kassa.errors import StoreUnavailable
from kassa.store.forking import tell_of_forks
from kassa.store.open_transaction import refuse_inside_transaction
from kassa.store.postgresql import PostgresqlServer
from kassa.store.sqlite import SqliteFile

ResultT = TypeVar("ResultT")


class Database:
    """One database.  Safe to share between threads, and to use on both sides of a fork."""

    def __init__(self, url: str) -> None:
        """Raises StoreUnavailable for a URL that cannot be used; connects only when it is needed."""
        self._backend = _backend(url)
        tell_of_forks(self._backend)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine that reads."""
        return self._backend.engine

    def transact(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run ``work`` in one transaction and return when it is committed; nothing of it remains when it raises.

        ``work`` may run several times, and on another thread, so it has no effects elsewhere; it lets the database's
        errors pass.  Raises StoreUnavailable when nothing was stored, CommitUnknown when that cannot be known.
        """
        refuse_inside_transaction("a second transaction")
        return self._backend.transact(work)

    def read(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run ``work``, which only reads, on one consistent connection.  It may run several times."""
        return self._backend.read(work)

    def dispose(self) -> None:
        """Finish what waits to be written, and close all connections.  Whoever goes on gets new ones."""
        self._backend.dispose()


def is_unique_violation(error: IntegrityError) -> bool:
    """Whether this is two rows that may not stand side by side, as opposed to any other broken rule."""
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return code in ("23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


def _backend(url: str) -> SqliteFile | PostgresqlServer:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreUnavailable(
            "database.url is not a database URL; expected sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from None
    match parsed.drivername.partition("+")[0]:
        case "sqlite":
            return SqliteFile(parsed)
        case "postgresql" | "postgres":
            return PostgresqlServer(parsed)
        case other:
            raise StoreUnavailable(f"kassa keeps money in SQLite or PostgreSQL, not in {other}")
