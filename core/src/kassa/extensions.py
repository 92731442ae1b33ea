"""The configured extensions: plugins that are told events, may speak against offering a provider, and may wrap its hooks.

Each has a plugin manager of its own, so that one that raises keeps nobody from the others, and is known by its distribution.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pluggy
from pydantic import BaseModel

from kassa.config import Configuration, ExtensionSettings
from kassa.discovery import Candidate, Catalogue
from kassa.errors import ConfigurationError, Mistake, PluginUnusable
from kassa.listening import Answer, NotTaken, Taken
from kassa.model import Event
from kassa.plugins import contained, examine_extension, instance_of, options_of
from kassa.references import secrets_in
from kassa.regions import Circumstances, Region, Verdict
from kassa.scrubbing import Scrubber
from kassa.store.open_transaction import refuse_inside_transaction
from kassa_sdk import EXTENSION_ENTRY_POINTS, EligibilityRequest, EventTold, ExtensionHooks, ProviderHooks

_log = logging.getLogger("kassa.extensions")

LISTENER_PREFIX = "extension:"
"""Before the name of an extension where subscribers and extensions stand side by side."""


class ConfiguredExtension:
    """One configured extension.  Safe to call from several threads; what it raises changes nothing."""

    def __init__(self, name: str, candidate: Candidate, options: BaseModel, plugin: Any) -> None:
        """Instantiates and examines the plugin.  Raises PluginUnusable."""
        self.name = name
        self.candidate = candidate
        self.scrubber = Scrubber(secrets_in(options))
        extension = instance_of(plugin, options, candidate, f"[extensions.{name}]")
        with contained(f"{candidate} cannot be searched for its hooks", "tell its author", self.scrubber):
            self._manager = _registered(ExtensionHooks, extension, candidate)
            self.provider_hooks = getattr(extension, "provider_hooks", None)
            if self.provider_hooks is not None:
                _require_wrappers(self.provider_hooks, candidate)
        if not self.hooks and self.provider_hooks is None:
            raise PluginUnusable(
                f"{candidate} listens to nothing: it implements no hook and has no provider_hooks "
                f"(is a method not marked with @hookimpl?); tell its author"
            )

    @property
    def listener_name(self) -> str:
        """What it is called as a listener."""
        return f"{LISTENER_PREFIX}{self.name}"

    @property
    def hooks(self) -> frozenset[str]:
        """The hooks that the plugin implements."""
        specified = [name for name in vars(ExtensionHooks) if not name.startswith("_")]
        return frozenset(name for name in specified if getattr(self._manager.hook, name).get_hookimpls())

    def wants(self, event_name: str) -> bool:
        """All events, where it implements the hook."""
        return "kassa_event" in self.hooks

    def tell(self, event: Event, now: datetime) -> Answer:
        """Tell one event.  Raises nothing but KeyboardInterrupt.  Never inside a transaction."""
        refuse_inside_transaction(f"hook kassa_event of {self.candidate}")
        told = EventTold(**{name: getattr(event, name) for name in EventTold.model_fields})
        try:
            self._manager.hook.kassa_event(event=told)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too, must not end the worker
            cause = self.scrubber.error(error)
            _log.error("%s was told %s (%s) and raised %s", self.candidate, event.id, event.name, cause)
            return NotTaken(f"{self.candidate} raised {cause}")
        return Taken()

    def reason_against(self, request: EligibilityRequest) -> str | None:
        """Why this provider should not be offered; None, too, where the extension raises or answers with nonsense."""
        try:
            reason = self._manager.hook.kassa_provider_eligible(request=request)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            cause = self.scrubber.error(error)
            _log.error("%s was asked about %s and raised %s", self.candidate, request.provider_id, cause)
            return None
        if reason is None:
            return None
        if not isinstance(reason, str) or not reason.strip():
            _log.error("%s answered %s about %s", self.candidate, type(reason).__name__, request.provider_id)
            return None
        return self.scrubber.text(reason.strip())


Extensions = Mapping[str, ConfiguredExtension]
"""By the name of their block in the configuration."""

NONE: Extensions = MappingProxyType({})


def with_reasons(
    extensions: Extensions, store_id: str, region: Region, verdict: Verdict, circumstances: Circumstances
) -> Verdict:
    """The verdict, with every reason that an extension has against it as well, in the order of the configuration."""
    if not extensions:
        return verdict
    request = EligibilityRequest(
        store_id=store_id,
        region_id=region.id,
        provider_id=verdict.provider_id,
        amount=circumstances.amount,
        country=circumstances.country,
        customer_groups=circumstances.customer_groups,
    )
    reasons = (extension.reason_against(request) for extension in extensions.values())
    return verdict.model_copy(update={"reasons": (*verdict.reasons, *filter(None, reasons))})


def load(configuration: Configuration) -> Extensions:
    """Load every configured extension, and no other.  Raises ConfigurationError, which lists every mistake."""
    mistakes: list[Mistake] = []
    extensions = {}
    catalogue = Catalogue(EXTENSION_ENTRY_POINTS)
    for name, settings in configuration.settings.extensions.items():
        try:
            extensions[name] = _load_one(name, settings, catalogue, configuration)
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    return MappingProxyType(extensions)


def _load_one(
    name: str, settings: ExtensionSettings, catalogue: Catalogue, configuration: Configuration
) -> ConfiguredExtension:
    file = configuration.file
    try:
        candidate, plugin = catalogue.load(settings.plugin)
        examine_extension(plugin, candidate)
        options = options_of(plugin, settings.options, ("extensions", name, "options"), candidate, file)
        return ConfiguredExtension(name, candidate, options, plugin)
    except PluginUnusable as error:
        raise ConfigurationError([file.mistake(("extensions", name, "plugin"), str(error))]) from error


def _registered(specification: type, plugin: Any, candidate: Candidate) -> pluggy.PluginManager:
    manager = pluggy.PluginManager("kassa")
    manager.add_hookspecs(specification)
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginUnusable(
            f"{candidate} has a hook that the contract does not know: {error}; tell its author"
        ) from error
    return manager


def _require_wrappers(provider_hooks: Any, candidate: Candidate) -> None:
    """A provider answers alone: whoever stands around it must not answer in its place."""
    manager = _registered(ProviderHooks, provider_hooks, candidate)
    for caller in manager.get_hookcallers(provider_hooks) or ():
        if not all(each.wrapper or each.hookwrapper for each in caller.get_hookimpls()):
            raise PluginUnusable(
                f"{candidate} would answer {caller.name} in the provider's place; its provider_hooks may only have "
                f"wrappers, marked @hookimpl(wrapper=True); tell its author"
            )
