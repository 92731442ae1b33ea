"""``kassa switch`` and ``kassa switches``: a provider taken out of what is offered, at once, and put back."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from kassa.cli.engines import opened
from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, Limit, Offset
from kassa.cli.output import (
    BAD,
    GOOD,
    LOUD,
    WAITING,
    Document,
    facts,
    moment,
    print_document,
    record_document,
    say,
)

if TYPE_CHECKING:
    from kassa.config import Configuration
    from kassa.model import ProviderSwitch


@says_mistakes
def switch(
    position: Annotated[Literal["off", "on"], typer.Argument(metavar="off|on", help="Where the switch is put.")],
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Its id, or its name in the configuration.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason; `kassa explain` shows it, and it is kept.")],
    region: Annotated[
        str | None,
        typer.Option(metavar="REGION", help="Only in this region; without it, everywhere.", show_default=False),
    ] = None,
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who does it; without it, who is logged in.", show_default=False)
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Switch a provider off, or on again: at once, for every store and every process.

    Off, it is offered to nobody, and no new session with it begins. Sessions and payments that exist go on as before.
    """
    with opened(config) as engine:
        turn = engine.switch_provider_off if position == "off" else engine.switch_provider_on
        turned = turn(provider, region, who=who or getpass.getuser(), why=why)
    if as_json:
        print_document({"switch": switch_document(turned)})
        return
    _show(turned)


@says_mistakes
def list_switches(
    limit: Limit = 50, offset: Offset = 0, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """List the switches: which providers are off, and which were, with who, when and why."""
    with opened(config) as engine:
        switches = engine.list_provider_switches(limit=limit, offset=offset)
    if as_json:
        print_document({"switches": [switch_document(each) for each in switches]})
        return
    if not any(each.is_off for each in switches):
        say("No provider is switched off.", GOOD)
    for each in switches:
        _show(each)


def switch_document(switch: "ProviderSwitch") -> Document:
    """A switch in JSON."""
    return record_document(switch) | {"is_off": switch.is_off}


def in_force(configuration: "Configuration") -> "tuple[ProviderSwitch, ...]":
    """What is switched off in the database, if there is one; nothing is created to find out."""
    from sqlalchemy import inspect, make_url

    from kassa.opening import database_url
    from kassa.store import switches
    from kassa.store.database import Database

    url = make_url(database_url(configuration))
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        return ()
    database = Database(url.render_as_string(hide_password=False))
    try:
        # A database of an older release may have no such table yet.
        is_there = database.read(lambda connection: inspect(connection).has_table("provider_switches"))
        return database.read(switches.in_force) if is_there else ()
    finally:
        database.dispose()


def _show(switch: "ProviderSwitch") -> None:
    position = ("off", BAD) if switch.is_off else ("on again", GOOD)
    say(Text.assemble((switch.provider_id, LOUD), f" {switch.where}: ", position))
    rows = [
        ("off", f"{moment(switch.off_at)} by {switch.off_by}"),
        ("why", switch.reason),
        ("on", "" if switch.on_at is None else f"{moment(switch.on_at)} by {switch.on_by}"),
        ("why", switch.on_why or ""),
    ]
    say(facts([(name, Text(value, WAITING if name == "why" else "")) for name, value in rows if value]))
