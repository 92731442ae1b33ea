"""Opening an engine: read the settings, load the providers, check the database, and put it all together."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from kassa import config, discovery, providers
from kassa.carts import EmbeddedCarts, NoOptions
from kassa.config import Configuration, RegionSettings, RuleSettings, describe
from kassa.engine import Engine
from kassa.errors import ConfigurationError, Mistake, PluginUnusable
from kassa.providers import Providers
from kassa.references import resolve
from kassa.regions import Region, Rule
from kassa.store import schema
from kassa.store.database import Database
from kassa.world import World, utc_now
from kassa_sdk import CART_ENTRY_POINTS, CartDriver, Money

EMBEDDED = "embedded"


def open(path: str | Path = "kassa.toml", *, clock: Callable[[], datetime] = utc_now) -> Engine:
    """The engine that a configuration file describes; its database is created, or brought up to date, where that is safe.

    Raises ConfigurationError, which lists every mistake, and StoreUnavailable.
    """
    return assemble(config.read(Path(path)), clock=clock)


def assemble(configuration: Configuration, *, clock: Callable[[], datetime] = utc_now) -> Engine:
    """The engine that a configuration describes.  Raises as ``open``."""
    loaded = providers.load(configuration)
    carts = cart_driver(configuration, clock)
    database = Database(database_url(configuration))
    schema.prepare(database)
    return Engine(
        World(
            database=database,
            providers=loaded,
            regions=MappingProxyType(regions(configuration, loaded)),
            carts=carts,
            clock=clock,
        )
    )


def database_url(configuration: Configuration) -> str:
    """The database's URL, its reference resolved; an SQLite file is beside the configuration.  Raises ConfigurationError."""
    mistakes: list[Mistake] = []
    url: str = resolve(configuration.settings.database.url, ("database", "url"), configuration.file, mistakes)
    if mistakes:
        raise ConfigurationError(mistakes)
    scheme, separator, file = url.partition(":///")
    if scheme.startswith("sqlite") and separator and file and not file.startswith(":"):
        return f"{scheme}:///{Path(configuration.file.name).parent / file}"
    return url


def regions(configuration: Configuration, loaded: Providers) -> dict[str, Region]:
    """The regions of the settings, with the providers' wire ids in place of the names of their instances."""
    ids = {provider.instance: provider.id for provider in loaded.values()}
    return {
        region_id: _region(region_id, settings, ids) for region_id, settings in configuration.settings.regions.items()
    }


def _region(region_id: str, settings: RegionSettings, ids: dict[str, str]) -> Region:
    return Region(
        id=region_id,
        name=settings.name,
        currency=settings.currency,
        countries=settings.countries,
        provider_ids=tuple(ids[instance] for instance in settings.providers),
        rules=tuple(_rule(rule, settings.currency, ids) for rule in settings.rules),
        orders_while_pending=frozenset(
            ids[instance] for instance, moment in settings.place_order.items() if moment == "pending"
        ),
    )


def _rule(settings: RuleSettings, currency: str, ids: dict[str, str]) -> Rule:
    return Rule(
        provider_id=ids[settings.provider],
        amount_min=None if settings.amount_min is None else Money.parse(settings.amount_min, currency),
        amount_max=None if settings.amount_max is None else Money.parse(settings.amount_max, currency),
        countries=None if settings.countries is None else frozenset(settings.countries),
        customer_groups=None if settings.customer_groups is None else frozenset(settings.customer_groups),
        reason=settings.reason,
    )


def cart_driver(configuration: Configuration, clock: Callable[[], datetime]) -> CartDriver:
    """The driver that the settings name.  Raises ConfigurationError."""
    settings = configuration.settings.carts
    if settings.driver == EMBEDDED:
        return EmbeddedCarts(NoOptions(), clock)
    mistakes: list[Mistake] = []
    try:
        _candidate, plugin = discovery.load(CART_ENTRY_POINTS, settings.driver)
        resolved = resolve(settings.options, ("carts", "options"), configuration.file, mistakes)
        driver: CartDriver = plugin(plugin.Options.model_validate(resolved))
    except PluginUnusable as error:
        raise ConfigurationError([configuration.file.mistake(("carts", "driver"), str(error))]) from error
    except ValidationError as error:
        raise ConfigurationError(describe(error, ("carts", "options"), configuration.file)) from error
    if mistakes:
        raise ConfigurationError(mistakes)
    return driver
