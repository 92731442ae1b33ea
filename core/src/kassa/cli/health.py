"""``kassa doctor``: what is installed, what of it works, and whether the database answers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from kassa.cli.exits import ExitCode, says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath
from kassa.cli.output import BAD, GOOD, LOUD, QUIET, Document, facts, indented, print_document, say, table
from kassa.errors import ConfigurationError, KassaError, Mistake

if TYPE_CHECKING:
    from kassa.config import Configuration
    from kassa.discovery import Candidate

Kind = Literal["provider", "carts", "extension"]

IMPORT_SECONDS = 60
EMBEDDED = "embedded"

PluginStatus = Literal["loaded", "unused", "misconfigured", "broken", "missing"]
WELL: frozenset[PluginStatus] = frozenset({"loaded", "unused"})
STYLES: dict[PluginStatus, str] = {"loaded": GOOD, "unused": QUIET}


@dataclass(frozen=True, slots=True)
class PluginHealth:
    """One plugin: what the configuration calls it, and how it is.  ``sentence`` says what is wrong with it.

    ``distribution`` and ``version`` are None for one that is configured and not installed.
    """

    kind: Kind
    name: str
    distribution: str | None
    version: str | None
    status: PluginStatus
    used_as: tuple[str, ...] = ()
    contract_version: int | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Everything that the doctor looked at.  A sentence is None where there is nothing to say against it.

    ``database`` is its URL without the password; ``database_schema`` is None where there is none yet.
    """

    configuration_sentence: str | None
    database: str | None
    database_schema: str | None
    database_sentence: str | None
    plugins: tuple[PluginHealth, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing is broken; what is unused is well."""
        all_well = all(plugin.status in WELL for plugin in self.plugins)
        return all_well and self.configuration_sentence is None and self.database_sentence is None


@says_mistakes
def doctor(
    import_all: Annotated[
        bool,
        typer.Option(
            "--import-all", metavar="", help="Import also what is not configured, each plugin in a process of its own."
        ),
    ] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show which plugins are installed, used and broken, and whether the database answers.

    Imports only the plugins that the configuration names, unless asked for all. Exit code 1 where something is broken.
    """
    health = _examine(config, import_all=import_all)
    if as_json:
        print_document(_document(config, health))
    else:
        _show(config, health)
    if not health.is_well:
        raise typer.Exit(ExitCode.MISTAKE)


def _examine(config: Path, *, import_all: bool) -> Health:
    from kassa import config as settings

    configuration, sentence = None, None
    try:
        configuration = settings.read(config)
    except ConfigurationError as error:
        sentence = str(error) if len(error.mistakes) == 1 else f"{len(error.mistakes)} mistakes; see `kassa check`"
    plugins = (*_providers(configuration), *_cart_drivers(configuration), *_extensions(configuration))
    if import_all:
        plugins = tuple(_imported(plugin) for plugin in plugins)
    if configuration is None:
        return Health(sentence, None, None, None, plugins)
    return Health(sentence, *_database(configuration), plugins)


def _providers(configuration: "Configuration | None") -> Iterator[PluginHealth]:
    from kassa import discovery
    from kassa_sdk import PROVIDER_ENTRY_POINTS

    installed = discovery.installed(PROVIDER_ENTRY_POINTS)
    instances = {} if configuration is None else configuration.settings.providers
    used: dict[str, tuple[str, ...]] = {}
    for instance, settings in instances.items():
        used[settings.plugin] = (*used.get(settings.plugin, ()), instance)
    for candidate in installed:
        health = _health("provider", candidate, used.get(candidate.name, ()))
        yield _loaded(health, configuration) if configuration is not None and health.used_as else health
    for name in sorted(used.keys() - {candidate.name for candidate in installed}):
        assert configuration is not None, "without a configuration nothing is used"
        yield _loaded(PluginHealth("provider", name, None, None, "missing", used[name]), configuration)


def _health(kind: Kind, candidate: "Candidate", used_as: tuple[str, ...]) -> PluginHealth:
    return PluginHealth(
        kind=kind,
        name=candidate.name,
        distribution=candidate.distribution,
        version=candidate.version,
        status="loaded" if used_as else "unused",
        used_as=used_as,
    )


def _loaded(health: PluginHealth, configuration: "Configuration") -> PluginHealth:
    """Each instance of it loaded by itself, so that one that is broken does not hide the others."""
    from kassa import providers
    from kassa.config import Configuration

    mistakes: list[Mistake] = []
    version = None
    for instance in health.used_as:
        alone = {"providers": {instance: configuration.settings.providers[instance]}}
        try:
            loaded = providers.load(Configuration(configuration.settings.model_copy(update=alone), configuration.file))
            version = next(iter(loaded.values())).manifest.contract_version
        except ConfigurationError as error:
            mistakes += error.mistakes
    if not mistakes:
        return replace(health, contract_version=version)
    status: PluginStatus = "broken" if any(each.field.endswith(".plugin") for each in mistakes) else "misconfigured"
    return replace(
        health,
        status="missing" if health.status == "missing" else status,
        contract_version=version,
        sentence="\n".join(map(str, mistakes)),
    )


def _cart_drivers(configuration: "Configuration | None") -> Iterator[PluginHealth]:
    from kassa import discovery, opening
    from kassa.world import utc_now
    from kassa_sdk import CART_ENTRY_POINTS

    used = EMBEDDED if configuration is None else configuration.settings.carts.driver
    for candidate in discovery.installed(CART_ENTRY_POINTS):
        health = _health("carts", candidate, (candidate.name,) if candidate.name == used else ())
        if configuration is not None and health.used_as:
            try:
                opening.cart_driver(configuration, utc_now)
            except ConfigurationError as error:
                is_broken = any(each.field == "carts.driver" for each in error.mistakes)
                health = replace(health, status="broken" if is_broken else "misconfigured", sentence=str(error))
        yield health


def _extensions(configuration: "Configuration | None") -> Iterator[PluginHealth]:
    from kassa import discovery
    from kassa_sdk import EXTENSION_ENTRY_POINTS

    installed = discovery.installed(EXTENSION_ENTRY_POINTS)
    used: dict[str, tuple[str, ...]] = {}
    for name, settings in ({} if configuration is None else configuration.settings.extensions).items():
        used[settings.plugin] = (*used.get(settings.plugin, ()), name)
    for candidate in installed:
        health = _health("extension", candidate, used.get(candidate.name, ()))
        yield _loaded_extension(health, configuration) if configuration is not None and health.used_as else health
    for name in sorted(used.keys() - {candidate.name for candidate in installed}):
        assert configuration is not None, "without a configuration nothing is used"
        yield _loaded_extension(PluginHealth("extension", name, None, None, "missing", used[name]), configuration)


def _loaded_extension(health: PluginHealth, configuration: "Configuration") -> PluginHealth:
    from kassa import extensions

    alone = {"extensions": {name: configuration.settings.extensions[name] for name in health.used_as}}
    try:
        extensions.load(replace(configuration, settings=configuration.settings.model_copy(update=alone)))
    except ConfigurationError as error:
        is_broken = any(each.field.endswith(".plugin") for each in error.mistakes)
        status: PluginStatus = "broken" if is_broken else "misconfigured"
        return replace(health, status="missing" if health.status == "missing" else status, sentence=str(error))
    return health


def _imported(health: PluginHealth) -> PluginHealth:
    """A plugin that is not used, imported where it can hurt nobody."""
    from kassa_sdk import CART_ENTRY_POINTS, EXTENSION_ENTRY_POINTS, PROVIDER_ENTRY_POINTS

    if health.status != "unused":
        return health
    groups: dict[Kind, str] = {
        "provider": PROVIDER_ENTRY_POINTS,
        "carts": CART_ENTRY_POINTS,
        "extension": EXTENSION_ENTRY_POINTS,
    }
    command = [sys.executable, "-m", "kassa.cli.plugin_probe", groups[health.kind], health.name]
    who = f"{health.distribution} {health.version}"
    try:
        probe = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False
        )
        answer = json.loads((probe.stdout.splitlines() or [""])[-1])
    except subprocess.TimeoutExpired:
        sentence = f"{who} is not imported after {IMPORT_SECONDS} seconds; report this to its author"
        return replace(health, status="broken", sentence=sentence)
    except ValueError:
        sentence = f"{who} ends the process that imports it (exit code {probe.returncode}); report this to its author"
        return replace(health, status="broken", sentence=sentence)
    status: PluginStatus = "unused" if answer["sentence"] is None else "broken"
    return replace(health, status=status, contract_version=answer["contract_version"], sentence=answer["sentence"])


def _database(configuration: "Configuration") -> tuple[str, str | None, str | None]:
    """The URL without its password, the schema, and what is wrong; nothing is created to find out."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import DBAPIError

    from kassa.opening import database_url
    from kassa.store import schema
    from kassa.store.database import Database

    name = configuration.settings.database.url
    try:
        url = make_url(database_url(configuration))
        name = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
            return name, None, None
        database = Database(url.render_as_string(hide_password=False))
        version = database.read(schema.version)
        database.dispose()
    except KassaError as error:
        return name, None, str(error)
    except DBAPIError as error:
        return name, None, (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
    differs = None if version in (None, schema.HEAD) else f"this kassa needs {schema.HEAD}; run `kassa migrate`"
    return name, version, differs


def _show(config: Path, health: Health) -> None:
    from importlib.metadata import version
    from platform import python_version

    from kassa_sdk import CONTRACT_VERSION

    rows = [
        ("kassa", _line(f"{version('kassa')}, provider contract {CONTRACT_VERSION}")),
        ("Python", _line(python_version())),
        ("configuration", _line(str(config), health.configuration_sentence)),
    ]
    if health.database is not None:
        rows.append(("database", _line(_database_in_words(health), health.database_sentence)))
    say(facts(rows, indent=0))
    if health.configuration_sentence is not None:
        say(
            "Processes that run keep the configuration that they have; a reload is refused until this is repaired.",
            QUIET,
        )
    say()
    if not health.plugins:
        say("No plugin is installed; begin with: pip install kassa-system")
        return
    drawn = table("plugin", "distribution", "contract", "status", numbers=("contract",))
    for plugin in health.plugins:
        status = Text(plugin.status, STYLES.get(plugin.status, BAD))
        status.append(f" as {', '.join(plugin.used_as)}" if plugin.used_as else "", "")
        contract = "" if plugin.contract_version is None else str(plugin.contract_version)
        name = plugin.name if plugin.kind == "provider" else f"{plugin.name} ({plugin.kind})"
        origin = f"{plugin.distribution} {plugin.version}" if plugin.distribution else "not installed"
        drawn.add_row(name, origin, contract, status)
    say(drawn)
    for plugin in health.plugins:
        if plugin.sentence is not None:
            say()
            say(Text(plugin.name, LOUD))
            say(indented(plugin.sentence))


def _database_in_words(health: Health) -> str:
    if health.database_sentence is not None and health.database_schema is None:
        return str(health.database)
    schema = "created when it is first used" if health.database_schema is None else f"schema {health.database_schema}"
    return f"{health.database}, {schema}"


def _line(what: str, sentence: str | None = None) -> Text:
    if sentence is None:
        return Text("✓ ", GOOD).append(what, "default")
    return Text("✗ ", BAD).append(sentence if what in sentence else f"{what}: {sentence}", "default")


def _document(config: Path, health: Health) -> Document:
    from importlib.metadata import version
    from platform import python_version

    from kassa_sdk import CONTRACT_VERSION

    return {
        "is_well": health.is_well,
        "kassa": version("kassa"),
        "contract_version": CONTRACT_VERSION,
        "python": python_version(),
        "configuration": {"file": str(config), "sentence": health.configuration_sentence},
        "database": {
            "url": health.database,
            "schema": health.database_schema,
            "sentence": health.database_sentence,
        },
        "plugins": [
            {name: getattr(plugin, name) for name in PluginHealth.__dataclass_fields__} for plugin in health.plugins
        ],
    }
