"""A database in an SQLite file: how its connections are set, how it is read, and that one thread writes it."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kassa.errors import StoreUnavailable
from kassa.store.group_commit import GroupCommit

ResultT = TypeVar("ResultT")

BUSY_TIMEOUT_SECONDS = 30.0
"""How long another process may keep the write lock before somebody is told; ``?timeout=…`` in the URL is another limit."""

LONGEST_BUSY_TIMEOUT_SECONDS = 3600.0

BETWEEN_TRIES_SECONDS = 0.01
"""How long to wait before the write-ahead log is asked for again."""

READERS_SECONDS = 1.0
"""How long a fork, or the end, waits for those who read."""


class SqliteFile:
    """One SQLite file.  Reads run on connections of their own, beside the one that writes."""

    def __init__(self, url: URL) -> None:
        """Raises StoreUnavailable for a URL that cannot be used."""
        if url.database in (None, "", ":memory:"):
            raise StoreUnavailable("an SQLite database in memory loses its payments with the process; name a file")
        busy_timeout_seconds = _seconds(url)
        self.engine = _create_engine(url, busy_timeout_seconds)
        writes = _create_engine(url, busy_timeout_seconds, poolclass=NullPool)
        self._writer = GroupCommit(lambda: _connected(writes), busy_timeout_seconds)
        self._readers = _Readers()
        self._is_spoiled = False

    def transact(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run ``work`` on the thread that writes, and commit it."""
        self._refuse_when_spoiled()
        return self._writer.transact(work)

    def read(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run ``work`` on a connection of its own."""
        self._refuse_when_spoiled()
        with self._readers.one(), _connected(self.engine) as connection:
            return work(connection)

    def dispose(self) -> None:
        """Finish what waits to be written, end the thread, and close all connections."""
        self._writer.stop()
        # A connection that comes back later would go to a pool that nobody closes.
        self._readers.pause(READERS_SECONDS)
        try:
            self.engine.dispose()
        finally:
            self._readers.resume()

    def before_fork(self) -> None:
        """Close all connections, and let nobody begin."""
        self._writer.pause()
        self._readers.pause(READERS_SECONDS)
        self.engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._readers.resume()
        self._writer.resume()

    def after_fork_in_child(self) -> None:
        """Begin anew, if that is safe."""
        self._is_spoiled = self._is_spoiled or self._readers.count > 0 or not self._writer.is_at_rest
        self.engine.dispose(close=False)
        # The one who forked may itself be reading, and goes on here with the readers of before.
        self._readers.resume()
        self._readers = _Readers()
        self._writer.begin_anew()

    def _refuse_when_spoiled(self) -> None:
        if self._is_spoiled:
            raise StoreUnavailable(
                "this process was forked while the SQLite file was in use, which SQLite does not survive; "
                "fork before kassa is used, or start processes anew (multiprocessing: the method 'spawn')"
            )


class _Readers:
    """How many are reading."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition(threading.Lock())

    @contextmanager
    def one(self) -> Iterator[None]:
        """While this lasts, there is one more."""
        with self._changed:
            self.count += 1
        try:
            yield
        finally:
            with self._changed:
                self.count -= 1
                self._changed.notify_all()

    def pause(self, timeout_seconds: float) -> None:
        """Wait until nobody reads, but not longer than this, and let nobody begin until ``resume``."""
        self._changed.acquire()
        self._changed.wait_for(lambda: self.count == 0, timeout_seconds)

    def resume(self) -> None:
        self._changed.release()


def _seconds(url: URL) -> float:
    text = url.query.get("timeout", BUSY_TIMEOUT_SECONDS)
    try:
        seconds = float(text)  # type: ignore[arg-type]  # a list of several is refused as well
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_BUSY_TIMEOUT_SECONDS:
        raise StoreUnavailable(f"database.url: expected a timeout of 0 to 3600 seconds, not {text!r}")
    return seconds


def _create_engine(url: URL, busy_timeout_seconds: float, **options: Any) -> Engine:
    connect_args = {"timeout": busy_timeout_seconds}
    engine = create_engine(url, connect_args=connect_args, hide_parameters=True, **options)
    event.listen(engine, "connect", lambda connection, _record: _configure(connection, busy_timeout_seconds))
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, busy_timeout_seconds: float) -> None:
    # The driver must not begin transactions by itself: a writer has the write lock before its first read.
    connection.isolation_level = None
    _turn_on_write_ahead_log(connection, busy_timeout_seconds)
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


def _turn_on_write_ahead_log(connection: sqlite3.Connection, busy_timeout_seconds: float) -> None:
    # SQLite's own timeout does not count here: while another creates the file, it refuses at once.
    deadline = time.monotonic() + busy_timeout_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(BETWEEN_TRIES_SECONDS)
        else:
            return


def _begin(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    # The writer has begun by itself, with BEGIN IMMEDIATE.
    if isinstance(driver, sqlite3.Connection) and not driver.in_transaction:
        driver.execute("BEGIN")


def _connected(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except (DBAPIError, PoolTimeout) as error:
        said = getattr(error, "orig", None) or "all connections are in use"
        raise StoreUnavailable(
            f"the SQLite file cannot be opened: {said}; see database.url, and whether its folder can be written"
        ) from error
