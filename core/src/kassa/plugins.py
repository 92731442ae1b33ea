"""Plugins of every kind: examined before they are used, their options validated, instantiated where they can hurt nobody."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ValidationError

from kassa.config import describe
from kassa.config_file import ConfigFile, Location
from kassa.discovery import Candidate
from kassa.errors import ConfigurationError, Mistake, PluginUnusable
from kassa.references import literal_secrets, resolve, resolved_in, secrets_in
from kassa.scrubbing import Scrubber
from kassa_sdk import OLDEST_CONTRACT_VERSION, Manifest

NEWEST_CONTRACT_VERSION = 1
"""The newest contract that this engine was written for.  The SDK beside it may be newer, and know more than is done here."""


def examine_provider(plugin: Any, candidate: Candidate) -> None:
    """Examine what of a provider can be told without options.  Raises PluginUnusable."""
    manifest_of(plugin, candidate)
    _examine_options(plugin, candidate)


def examine_cart_driver(plugin: Any, candidate: Candidate) -> None:
    """Examine what of a cart driver can be told without options.  Raises PluginUnusable."""
    _examine_options(plugin, candidate)
    if not isinstance(getattr(plugin, "shares_database", None), bool):
        raise PluginUnusable(f"{candidate}: {candidate.target} does not say shares_database (a bool); tell its author")
    missing = [name for name in ("load", "place_order") if not callable(getattr(plugin, name, None))]
    if missing:
        raise PluginUnusable(f"{candidate}: {candidate.target} lacks {' and '.join(missing)}; tell its author")


def examine_extension(plugin: Any, candidate: Candidate) -> None:
    """Examine what of an extension can be told without options.  Raises PluginUnusable."""
    _examine_options(plugin, candidate)


def manifest_of(plugin: Any, candidate: Candidate) -> Manifest:
    """The manifest of a provider's class, or of its instance.  Raises PluginUnusable."""
    with contained(f"{candidate} fails at telling its manifest", "tell its author", Scrubber(())):
        manifest = getattr(plugin, "manifest", None)
    if not isinstance(manifest, Manifest):
        raise PluginUnusable(f"{candidate}: {candidate.target} has no manifest (a kassa_sdk.Manifest); tell its author")
    _examine_contract(manifest.contract_version, candidate)
    return manifest


def options_of(
    plugin: Any, written: Mapping[str, Any], location: Location, candidate: Candidate, file: ConfigFile
) -> BaseModel:
    """The options as the plugin takes them.  Raises ConfigurationError, and PluginUnusable where it cannot even say no."""
    mistakes: list[Mistake] = []
    resolved = resolve(written, location, file, mistakes)
    scrubber = Scrubber(resolved_in(resolved))
    with contained(f"{candidate} fails at validating its options", "tell its author", scrubber):
        try:
            options: BaseModel = plugin.Options.model_validate(resolved)
        except ValidationError as error:
            raise ConfigurationError([*mistakes, *describe(error, location, file, scrubber.text)]) from None
    for path in literal_secrets(resolved, options, location):
        message = "is a secret; write it as env:NAME or file:PATH, so that it does not stand in this file"
        mistakes.append(file.mistake(path, message))
    if mistakes:
        raise ConfigurationError(mistakes)
    return options


def instance_of(plugin: Callable[[Any], Any], options: BaseModel, candidate: Candidate, block: str) -> Any:
    """The plugin with these options.  Raises PluginUnusable."""
    with contained(f"{candidate} refuses its options", f"change {block}", Scrubber(secrets_in(options))):
        return plugin(options)


@contextmanager
def contained(what_failed: str, next_step: str, scrubber: Scrubber) -> Iterator[None]:
    """Whatever a plugin raises in here is PluginUnusable, SystemExit included."""
    try:
        yield
    except (KeyboardInterrupt, ConfigurationError, PluginUnusable):
        raise
    except BaseException as error:
        raise PluginUnusable(f"{what_failed}: {scrubber.error(error)}; {next_step}") from None


def _examine_contract(version: int, candidate: Candidate) -> None:
    if OLDEST_CONTRACT_VERSION <= version <= NEWEST_CONTRACT_VERSION:
        return
    spoken = " to ".join(dict.fromkeys(map(str, (OLDEST_CONTRACT_VERSION, NEWEST_CONTRACT_VERSION))))
    is_newer = version > NEWEST_CONTRACT_VERSION
    next_step = "upgrade kassa, or install an older" if is_newer else "install a newer"
    raise PluginUnusable(
        f"{candidate} was written for version {version} of the provider contract, this kassa speaks {spoken}; "
        f"{next_step} {candidate.distribution}"
    )


def _examine_options(plugin: Any, candidate: Candidate) -> None:
    options = getattr(plugin, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        raise PluginUnusable(f"{candidate}: {candidate.target} has no pydantic model Options; tell its author")
    if options.model_config.get("extra") != "forbid":
        raise PluginUnusable(f"{candidate}: its Options must refuse unknown keys (extra='forbid'); tell its author")
