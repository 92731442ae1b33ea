"""Bringing a database to the schema of this release.

Alembic is imported only when there is something to do: it costs as much time as all the rest of a start.
"""

from sqlalchemy import Connection, inspect, text

from kassa.errors import StoreUnavailable
from kassa.store.database import Database

HEAD = "0005"
"""The newest migration; a test compares it with the scripts."""

_LOCK_KEY = 5_277_001
"""Any number that nobody else locks: two processes that start at once migrate one after the other."""


def prepare(database: Database) -> None:
    """Create the schema of an empty database, and bring an SQLite file up to date.

    A PostgreSQL database of an older release is never changed by merely being opened.  Raises StoreUnavailable.
    """
    current = database.read(version)
    if current == HEAD:
        return
    if current is None or database.dialect == "sqlite":
        upgrade(database)
        return
    raise StoreUnavailable(f"the database is at schema {current}, this kassa needs {HEAD}; run `kassa migrate`")


def upgrade(database: Database) -> None:
    """Run the missing migrations, in one transaction.  Raises StoreUnavailable for a database of a later release."""
    database.transact(_upgrade)


def version(connection: Connection) -> str | None:
    """The newest migration that the database has, or None when it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def require_current(connection: Connection) -> None:
    """Raises StoreUnavailable for a database that this release cannot work with any more."""
    current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if current != HEAD:
        raise StoreUnavailable(f"the database is at schema {current} now, this kassa needs {HEAD}; restart it")


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    current = version(connection)
    if current is not None and current > HEAD:
        raise StoreUnavailable(f"the database is at schema {current}, later than this kassa's {HEAD}; upgrade kassa")
    config = Config()
    config.set_main_option("script_location", "kassa.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
