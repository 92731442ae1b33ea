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
from kassa.errors import ConfigurationError, KassaError, PluginUnusable

if TYPE_CHECKING:
    from kassa.config import Configuration
    from kassa.discovery import Candidate

IMPORT_SECONDS = 60
EMBEDDED = "embedded"

PluginStatus = Literal["loaded", "unused", "broken"]
STYLES: dict[PluginStatus, str] = {"loaded": GOOD, "unused": QUIET, "broken": BAD}


@dataclass(frozen=True, slots=True)
class PluginHealth:
    """One installed plugin: what the configuration calls it, and how it is.  ``sentence`` says why it is broken."""

    kind: Literal["provider", "carts"]
    name: str
    distribution: str
    version: str
    status: PluginStatus
    used_as: tuple[str, ...] = ()
    contract_version: int | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Everything that the doctor looked at.  A sentence is None where there is nothing to say against it."""

    configuration_sentence: str | None
    database: str
    database_sentence: str | None
    plugins: tuple[PluginHealth, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing is broken; what is unused is well."""
        broken = any(plugin.status == "broken" for plugin in self.plugins)
        return not (broken or self.configuration_sentence or self.database_sentence)


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
    plugins = (*_providers(configuration), *_cart_drivers(configuration))
    if import_all:
        plugins = tuple(_imported(plugin) for plugin in plugins)
    database, database_sentence = ("unknown", None) if configuration is None else _database(configuration)
    return Health(sentence, database, database_sentence, plugins)


def _providers(configuration: "Configuration | None") -> Iterator[PluginHealth]:
    from kassa import discovery
    from kassa_sdk import PROVIDER_ENTRY_POINTS

    instances = {} if configuration is None else configuration.settings.providers
    for candidate in discovery.installed(PROVIDER_ENTRY_POINTS):
        names = tuple(name for name, settings in instances.items() if settings.plugin == candidate.name)
        health = _health("provider", candidate, names)
        if configuration is not None and names:
            yield _loaded(health, configuration)
        else:
            yield health


def _health(kind: Literal["provider", "carts"], candidate: "Candidate", used_as: tuple[str, ...]) -> PluginHealth:
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

    sentences, version = [], None
    for instance in health.used_as:
        alone = {"providers": {instance: configuration.settings.providers[instance]}}
        try:
            loaded = providers.load(Configuration(configuration.settings.model_copy(update=alone), configuration.file))
            version = next(iter(loaded.values())).manifest.contract_version
        except ConfigurationError as error:
            sentences.append(str(error))
    if not sentences:
        return replace(health, contract_version=version)
    return replace(health, status="broken", contract_version=version, sentence="\n".join(sentences))


def _cart_drivers(configuration: "Configuration | None") -> Iterator[PluginHealth]:
    from kassa import discovery
    from kassa_sdk import CART_ENTRY_POINTS

    used = EMBEDDED if configuration is None else configuration.settings.carts.driver
    for candidate in discovery.installed(CART_ENTRY_POINTS):
        health = _health("carts", candidate, (candidate.name,) if candidate.name == used else ())
        if health.used_as:
            try:
                discovery.load(CART_ENTRY_POINTS, candidate.name)
            except PluginUnusable as error:
                health = replace(health, status="broken", sentence=str(error))
        yield health


def _imported(health: PluginHealth) -> PluginHealth:
    """A plugin that is not used, imported where it can hurt nobody."""
    from kassa_sdk import CART_ENTRY_POINTS, PROVIDER_ENTRY_POINTS

    if health.status != "unused":
        return health
    group = PROVIDER_ENTRY_POINTS if health.kind == "provider" else CART_ENTRY_POINTS
    command = [sys.executable, "-m", "kassa.cli.plugin_probe", group, health.name]
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
    return replace(
        health, status=status, contract_version=answer["contract_version"], sentence=answer["sentence"]
    )


def _database(configuration: "Configuration") -> tuple[str, str | None]:
    """The URL without its password, and what is wrong; nothing is created to find out."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import DBAPIError

    from kassa.opening import database_url
    from kassa.store import schema
    from kassa.store.database import Database

    name = configuration.settings.database.url
    try:
        url = make_url(database_url(configuration))
        name = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            return f"{name}, not there yet: created when it is first used", None
        database = Database(url.render_as_string(hide_password=False))
        version = database.read(schema.version)
        database.dispose()
    except KassaError as error:
        return name, str(error)
    except DBAPIError as error:
        return name, (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
    newer = f", this kassa needs {schema.HEAD}; run `kassa migrate`" if version not in (None, schema.HEAD) else ""
    return f"{name}, schema {version or 'none yet'}{newer}", None


def _show(config: Path, health: Health) -> None:
    from importlib.metadata import version
    from platform import python_version

    from kassa_sdk import CONTRACT_VERSION

    well, ill = Text("✓ ", GOOD), Text("✗ ", BAD)
    database = health.database if health.database_sentence is None else f"{health.database}: {health.database_sentence}"
    rows = [
        ("kassa", well + Text(f"{version('kassa')}, provider contract {CONTRACT_VERSION}")),
        ("Python", well + Text(python_version())),
        ("configuration", (ill if health.configuration_sentence else well) + Text(health.configuration_sentence or str(config))),
        ("database", (ill if health.database_sentence else well) + Text(database)),
    ]
    say(facts(rows, indent=0))
    say()
    if not health.plugins:
        say("No plugin is installed; begin with: pip install kassa-system")
        return
    drawn = table("plugin", "distribution", "contract", "status", numbers=("contract",))
    for plugin in health.plugins:
        status = Text(plugin.status, STYLES[plugin.status])
        status.append(f" as {', '.join(plugin.used_as)}" if plugin.used_as else "", "")
        contract = "" if plugin.contract_version is None else str(plugin.contract_version)
        name = plugin.name if plugin.kind == "provider" else f"{plugin.name} (carts)"
        drawn.add_row(name, f"{plugin.distribution} {plugin.version}", contract, status)
    say(drawn)
    for plugin in health.plugins:
        if plugin.sentence is not None:
            say()
            say(Text(plugin.name, LOUD))
            say(indented(plugin.sentence))


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
        "database": {"url": health.database, "sentence": health.database_sentence},
        "plugins": [
            {name: getattr(plugin, name) for name in PluginHealth.__dataclass_fields__} for plugin in health.plugins
        ],
    }
