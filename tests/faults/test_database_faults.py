"""The database fails at the worst moment; the provider's own books are the truth.

An answer to COMMIT that is lost, a backend that is killed, conflicts without end, a server that is restarted, a disk that is
full: each around both transactions of a capture.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, text

from kassa import CommitUnknown, KassaError, Money, NotAllowed, StillProcessing, StoreUnavailable
from kassa.config import parse
from kassa.model import OperationKind
from kassa.opening import assemble
from kassa.store import postgresql, schema
from kassa.store.database import Database
from kassa.transitions import OperationStatus
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from ..conftest import TOML, Clock, Shop
from .connection_proxy import ConnectionProxy, Cut, connection_proxy

ALL = Money.parse("100.00", "EUR")
TENTH = Money.parse("10.00", "EUR")
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def proxy(database_url: str) -> Iterator[ConnectionProxy]:
    """A proxy in front of the database.  Not in a test's own folder: the path of a socket has to be short."""
    with (
        tempfile.TemporaryDirectory(prefix="kassa-proxy-") as directory,
        connection_proxy(database_url, Path(directory)) as proxy,
    ):
        yield proxy


@pytest.fixture
def behind(
    configured: str, simulator: SimulatorProcess, clock: Clock, proxy: ConnectionProxy, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """The shop, which reaches its database through the proxy."""
    monkeypatch.setenv("SHOP_DATABASE", proxy.url)
    engine = assemble(parse(configured), clock=clock)
    yield Shop(engine, simulator)
    engine.close()


def captured_in_the_books(shop: Shop, payment_id: str) -> list[int]:
    session = shop.engine.retrieve_payment_session(shop.engine.retrieve_payment(payment_id).payment.payment_session_id)
    return shop.books(session, "captured")


def capture_operations(shop: Shop, payment_id: str) -> list[OperationStatus]:
    collection_id = shop.engine.retrieve_payment(payment_id).payment.payment_collection_id
    operations = shop.engine.list_operations(collection_id)
    return [operation.status for operation in operations if operation.kind is OperationKind.CAPTURE]


def recover(shop: Shop, clock: Clock) -> None:
    """Let the worker do everything that it will do within an hour."""
    for _ in range(12):
        clock.forward(minutes=5)
        shop.engine.work()


def require_captured_once(shop: Shop, payment_id: str) -> None:
    """One effect in the provider's books, one capture in ours."""
    assert captured_in_the_books(shop, payment_id) == [10000]
    ledger = shop.engine.retrieve_payment(payment_id)
    assert (ledger.payment.captured, ledger.payment.capturing) == (ALL, Money.zero("EUR"))
    assert [capture.amount for capture in ledger.captures] == [ALL]
    assert capture_operations(shop, payment_id) == [OperationStatus.SUCCEEDED]


# The answer to COMMIT is lost


T1: tuple[None, ...] = ()
T2: tuple[None, ...] = (None,)
both = pytest.mark.parametrize("before", [T1, T2], ids=["T1", "T2"])


@on_postgresql
@both
@pytest.mark.parametrize("cut", [Cut.ANSWER, Cut.REQUEST])
def test_a_lost_answer_to_commit_is_looked_up(
    behind: Shop, proxy: ConnectionProxy, before: tuple[None, ...], cut: Cut
) -> None:
    payment = behind.paid("100.00")
    proxy.cut(*before, cut)
    assert behind.engine.capture_payment(payment.id).captured == ALL
    assert proxy.commits_cut == 1
    require_captured_once(behind, payment.id)


@on_postgresql
def test_several_lost_answers_in_a_row_are_looked_up_each(behind: Shop, proxy: ConnectionProxy) -> None:
    payment = behind.paid("100.00")
    proxy.cut(Cut.REQUEST, Cut.REQUEST, Cut.ANSWER, Cut.REQUEST, Cut.ANSWER)
    assert behind.engine.capture_payment(payment.id).captured == ALL
    assert proxy.commits_cut == 5
    require_captured_once(behind, payment.id)


@on_postgresql
@pytest.mark.parametrize("cut", [Cut.FOR_GOOD, Cut.STUCK])
def test_no_provider_is_called_when_nobody_knows_whether_the_intent_was_committed(
    behind: Shop, proxy: ConnectionProxy, clock: Clock, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "ASK_SECONDS", 0.3)
    payment = behind.paid("100.00")
    proxy.cut(cut)
    with pytest.raises(CommitUnknown, match=r"it is not known whether transaction .* ask again"):
        behind.engine.capture_payment(payment.id)
    proxy.let_in()
    assert captured_in_the_books(behind, payment.id) == []
    proxy.drop_stuck()
    _ask_until_settled(behind, payment.id, clock)
    require_captured_once(behind, payment.id)


def _ask_until_settled(shop: Shop, payment_id: str, clock: Clock) -> None:
    """As a client does who was told that nobody knows."""
    for _ in range(3):
        if shop.engine.retrieve_payment(payment_id).payment.captured == ALL:
            return
        try:
            shop.engine.capture_payment(payment_id)
        except (StillProcessing, NotAllowed):
            # It was committed: its amount is reserved, and recovery goes on with it.
            recover(shop, clock)


@on_postgresql
def test_an_outcome_is_stored_once_when_nobody_knew_whether_it_was_committed(
    behind: Shop, proxy: ConnectionProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "ASK_SECONDS", 0.3)
    payment = behind.paid("100.00")
    proxy.cut(None, Cut.FOR_GOOD)
    with pytest.raises(StillProcessing):
        behind.engine.capture_payment(payment.id)
    proxy.let_in()
    require_captured_once(behind, payment.id)


@on_postgresql
def test_an_outcome_that_was_not_committed_is_found_out_by_recovery(
    behind: Shop, proxy: ConnectionProxy, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "ASK_SECONDS", 0.1)
    monkeypatch.setattr(postgresql, "LOST_PAUSES_SECONDS", (0.01,))
    payment = behind.paid("100.00")
    proxy.cut(None, *[Cut.REQUEST] * 8)
    with pytest.raises(StillProcessing):
        behind.engine.capture_payment(payment.id)
    assert capture_operations(behind, payment.id) == [OperationStatus.IN_FLIGHT]
    recover(behind, clock)
    require_captured_once(behind, payment.id)


# The connection breaks in the middle of the work


@on_postgresql
def test_work_whose_backend_is_killed_is_run_again(database_url: str) -> None:
    database = Database(database_url)
    runs: list[int] = []

    def work(connection: Connection) -> int:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        connection.execute(text("CREATE TABLE notes (note TEXT)"))
        runs.append(backend)
        if len(runs) <= 2:
            _kill(database_url, backend)
        connection.execute(text("INSERT INTO notes VALUES ('x')"))
        return len(runs)

    assert database.transact(work) == 3
    assert database.read(lambda c: c.execute(text("SELECT count(*) FROM notes")).scalar()) == 1
    database.dispose()


@on_postgresql
def test_a_read_that_has_its_answer_is_not_disturbed_by_the_end_of_its_backend_and_the_next_one_runs_again(
    database_url: str,
) -> None:
    database = Database(database_url)
    backends: list[int] = []

    def work(connection: Connection) -> int:
        backends.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        return len(backends)

    def mortal(connection: Connection) -> int:
        answer = work(connection)
        _kill(database_url, backends[-1])
        return answer

    assert database.read(mortal) == 1
    assert database.read(work) == 2
    assert backends[0] != backends[1]
    database.dispose()


@on_postgresql
def test_work_whose_backend_is_killed_each_time_is_not_stored(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "LOST_PAUSES_SECONDS", (0.01, 0.01))
    database = Database(database_url)

    def work(connection: Connection) -> None:
        _kill(database_url, connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        connection.execute(text("SELECT 1"))

    with pytest.raises(
        StoreUnavailable, match="the connection to the database broke 3 times; nothing of this was stored"
    ):
        database.transact(work)
    database.dispose()


@on_postgresql
@pytest.mark.parametrize(
    ("trouble", "code"),
    [("SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)", "57014"), ("SET TRANSACTION READ ONLY", "25006")],
    ids=["an operator's limit", "a server that only reads"],
)
def test_what_is_not_the_fault_of_the_work_is_said_as_what_it_is(database_url: str, trouble: str, code: str) -> None:
    database = Database(database_url)

    def work(connection: Connection) -> None:
        connection.exec_driver_sql(trouble)
        connection.exec_driver_sql("CREATE TABLE notes (note TEXT)")

    with pytest.raises(StoreUnavailable, match=rf"\({code}\); nothing of it was stored; see its server, ask again"):
        database.transact(work)
    database.dispose()


OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def _kill(url: str, backend: int) -> None:
    """Terminate a backend, and wait until it is gone."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {OTHERS} AND pid = %s", (backend,))
        while connection.execute(f"SELECT pid {OTHERS} AND pid = %s", (backend,)).fetchone() is not None:
            time.sleep(0.001)


def _kill_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")


@contextmanager
def again_and_again(disturb: Callable[[], None], pause_seconds: float) -> Iterator[None]:
    """Disturb while this lasts."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(pause_seconds):
            disturb()

    with ThreadPoolExecutor(1) as pool:
        disturbed = pool.submit(go_on)
        try:
            yield
        finally:
            ended.set()
            disturbed.result()


def capture_tenths(shop: Shop, payment_id: str, clients: int) -> None:
    """Many ask to capture a tenth, whatever they are told."""

    def ask(_number: int) -> None:
        try:
            shop.engine.capture_payment(payment_id, TENTH)
        except KassaError:
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(clients)))


def require_the_same_in_both_books(shop: Shop, payment_id: str) -> None:
    """What is settled in our books is exactly what the provider's hold, and nothing is open."""
    theirs = captured_in_the_books(shop, payment_id)
    ledger = shop.engine.retrieve_payment(payment_id)
    assert [capture.amount for capture in ledger.captures] == [TENTH] * len(theirs)
    assert theirs == [1000] * len(theirs)
    assert ledger.payment.captured.minor == sum(theirs) <= ALL.minor
    assert ledger.payment.capturing == Money.zero("EUR")
    assert shop.engine.list_operations_in_doubt() == ()


@on_postgresql
def test_backends_that_are_killed_again_and_again_make_no_capture_double_or_lost(
    timed: Shop, clock: Clock, database_url: str
) -> None:
    payment = timed.paid("100.00")
    with again_and_again(lambda: _kill_all(database_url), 0.05):
        capture_tenths(timed, payment.id, 15)
    recover(timed, clock)
    require_the_same_in_both_books(timed, payment.id)


FORK = """
import os, sys
from sqlalchemy import text
from kassa.store.database import Database

database = Database(sys.argv[1])
def add(connection):
    connection.execute(text("INSERT INTO notes VALUES ('x')"))
database.transact(lambda connection: connection.execute(text("CREATE TABLE notes (note TEXT)")))
child = os.fork()
for _ in range(50):
    database.transact(add)
if child == 0:
    database.dispose()
    os._exit(0)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert database.read(lambda connection: connection.execute(text("SELECT count(*) FROM notes")).scalar()) == 100
database.dispose()
"""


@on_postgresql
def test_both_sides_of_a_fork_have_connections_of_their_own(database_url: str) -> None:
    program = [sys.executable, "-W", "error", "-W", "default::ResourceWarning", "-c", FORK, database_url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


# Conflicts without end

STORM = """
CREATE SEQUENCE storm;
CREATE FUNCTION storm() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('storm') <= {times} THEN
        RAISE EXCEPTION 'a storm' USING ERRCODE = '40001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER storm BEFORE {event} ON operations FOR EACH ROW EXECUTE FUNCTION storm();
"""
"""What a sequence has counted is not undone with the transaction."""


def let_it_storm(url: str, event: str, times: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(STORM.format(event=event, times=times))


@on_postgresql
@pytest.mark.parametrize("event", ["INSERT", "UPDATE"])
def test_a_storm_of_conflicts_is_sat_out(timed: Shop, database_url: str, event: str) -> None:
    payment = timed.paid("100.00")
    let_it_storm(database_url, event, 5)
    assert timed.engine.capture_payment(payment.id).captured == ALL
    require_captured_once(timed, payment.id)


@on_postgresql
def test_a_storm_that_does_not_end_stores_nothing_and_calls_nobody(timed: Shop, database_url: str) -> None:
    payment = timed.paid("100.00")
    let_it_storm(database_url, "INSERT", 1_000_000)
    with pytest.raises(StoreUnavailable, match="asked 8 times to repeat this"):
        timed.engine.capture_payment(payment.id)
    assert captured_in_the_books(timed, payment.id) == []
    assert capture_operations(timed, payment.id) == []


@on_postgresql
def test_an_outcome_that_no_storm_lets_in_is_found_out_afterwards(
    timed: Shop, clock: Clock, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "CONFLICTS", 3)
    payment = timed.paid("100.00")
    let_it_storm(database_url, "UPDATE", 1_000_000)
    with pytest.raises(StillProcessing):
        timed.engine.capture_payment(payment.id)
    assert captured_in_the_books(timed, payment.id) == [10000]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP TRIGGER storm ON operations")
    recover(timed, clock)
    require_captured_once(timed, payment.id)


# The server is restarted


def test_a_server_that_is_restarted_makes_no_capture_double_or_lost(
    simulator: SimulatorProcess, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postgresql_server import NoServer, own_server

    try:
        with own_server() as server:
            set_environment(monkeypatch, server.url, simulator)
            database = Database(server.url)
            schema.prepare(database)
            database.dispose()
            engine = assemble(parse(TOML), clock=clock)
            shop = Shop(engine, simulator)
            payment = shop.paid("100.00")

            def restart() -> None:
                server.stop()
                server.start()

            with again_and_again(restart, 0.3):
                capture_tenths(shop, payment.id, 15)
            recover(shop, clock)
            require_the_same_in_both_books(shop, payment.id)
            engine.close()
    except NoServer as error:
        pytest.skip(f"no PostgreSQL can be started here: {error}")


def set_environment(monkeypatch: pytest.MonkeyPatch, url: str, simulator: SimulatorProcess) -> None:
    monkeypatch.setenv("SHOP_DATABASE", url)
    monkeypatch.setenv("SIMULATOR_URL", simulator.url)
    monkeypatch.setenv("SIMULATOR_API_KEY", simulator.settings.api_key)
    monkeypatch.setenv("SIMULATOR_WEBHOOK_SECRET", simulator.settings.webhook_secret)


# The disk is full

WITHOUT_ROOM = """
import resource, sys, threading, time
import kassa
from pathlib import Path

payment_id, moment, wal = sys.argv[1:]
engine = kassa.open("kassa.toml")

def fill_the_disk():
    # No file may grow any more, which to SQLite is a disk without room.
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(wal).stat().st_size, hard))

def fill_the_disk_once_sent():
    while not engine.list_operations_in_doubt():
        time.sleep(0.01)
    fill_the_disk()

if moment == "T1":
    fill_the_disk()
else:
    threading.Thread(target=fill_the_disk_once_sent).start()
try:
    engine.capture_payment(payment_id)
except kassa.KassaError as error:
    print(type(error).__name__)
"""


def capture_without_room(payment_id: str, moment: str, folder: Path) -> str:
    """Capture in another process, for which the disk is full from this moment on.  Returns what it was told."""
    (folder / "kassa.toml").write_text(TOML.replace("timeout_seconds = 1.0", "timeout_seconds = 10.0"), "utf-8")
    command = [sys.executable, "-c", WITHOUT_ROOM, payment_id, moment, str(folder / "kassa.db-wal")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip()


@on_sqlite
def test_a_disk_that_is_full_before_the_intent_calls_nobody(timed: Shop, tmp_path: Path) -> None:
    payment = timed.paid("100.00")
    assert capture_without_room(payment.id, "T1", tmp_path) == "StoreUnavailable"
    assert captured_in_the_books(timed, payment.id) == []
    assert capture_operations(timed, payment.id) == []
    timed.engine.capture_payment(payment.id)
    require_captured_once(timed, payment.id)


@on_sqlite
def test_an_outcome_for_which_there_is_no_room_is_found_out_once_there_is(
    timed: Shop, clock: Clock, tmp_path: Path
) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.add_fault(Fault.ANSWER_LATE, "capture", seconds=2.0)
    assert capture_without_room(payment.id, "T2", tmp_path) == "StillProcessing"
    assert captured_in_the_books(timed, payment.id) == [10000]
    assert capture_operations(timed, payment.id) == [OperationStatus.IN_FLIGHT]
    recover(timed, clock)
    require_captured_once(timed, payment.id)
