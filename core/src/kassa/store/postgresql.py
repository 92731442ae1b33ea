"""A database on a PostgreSQL server: repeated when the server asks for it, and a lost answer to COMMIT is looked up.

A connection may break at any moment.  Before COMMIT was sent, nothing was committed, and the work is repeated.  When the
answer to COMMIT is lost, the server is asked what became of the transaction, by its id.
"""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kassa import failpoints
from kassa.errors import CommitUnknown, InternalError, StoreUnavailable
from kassa.store.open_transaction import transaction_open

ResultT = TypeVar("ResultT")

CONFLICT_CODES = ("40001", "40P01")
"""With these PostgreSQL asks to repeat a transaction: a serialization failure, a deadlock."""

CONFLICTS = 8
"""How often work is run that PostgreSQL asked to repeat."""

LOST_PAUSES_SECONDS = (0.05, 0.25, 1.0)
"""Before work is run again whose connection broke."""

ASK_SECONDS = 10.0
"""How long the server is asked what became of a transaction, before that counts as not known."""

ASK_PAUSE_SECONDS = 0.1

CONNECTIONS = 15
"""How many a process has at most, and keeps: to open one costs as much as a whole payment."""

LIMITS = {"connect_timeout": "10", "keepalives_idle": "30", "tcp_user_timeout": "30000"}
"""What libpq does not limit by itself: a server that went away without a word would be waited for, for many minutes."""

# Connections are in autocommit, so that what only reads needs no transaction; one that writes is begun by this, and its id
# comes with the same answer.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_current_xact_id()::text"
_STATUS = text("SELECT pg_xact_status(CAST(:transaction AS xid8))")


class _Lost(Exception):
    """The connection broke, and nothing was committed."""


class PostgresqlServer:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, url: URL) -> None:
        """Raises StoreUnavailable when the driver is missing."""
        missing = {name: value for name, value in LIMITS.items() if name not in url.query}
        limited = url.set(drivername="postgresql+psycopg").update_query_dict(missing)
        try:
            # Nobody is asked beforehand whether a connection of the pool is still there: one that broke is noticed at its
            # first statement, and the work runs again with another one.
            from kassa.store.cursors import LazyCursor

            self.engine = create_engine(
                limited,
                hide_parameters=True,
                isolation_level="AUTOCOMMIT",
                pool_size=CONNECTIONS,
                max_overflow=0,
                connect_args={"cursor_factory": LazyCursor},
            )
        except (ModuleNotFoundError, NoSuchModuleError):
            raise StoreUnavailable("PostgreSQL needs its driver: pip install 'kassa[postgresql]'") from None

    def transact(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run ``work`` in one transaction and commit it, again where that is asked for or the connection broke.

        Raises StoreUnavailable, and CommitUnknown when the server cannot be asked what became of a COMMIT.
        """
        return self._through_losses(lambda: self._through_conflicts(work))

    def read(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run ``work``, which only reads."""
        return self._through_losses(lambda: self._read_once(work))

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def before_fork(self) -> None:
        """Nothing: the parent's connections are not touched by the child."""

    def after_fork_in_parent(self) -> None:
        """Nothing."""

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections to the parent."""
        self.engine.dispose(close=False)

    def _through_losses(self, run: Callable[[], ResultT]) -> ResultT:
        was_there = False
        for pause_seconds in (*LOST_PAUSES_SECONDS, None):
            try:
                return run()
            except _Lost as lost:
                was_there, cause = True, lost.__cause__
            except StoreUnavailable as unreachable:
                # A server that was there a moment ago may be starting again; one that never was is told of at once.
                if not was_there or isinstance(unreachable, CommitUnknown):
                    raise
                cause = unreachable
            if pause_seconds is None:
                raise StoreUnavailable(
                    f"the connection to the database broke {len(LOST_PAUSES_SECONDS) + 1} times; "
                    f"nothing of this was stored; see whether its server runs, ask again"
                ) from cause
            time.sleep(pause_seconds * random.uniform(0.5, 1.5))
        raise InternalError("unreachable: the last run returns or raises")

    def _through_conflicts(self, work: Callable[[Connection], ResultT]) -> ResultT:
        for repetition in range(CONFLICTS):
            if repetition > 0:
                time.sleep(random.uniform(0.001, 0.02) * 2**repetition)
            try:
                return self._write_once(work)
            except DBAPIError as error:
                if _is_outside(error):
                    raise StoreUnavailable(
                        f"the database cannot store this: {str(error.orig).partition(chr(10))[0]} ({_code(error)}); "
                        f"nothing of it was stored; see its server, ask again"
                    ) from error
                if _code(error) not in CONFLICT_CODES:
                    raise
                conflict = error
        raise StoreUnavailable(
            f"the database asked {CONFLICTS} times to repeat this, because others change the same rows; "
            f"nothing of it was stored; ask again"
        ) from conflict

    def _write_once(self, work: Callable[[Connection], ResultT]) -> ResultT:
        with self._connected() as connection:
            own_id, is_committing = self._begun(connection), False
            try:
                with connection.begin() as transaction:
                    with transaction_open():
                        result = work(connection)
                    failpoints.passing("commit:before")
                    is_committing = True
                    transaction.commit()
                    failpoints.passing("commit:after")
                    return result
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                lost = error
        # The connection is given back before another one is asked for.
        if is_committing and self._was_committed(own_id, lost):
            return result
        raise _Lost from lost

    def _begun(self, connection: Connection) -> str:
        """Begin a transaction on this connection; its id.  Raises _Lost."""
        driver: Any = connection.connection.dbapi_connection
        try:
            cursor = driver.cursor()
            cursor.execute(_BEGIN, prepare=False)
            cursor.nextset()
            row = cursor.fetchone()
        except self.engine.dialect.loaded_dbapi.Error as error:
            connection.invalidate(error)
            raise _Lost from error
        assert row is not None, "the statement has one row"
        return str(row[0])

    def _was_committed(self, transaction_id: str, lost: DBAPIError) -> bool:
        """What became of a transaction whose COMMIT was not answered.  Raises CommitUnknown."""
        deadline = time.monotonic() + ASK_SECONDS
        while True:
            status = self._status(transaction_id)
            if status in ("committed", "aborted"):
                return status == "committed"
            if time.monotonic() >= deadline:
                raise CommitUnknown(
                    f"it is not known whether transaction {transaction_id} was committed: the connection broke during "
                    f"COMMIT, and for {ASK_SECONDS:g} seconds the database did not say ({status or 'no answer'}); "
                    f"no provider was called after it; ask again under the same idempotency key, or look before you do"
                ) from lost
            time.sleep(ASK_PAUSE_SECONDS)

    def _status(self, transaction_id: str) -> str | None:
        try:
            with self.engine.connect() as connection:
                status: str | None = connection.execute(_STATUS, {"transaction": transaction_id}).scalar()
                return status
        except (DBAPIError, PoolTimeout):
            return None

    def _read_once(self, work: Callable[[Connection], ResultT]) -> ResultT:
        # Around the closing too: the connection may break as late as that.
        try:
            with self._connected() as connection:
                return work(connection)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise _Lost from error

    def _connected(self) -> Connection:
        try:
            return self.engine.connect()
        except (DBAPIError, PoolTimeout) as error:
            said = getattr(error, "orig", None) or "all connections of the pool are in use"
            raise StoreUnavailable(
                f"the database cannot be reached: {said}; see database.url, and whether its server runs"
            ) from error


def _code(error: DBAPIError) -> str:
    """The SQLSTATE, such as 40001."""
    return getattr(error.orig, "sqlstate", None) or ""


def _is_outside(error: DBAPIError) -> bool:
    """Whether no statement is to blame: no room, no memory, an operator, the server's disk, a server that only reads."""
    return _code(error).startswith(("53", "57", "58", "25006"))
