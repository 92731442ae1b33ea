"""What the engine would ask, and the options of the provider under test."""

from collections.abc import Callable
from datetime import UTC, datetime

from kassa_sdk import (
    AccountHolderRequest,
    ActionRequest,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    Customer,
    DeletePaymentMethodRequest,
    InitiateRequest,
    ListPaymentMethodsRequest,
    ListPaymentsRequest,
    LookUpRequest,
    Money,
    Record,
    RefundRequest,
    SavePaymentMethodRequest,
    UpdateRequest,
)
from kassa_stripe import StripeProvider

SECRET_KEY = "sk_test_CanarySecretKey4711"
WEBHOOK_SECRET = "whsec_CanaryWebhookSecret4712"
IMPATIENT_SECONDS = 0.3

MakeProvider = Callable[..., StripeProvider]


class Ask:
    """The requests of the engine, with what a test does not care about filled in."""

    our_reference = "payses_1"
    amount = Money(10_000, "EUR")

    def initiate(self, amount: Money = amount, key: str = "initiate-1", **data: str) -> InitiateRequest:
        return InitiateRequest(attempt_key=key, our_reference=self.our_reference, amount=amount, data=dict(data))

    def authorize(self, reference: str, key: str = "authorize-1", return_url: str | None = None) -> AuthorizeRequest:
        return AuthorizeRequest.model_validate(
            {
                "attempt_key": key,
                "our_reference": self.our_reference,
                "provider_reference": reference,
                "amount": self.amount,
                "shopper": {"return_url": return_url},
            }
        )

    def action(self, reference: str, key: str = "action-1") -> ActionRequest:
        return ActionRequest(
            attempt_key=key, our_reference=self.our_reference, provider_reference=reference, amount=self.amount
        )

    def update(self, reference: str, amount: Money, key: str = "update-1") -> UpdateRequest:
        return UpdateRequest(
            attempt_key=key, our_reference=self.our_reference, provider_reference=reference, amount=amount
        )

    def capture(self, reference: str, minor: int, key: str = "capture-1") -> CaptureRequest:
        return CaptureRequest(
            attempt_key=key,
            our_reference=self.our_reference,
            provider_reference=reference,
            amount=Money(minor, "EUR"),
            is_whole=minor == self.amount.minor,
        )

    def refund(self, reference: str, minor: int, key: str = "refund-1", reason: str | None = None) -> RefundRequest:
        return RefundRequest(
            attempt_key=key,
            our_reference=self.our_reference,
            provider_reference=reference,
            amount=Money(minor, "EUR"),
            reason=reason,
        )

    def cancel(self, reference: str, key: str = "cancel-1") -> CancelRequest:
        return CancelRequest(attempt_key=key, our_reference=self.our_reference, provider_reference=reference)

    def look_up(self, reference: str | None, hook: str = "initiate", key: str = "initiate-1") -> LookUpRequest:
        return LookUpRequest(hook=hook, attempt_key=key, our_reference=self.our_reference, provider_reference=reference)

    def list_payments(self, cursor: str | None = None) -> ListPaymentsRequest:
        return ListPaymentsRequest(
            since=datetime.fromtimestamp(0.9, UTC), until=datetime(2100, 1, 1, tzinfo=UTC), cursor=cursor
        )


CALLS: dict[str, Callable[[StripeProvider, Ask], Record]] = {
    "initiate": lambda provider, ask: provider.initiate(ask.initiate()),
    "update": lambda provider, ask: provider.update(ask.update("pi_1", ask.amount)),
    "capture": lambda provider, ask: provider.capture(ask.capture("pi_1", 3_000)),
    "refund": lambda provider, ask: provider.refund(ask.refund("pi_1", 3_000)),
    "cancel": lambda provider, ask: provider.cancel(ask.cancel("pi_1")),
    "authorize": lambda provider, ask: provider.authorize(ask.authorize("pi_1")),
    "action": lambda provider, ask: provider.action(ask.action("pi_1")),
    "look_up": lambda provider, ask: provider.look_up(ask.look_up("pi_1")),
    "look_up_by_ours": lambda provider, ask: provider.look_up(ask.look_up(None)),
    "list_payments": lambda provider, ask: provider.list_payments(ask.list_payments()),
    "create_account_holder": lambda provider, ask: provider.create_account_holder(
        AccountHolderRequest(attempt_key="holder-1", customer=Customer(id="cus", email="a@example.com"))
    ),
    "save_payment_method": lambda provider, ask: provider.save_payment_method(
        SavePaymentMethodRequest(
            attempt_key="save-1", account_holder_reference="cus_1", data={"payment_method": "pm_1"}
        )
    ),
    "list_payment_methods": lambda provider, ask: provider.list_payment_methods(
        ListPaymentMethodsRequest(account_holder_reference="cus_1")
    ),
    "delete_payment_method": lambda provider, ask: provider.delete_payment_method(
        DeletePaymentMethodRequest(
            attempt_key="delete-1", account_holder_reference="cus_1", payment_method_reference="pm_1"
        )
    ),
}
"""Every hook that talks to Stripe."""
