"""What every test of every distribution may ask for: a fresh database of each kind that kassa supports."""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from memory import roomy_memory

if TYPE_CHECKING:
    from postgresql_server import PostgreSQLServer


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores, for ``-n auto``: a test often waits, for a provider or a database."""
    return (os.cpu_count() or 1) + 1


def pytest_configure() -> None:
    """The files of the tests live in memory where there is room; TMPDIR says otherwise."""
    memory = roomy_memory()
    if memory is not None and "TMPDIR" not in os.environ:
        tempfile.tempdir = str(memory)


def pytest_collection_finish() -> None:
    """What was imported stays to the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgresql_server() -> "Iterator[PostgreSQLServer]":
    """A PostgreSQL server, one for each test process; without one the tests that need it are skipped.

    With KASSA_TEST_PG_REQUIRED set (as in .ci/run) they fail instead, so that a green run cannot hide them.
    """
    pytest.importorskip("psycopg", reason="psycopg is not installed here: nothing runs on PostgreSQL")
    from postgresql_server import NoServer, running_server

    try:
        with running_server() as server:
            yield server
    except NoServer as error:
        give_up = pytest.fail if os.environ.get("KASSA_TEST_PG_REQUIRED") else pytest.skip
        give_up(f"No PostgreSQL server could be started; set KASSA_TEST_PG_URL to use one of yours. Tried: {error}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database that only this test uses: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'kassa.db'}"
        return
    server: PostgreSQLServer = request.getfixturevalue("postgresql_server")
    with server.database() as url:
        yield url
