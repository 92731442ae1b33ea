"""Opening an engine: read the settings, load the providers, check the database, and put it all together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import JsonValue, ValidationError

from kassa import config, discovery, extensions, providers, subscribers
from kassa.config import Configuration, RegionSettings, RuleSettings, names_a_database
from kassa.config_file import ConfigFile
from kassa.embedded_carts import EmbeddedCarts, EmbeddedOptions
from kassa.engine import Engine
from kassa.errors import ConfigurationError, Mistake, NotAllowed, PluginUnusable, StoreUnavailable
from kassa.extensions import Extensions
from kassa.plugins import examine_cart_driver, instance_of, options_of
from kassa.providers import Providers
from kassa.references import resolve
from kassa.regions import Region, Rule
from kassa.reloading import CurrentWorld
from kassa.store import schema
from kassa.store.database import Database
from kassa.subscribers import Subscriber
from kassa.watching import Watcher
from kassa.world import World, utc_now
from kassa_sdk import CART_ENTRY_POINTS, CartDriver, Money

EMBEDDED = "embedded"

ResultT = TypeVar("ResultT")


def open(
    path: str | Path = "kassa.toml", *, watchers: Sequence[Watcher] = (), clock: Callable[[], datetime] = utc_now
) -> Engine:
    """The engine that a configuration file describes; its database is created, or brought up to date, where that is safe.

    ``watchers`` are told of every call to a provider: see ``kassa.metrics`` and ``kassa.tracing``.

    Raises ConfigurationError, which lists every mistake, and StoreUnavailable.
    """
    since = clock()
    file = _File(Path(path), clock)
    return Engine(CurrentWorld(_first_world(file.loaded, clock, watchers), file.read_again, since))


def assemble(
    configuration: Configuration, *, watchers: Sequence[Watcher] = (), clock: Callable[[], datetime] = utc_now
) -> Engine:
    """The engine that a configuration describes, without a file to be read again.  Raises as ``open``."""
    since = clock()
    world = _first_world(_load(configuration, [], clock), clock, watchers)
    return Engine(CurrentWorld(world, _refuse_to_read_again, since))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without a mistake, and all that it names.  The database is not touched yet."""

    configuration: Configuration
    providers: Providers
    regions: Mapping[str, Region]
    carts: CartDriver
    database_url: str
    extensions: Extensions
    subscribers: Mapping[str, Subscriber]


def load(path: Path, clock: Callable[[], datetime] = utc_now, before: Loaded | None = None) -> Loaded:
    """Validate a configuration file and load all that it names.  Raises ConfigurationError, which lists every mistake.

    ``before`` is what is in force: what stays the same in it is kept, and its database cannot be changed.
    """
    configuration, mistakes = config.examine(config.text_of(path), str(path))
    if configuration is None:
        raise ConfigurationError(mistakes)
    return _load(configuration, mistakes, clock, before)


def _load(
    configuration: Configuration,
    mistakes: list[Mistake],
    clock: Callable[[], datetime],
    before: Loaded | None = None,
) -> Loaded:
    listening = _collect(mistakes, lambda: extensions.load(configuration)) or extensions.NONE
    told = _collect(mistakes, lambda: subscribers.load(configuration))
    # Around one that is kept stand the wrappers of extensions that were replaced.
    is_wrapped = before is None or before.extensions or listening
    kept = None if before is None or is_wrapped else before.providers
    loaded = _collect(mistakes, lambda: providers.load(configuration, listening, kept, clock))
    if loaded is not None:
        mistakes += [*early_orders(configuration, loaded), *tests_in_production(configuration, loaded)]
    carts = _collect(mistakes, lambda: cart_driver(configuration, clock))
    is_mistaken = any(mistake.field == "database.url" for mistake in mistakes)
    url = None if is_mistaken else _collect(mistakes, lambda: _usable_database_url(configuration, before))
    if mistakes or loaded is None or carts is None or url is None or told is None:
        raise ConfigurationError(config.in_order(mistakes))
    by_id = MappingProxyType(regions(configuration, loaded))
    return Loaded(configuration, loaded, by_id, carts, url, listening, told)


class _File:
    """The file of an engine, and what was loaded from it last."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock
        self.loaded = load(path, clock)

    def read_again(self, world: World) -> World:
        """The world of the file as it is now, around the same database.  Raises ConfigurationError."""
        self.loaded = load(self._path, self._clock, before=self.loaded)
        loaded = self.loaded
        return replace(
            world,
            providers=loaded.providers,
            regions=loaded.regions,
            carts=loaded.carts,
            extensions=loaded.extensions,
            subscribers=loaded.subscribers,
            http=loaded.configuration.settings.http,
        )


def _refuse_to_read_again(_world: World) -> World:
    raise NotAllowed("this engine was not opened from a file, so there is none to be read again; open one from a file")


def _first_world(loaded: Loaded, clock: Callable[[], datetime], watchers: Sequence[Watcher]) -> World:
    database = Database(loaded.database_url)
    schema.prepare(database)
    return World(
        database=database,
        providers=loaded.providers,
        regions=loaded.regions,
        carts=loaded.carts,
        clock=clock,
        extensions=loaded.extensions,
        subscribers=loaded.subscribers,
        http=loaded.configuration.settings.http,
        watchers=tuple(watchers),
    )


def _collect(mistakes: list[Mistake], attempt: Callable[[], ResultT]) -> ResultT | None:
    try:
        return attempt()
    except ConfigurationError as error:
        mistakes += error.mistakes
    return None


def _usable_database_url(configuration: Configuration, before: Loaded | None) -> str:
    url = database_url(configuration)
    sentence = None
    if before is not None and url != before.database_url:
        sentence = "is another database now, and payments are under way in the one in use; put it back, or restart"
    try:
        Database(url).dispose()
    except StoreUnavailable as error:
        sentence = str(error)
    if sentence is not None:
        raise ConfigurationError([configuration.file.mistake(("database", "url"), sentence)])
    return url


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


def tests_in_production(configuration: Configuration, loaded: Providers) -> Iterator[Mistake]:
    """Providers that move no money, where money is meant."""
    for provider in loaded.values():
        if configuration.settings.production and provider.manifest.is_test:
            message = (
                f"{provider.manifest.display_name} is configured to move no money, and this is production; give it the "
                f"keys of your live account, or take `production = true` out"
            )
            yield configuration.file.mistake(("providers", provider.instance, "plugin"), message)


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
        return EmbeddedCarts(_embedded_options(settings.options, file), clock)
    try:
        candidate, plugin = discovery.load(CART_ENTRY_POINTS, settings.driver)
        examine_cart_driver(plugin, candidate)
        options = options_of(plugin, settings.options, ("carts", "options"), candidate, file)
        driver: CartDriver = instance_of(plugin, options, candidate, "[carts]")
    except PluginUnusable as error:
        raise ConfigurationError([file.mistake(("carts", "driver"), str(error))]) from error
    return driver


def _embedded_options(written: Mapping[str, JsonValue], file: ConfigFile) -> EmbeddedOptions:
    try:
        return EmbeddedOptions.model_validate(written)
    except ValidationError as error:
        raise ConfigurationError(config.describe(error, ("carts", "options"), file)) from None
