"""Measures what it brings that all who wait share one COMMIT: many threads, each with small transactions of its own.

    python tools/measure_group_commit.py [THREADS [TRANSACTIONS]]

Both ways run on this machine's temporary directory, one after the other; the ratio is what to look at, and the longest
wait of one caller.  It is printed and judged by people; no test fails by it.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, text

from kassa.store import group_commit
from kassa.store.database import Database

ADD = text("INSERT INTO entries (thread, number, note) VALUES (:thread, :number, 'what a small transaction stores')")


def seconds(threads: int, transactions: int, directory: str) -> tuple[float, float]:
    """How long all of it took, and the longest wait of one caller."""
    database = Database(f"sqlite:///{Path(directory) / 'measured.db'}")
    database.transact(lambda c: c.execute(text("CREATE TABLE entries (thread INTEGER, number INTEGER, note TEXT)")))
    waits: list[float] = []

    def caller(thread: int) -> None:
        for number in range(transactions):
            before = time.perf_counter()
            database.transact(_adding(thread, number))
            waits.append(time.perf_counter() - before)

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(threads)]
    before = time.perf_counter()
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    taken = time.perf_counter() - before
    counted = database.read(lambda c: c.execute(text("SELECT count(*) FROM entries")).scalar())
    assert counted == threads * transactions, "every transaction that returned is there"
    database.dispose()
    return taken, max(waits)


def _adding(thread: int, number: int) -> Callable[[Connection], None]:
    def add(connection: Connection) -> None:
        connection.execute(ADD, {"thread": thread, "number": number})

    return add


def main() -> None:
    """Print the figures."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    transactions = int(sys.argv[2]) if len(sys.argv) > 2 else 50  # noqa: PLR2004
    size = group_commit.GROUP_SIZE
    results = {}
    for name, group_size in (("one COMMIT each", 1), ("one COMMIT for a group", size)):
        group_commit.GROUP_SIZE = group_size
        with tempfile.TemporaryDirectory(prefix="kassa-measure-") as directory:
            results[name] = seconds(threads, transactions, directory)
    print(f"{threads} threads, {transactions} transactions each")
    for name, (taken, longest) in results.items():
        rate = threads * transactions / taken
        print(f"{name:<24} {rate:8.0f} transactions a second, longest wait {longest * 1000:6.0f} ms")
    (alone, _), (together, _) = results.values()
    print(f"ratio {alone / together:.1f}")


if __name__ == "__main__":
    main()
