"""The configured providers: each plugin loaded, examined, instantiated, and called through its own plugin manager.

This is the one seam through which a provider is called.  Whatever a plugin does, a call ends in an outcome, and in time: it
is made on a thread of the provider's own, and nobody waits for it longer than the settings say.
"""

import threading
from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, get_args

import pluggy
from pydantic import BaseModel

from kassa import failpoints
from kassa.calls import Calls, Clock, Late, NotAsked, ProviderHealth
from kassa.config import MISTAKEN, Configuration, ProviderSettings
from kassa.discovery import Candidate, Catalogue
from kassa.errors import ConfigurationError, Mistake, NotFound, NoticeUnreadable, PluginUnusable, Unverified
from kassa.extensions import NONE, Extensions
from kassa.plugins import contained, examine_provider, instance_of, manifest_of, options_of
from kassa.references import secrets_in
from kassa.scrubbing import Scrubber
from kassa.store.open_transaction import refuse_inside_transaction
from kassa_sdk import (
    PROVIDER_ENTRY_POINTS,
    ActionRequired,
    BadSignature,
    ListPaymentsOutcome,
    ListPaymentsRequest,
    LookUpOutcome,
    LookUpRequest,
    Notice,
    NotSent,
    Outcome,
    ProviderHooks,
    ProviderRequest,
    RawNotice,
    Unknown,
    Unsupported,
    hookimpl,
)

OUTCOMES: tuple[type, ...] = get_args(get_args(Outcome)[0])
LOOK_UP_OUTCOMES: tuple[type, ...] = get_args(get_args(LookUpOutcome)[0])
LIST_PAYMENTS_OUTCOMES: tuple[type, ...] = get_args(get_args(ListPaymentsOutcome)[0])

LONGEST_BODY = 65_536
"""Characters of a message that are kept for a person to read."""


class ConfiguredProvider:
    """One configured instance of a provider.  Safe to call from several threads."""

    def __init__(
        self,
        instance: str,
        settings: ProviderSettings,
        candidate: Candidate,
        options: BaseModel,
        plugin: Any,
        clock: Clock,
    ) -> None:
        """Instantiates and examines the plugin.  Raises PluginUnusable."""
        self.instance = instance
        self.settings = settings
        self.candidate = candidate
        self._options = options
        self.scrubber = Scrubber(secrets_in(options))
        provider = instance_of(plugin, options, candidate, f"[providers.{instance}]")
        self.manifest = manifest_of(provider, candidate)
        self._manager = _registered(provider, candidate, self.scrubber)
        self._witness = _Witness()
        self._manager.register(self._witness)
        self._examine_hooks()
        self._calls = Calls(self.id, settings, clock)

    @property
    def id(self) -> str:
        """The id on the wire, as Medusa builds it; opaque everywhere else."""
        return f"pp_{self.settings.plugin}_{self.instance}"

    @property
    def hooks(self) -> frozenset[str]:
        """The hooks that the plugin implements."""
        return _implemented(self._manager)

    def is_made_of(self, settings: ProviderSettings, candidate: Candidate, options: BaseModel) -> bool:
        """Whether it would be the same again, its secrets included.  Raises PluginUnusable."""
        with contained(f"{candidate} fails at comparing its options", "tell its author", self.scrubber):
            return (self.settings, self.candidate, self._options) == (settings, candidate, options)

    def wrap(self, hooks: Any) -> None:
        """Let wrappers that an extension brings, and that were examined, stand around the provider's hooks."""
        self._manager.register(hooks)

    @property
    def health(self) -> ProviderHealth:
        """How it has answered this process lately."""
        return self._calls.health

    def not_asked(self) -> NotAsked | None:
        """Why a call would not be made at this moment; None when it would."""
        return self._calls.not_asked()

    def call(self, hook: str, request: ProviderRequest, late: Late | None = None) -> Outcome:
        """Ask the provider; a raised exception, or anything but an outcome, is Unknown.  Never inside a transaction.

        So is no answer in time.  The call goes on then, and ``late`` takes its answer, on the call's own thread, unless
        ``close`` comes first.
        """
        outcome: Outcome = self._ask(hook, request, OUTCOMES, late)
        return outcome

    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        """Find a payment at the provider.  Never inside a transaction.  A late answer is not heard: ask again."""
        outcome: LookUpOutcome = self._ask("look_up", request, LOOK_UP_OUTCOMES, None)
        return outcome

    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        """What a message says, once it is proven to come from the provider.  Raises Unverified, NoticeUnreadable."""
        refuse_inside_transaction(f"hook read_notice of {self.id}")
        try:
            told = self._manager.hook.read_notice(raw=raw)
        except KeyboardInterrupt:
            raise
        except (BadSignature, Unsupported) as error:
            raise Unverified(f"{self.id}: {self.scrubber.text(str(error))}") from None
        except BaseException as error:
            raise NoticeUnreadable(
                f"{self.candidate} failed at reading a notice: {self.scrubber.error(error)}"
            ) from None
        if not isinstance(told, tuple) or not all(isinstance(notice, Notice) for notice in told):
            raise NoticeUnreadable(
                f"{self.candidate} answered read_notice with {type(told).__name__}, which is no notices"
            )
        return told

    def readable(self, body: bytes) -> str:
        """The body of a message for a person to read: without secrets and card numbers."""
        return self.scrubber.text(body.decode("utf-8", "replace"), LONGEST_BODY)

    def list_payments(self, request: ListPaymentsRequest) -> ListPaymentsOutcome:
        """One page of the provider's own list of payments.  Never inside a transaction."""
        outcome: ListPaymentsOutcome = self._ask("list_payments", request, LIST_PAYMENTS_OUTCOMES, None)
        return outcome

    def close(self) -> None:
        """End its idle threads.  Calls under way go on, but late answers are dropped from now on: recovery asks again."""
        self._calls.close()

    def _ask(self, hook: str, request: Any, expected: tuple[type, ...], late: Late | None) -> Any:
        refuse_inside_transaction(f"hook {hook} of {self.id}")
        if hook not in self.hooks:
            return NotSent(cause=f"{self.candidate} does not implement {hook}")
        try:
            return self._calls.make(hook, partial(self._answer, hook, request, expected), late)
        except Unsupported as error:
            return NotSent(cause=self.scrubber.text(f"not supported: {error}"))

    def _answer(self, hook: str, request: Any, expected: tuple[type, ...]) -> Any:
        """On the call's own thread: what the plugin says.  Raises Unsupported and KeyboardInterrupt, nothing else."""
        self._witness.forget()
        try:
            failpoints.passing(f"call:{hook}:before")
            answer = getattr(self._manager.hook, hook)(request=request)
            failpoints.passing(f"call:{hook}:after")
        except KeyboardInterrupt:
            raise
        except Unsupported as error:
            if not self._witness.has_heard:
                raise
            return Unknown(cause=self.scrubber.error(error))
        except BaseException as error:  # whatever it is, SystemExit too, the request may have been sent
            return Unknown(cause=self.scrubber.error(error))
        if not isinstance(answer, expected):
            return Unknown(cause=f"{self.candidate} answered {hook} with {type(answer).__name__}, which is no outcome")
        if isinstance(answer, ActionRequired) and "action" not in self.hooks:
            cause = f"{self.candidate} answered {hook} with ActionRequired, but does not implement the hook action"
            return Unknown(cause=cause)
        return self.scrubber.outcome(answer)

    def _examine_hooks(self) -> None:
        missing = self.manifest.required_hooks() - self.hooks
        if missing:
            raise PluginUnusable(
                f"{self.candidate} lacks the hooks that its manifest promises: {', '.join(sorted(missing))} "
                f"(is a method not marked with @hookimpl?); tell its author"
            )


class _Witness(threading.local):
    """Stands innermost around a provider's hooks, and knows whether the provider itself has answered on this thread.

    ``Unsupported`` says that nothing was sent.  An extension that raises it after the provider has answered is wrong.
    """

    has_heard = False

    def forget(self) -> None:
        self.has_heard = False

    @hookimpl(wrapper=True, trylast=True)
    def initiate(self, request: ProviderRequest) -> Generator[None, Any, Any]:
        answer = yield
        self.has_heard = True
        return answer

    authorize = action = update = capture = refund = cancel = look_up = list_payments = initiate


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

    def close(self) -> None:
        """Close every provider: an answer that comes late is dropped from now on."""
        for provider in self.values():
            provider.close()

    def find(self, provider_id: str) -> ConfiguredProvider:
        """By the id on the wire, or by the name of the instance.  Raises NotFound, which lists those there are."""
        provider = self._by_id.get(provider_id) or self._by_instance.get(provider_id)
        if provider is None:
            raise NotFound(
                f"provider_id: {provider_id!r} is not configured; there are {', '.join(sorted(self)) or 'none'}"
            )
        return provider


def _utc_now() -> datetime:
    return datetime.now(UTC)


def load(
    configuration: Configuration,
    extensions: Extensions = NONE,
    before: Providers | None = None,
    clock: Clock = _utc_now,
) -> Providers:
    """Load every configured provider, and no other plugin; what the extensions wrap around their hooks stands around them.

    Raises ConfigurationError, which lists every mistake.  One of ``before`` that would be the same again is kept, with all
    that it knows.
    """
    mistakes: list[Mistake] = []
    in_force = {} if before is None else {provider.instance: provider for provider in before.values()}
    providers = {}
    catalogue = Catalogue(PROVIDER_ENTRY_POINTS)
    for instance, settings in configuration.settings.providers.items():
        if settings.plugin == MISTAKEN:
            continue
        try:
            providers[instance] = _load_one(instance, configuration, catalogue, in_force.get(instance), clock)
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    for provider in providers.values():
        for extension in extensions.values():
            if extension.provider_hooks is not None:
                provider.wrap(extension.provider_hooks)
    return Providers(providers)


def _load_one(
    instance: str,
    configuration: Configuration,
    catalogue: Catalogue,
    in_force: ConfiguredProvider | None,
    clock: Clock,
) -> ConfiguredProvider:
    settings, file = configuration.settings.providers[instance], configuration.file
    try:
        candidate, plugin = catalogue.load(settings.plugin)
        examine_provider(plugin, candidate)
        options = options_of(plugin, settings.options, ("providers", instance, "options"), candidate, file)
        if in_force is not None and in_force.is_made_of(settings, candidate, options):
            return in_force
        return ConfiguredProvider(instance, settings, candidate, options, plugin, clock)
    except PluginUnusable as error:
        raise ConfigurationError([file.mistake(("providers", instance, "plugin"), str(error))]) from error


def _registered(provider: Any, candidate: Candidate, scrubber: Scrubber) -> pluggy.PluginManager:
    manager = pluggy.PluginManager("kassa")
    manager.add_hookspecs(ProviderHooks)
    # Older releases of pluggy read every attribute of the provider in search of hooks, and so run its properties.
    with contained(f"{candidate} cannot be searched for its hooks", "tell its author", scrubber):
        try:
            manager.register(provider)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginUnusable(
                f"{candidate} has a hook that the contract does not know: {error}; tell its author"
            ) from error
    return manager


def _implemented(manager: pluggy.PluginManager) -> frozenset[str]:
    specified = [name for name in vars(ProviderHooks) if not name.startswith("_")]
    return frozenset(name for name in specified if any(map(_answers, getattr(manager.hook, name).get_hookimpls())))


def _answers(implementation: pluggy.HookImpl) -> bool:
    return not (implementation.wrapper or implementation.hookwrapper)
