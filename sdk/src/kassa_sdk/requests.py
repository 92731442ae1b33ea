"""Requests: all that a provider is told.  It never sees the database, the cart or the clock.

A request is stored before it is sent, and a resend repeats it exactly; so every request survives a trip through JSON.
Amounts are Money (minor units); translate them at the edge with ``manifest.amounts``.
"""

from datetime import datetime

from pydantic import AwareDatetime, Field, field_validator

from kassa_sdk.money import Money
from kassa_sdk.records import LONGEST_TEXT, JsonObject, Record, Reference


class Address(Record):
    """A postal address; ``country_code`` is ISO 3166-1 alpha-2 in capitals."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address_1: str | None = None
    address_2: str | None = None
    city: str | None = None
    province: str | None = None
    postal_code: str | None = None
    country_code: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    phone: str | None = None


class Customer(Record):
    """Who pays, as far as the shop knows; ``groups`` are the shop's own names for kinds of customers."""

    id: str | None = None
    email: str | None = None
    groups: tuple[str, ...] = ()


class Shopper(Record):
    """The person at the checkout: who, where, and where to send them back after a redirect."""

    customer: Customer = Customer()
    billing_address: Address | None = None
    shipping_address: Address | None = None
    return_url: str | None = None
    locale: str | None = None
    ip_address: str | None = None


class ProviderRequest(Record):
    """What every request carries.

    ``attempt_key`` is the idempotency key of this send: the same again for every resend, never the same for anything
    else; at most 80 characters of ``[a-z0-9_-]``.  ``our_reference`` names the payment session; put it (and the key) where
    the provider echoes it, so that a notice can be matched before their reference is known.  ``data`` is what the
    provider returned last, or for ``initiate`` what the storefront sent along.
    """

    attempt_key: str = Field(min_length=1, max_length=80)
    our_reference: str
    data: JsonObject = {}


class InitiateRequest(ProviderRequest):
    """Prepare a payment of ``amount``."""

    amount: Money
    shopper: Shopper = Shopper()


class PaymentRequest(ProviderRequest):
    """A request about a payment that was initiated; ``provider_reference`` is what the provider called it."""

    provider_reference: str


class AuthorizeRequest(PaymentRequest):
    """Take a hold on ``amount`` (or the money itself, for an immediate sale)."""

    amount: Money
    shopper: Shopper = Shopper()


class ActionRequest(PaymentRequest):
    """The shopper answered the action, or came back from it; ``answer`` is what the storefront relays, unchecked."""

    amount: Money
    answer: JsonObject = {}
    shopper: Shopper = Shopper()


class UpdateRequest(PaymentRequest):
    """The amount of an open session is now ``amount``."""

    amount: Money


class CaptureRequest(PaymentRequest):
    """Take ``amount`` of what was authorized.  ``is_whole`` tells that this is all of it, in one capture."""

    amount: Money
    is_whole: bool


class RefundRequest(PaymentRequest):
    """Give back ``amount`` of what was captured."""

    amount: Money
    reason: str | None = None


class CancelRequest(PaymentRequest):
    """Give up what was not captured: close an open session, or release a hold."""


class LookUpRequest(Record):
    """Find a payment.  Each way to find it is given where it is known; ``hook`` names the call whose fate is unknown.

    What ``manifest.look_up.by`` lists is used, whatever else is given: a payment is not absent because it was sought by
    something that the provider does not keep.
    """

    hook: str
    attempt_key: str
    our_reference: str
    provider_reference: Reference | None = None


class ListPaymentsRequest(Record):
    """List the payments that were created at the provider from ``since`` on and before ``until``, one page at a time.

    ``cursor`` is None for the first page, and after that the ``next_cursor`` of the page before.
    """

    since: AwareDatetime
    until: AwareDatetime
    cursor: str | None = Field(default=None, min_length=1, max_length=LONGEST_TEXT)


class RawNotice(Record):
    """A webhook as it arrived: the untouched body, and the headers, whose names are put into lower case."""

    body: bytes
    headers: dict[str, str]
    received_at: datetime

    @field_validator("headers")
    @classmethod
    def _names_in_lower_case(cls, headers: dict[str, str]) -> dict[str, str]:
        return {name.lower(): value for name, value in headers.items()}


class AccountHolderRequest(Record):
    """Register a customer at the provider, so that payment methods can be saved for them."""

    attempt_key: str = Field(min_length=1, max_length=80)
    customer: Customer


class SavePaymentMethodRequest(Record):
    """Save a payment method for an account holder; ``data`` is what the provider's script gave to the storefront."""

    attempt_key: str = Field(min_length=1, max_length=80)
    account_holder_reference: str
    data: JsonObject = {}


class ListPaymentMethodsRequest(Record):
    """List the saved payment methods of an account holder."""

    account_holder_reference: str


class DeletePaymentMethodRequest(Record):
    """Delete one saved payment method."""

    attempt_key: str = Field(min_length=1, max_length=80)
    account_holder_reference: str
    payment_method_reference: str
