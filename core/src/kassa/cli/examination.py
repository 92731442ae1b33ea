"""``kassa check``: everything about a configuration that can be told without touching the database or a provider."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath
from kassa.cli.output import GOOD, WAITING, Document, facts, indented, print_document, say, table
from kassa.errors import ConfigurationError, Mistake, StoreUnavailable

if TYPE_CHECKING:
    from kassa.config import Configuration
    from kassa.extensions import Extensions
    from kassa.providers import Providers
    from kassa.regions import Region

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Examined:
    """A configuration without a mistake, its plugins loaded.  ``database`` is the URL without its password."""

    configuration: "Configuration"
    providers: "Providers"
    regions: "dict[str, Region]"
    extensions: "Extensions"
    database: str


@says_mistakes
def check(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Validate the configuration whole: every mistake with its file, line and field, and what was expected.

    Loads the plugins that the configuration names, and resolves its secrets. Neither the database nor a provider is
    touched. Exit code 1 where there is a mistake.
    """
    examined = examine(config)
    remarks = tuple(remarks_on(examined))
    if as_json:
        print_document(_document(config, examined, remarks))
        return
    _show(config, examined, remarks)


def examine(config: Path) -> Examined:
    """Validate a configuration and all that it names.  Raises ConfigurationError, which lists every mistake."""
    from kassa import config as settings
    from kassa import extensions, opening, providers, subscribers
    from kassa.world import utc_now

    configuration, mistakes = settings.examine(settings.text_of(config), str(config))
    if configuration is None:
        raise ConfigurationError(mistakes)
    listening = _collect(mistakes, lambda: extensions.load(configuration)) or extensions.NONE
    _collect(mistakes, lambda: subscribers.load(configuration))
    loaded = _collect(mistakes, lambda: providers.load(configuration, listening))
    if loaded is not None:
        mistakes += opening.early_orders(configuration, loaded)
    _collect(mistakes, lambda: opening.cart_driver(configuration, utc_now))
    told = any(mistake.field == "database.url" for mistake in mistakes)
    database = None if told else _collect(mistakes, lambda: _usable_database(configuration))
    if mistakes or loaded is None or database is None:
        raise ConfigurationError(settings.in_order(mistakes))
    return Examined(configuration, loaded, opening.regions(configuration, loaded), listening, database)


def remarks_on(examined: Examined) -> Iterator[str]:
    """What is no mistake, and hardly meant: a provider that nobody is ever offered."""
    from kassa.regions import Circumstances, judge

    used = {provider_id for region in examined.regions.values() for provider_id in region.provider_ids}
    for provider_id in sorted(set(examined.providers) - used):
        yield f"{provider_id} is in no region, so nobody is offered it"
    for region in examined.regions.values():
        for provider_id in region.provider_ids:
            verdict = judge(region, provider_id, examined.providers[provider_id].manifest, Circumstances())
            if not verdict.is_offered:
                yield f"region {region.id} never offers {provider_id}: {'; '.join(verdict.reasons)}"
    if not examined.regions:
        yield "there is no region, so nothing can be paid; add a block [regions.NAME]"


def _collect(mistakes: list[Mistake], attempt: Callable[[], ResultT]) -> ResultT | None:
    try:
        return attempt()
    except ConfigurationError as error:
        mistakes += error.mistakes
    return None


def _usable_database(configuration: "Configuration") -> str:
    from sqlalchemy import make_url

    from kassa.opening import database_url
    from kassa.store.database import Database

    url = database_url(configuration)
    try:
        Database(url).dispose()
    except StoreUnavailable as error:
        raise ConfigurationError([configuration.file.mistake(("database", "url"), str(error))]) from error
    return make_url(url).render_as_string(hide_password=True)


def _show(config: Path, examined: Examined, remarks: tuple[str, ...]) -> None:
    say(f"{config} is valid.", GOOD)
    say()
    used = table("provider", "plugin", "regions")
    for provider in examined.providers.values():
        regions = [region.id for region in examined.regions.values() if provider.id in region.provider_ids]
        used.add_row(provider.id, str(provider.candidate), ", ".join(regions) or "–")
    carts = examined.configuration.settings.carts.driver
    say(facts([("database", examined.database), ("carts", carts), *_listeners(examined)]))
    say()
    say(indented(used))
    for remark in remarks:
        say()
        say(indented(f"Mind: {remark}."), WAITING)


def _listeners(examined: Examined) -> Iterator[tuple[str, str]]:
    """Who is told events; nothing where nobody is."""
    yield "subscribers", ", ".join(examined.configuration.settings.subscribers)
    yield "extensions", ", ".join(f"{name} ({each.candidate})" for name, each in examined.extensions.items())


def _document(config: Path, examined: Examined, remarks: tuple[str, ...]) -> Document:
    return {
        "file": str(config),
        "valid": True,
        "database": examined.database,
        "carts": examined.configuration.settings.carts.driver,
        "providers": [
            {
                "id": provider.id,
                "plugin": provider.settings.plugin,
                "distribution": provider.candidate.distribution,
                "version": provider.candidate.version,
            }
            for provider in examined.providers.values()
        ],
        "regions": list(examined.regions),
        "subscribers": [
            {"name": name, "events": settings.events}
            for name, settings in examined.configuration.settings.subscribers.items()
        ],
        "extensions": [
            {"name": name, "distribution": each.candidate.distribution, "version": each.candidate.version}
            for name, each in examined.extensions.items()
        ],
        "remarks": remarks,
    }
