"""One thread writes an SQLite file: what each caller of a group is told, and what is stored, whatever goes wrong."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

import pytest
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import IntegrityError

from kassa.errors import StoreUnavailable
from kassa.store import group_commit
from kassa.store.database import Database
from kassa.store.group_commit import GroupCommit
from kassa.store.sqlite import SqliteFile

Work = Callable[[Connection], object]
BUSY_TIMEOUT_SECONDS = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An SQLite file with a table of notes, and one of traps that undo the whole transaction."""
    path = tmp_path / "kassa.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (note TEXT PRIMARY KEY)")
        connection.execute("CREATE TABLE traps (trap TEXT)")
        connection.execute(
            "CREATE TRIGGER trap BEFORE INSERT ON traps BEGIN SELECT RAISE(ROLLBACK, 'all is undone'); END"
        )
    connection.close()
    return path


@pytest.fixture
def file(path: Path) -> Iterator[SqliteFile]:
    """The file, opened as kassa opens it."""
    file = SqliteFile(make_url(f"sqlite:///{path}"))
    yield file
    file.dispose()


@pytest.fixture
def writer(file: SqliteFile) -> Iterator[GroupCommit]:
    """What writes it."""
    writer = GroupCommit(file.engine.connect, BUSY_TIMEOUT_SECONDS)
    yield writer
    writer.stop()


def add(note: str) -> Work:
    """Work that stores a note, and returns it."""

    def work(connection: Connection) -> str:
        connection.exec_driver_sql("INSERT INTO notes VALUES (?)", (note,))
        return note

    return work


def fall_into_the_trap(connection: Connection) -> None:
    """Work at which SQLite undoes everybody's."""
    connection.exec_driver_sql("INSERT INTO traps VALUES ('x')")


def notes(path: Path) -> list[str]:
    """What is stored, as anybody sees it."""
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT note FROM notes ORDER BY note").fetchall()
    connection.close()
    return [note for (note,) in found]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else holds the write lock."""
    with sqlite3.connect(path, isolation_level=None, check_same_thread=False) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
    connection.close()


def in_one_group(writer: GroupCommit, path: Path, *works: Work) -> list[Future[object]]:
    """What each gets who waits, in this order, while somebody else has the write lock."""
    with ThreadPoolExecutor(len(works)) as pool:
        with locked(path):
            asked: list[Future[object]] = []
            for number, work in enumerate(works, start=1):
                asked.append(pool.submit(writer.transact, work))
                while writer.waiting < number:
                    time.sleep(0.001)
        wait(asked)
    return asked


def writer_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kassa-writer"]


def test_all_who_wait_share_one_commit(writer: GroupCommit, path: Path) -> None:
    seen: list[list[str]] = []

    def look(connection: Connection) -> int:
        seen.append(notes(path))
        return connection.exec_driver_sql("SELECT count(*) FROM notes").scalar_one()  # type: ignore[no-any-return]

    asked = in_one_group(writer, path, add("a"), add("b"), look)
    assert [each.result() for each in asked] == ["a", "b", 2]
    assert seen == [[]], "nothing was committed before the last had its turn"
    assert notes(path) == ["a", "b"]


def test_nobody_is_told_before_the_commit(writer: GroupCommit, path: Path) -> None:
    first: list[Future[object]] = []
    told: list[bool] = []
    with ThreadPoolExecutor(2) as pool:
        with locked(path):
            first.append(pool.submit(writer.transact, add("a")))
            while writer.waiting < 1:
                time.sleep(0.001)
            second = pool.submit(writer.transact, lambda _connection: told.append(first[0].done()))
            while writer.waiting < 2:
                time.sleep(0.001)
        wait([*first, second])
    assert told == [False]


def test_more_than_a_group_holds_are_served_by_several(
    writer: GroupCommit, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "GROUP_SIZE", 3)
    seen: list[int] = []

    def look(number: int) -> Work:
        def work(connection: Connection) -> None:
            add(f"{number}")(connection)
            seen.append(len(notes(path)))

        return work

    in_one_group(writer, path, *map(look, range(8)))
    assert seen == [0, 0, 0, 3, 3, 3, 6, 6]


def test_work_that_raises_takes_nobody_with_it(writer: GroupCommit, path: Path) -> None:
    def change_my_mind(connection: Connection) -> None:
        add("never")(connection)
        raise ValueError("changed my mind")

    before, failed, after = in_one_group(writer, path, add("a"), change_my_mind, add("b"))
    assert (before.result(), after.result()) == ("a", "b")
    with pytest.raises(ValueError, match="changed my mind"):
        failed.result()
    assert notes(path) == ["a", "b"]


def test_a_broken_rule_of_the_database_takes_nobody_with_it(writer: GroupCommit, path: Path) -> None:
    first, second, third = in_one_group(writer, path, add("a"), add("a"), add("b"))
    assert (first.result(), third.result()) == ("a", "b")
    with pytest.raises(IntegrityError):
        second.result()
    assert notes(path) == ["a", "b"]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_even_work_that_wants_to_end_everything_takes_nobody_with_it(
    writer: GroupCommit, path: Path, kind: type[BaseException]
) -> None:
    def end(connection: Connection) -> None:
        add("never")(connection)
        raise kind

    before, failed, after = in_one_group(writer, path, add("a"), end, add("b"))
    assert (before.result(), after.result()) == ("a", "b")
    with pytest.raises(kind):
        failed.result()
    assert notes(path) == ["a", "b"]


def test_when_the_commit_fails_all_are_told_and_nothing_is_stored(writer: GroupCommit, path: Path) -> None:
    def leave_something_open(connection: Connection) -> None:
        # A rule that is checked at COMMIT, and broken then.
        connection.exec_driver_sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE children (parent INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
        )
        connection.exec_driver_sql("INSERT INTO children VALUES (1)")

    def find(connection: Connection) -> None:
        raise LookupError("decided on what others have not committed yet")

    asked = in_one_group(writer, path, add("a"), leave_something_open, find)
    errors = [each.exception() for each in asked]
    assert [type(error) for error in errors] == [StoreUnavailable] * 3
    assert "nothing of this was stored" in str(errors[0])
    assert len(set(map(id, errors))) == 3
    assert notes(path) == []
    assert writer.transact(add("b")) == "b"


def test_when_sqlite_undoes_everything_the_innocent_run_again(writer: GroupCommit, path: Path) -> None:
    before, guilty, after = in_one_group(writer, path, add("a"), fall_into_the_trap, add("b"))
    assert (before.result(), after.result()) == ("a", "b")
    with pytest.raises(IntegrityError, match="all is undone"):
        guilty.result()
    assert notes(path) == ["a", "b"]


def test_an_error_that_was_decided_on_undone_work_is_decided_again(writer: GroupCommit, path: Path) -> None:
    runs: list[int] = []

    def add_once(connection: Connection) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise LookupError("decided before everything was undone")

    decided, _guilty = in_one_group(writer, path, add_once, fall_into_the_trap)
    assert decided.result() is None
    assert len(runs) == 2


def test_who_is_undone_again_and_again_is_told_so(writer: GroupCommit, path: Path) -> None:
    traps = [fall_into_the_trap] * group_commit.MOST_RUNS
    innocent, *_ = in_one_group(writer, path, add("a"), *traps)
    with pytest.raises(StoreUnavailable, match="nothing of it was stored; ask again"):
        innocent.result()
    assert notes(path) == []
    assert writer.transact(add("a")) == "a"


def test_work_that_hides_that_everything_was_undone_is_not_told_success(writer: GroupCommit, path: Path) -> None:
    def hide(connection: Connection) -> None:
        try:
            fall_into_the_trap(connection)
        except IntegrityError:
            pass

    before, hidden = in_one_group(writer, path, add("a"), hide)
    assert before.result() == "a"
    with pytest.raises(StoreUnavailable, match="nothing of it was stored"):
        hidden.result()
    assert notes(path) == ["a"]


def test_without_room_the_one_who_needs_it_is_told_and_the_others_are_served(writer: GroupCommit, path: Path) -> None:
    def no_more_pages(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    writer.transact(no_more_pages)
    before, large, after = in_one_group(writer, path, add("a"), add("x" * 100_000), add("b"))
    assert (before.result(), after.result()) == ("a", "b")
    with pytest.raises(StoreUnavailable, match="there is no room for the SQLite file"):
        large.result()
    assert notes(path) == ["a", "b"]


NO_ROOM_FOR_COMMIT = """
import resource, sys, threading
from pathlib import Path
from kassa.errors import StoreUnavailable
from kassa.store.database import Database

path = Path(sys.argv[1])
database = Database(f"sqlite:///{path}")
def adding(note):
    return lambda connection: connection.exec_driver_sql("INSERT INTO notes VALUES (?)", (note,))
database.transact(adding("before"))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(path.name + "-wal").stat().st_size, hard))
told = []
def ask(number):
    try:
        database.transact(adding(f"during {number}"))
        told.append("stored")
    except StoreUnavailable as error:
        told.append("refused")
threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert told == ["refused"] * 8, told
database.transact(adding("after"))
database.dispose()
"""


def run(program: str, path: Path) -> None:
    """Run a program in a process of its own, where every warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_disk_without_room_at_commit_stores_nothing_of_the_group(path: Path) -> None:
    run(NO_ROOM_FOR_COMMIT, path)
    assert notes(path) == ["after", "before"]


def test_another_process_that_keeps_the_write_lock_is_named(path: Path) -> None:
    database = Database(f"sqlite:///{path}?timeout=0.2")
    with (
        locked(path),
        pytest.raises(StoreUnavailable, match=r"another process has kept the write lock .* 0\.2 seconds"),
    ):
        database.transact(add("a"))
    database.transact(add("b"))
    database.dispose()
    assert notes(path) == ["b"]


WRITE_WITHOUT_A_BREAK = """
import sys, threading
from kassa.store.database import Database

database = Database(f"sqlite:///{sys.argv[1]}")
def work(connection):
    connection.exec_driver_sql("INSERT INTO traps SELECT note FROM notes WHERE note = 'nobody'")
def write():
    while True:
        database.transact(work)
for _ in range(8):
    threading.Thread(target=write, daemon=True).start()
database.transact(work)
print("writing", flush=True)
sys.stdin.read()
"""


def test_a_process_that_writes_without_a_break_lets_others_write(path: Path) -> None:
    command = [sys.executable, "-c", WRITE_WITHOUT_A_BREAK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as busy:
        assert busy.stdout is not None
        assert busy.stdout.readline() == b"writing\n"
        database = Database(f"sqlite:///{path}")
        for number in range(20):
            database.transact(add(f"{number}"))
        database.dispose()
        assert busy.stdin is not None
        busy.stdin.close()
    assert len(notes(path)) == 20


def test_work_that_waits_is_finished_before_a_database_is_closed(writer: GroupCommit, path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        with locked(path):
            asked = [pool.submit(writer.transact, add(f"{number}")) for number in range(3)]
            while writer.waiting < 3:
                time.sleep(0.001)
            stopped = pool.submit(writer.stop)
        stopped.result()
    assert [each.result() for each in asked] == ["0", "1", "2"]
    assert notes(path) == ["0", "1", "2"]


def test_closing_a_database_that_cannot_be_written_refuses_what_waits(path: Path) -> None:
    database = Database(f"sqlite:///{path}?timeout=0.5")
    with ThreadPoolExecutor(1) as pool, locked(path):
        asked = pool.submit(database.transact, add("a"))
        while not writer_threads():
            time.sleep(0.001)
        database.dispose()
        assert isinstance(asked.exception(), StoreUnavailable)
    assert notes(path) == []


def test_no_thread_is_left_when_a_database_is_closed(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    database.transact(add("a"))
    assert len(writer_threads()) == 1
    database.dispose()
    assert writer_threads() == []


def test_a_closed_database_is_opened_again_by_whoever_goes_on(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    for note in ("a", "b"):
        database.transact(add(note))
        database.dispose()
    assert notes(path) == ["a", "b"]


def test_a_thread_that_has_nothing_to_do_ends_and_another_one_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "IDLE_SECONDS", 0.01)
    database = Database(f"sqlite:///{path}")
    for note in ("a", "b"):
        database.transact(add(note))
        while writer_threads():
            time.sleep(0.001)
    database.dispose()
    assert notes(path) == ["a", "b"]


def test_a_file_that_cannot_be_opened_is_said_to_all_who_wait(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'kassa.db'}")
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(database.transact, add("a")) for _ in range(4)]
    assert {type(each.exception()) for each in asked} == {StoreUnavailable}
    database.dispose()


def test_who_is_interrupted_while_waiting_takes_the_work_back_and_the_queue_goes_on(
    writer: GroupCommit, path: Path
) -> None:
    main = threading.main_thread()
    if threading.current_thread() is not main:
        pytest.skip("only the main thread is interrupted")

    def interrupt() -> None:
        while writer.waiting < 1:
            time.sleep(0.001)
        assert main.ident is not None
        signal.pthread_kill(main.ident, signal.SIGINT)

    # What a shell runs in the background ignores SIGINT, and so does Python then.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ThreadPoolExecutor(1) as pool, locked(path):
            interrupted = pool.submit(interrupt)
            with pytest.raises(KeyboardInterrupt):
                writer.transact(add("taken back"))
            interrupted.result()
    finally:
        signal.signal(signal.SIGINT, before)
    assert writer.transact(add("b")) == "b"
    assert notes(path) == ["b"]


def test_who_is_interrupted_right_after_joining_the_queue_takes_the_work_back(writer: GroupCommit, path: Path) -> None:
    def interrupt(frame: FrameType, event: str, _argument: object) -> None:
        if event == "return" and frame.f_code is threading.Condition.__exit__.__code__ and writer.waiting:
            sys.setprofile(None)
            raise KeyboardInterrupt

    writer.transact(lambda connection: None)
    with locked(path):
        sys.setprofile(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                writer.transact(add("taken back"))
        finally:
            sys.setprofile(None)
    assert writer.transact(add("b")) == "b"
    assert notes(path) == ["b"]


def test_work_runs_in_the_context_of_its_caller(writer: GroupCommit) -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")

    def ask(name: str) -> object:
        who.set(name)
        return writer.transact(lambda _connection: who.get())

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, ["Ada", "Grace"])) == ["Ada", "Grace"]


FORK = """
import os, sys, threading
from kassa.store.database import Database

database = Database(f"sqlite:///{sys.argv[1]}")
def adding(note):
    return lambda connection: connection.exec_driver_sql("INSERT INTO notes VALUES (?)", (note,))
def count(connection):
    return connection.exec_driver_sql("SELECT count(*) FROM notes").scalar()
database.transact(adding("before"))
assert database.read(count) == 1
child = os.fork()
if child == 0:
    for number in range(50):
        database.transact(adding(f"child {number}"))
    assert database.read(count) >= 51
    database.dispose()
    os._exit(0)
for number in range(50):
    database.transact(adding(f"parent {number}"))
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert database.read(count) == 101
database.dispose()
"""

FORK_WHILE_WRITING = """
import os, sys, threading, warnings
from kassa.store.database import Database

# That the threads of a test do not survive is what it is about.
warnings.simplefilter("ignore", DeprecationWarning)
database = Database(f"sqlite:///{sys.argv[1]}")
def adding(note):
    return lambda connection: connection.exec_driver_sql("INSERT INTO notes VALUES (?)", (note,))
def write(thread):
    for number in range(100):
        database.transact(adding(f"{thread} {number}"))
threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
children = []
for number in range(10):
    child = os.fork()
    if child == 0:
        database.transact(adding(f"child {number}"))
        os._exit(0)
    children.append(child)
for thread in threads: thread.join()
for child in children:
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
database.dispose()
"""

FORK_WHILE_READING = """
import os, sys
from kassa.errors import StoreUnavailable
from kassa.store.database import Database

database = Database(f"sqlite:///{sys.argv[1]}")
def fork(connection):
    connection.exec_driver_sql("SELECT count(*) FROM notes").scalar()
    return os.fork()
child = database.read(fork)
if child == 0:
    try:
        database.transact(lambda connection: None)
    except StoreUnavailable as error:
        os._exit(0 if "was forked while the SQLite file was in use" in str(error) else 1)
    os._exit(2)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
database.transact(lambda connection: connection.exec_driver_sql("INSERT INTO notes VALUES ('parent')"))
database.dispose()
"""

DROPPED = """
import sys
from kassa.store.database import Database

database = Database(f"sqlite:///{sys.argv[1]}")
database.transact(lambda connection: connection.exec_driver_sql("INSERT INTO notes VALUES ('a')"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize(
    ("program", "stored"), [(FORK, 101), (FORK_WHILE_WRITING, 410), (FORK_WHILE_READING, 1)], ids=["", "write", "read"]
)
def test_both_sides_of_a_fork_store_what_they_were_told_is_stored(path: Path, program: str, stored: int) -> None:
    run(program, path)
    assert len(notes(path)) == stored


def test_a_database_that_is_not_closed_does_not_keep_the_interpreter(path: Path) -> None:
    run(DROPPED, path)
    assert notes(path) == ["a"]
