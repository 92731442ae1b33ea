"""The declined payments of the last hour, in an SQLite file that all processes share."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

TABLE = "CREATE TABLE IF NOT EXISTS declines (shopper TEXT NOT NULL, at REAL NOT NULL)"
INDEX = "CREATE INDEX IF NOT EXISTS declines_of_a_shopper ON declines (shopper, at)"

BUSY_SECONDS = 1.0
"""How long one process waits for another; a checkout must not wait longer for its screening."""


class Declines:
    """Who was declined, and when.  Of a shopper only hashes are kept.  Raises sqlite3.Error."""

    def __init__(self, file: Path, seconds: float) -> None:
        self._file = file
        self._seconds = seconds

    def add(self, shoppers: Iterable[str], now: float) -> None:
        """This shopper, by each of their names, was declined now; what counts no longer is forgotten."""
        with self._connection() as connection:
            connection.execute("DELETE FROM declines WHERE at <= ?", (now - self._seconds,))
            connection.executemany("INSERT INTO declines VALUES (?, ?)", [(_hash(name), now) for name in shoppers])

    def most(self, shoppers: Iterable[str], now: float) -> int:
        """How often the shopper was declined of late: of their names, the one that was declined most often."""
        hashes = [_hash(name) for name in shoppers]
        with self._connection() as connection:
            counts = [
                connection.execute(
                    "SELECT count(*) FROM declines WHERE shopper = ? AND at > ?", (each, now - self._seconds)
                ).fetchone()[0]
                for each in hashes
            ]
        return max(counts, default=0)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # One for each use: hooks are called from several threads, and in any process.
        connection = sqlite3.connect(self._file, timeout=BUSY_SECONDS)
        try:
            with connection:
                connection.execute(TABLE)
                connection.execute(INDEX)
                yield connection
        finally:
            connection.close()


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
