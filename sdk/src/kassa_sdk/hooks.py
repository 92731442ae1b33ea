"""The hooks: everything that the engine asks of a provider.  The contract is this one short file.

A provider is a class with a pydantic model ``Options`` (``extra="forbid"``, secrets as ``SecretStr``), a frozen
``manifest``, a constructor that takes the validated options, and methods marked with ``@hookimpl``::

    class AcmeProvider:
        Options = AcmeOptions
        manifest = Manifest(name="acme", …)

        def __init__(self, options: AcmeOptions) -> None: ...

        @hookimpl
        def initiate(self, request: InitiateRequest) -> Outcome: ...

Where what a provider can do depends on its options, the constructor sets ``self.manifest``; the engine reads that one.

All hooks are synchronous and may be called from several threads at once.  None is called while a database transaction or
a lock is open.  Source: the payment provider interface of Medusa, made safe with closed outcomes and attempt keys.
"""

from typing import Any, ClassVar, Protocol

import pluggy
from pydantic import BaseModel

from kassa_sdk.manifest import Manifest
from kassa_sdk.notices import Notice
from kassa_sdk.outcomes import ListPaymentsOutcome, LookUpOutcome, Outcome
from kassa_sdk.requests import (
    AccountHolderRequest,
    ActionRequest,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    DeletePaymentMethodRequest,
    InitiateRequest,
    ListPaymentMethodsRequest,
    ListPaymentsRequest,
    LookUpRequest,
    RawNotice,
    RefundRequest,
    SavePaymentMethodRequest,
    UpdateRequest,
)
from kassa_sdk.saved_methods import AccountHolderOutcome, DeleteOutcome, ListOutcome, SaveOutcome

PROVIDER_ENTRY_POINTS = "kassa.providers"
"""The entry point group in which a distribution lists its providers."""

PLUGGY_PROJECT = "kassa"

hookspec = pluggy.HookspecMarker(PLUGGY_PROJECT)
hookimpl = pluggy.HookimplMarker(PLUGGY_PROJECT)
"""Marks a method of a provider as the implementation of the hook of the same name."""


class Provider(Protocol):
    """The shape of a provider class; nobody needs to inherit from it."""

    Options: ClassVar[type[BaseModel]]
    manifest: Manifest

    def __init__(self, options: Any) -> None: ...


class ProviderHooks(Protocol):
    """The specification of every hook.  ``firstresult``: a provider answers alone, wrappers around it may look on."""

    @hookspec(firstresult=True)
    def initiate(self, request: InitiateRequest) -> Outcome:
        """A payment session is created: prepare the payment, return their reference and what the storefront needs.

        Nothing may be charged or held yet.  Required.
        """

    @hookspec(firstresult=True)
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        """The cart is being completed: hold the amount, or take it (immediate sale).

        May end in any outcome; ActionRequired and Pending are not failures.  Required.
        """

    @hookspec(firstresult=True)
    def action(self, request: ActionRequest) -> Outcome:
        """The shopper answered an action or came back from it: continue where ``authorize`` stopped.

        The answer proves nothing; ask your server.  Required where the manifest lists actions.
        """

    @hookspec(firstresult=True)
    def update(self, request: UpdateRequest) -> Outcome:
        """The amount of an open session changed.  Optional: without it the engine closes the session and opens another."""

    @hookspec(firstresult=True)
    def capture(self, request: CaptureRequest) -> Outcome:
        """Take ``request.amount`` of what was authorized, and nothing else.  As the manifest's ``captures`` says."""

    @hookspec(firstresult=True)
    def refund(self, request: RefundRequest) -> Outcome:
        """Give back ``request.amount`` of what was captured.  As the manifest's ``refunds`` says."""

    @hookspec(firstresult=True)
    def cancel(self, request: CancelRequest) -> Outcome:
        """Close an open session, or release what was authorized and not captured.

        Succeeds only when nothing can be taken any more.  When it turns out that money was taken, return Succeeded with
        facts that say so; the engine reads the facts.  As the manifest's ``cancel`` says.
        """

    @hookspec(firstresult=True)
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        """The engine does not know what became of a call: find the payment, and say all that is known of it.

        Has no effect at the provider.  As the manifest's ``look_up`` says.
        """

    @hookspec(firstresult=True)
    def list_payments(self, request: ListPaymentsRequest) -> ListPaymentsOutcome:
        """The engine compares its books with the provider's: one page of all payments of this account in that time.

        Complete: every payment that was created then is on one of the pages, whoever made it and however it stands; in
        any order, and better twice than not at all.  Has no effect at the provider.  As the manifest's ``lists_payments``
        says.
        """

    @hookspec(firstresult=True)
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        """A webhook arrived: verify the raw bytes, then say what they mean (an empty tuple: nothing about payments).

        Raises BadSignature unless the bytes are proven to come from the provider.  As the manifest's ``notices`` says.
        """

    @hookspec(firstresult=True)
    def create_account_holder(self, request: AccountHolderRequest) -> AccountHolderOutcome:
        """Register a customer at the provider.  As the manifest's ``account_holders`` says, like the three below."""

    @hookspec(firstresult=True)
    def save_payment_method(self, request: SavePaymentMethodRequest) -> SaveOutcome:
        """Keep a payment method for a customer who comes back."""

    @hookspec(firstresult=True)
    def list_payment_methods(self, request: ListPaymentMethodsRequest) -> ListOutcome:
        """All payment methods that are kept for a customer."""

    @hookspec(firstresult=True)
    def delete_payment_method(self, request: DeletePaymentMethodRequest) -> DeleteOutcome:
        """Forget a saved payment method; succeeds also when it is gone already."""
