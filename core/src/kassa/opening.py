"""Opening an engine: read the settings, load the providers, check the database, and put it all together."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from kassa import config, discovery, providers
from kassa.carts import EmbeddedCarts, NoOptions
from kassa.config import Configuration, RegionSettings, RuleSettings, names_a_database
from kassa.engine import Engine
from kassa.errors import ConfigurationError, Mistake, PluginUnusable
from kassa.plugins import examine_cart_driver, instance_of, options_of
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
    loaded = providers.load(configuration, clock)
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
    if not mistakes and not names_a_database(url):
        message = "stands for what is no database URL; expected sqlite:///FILE or postgresql://USER@HOST/NAME there"
        mistakes.append(configuration.file.mistake(("database", "url"), message))
    if mistakes:
        raise ConfigurationError(mistakes)
    scheme, separator, file = url.partition(":///")
    if scheme.startswith("sqlite") and separator and file and not file.startswith(":"):
        return f"{scheme}:///{Path(configuration.file.name).parent / file}"
    return url


def regions(configuration: Configuration, loaded: Providers) -> dict[str, Region]:
    """The regions of the settings, with the providers' wire ids in place of the names of their instances.

    Raises ConfigurationError.
    """
    mistakes = [*early_orders(configuration, loaded)]
    if mistakes:
        raise ConfigurationError(mistakes)
    ids = {provider.instance: provider.id for provider in loaded.values()}
    return {
        region_id: _region(region_id, settings, ids) for region_id, settings in configuration.settings.regions.items()
    }


def early_orders(configuration: Configuration, loaded: Providers) -> Iterator[Mistake]:
    """Where an order is to be placed before its money, with a provider whose money is never late."""
    by_instance = {provider.instance: provider for provider in loaded.values()}
    for region_id, region in configuration.settings.regions.items():
        for instance, moment in region.place_order.items():
            provider = by_instance.get(instance)
            if moment == "pending" and provider is not None and not provider.manifest.settles_later:
                where = ("regions", region_id, "place_order", instance)
                message = f'{provider.manifest.display_name} never settles later; leave it out, or write "authorized"'
                yield configuration.file.mistake(where, message)


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
    settings, file = configuration.settings.carts, configuration.file
    if settings.driver == EMBEDDED:
        if settings.options:
            raise ConfigurationError(
                [file.mistake(("carts", "options"), "the embedded driver takes none; remove them")]
            )
        return EmbeddedCarts(NoOptions(), clock)
    try:
        candidate, plugin = discovery.load(CART_ENTRY_POINTS, settings.driver)
        examine_cart_driver(plugin, candidate)
        options = options_of(plugin, settings.options, ("carts", "options"), candidate, file)
        driver: CartDriver = instance_of(plugin, options, candidate, "[carts]")
    except PluginUnusable as error:
        raise ConfigurationError([file.mistake(("carts", "driver"), str(error))]) from error
    return driver
