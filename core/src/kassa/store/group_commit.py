"""Group commit: one thread writes to an SQLite file, a SAVEPOINT for each caller, one COMMIT for all who wait together.

A commit waits for the disk, and SQLite has one writer at a time.  So whoever comes while the disk is waited for joins the
next group, and nobody is told anything before their group is on the disk.
"""

import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from kassa import failpoints
from kassa.errors import CommitUnknown, StoreUnavailable
from kassa.store.open_transaction import transaction_open

ResultT = TypeVar("ResultT")

GROUP_SIZE = 64
"""How many callers share one COMMIT at most."""

GROUP_SECONDS = 0.05
"""After this time nobody joins a group any more: another process waits for the write lock, and callers for their answers."""

REST_SECONDS = 0.003
"""After GROUP_SECONDS of writing without a break, the write lock is left free for this long, for other processes."""

POLL_SECONDS = (0.0005, 0.002)
"""How often a held write lock is asked for: often enough to find it free during a rest.  SQLite's own waiting, up to 0.1 s
between two tries, would miss it."""

IDLE_SECONDS = 10.0
"""A thread that had nothing to do for this long ends; the next caller starts another."""

MOST_RUNS = 3
"""How often work is run whose group SQLite undid because of somebody else's."""

_OUTSIDE = "BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT FULL CANTOPEN PROTOCOL NOTADB".split()
"""The errors of SQLite that no statement is to blame for."""

_END: Final = object()
"""Stands in the queue where the thread is to end."""


class _TransactionGone(Exception):
    """SQLite has undone the whole transaction, everybody's work with it."""


class _Turn:
    """One caller's work, and what they are told in the end."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self._work = work
        self._context = copy_context()
        self._runs = 0
        self._tell: Callable[[], None] = partial(self.refuse, _undone())
        self.answer: Future[Any] = Future()

    def begins(self) -> bool:
        """Whether it is to run: not when it was taken back before it began."""
        self._runs += 1
        return self._runs > 1 or self.answer.set_running_or_notify_cancel()

    def may_run_again(self) -> bool:
        return self._runs < MOST_RUNS

    def run(self, connection: Connection, driver: sqlite3.Connection) -> None:
        """Run the work in a savepoint of its own.  Raises _TransactionGone when SQLite undid more than this work."""
        driver.execute("SAVEPOINT caller")
        try:
            result = self._context.run(_inside, self._work, connection)
            self._tell = partial(self.answer.set_result, result)
        except BaseException as error:
            self._tell = partial(self.refuse, _plainly(error))
            if driver.in_transaction:
                driver.execute("ROLLBACK TO caller")
        else:
            if not driver.in_transaction:
                self._tell = partial(self.refuse, _undone())
        if not driver.in_transaction:
            raise _TransactionGone
        driver.execute("RELEASE caller")

    def tell(self) -> None:
        """Give the caller the result, or the error, of the work."""
        self._tell()

    def refuse(self, error: BaseException) -> None:
        """Give the caller an error instead."""
        self.answer.set_exception(error)


class GroupCommit:
    """The queue in front of the only thread of this process that writes to one SQLite file.

    The thread is there while there is something to do.  It never keeps the interpreter from ending.
    """

    def __init__(self, connect: Callable[[], Connection], busy_timeout_seconds: float) -> None:
        self._connect = connect
        self._busy_timeout_seconds = busy_timeout_seconds
        self._free_since = 0.0
        self.begin_anew()

    def transact(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run ``work`` in the next group and wait until it is on the disk; nothing of it remains when it raises.

        Raises StoreUnavailable when the group could not be written, CommitUnknown when nobody can know whether it was.
        """
        turn = _Turn(work)
        try:
            self._queue(turn)
            result: ResultT = turn.answer.result()
        except BaseException:
            # Whoever is interrupted takes back what has not begun, from the moment on at which it was queued; what has
            # begun goes on without them.
            turn.answer.cancel()
            raise
        return result

    def stop(self, *, at_once: bool = False) -> None:
        """End the thread: after what waits now, or, at once, after the group that is being written."""
        with self._stopping:
            with self._changed:
                thread = self._thread
                if self._is_working:
                    (self._waiting.appendleft if at_once else self._waiting.append)(_END)
                    self._changed.notify()
            if thread is not None:
                thread.join()

    def pause(self) -> None:
        """End the thread at once, and let nobody in until ``resume``; what waits, waits on."""
        self.stop(at_once=True)
        self._changed.acquire()
        while self._is_working:
            self._changed.release()
            self.stop(at_once=True)
            self._changed.acquire()

    def resume(self) -> None:
        """Go on after ``pause``."""
        if self._waiting:
            self._wake()
        self._changed.release()

    def begin_anew(self) -> None:
        """Forget everything: in a process that was just forked, what waits belongs to its parent."""
        self._changed = threading.Condition(threading.Lock())
        self._stopping = threading.Lock()
        self._waiting: deque[Any] = deque()
        self._thread: threading.Thread | None = None
        self._is_working = False

    @property
    def waiting(self) -> int:
        """How many callers wait for their group."""
        return sum(turn is not _END for turn in tuple(self._waiting))

    @property
    def is_at_rest(self) -> bool:
        """Whether no thread writes."""
        return not self._is_working

    def _queue(self, turn: _Turn) -> None:
        with self._changed:
            self._waiting.append(turn)
            try:
                self._wake()
            except RuntimeError as error:
                self._waiting.remove(turn)
                raise StoreUnavailable(f"no thread can be started to write to the SQLite file: {error}") from error

    def _wake(self) -> None:
        if self._is_working:
            self._changed.notify()
            return
        thread = threading.Thread(target=self._write, name="kassa-writer", daemon=True)
        thread.start()
        self._thread, self._is_working = thread, True

    def _write(self) -> None:
        """What the thread does."""
        self._free_since = time.monotonic()
        try:
            with self._connect() as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                driver.execute("PRAGMA busy_timeout = 0")  # waiting is done in _begin
                while self._is_there_work():
                    self._write_group(connection, driver)
        except BaseException as error:
            known = error if isinstance(error, StoreUnavailable) else _unexpected(error)
            self._refuse_waiting(known, is_end=True)

    def _is_there_work(self) -> bool:
        """Wait for work.  False: the thread ends, and whoever comes now starts another."""
        with self._changed:
            if self._waiting:
                self._rest_if_due()
            else:
                self._changed.wait_for(lambda: self._waiting, IDLE_SECONDS)
                self._free_since = time.monotonic()
            if self._waiting and self._waiting[0] is not _END:
                return True
            self._is_working = False
            if self._waiting:
                self._waiting.popleft()
            if self._waiting:
                self._wake()
            return False

    def _rest_if_due(self) -> None:
        if time.monotonic() - self._free_since < GROUP_SECONDS:
            return
        # Not held meanwhile: whoever comes now joins the next group.
        self._changed.release()
        time.sleep(REST_SECONDS)
        self._changed.acquire()
        self._free_since = time.monotonic()

    def _write_group(self, connection: Connection, driver: sqlite3.Connection) -> None:
        """One transaction for those who wait.  Whatever happens, each of them is told, or runs again."""
        try:
            self._begin(driver)
        except sqlite3.Error as error:
            self._refuse_waiting(_plain(error, self._busy_timeout_seconds))
            return
        group: list[_Turn] = []
        try:
            self._run_and_commit(connection, driver, group)
        except _TransactionGone:
            group.pop().tell()
            self._run_again(group)
        except sqlite3.Error as error:
            for turn in group:
                turn.refuse(_not_committed(error))
        except BaseException as error:
            for turn in group:
                turn.refuse(_unexpected(error))
            raise
        else:
            for turn in group:
                turn.tell()

    def _begin(self, driver: sqlite3.Connection) -> None:
        """Take the write lock, which other processes want as well."""
        deadline = time.monotonic() + self._busy_timeout_seconds
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if _kind(error) != "BUSY" or time.monotonic() >= deadline:
                    raise
            time.sleep(random.uniform(*POLL_SECONDS))

    def _run_and_commit(self, connection: Connection, driver: sqlite3.Connection, group: list[_Turn]) -> None:
        # BEGIN, SAVEPOINT and COMMIT are said to the driver: SQLite may undo a transaction by itself, and only the
        # driver knows.  Closing SQLAlchemy's transaction undoes what was not committed, and does nothing otherwise.
        transaction = connection.begin()
        try:
            for turn in self._arrivals():
                group.append(turn)
                turn.run(connection, driver)
            failpoints.passing("commit:before")
            driver.execute("COMMIT")
            failpoints.passing("commit:after")
        finally:
            transaction.close()

    def _arrivals(self) -> Iterator[_Turn]:
        """Those who wait, and those who come meanwhile, within bounds."""
        until = time.monotonic() + GROUP_SECONDS
        for _ in range(GROUP_SIZE):
            with self._changed:
                if not self._waiting or self._waiting[0] is _END:
                    return
                turn: _Turn = self._waiting.popleft()
            if turn.begins():
                yield turn
            if time.monotonic() >= until:
                return

    def _run_again(self, innocent: Sequence[_Turn]) -> None:
        """Put those first in the queue whose work was undone because of somebody else's."""
        patient = [turn for turn in innocent if turn.may_run_again()]
        for turn in innocent:
            if turn not in patient:
                turn.refuse(_undone())
        with self._changed:
            self._waiting.extendleft(reversed(patient))

    def _refuse_waiting(self, error: StoreUnavailable, *, is_end: bool = False) -> None:
        with self._changed:
            refused = [turn for turn in self._waiting if turn is not _END]
            is_end_wanted = len(refused) < len(self._waiting) and not is_end
            self._waiting = deque([_END] if is_end_wanted else [])
            self._is_working = not is_end
        for turn in refused:
            if turn.begins():
                turn.refuse(_copy(error))


def _inside(work: Callable[[Connection], ResultT], connection: Connection) -> ResultT:
    with transaction_open():
        return work(connection)


# The errors, one object for each caller: Python writes into an error where it was raised.


def _plainly(error: BaseException) -> BaseException:
    """The error of somebody's work; what is not the fault of the work is said as what it is."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error) and _kind(error.orig) in _OUTSIDE:
        return _plain(error.orig)
    return error


def _kind(error: sqlite3.Error) -> str:
    """``BUSY`` of ``SQLITE_BUSY_SNAPSHOT``."""
    return str(getattr(error, "sqlite_errorname", "_")).split("_")[1]


def _plain(error: sqlite3.Error, waited_seconds: float = 0.0) -> StoreUnavailable:
    match _kind(error):
        case "BUSY":
            text = (
                f"another process has kept the write lock of the SQLite file for {waited_seconds:g} seconds; "
                f"nothing of this was stored; see which one it is (a backup, a shell with an open transaction), ask again"
            )
        case "FULL":
            text = f"there is no room for the SQLite file ({error}); nothing of this was stored; make room, ask again"
        case _:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            text = f"the SQLite file cannot be written ({name}: {error}); nothing of this was stored; see its disk"
    return _because(StoreUnavailable(text), error)


def _not_committed(error: sqlite3.Error) -> StoreUnavailable:
    if _kind(error) != "IOERR" or error.sqlite_errorname == "SQLITE_IOERR_WRITE":
        return _plain(error)
    # All was written, and the disk failed to confirm it: it may have it all the same, and show it after a crash.
    text = f"it is not known whether this was stored: the disk failed during COMMIT ({error}); see what is there"
    return _because(CommitUnknown(text), error)


def _undone() -> StoreUnavailable:
    return StoreUnavailable("SQLite undid the transaction that this was part of; nothing of it was stored; ask again")


def _unexpected(error: BaseException) -> StoreUnavailable:
    text = f"it is not known whether this was stored: writing broke off ({type(error).__name__}: {error}); see what is there"
    return _because(CommitUnknown(text), error)


def _copy(error: StoreUnavailable) -> StoreUnavailable:
    return _because(type(error)(str(error)), error.__cause__)


def _because(error: StoreUnavailable, cause: BaseException | None) -> StoreUnavailable:
    error.__cause__ = cause
    return error
