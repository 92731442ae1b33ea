"""``kassa migrate``: the database brought to the schema of this release."""

from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath
from kassa.cli.output import GOOD, print_document, say


@says_mistakes
def migrate(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Bring the database to the schema of this release, in one transaction; an up-to-date one is left as it is.

    An SQLite file is brought up to date whenever it is opened. A PostgreSQL database is changed by this command only.
    """
    from kassa import config as settings
    from kassa.opening import database_url
    from kassa.store import schema
    from kassa.store.database import Database

    database = Database(database_url(settings.read(config)))
    try:
        before = database.read(schema.version)
        schema.upgrade(database)
        after = database.read(schema.version)
    finally:
        database.dispose()
    if as_json:
        print_document({"from": before, "to": after, "changed": before != after})
        return
    if before == after:
        say(f"The database is at schema {after} already.", GOOD)
    else:
        say(f"The database is at schema {after} now, from {before or 'nothing'}.", GOOD)
