"""The configured providers: each plugin loaded, examined, instantiated, and called through its own plugin manager.

This is the one seam through which a provider is called.  Whatever a plugin does, a call ends in an outcome.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, get_args

import pluggy
from pydantic import BaseModel, ValidationError

from kassa.config import MISTAKEN, Configuration, ProviderSettings, describe
from kassa.config_file import Location
from kassa.discovery import Candidate, Catalogue
from kassa.errors import ConfigurationError, KassaError, Mistake, NotFound, PluginUnusable
from kassa.references import literal_secrets, resolve, secrets_in
from kassa.store.open_transaction import refuse_inside_transaction
from kassa_sdk import (
    CONTRACT_VERSION,
    OLDEST_CONTRACT_VERSION,
    PROVIDER_ENTRY_POINTS,
    LookUpOutcome,
    LookUpRequest,
    Manifest,
    NotSent,
    Outcome,
    ProviderHooks,
    ProviderRequest,
    Unknown,
    Unsupported,
)

OUTCOMES: tuple[type, ...] = get_args(get_args(Outcome)[0])
LOOK_UP_OUTCOMES: tuple[type, ...] = get_args(get_args(LookUpOutcome)[0])

AnswerT = TypeVar("AnswerT")


class ConfiguredProvider:
    """One configured instance of a provider.  Safe to call from several threads."""

    def __init__(
        self, instance: str, settings: ProviderSettings, candidate: Candidate, options: BaseModel, plugin: Any
    ) -> None:
        """Instantiates and examines the plugin.  Raises PluginUnusable."""
        self.instance = instance
        self.settings = settings
        self.candidate = candidate
        self._secrets = tuple(secrets_in(options))
        provider = self._instantiated(plugin, options)
        self.manifest: Manifest = provider.manifest
        self._manager = _examined(provider, candidate)

    @property
    def id(self) -> str:
        """The id on the wire, as Medusa builds it; opaque everywhere else."""
        return f"pp_{self.settings.plugin}_{self.instance}"

    @property
    def hooks(self) -> frozenset[str]:
        """The hooks that the plugin implements."""
        return _implemented(self._manager)

    def call(self, hook: str, request: ProviderRequest) -> Outcome:
        """Ask the provider; a raised exception, or anything but an outcome, is Unknown.  Never inside a transaction."""
        outcome: Outcome = self._ask(hook, request, OUTCOMES)
        return outcome

    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        """Find a payment at the provider.  Never inside a transaction."""
        outcome: LookUpOutcome = self._ask("look_up", request, LOOK_UP_OUTCOMES)
        return outcome

    def _ask(self, hook: str, request: Any, expected: tuple[type, ...]) -> Any:
        refuse_inside_transaction(f"hook {hook} of {self.id}")
        try:
            answer = getattr(self._manager.hook, hook)(request=request)
        except Unsupported as error:
            return NotSent(cause=self._without_secrets(f"not supported: {error}"))
        except Exception as error:  # whatever it is, the request may have been sent
            return Unknown(cause=self._without_secrets(f"{type(error).__name__}: {error}"))
        if not isinstance(answer, expected):
            return Unknown(cause=f"{self.candidate} answered {hook} with {type(answer).__name__}, which is no outcome")
        return answer

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _instantiated(self, plugin: Any, options: BaseModel) -> Any:
        try:
            return plugin(options)
        except Exception as error:
            cause = self._without_secrets(f"{type(error).__name__}: {error}")
            raise PluginUnusable(
                f"{self.candidate} refuses its options: {cause}; change [providers.{self.instance}]"
            ) from None


class Providers(Mapping[str, ConfiguredProvider]):
    """All configured providers, by their id on the wire.  Immutable."""

    def __init__(self, providers: Mapping[str, ConfiguredProvider]) -> None:
        """Takes the providers by the name of their instance."""
        self._by_id = MappingProxyType({provider.id: provider for provider in providers.values()})
        self._by_instance = MappingProxyType(dict(providers))

    def __getitem__(self, provider_id: str) -> ConfiguredProvider:
        return self._by_id[provider_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, provider_id: str) -> ConfiguredProvider:
        """By the id on the wire, or by the name of the instance.  Raises NotFound, which lists those there are."""
        provider = self._by_id.get(provider_id) or self._by_instance.get(provider_id)
        if provider is None:
            raise NotFound(
                f"provider_id: {provider_id!r} is not configured; there are {', '.join(sorted(self)) or 'none'}"
            )
        return provider


def load(configuration: Configuration) -> Providers:
    """Load every configured provider, and no other plugin.  Raises ConfigurationError, which lists every mistake."""
    mistakes: list[Mistake] = []
    providers = {}
    catalogue = Catalogue(PROVIDER_ENTRY_POINTS)
    for instance, settings in configuration.settings.providers.items():
        if settings.plugin == MISTAKEN:
            continue
        provider = _load_one(instance, settings, catalogue, configuration, mistakes)
        if provider is not None:
            providers[instance] = provider
    if mistakes:
        raise ConfigurationError(mistakes)
    return Providers(providers)


def _load_one(
    instance: str,
    settings: ProviderSettings,
    catalogue: Catalogue,
    configuration: Configuration,
    mistakes: list[Mistake],
) -> ConfiguredProvider | None:
    file = configuration.file
    location: Location = ("providers", instance)
    try:
        candidate, plugin = catalogue.load(settings.plugin)
        examine_class(plugin, candidate)
        options = _options(plugin, settings, (*location, "options"), configuration, mistakes)
        return None if options is None else ConfiguredProvider(instance, settings, candidate, options, plugin)
    except PluginUnusable as error:
        mistakes.append(file.mistake((*location, "plugin"), str(error)))
    return None


def _options(
    plugin: Any, settings: ProviderSettings, location: Location, configuration: Configuration, mistakes: list[Mistake]
) -> BaseModel | None:
    before = len(mistakes)
    resolved = resolve(settings.options, location, configuration.file, mistakes)
    try:
        options: BaseModel = plugin.Options.model_validate(resolved)
    except ValidationError as error:
        mistakes.extend(describe(error, location, configuration.file))
        return None
    for path in literal_secrets(resolved, options, location):
        message = "is a secret; write it as env:NAME or file:PATH, so that it does not stand in this file"
        mistakes.append(configuration.file.mistake(path, message))
    return options if len(mistakes) == before else None


def examine_class(plugin: Any, candidate: Candidate) -> None:
    """Examine what can be told without options.  Raises PluginUnusable."""
    manifest, options = getattr(plugin, "manifest", None), getattr(plugin, "Options", None)
    if not isinstance(manifest, Manifest):
        raise PluginUnusable(f"{candidate}: {candidate.target} has no manifest (a kassa_sdk.Manifest); tell its author")
    if not OLDEST_CONTRACT_VERSION <= manifest.contract_version <= CONTRACT_VERSION:
        raise PluginUnusable(
            f"{candidate} was written for version {manifest.contract_version} of the provider contract, this kassa speaks "
            f"{OLDEST_CONTRACT_VERSION} to {CONTRACT_VERSION}; install a version of {candidate.distribution} that fits"
        )
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        raise PluginUnusable(f"{candidate}: {candidate.target} has no pydantic model Options; tell its author")
    if options.model_config.get("extra") != "forbid":
        raise PluginUnusable(f"{candidate}: its Options must refuse unknown keys (extra='forbid'); tell its author")


def _examined(provider: Any, candidate: Candidate) -> pluggy.PluginManager:
    manager = pluggy.PluginManager("kassa")
    manager.add_hookspecs(ProviderHooks)
    try:
        manager.register(provider)
        manager.check_pending()
    except (pluggy.PluginValidationError, KassaError) as error:
        raise PluginUnusable(
            f"{candidate} has a hook that the contract does not know: {error}; tell its author"
        ) from error
    missing = provider.manifest.required_hooks() - _implemented(manager)
    if missing:
        raise PluginUnusable(
            f"{candidate} lacks the hooks that its manifest promises: {', '.join(sorted(missing))} "
            f"(is a method not marked with @hookimpl?); tell its author"
        )
    return manager


def _implemented(manager: pluggy.PluginManager) -> frozenset[str]:
    specified = [name for name in vars(ProviderHooks) if not name.startswith("_")]
    return frozenset(name for name in specified if getattr(manager.hook, name).get_hookimpls())
