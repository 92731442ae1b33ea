"""The provider: each hook is one request to Stripe and the translation of its answer.

The shopper's browser pays: ``initiate`` creates a PaymentIntent, stripe.js confirms it with the client secret, and
``authorize`` reads what came of it.  A storefront that has a payment method before that may send it along to
``initiate`` as ``data.payment_method``; then ``authorize`` confirms the intent itself.
"""

from collections.abc import Callable
from typing import Any, ClassVar, cast

import stripe
from stripe.params import PaymentIntentConfirmParams, PaymentIntentCreateParams, RefundCreateParams

from kassa_sdk import (
    AccountHolderOutcome,
    AccountHolderRequest,
    ActionRequest,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    DeleteOutcome,
    DeletePaymentMethodRequest,
    ExcessPrecision,
    Found,
    InitiateRequest,
    ListOutcome,
    ListPaymentMethodsRequest,
    ListPaymentsOutcome,
    ListPaymentsRequest,
    LookUpOutcome,
    LookUpRequest,
    Manifest,
    Money,
    NotFound,
    Notice,
    NotSent,
    Outcome,
    PaymentFacts,
    PaymentPage,
    PaymentRequest,
    ProviderRequest,
    RawNotice,
    RefundRequest,
    SaveOutcome,
    SavePaymentMethodRequest,
    Unknown,
    Unsupported,
    UpdateRequest,
    hookimpl,
)
from kassa_stripe import outcomes, saved_methods
from kassa_stripe.calls import WITH_CHARGE, StripeCalls
from kassa_stripe.errors import Failures, Missing, ReadingFailed, SendingFailed
from kassa_stripe.facts import ATTEMPT_KEY, CAPTURE_KEY, OUR_REFERENCE, facts_of_unread_intent, whole_facts
from kassa_stripe.manifest import AMOUNTS, CURRENCIES, MANIFEST
from kassa_stripe.notices import read_event
from kassa_stripe.options import StripeOptions
from kassa_stripe.wire import Intent, UnreadIntent

REASON = "kassa_reason"
METADATA_VALUE_LENGTH = 500


class StripeProvider:
    """Payments through one Stripe account."""

    Options: ClassVar[type[StripeOptions]] = StripeOptions
    manifest: Manifest = MANIFEST

    def __init__(self, options: StripeOptions, http_client: stripe.HTTPClient | None = None) -> None:
        """``http_client`` replaces the transport of Stripe's SDK, for example to go out through a proxy of one's own."""
        self._options = options
        self.manifest = MANIFEST.model_copy(update={"is_test": not options.is_live})
        self._calls = StripeCalls(options, Failures(options.secrets()), http_client)
        self._storefront = outcomes.Storefront(options.publishable_key)

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        """Create the PaymentIntent; nothing is held yet."""
        parameters: PaymentIntentCreateParams = {
            "amount": _minor(request.amount),
            "currency": request.amount.currency.lower(),
            "capture_method": self._options.capture,
            "metadata": _names(request),
        }
        if self._options.allowed_payment_method_types:
            # The SDK lists the types that its version knows; the account may have newer ones.
            parameters["allowed_payment_method_types"] = cast(Any, list(self._options.allowed_payment_method_types))
        payment_method = saved_methods.payment_method_in(request.data.get("payment_method"))
        if payment_method is not None:
            parameters["payment_method"] = payment_method
        try:
            intent = self._calls.create_intent(parameters, request.attempt_key)
        except SendingFailed as failed:
            return failed.outcome
        return outcomes.prepared(intent, self._storefront)

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        """Read what came of the intent, and confirm it where only that is missing."""
        return self._continue(request, request.shopper.return_url)

    @hookimpl
    def action(self, request: ActionRequest) -> Outcome:
        """The same: the shopper's answer proves nothing, the intent's status does."""
        return self._continue(request, request.shopper.return_url)

    @hookimpl
    def update(self, request: UpdateRequest) -> Outcome:
        """Change the amount of an intent that is not confirmed yet; Stripe refuses it for any other."""
        amount, currency = _minor(request.amount), request.amount.currency.lower()
        try:
            intent = self._calls.update_intent(
                request.provider_reference, {"amount": amount, "currency": currency}, request.attempt_key
            )
        except SendingFailed as failed:
            return failed.outcome
        return outcomes.prepared(intent, self._storefront)

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        """Take this amount of the hold; Stripe releases the rest."""
        try:
            intent = self._calls.capture_intent(
                request.provider_reference,
                {
                    "amount_to_capture": _minor(request.amount),
                    "metadata": {CAPTURE_KEY: request.attempt_key},
                    "expand": [WITH_CHARGE],
                },
                request.attempt_key,
            )
        except SendingFailed as failed:
            return failed.outcome
        return outcomes.capture(intent, request)

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        """Give this amount back to where it came from."""
        parameters: RefundCreateParams = {
            "payment_intent": request.provider_reference,
            "amount": _minor(request.amount),
            "metadata": _names(request),
        }
        match request.reason:
            case "duplicate" | "fraudulent" | "requested_by_customer" as reason:
                parameters["reason"] = reason
            case str() as reason:
                # Stripe's list of reasons is closed; any other reason is kept where a person can read it.
                parameters["metadata"] = {**_names(request), REASON: reason[:METADATA_VALUE_LENGTH]}
            case None:
                pass
        try:
            refund = self._calls.create_refund(parameters, request.attempt_key)
        except SendingFailed as failed:
            return failed.outcome
        return outcomes.refund(refund, request)

    @hookimpl
    def cancel(self, request: CancelRequest) -> Outcome:
        """Close the intent.  Where Stripe refuses, the intent is read, because it may be captured or canceled already."""
        try:
            intent = self._calls.cancel_intent(request.provider_reference, request.attempt_key)
        except SendingFailed as failed:
            if not failed.refused:
                return failed.outcome
            return self._after_refusal(request, failed, outcomes.cancellation)
        return outcomes.cancellation(intent) or Unknown(cause=f"Stripe: {intent.id} is not canceled after all")

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        """Find the intent by its id, else by our reference among the newest and then in Stripe's search."""
        try:
            intent = self._find(request)
            if intent is None:
                return NotFound()
            facts = self._whole_facts(intent)
        except ReadingFailed as failed:
            return failed.outcome
        except Missing:
            return NotFound()
        needs_action = intent.status == "requires_action"
        return Found(
            facts=facts,
            action=self._storefront.action(intent) if needs_action else None,
            data=self._storefront.data(intent),
        )

    @hookimpl
    def list_payments(self, request: ListPaymentsRequest) -> ListPaymentsOutcome:
        """One page of the account's intents, whoever created them.  Stripe knows the second of their creation."""
        # Rounded down at both ends, so that windows that meet still meet.
        since, until = int(request.since.timestamp()), int(request.until.timestamp())
        try:
            page = self._calls.intents_created(since, until, request.cursor)
            facts = tuple(map(self._whole_facts, page.data))
        except ReadingFailed as failed:
            return failed.outcome
        except Missing:
            return Unknown(cause="Stripe does not know a payment any more that its own list has told")
        return PaymentPage(facts=facts, next_cursor=page.data[-1].id if page.has_more and page.data else None)

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        """Verify and read a webhook."""
        return read_event(raw, tuple(secret.get_secret_value() for secret in self._options.webhook_secret))

    @hookimpl
    def create_account_holder(self, request: AccountHolderRequest) -> AccountHolderOutcome:
        """Create a Stripe customer."""
        return saved_methods.create_account_holder(self._calls, request)

    @hookimpl
    def save_payment_method(self, request: SavePaymentMethodRequest) -> SaveOutcome:
        """Attach ``data.payment_method`` to the customer."""
        return saved_methods.save_payment_method(self._calls, request)

    @hookimpl
    def list_payment_methods(self, request: ListPaymentMethodsRequest) -> ListOutcome:
        """List what is attached to the customer."""
        return saved_methods.list_payment_methods(self._calls, request)

    @hookimpl
    def delete_payment_method(self, request: DeletePaymentMethodRequest) -> DeleteOutcome:
        """Detach it, if it is this customer's."""
        return saved_methods.delete_payment_method(self._calls, request)

    def _whole_facts(self, intent: Intent | UnreadIntent) -> PaymentFacts:
        if isinstance(intent, UnreadIntent):
            return facts_of_unread_intent(intent)
        refunds = self._calls.refunds_of(intent.id) if intent.amount_received else ()
        disputes = self._calls.disputes_of(intent.id) if intent.charge and intent.charge.disputed else ()
        return whole_facts(intent, refunds, disputes)

    def _continue(self, request: AuthorizeRequest | ActionRequest, return_url: str | None) -> Outcome:
        intent = self._stands(request)
        if not isinstance(intent, Intent):
            return intent
        if intent.status != "requires_confirmation":
            return outcomes.authorization(intent, self._storefront)
        parameters: PaymentIntentConfirmParams = {"expand": [WITH_CHARGE]}
        if return_url is not None:
            parameters["return_url"] = return_url
        try:
            confirmed = self._calls.confirm_intent(intent.id, parameters, request.attempt_key)
        except SendingFailed as failed:
            if not failed.refused:
                return failed.outcome
            # The browser may have confirmed it in between.
            return self._after_refusal(request, failed, self._settled)
        return outcomes.authorization(confirmed, self._storefront)

    def _stands(self, request: PaymentRequest) -> Intent | NotSent | Unknown:
        try:
            return self._calls.intent(request.provider_reference)
        except ReadingFailed as failed:
            return failed.outcome
        except Missing:
            return Unknown(
                cause=f"Stripe does not know {request.provider_reference}; is secret_key of the account that created it?"
            )

    def _settled(self, intent: Intent) -> Outcome | None:
        if intent.status == "requires_confirmation":
            return None
        return outcomes.authorization(intent, self._storefront)

    def _after_refusal(
        self, request: PaymentRequest, failed: SendingFailed, translate: Callable[[Intent], Outcome | None]
    ) -> Outcome:
        intent = self._stands(request)
        if isinstance(intent, Intent):
            return translate(intent) or failed.outcome
        # The request was refused, but for a reason that may be that its effect is there already.
        return Unknown(cause=intent.cause)

    def _find(self, request: LookUpRequest) -> Intent | None:
        reference = request.provider_reference
        if reference is None:
            candidates = self._named(request, self._calls.newest_intents()) or self._named(
                request, self._calls.intents_with_metadata(OUR_REFERENCE, request.our_reference)
            )
            if not candidates:
                return None
            # The newest first, as Stripe lists them, but before all the one that this very attempt created.
            of_attempt = (each for each in candidates if each.metadata.get(ATTEMPT_KEY) == request.attempt_key)
            reference = next(of_attempt, candidates[0]).id
        return self._calls.intent(reference)

    @staticmethod
    def _named(request: LookUpRequest, intents: tuple[Intent, ...]) -> tuple[Intent, ...]:
        return tuple(each for each in intents if each.metadata.get(OUR_REFERENCE) == request.our_reference)


def _names(request: ProviderRequest) -> dict[str, str]:
    return {OUR_REFERENCE: request.our_reference, ATTEMPT_KEY: request.attempt_key}


def _minor(amount: Money) -> int:
    """The amount as Stripe wants it.  Raises Unsupported, before anything is sent, where Stripe has no such amount."""
    if amount.currency not in CURRENCIES:
        raise Unsupported(f"Stripe does not take {amount.currency}; its currencies are in the manifest")
    try:
        return AMOUNTS.write_minor(amount)
    except ExcessPrecision as error:
        raise Unsupported(str(error)) from None
