"""Extensions: plugins that listen.  Many may be installed; those that the configuration names are all asked and told.

An extension is a class with a pydantic model ``Options`` (``extra="forbid"``), a constructor that takes the validated
options, and methods marked with ``@hookimpl``, as many as it needs::

    class Ledger:
        Options = LedgerOptions

        def __init__(self, options: LedgerOptions) -> None: ...

        @hookimpl
        def kassa_event(self, event: EventTold) -> None: ...

It may also have an attribute ``provider_hooks``: an object whose methods are wrappers
(``@hookimpl(wrapper=True)``) of the hooks of ``ProviderHooks``.  They stand around every call of every provider, for tracing
or screening.  What a wrapper raises counts as if the provider had raised it: then nobody can tell what became of the call.
"""

from datetime import datetime
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from kassa_sdk.hooks import hookspec
from kassa_sdk.money import Money
from kassa_sdk.records import JsonObject, Record

EXTENSION_ENTRY_POINTS = "kassa.extensions"
"""The entry point group in which a distribution lists its extensions."""


class EventTold(Record):
    """One fact of the history, in the past tense: it is committed, and nothing that a listener does changes it.

    ``id`` is the same however often the event is told.  ``entity_id`` is what the event is about, a payment for
    ``payment.captured``; ``data`` is what else the history keeps about it.
    """

    id: str
    store_id: str
    name: str
    entity_id: str
    data: JsonObject
    created_at: datetime
    payment_collection_id: str | None


class EligibilityRequest(Record):
    """May this provider be offered?  What is not known yet is None, and should exclude nothing."""

    store_id: str
    region_id: str
    provider_id: str
    amount: Money | None = None
    country: str | None = None
    customer_groups: tuple[str, ...] | None = None


class Extension(Protocol):
    """The shape of an extension class; nobody needs to inherit from it."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: Any) -> None: ...


class ExtensionHooks(Protocol):
    """The specification of every hook of an extension.  All are optional, synchronous, and called from several threads."""

    @hookspec
    def kassa_event(self, event: EventTold) -> None:
        """Something happened.  Called by the worker, after the commit, at least once, outside of any transaction.

        Raise to be told again later; return soon, because other events wait.  Recognise a repetition by ``event.id``.
        """

    @hookspec(firstresult=True)
    def kassa_provider_eligible(self, request: EligibilityRequest) -> str | None:
        """A provider is about to be offered: a reason against it, in words for people, or None.

        Answer at once and from memory: it may be asked while a payment collection is locked.  A reason can only take a
        provider away, never add one; what is raised is logged and counts as None.
        """
