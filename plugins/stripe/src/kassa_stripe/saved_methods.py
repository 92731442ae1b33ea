"""Saved payment methods: a Stripe customer for each account holder, and the payment methods attached to it.

Source: https://docs.stripe.com/payments/save-and-reuse.
"""

import re

from stripe.params import CustomerCreateParams

from kassa_sdk import (
    AccountHolder,
    AccountHolderOutcome,
    AccountHolderRequest,
    Declined,
    Deleted,
    DeleteOutcome,
    DeletePaymentMethodRequest,
    ListOutcome,
    ListPaymentMethodsRequest,
    SavedPaymentMethod,
    SavedPaymentMethods,
    SaveOutcome,
    SavePaymentMethodRequest,
)
from kassa_stripe.calls import StripeCalls
from kassa_stripe.errors import Missing, ReadingFailed, SendingFailed
from kassa_stripe.wire import PaymentMethod

OUR_CUSTOMER = "kassa_customer"
PAYMENT_METHOD = re.compile(r"pm_[A-Za-z0-9_]{1,200}")


def payment_method_in(data: object) -> str | None:
    """The payment method that stripe.js gave to the storefront; None where there is none, or something else."""
    return data if isinstance(data, str) and PAYMENT_METHOD.fullmatch(data) else None


def create_account_holder(calls: StripeCalls, request: AccountHolderRequest) -> AccountHolderOutcome:
    """Register a customer."""
    parameters: CustomerCreateParams = {}
    if request.customer.email is not None:
        parameters["email"] = request.customer.email
    if request.customer.id is not None:
        parameters["metadata"] = {OUR_CUSTOMER: request.customer.id}
    try:
        customer = calls.create_customer(parameters, request.attempt_key)
    except SendingFailed as failed:
        return failed.outcome
    return AccountHolder(provider_reference=customer.id)


def save_payment_method(calls: StripeCalls, request: SavePaymentMethodRequest) -> SaveOutcome:
    """Attach the payment method that stripe.js made in the shopper's browser."""
    reference = payment_method_in(request.data.get("payment_method"))
    if reference is None:
        return Declined(
            code="payment_method_missing",
            reason="Send the id of a payment method that stripe.js created as data.payment_method (pm_…).",
        )
    try:
        method = calls.attach(reference, request.account_holder_reference, request.attempt_key)
    except SendingFailed as failed:
        return failed.outcome
    return _saved(method)


def list_payment_methods(calls: StripeCalls, request: ListPaymentMethodsRequest) -> ListOutcome:
    """All that is attached; nothing for a customer that Stripe does not know (any more)."""
    try:
        methods = calls.payment_methods_of(request.account_holder_reference)
    except ReadingFailed as failed:
        return failed.outcome
    except Missing:
        return SavedPaymentMethods()
    return SavedPaymentMethods(methods=tuple(map(_saved, methods)))


def delete_payment_method(calls: StripeCalls, request: DeletePaymentMethodRequest) -> DeleteOutcome:
    """Detach, after a look at whose it is: detaching itself does not ask."""
    try:
        method = calls.payment_method(request.payment_method_reference)
    except ReadingFailed as failed:
        return failed.outcome
    except Missing:
        return Deleted()
    if method.customer is None:
        return Deleted()
    if method.customer != request.account_holder_reference:
        return Declined(
            code="not_of_this_account_holder",
            reason="This payment method is saved for another account holder.",
            retryable=False,
        )
    try:
        calls.detach(request.payment_method_reference, request.attempt_key)
    except SendingFailed as failed:
        return failed.outcome
    return Deleted()


def _saved(method: PaymentMethod) -> SavedPaymentMethod:
    card = method.card
    if card is None or card.last4 is None:
        return SavedPaymentMethod(provider_reference=method.id, label=method.type, data={"type": method.type})
    return SavedPaymentMethod(
        provider_reference=method.id,
        label=f"{(card.brand or 'card').capitalize()} ending {card.last4}",
        data={
            "type": method.type,
            "brand": card.brand,
            "last4": card.last4,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
        },
    )
