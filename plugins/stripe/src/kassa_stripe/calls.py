"""The calls to Stripe, through its official SDK: the only file from which something goes over the network.

Each method sends one request (lists: one per page) and returns what Stripe said as a record.  Methods that are to have
an effect raise SendingFailed, methods that only read raise ReadingFailed or Missing.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

import stripe
from pydantic import ValidationError
from stripe.params import (
    CustomerCreateParams,
    PaymentIntentCaptureParams,
    PaymentIntentConfirmParams,
    PaymentIntentCreateParams,
    PaymentIntentListParams,
    PaymentIntentUpdateParams,
    RefundCreateParams,
)

from kassa_stripe.errors import Failures
from kassa_stripe.options import StripeOptions
from kassa_stripe.wire import Customer, Dispute, FromStripe, Intent, IntentPage, PaymentMethod, Refund

# So that captured amounts and refunds come with the intent instead of only the charge's id.
WITH_CHARGE = "latest_charge"
EACH_WITH_CHARGE = "data.latest_charge"
PAGE = 100
PAGE_OF_WHOLE_PAYMENTS = 20
"""Each payment of such a page may take two calls more, for its refunds and disputes, and all are one call of the engine."""


UNREADABLE = (ValidationError, AttributeError, KeyError, TypeError)
"""An answer that does not fit our records, or over which already Stripe's SDK stumbles."""

Answer = TypeVar("Answer", bound=FromStripe)


class _WithoutBodies(logging.Filter):
    """Keeps what Stripe's SDK logs about each call out of every log.

    Its debug messages quote whole bodies, client secrets included, and its info messages what an error said.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO


_WITHOUT_BODIES = _WithoutBodies()


class StripeCalls:
    """One Stripe account, reached over ``http_client``."""

    def __init__(
        self, options: StripeOptions, failures: Failures, http_client: stripe.HTTPClient | None = None
    ) -> None:
        logging.getLogger("stripe").addFilter(_WITHOUT_BODIES)
        self._failures = failures
        self._v1 = stripe.StripeClient(
            options.secret_key.get_secret_value(),
            base_addresses={"api": options.api_base.rstrip("/")},
            # The engine decides about resends; a second, hidden retry would undo what it counts.
            max_network_retries=0,
            http_client=http_client or stripe.RequestsClient(timeout=options.timeout_seconds),
        ).v1

    def create_intent(self, parameters: PaymentIntentCreateParams, key: str) -> Intent:
        """Create a PaymentIntent."""
        return self._send(Intent, lambda: self._v1.payment_intents.create(parameters, {"idempotency_key": key}))

    def update_intent(self, reference: str, parameters: PaymentIntentUpdateParams, key: str) -> Intent:
        """Change a PaymentIntent that is not confirmed yet."""
        return self._send(
            Intent, lambda: self._v1.payment_intents.update(reference, parameters, {"idempotency_key": key})
        )

    def confirm_intent(self, reference: str, parameters: PaymentIntentConfirmParams, key: str) -> Intent:
        """Start to pay with the payment method that the PaymentIntent has."""
        return self._send(
            Intent, lambda: self._v1.payment_intents.confirm(reference, parameters, {"idempotency_key": key})
        )

    def capture_intent(self, reference: str, parameters: PaymentIntentCaptureParams, key: str) -> Intent:
        """Take what a PaymentIntent holds, or a part of it."""
        return self._send(
            Intent, lambda: self._v1.payment_intents.capture(reference, parameters, {"idempotency_key": key})
        )

    def cancel_intent(self, reference: str, key: str) -> Intent:
        """Close a PaymentIntent and release what it holds."""
        return self._send(Intent, lambda: self._v1.payment_intents.cancel(reference, {}, {"idempotency_key": key}))

    def create_refund(self, parameters: RefundCreateParams, key: str) -> Refund:
        """Give money back."""
        return self._send(Refund, lambda: self._v1.refunds.create(parameters, {"idempotency_key": key}))

    def intent(self, reference: str) -> Intent:
        """The PaymentIntent as it stands, with its latest charge."""
        return self._read(Intent, lambda: self._v1.payment_intents.retrieve(reference, {"expand": [WITH_CHARGE]}))

    def newest_intents(self) -> tuple[Intent, ...]:
        """The newest PaymentIntents of the account: one page, which Stripe lists consistently."""
        return self._read_all(Intent, lambda: self._v1.payment_intents.list({"limit": PAGE}).data)

    def intents_created(self, since: int, until: int, after: str | None) -> IntentPage:
        """One page of the PaymentIntents that were created from ``since`` on and before ``until``, the newest first."""
        parameters: PaymentIntentListParams = {
            "created": {"gte": since, "lt": until},
            "limit": PAGE_OF_WHOLE_PAYMENTS,
            "expand": [EACH_WITH_CHARGE],
        }
        if after is not None:
            parameters["starting_after"] = after
        return self._read(IntentPage, lambda: self._v1.payment_intents.list(parameters))

    def intents_with_metadata(self, name: str, value: str) -> tuple[Intent, ...]:
        """The PaymentIntents with this metadata that Stripe's search knows; it lags behind, by up to an hour."""
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        query = f"metadata['{name}']:'{quoted}'"
        return self._read_all(Intent, lambda: self._v1.payment_intents.search({"query": query, "limit": PAGE}).data)

    def refunds_of(self, reference: str) -> tuple[Refund, ...]:
        """Every refund of a PaymentIntent."""
        return self._read_all(
            Refund,
            lambda: self._v1.refunds.list({"payment_intent": reference, "limit": PAGE}).auto_paging_iter(),
        )

    def disputes_of(self, reference: str) -> tuple[Dispute, ...]:
        """Every dispute and inquiry about a PaymentIntent."""
        return self._read_all(
            Dispute,
            lambda: self._v1.disputes.list({"payment_intent": reference, "limit": PAGE}).auto_paging_iter(),
        )

    def create_customer(self, parameters: CustomerCreateParams, key: str) -> Customer:
        """Register a customer."""
        return self._send(Customer, lambda: self._v1.customers.create(parameters, {"idempotency_key": key}))

    def attach(self, reference: str, customer: str, key: str) -> PaymentMethod:
        """Keep a payment method for a customer."""
        return self._send(
            PaymentMethod,
            lambda: self._v1.payment_methods.attach(reference, {"customer": customer}, {"idempotency_key": key}),
        )

    def detach(self, reference: str, key: str) -> PaymentMethod:
        """Forget a payment method; Stripe never lets it be used again."""
        return self._send(
            PaymentMethod, lambda: self._v1.payment_methods.detach(reference, {}, {"idempotency_key": key})
        )

    def payment_method(self, reference: str) -> PaymentMethod:
        """A payment method, whether or not it is kept for a customer."""
        return self._read(PaymentMethod, lambda: self._v1.payment_methods.retrieve(reference))

    def payment_methods_of(self, customer: str) -> tuple[PaymentMethod, ...]:
        """Every payment method that is kept for a customer."""
        return self._read_all(
            PaymentMethod,
            lambda: self._v1.payment_methods.list({"customer": customer, "limit": PAGE}).auto_paging_iter(),
        )

    def _send(self, kind: type[Answer], call: Callable[[], stripe.StripeObject]) -> Answer:
        try:
            return kind.model_validate(call().to_dict())
        except (stripe.StripeError, *UNREADABLE) as error:
            # Without "from None" a traceback would print the request and its keys with the cause.
            raise self._failures.of_sending(error) from None

    def _read(self, kind: type[Answer], call: Callable[[], stripe.StripeObject]) -> Answer:
        (answer,) = self._read_all(kind, lambda: (call(),))
        return answer

    def _read_all(self, kind: type[Answer], call: Callable[[], Iterable[stripe.StripeObject]]) -> tuple[Answer, ...]:
        try:
            return tuple(kind.model_validate(each.to_dict()) for each in call())
        except (stripe.StripeError, *UNREADABLE) as error:
            raise self._failures.of_reading(error) from None
