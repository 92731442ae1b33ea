"""How Stripe's answers end a call of the engine."""

from kassa_sdk import (
    Action,
    ActionRequired,
    CaptureRequest,
    Challenge,
    Declined,
    JsonObject,
    Outcome,
    PaymentFacts,
    Pending,
    Redirect,
    RefundRequest,
    Succeeded,
    Unknown,
)
from kassa_stripe.facts import facts_of_intent, facts_of_refund
from kassa_stripe.wire import Intent, Refund


class Storefront:
    """What the shopper's browser gets to see of an intent."""

    def __init__(self, publishable_key: str) -> None:
        self._publishable_key = publishable_key

    def data(self, intent: Intent) -> JsonObject:
        """What is stored with the session: the fields that storefronts of Medusa read, and the publishable key."""
        return {
            "id": intent.id,
            "client_secret": intent.client_secret,
            "publishable_key": self._publishable_key,
            "amount": intent.amount,
            "currency": intent.currency,
            "status": intent.status,
            "capture_method": intent.capture_method,
        }

    def action(self, intent: Intent) -> Action:
        """What the shopper must do next: go to the bank's page, or let stripe.js show whatever there is to show."""
        next_action = intent.next_action
        redirect = next_action.redirect_to_url if next_action else None
        if redirect is not None and redirect.url:
            return Redirect(url=redirect.url)
        parameters: JsonObject = {
            "client_secret": intent.client_secret,
            "publishable_key": self._publishable_key,
            "next_action": next_action.type if next_action else None,
        }
        return Challenge(script="stripe.js", parameters=parameters)


def prepared(intent: Intent, storefront: Storefront) -> Outcome:
    """The end of ``initiate`` and ``update``: the reference, and what the storefront needs."""
    facts = PaymentFacts(provider_reference=intent.id, our_reference=facts_of_intent(intent).our_reference)
    return Succeeded(facts=facts, data=storefront.data(intent))


def authorization(intent: Intent, storefront: Storefront) -> Outcome:
    """The end of ``authorize`` and ``action``: what the intent's status says."""
    match intent.status:
        case "requires_capture" | "succeeded":
            return Succeeded(facts=facts_of_intent(intent), data=storefront.data(intent))
        case "processing":
            return Pending(facts=facts_of_intent(intent), data=storefront.data(intent))
        case "requires_payment_method" if intent.last_payment_error is not None:
            return _declined(intent)
        case "requires_payment_method" | "requires_confirmation" | "requires_action":
            return ActionRequired(
                action=storefront.action(intent), provider_reference=intent.id, data=storefront.data(intent)
            )
        case "canceled":
            return Declined(
                code=intent.cancellation_reason or "canceled",
                reason="The payment was canceled at Stripe.",
                retryable=False,
                provider_reference=intent.id,
            )
        case _:
            return _unexpected(intent)


def _declined(intent: Intent) -> Declined:
    problem = intent.last_payment_error
    code = (problem.decline_code or problem.code) if problem else None
    reason = problem.message if problem else None
    return Declined(
        code=code or "payment_failed",
        reason=reason or "The payment was declined.",
        provider_reference=intent.id,
    )


def capture(intent: Intent, request: CaptureRequest) -> Outcome:
    """The end of ``capture``."""
    match intent.status:
        case "succeeded" if intent.amount_received:
            return Succeeded(facts=facts_of_intent(intent, capture_key=request.attempt_key))
        case "processing":
            return Pending(facts=facts_of_intent(intent, capture_key=request.attempt_key))
        case _:
            return _unexpected(intent)


def refund(answer: Refund, request: RefundRequest) -> Outcome:
    """The end of ``refund``."""
    facts = facts_of_refund(answer, request.provider_reference)
    match answer.status:
        case "succeeded":
            return Succeeded(facts=facts)
        case "pending" | "requires_action":
            return Pending(facts=facts)
        case "failed" | "canceled":
            return Declined(
                code=answer.failure_reason or f"refund_{answer.status}",
                reason="Stripe could not give the money back.",
                retryable=False,
                provider_reference=answer.id,
            )
        case _:
            return Unknown(cause=f"Stripe: the refund {answer.id} has the status {answer.status!r}")


def cancellation(intent: Intent) -> Outcome | None:
    """The end of ``cancel``; None while the intent could still be paid or captured."""
    match intent.status:
        case "canceled" | "succeeded":
            return Succeeded(facts=facts_of_intent(intent))
        case "processing":
            return Pending(facts=facts_of_intent(intent))
        case _:
            return None


def _unexpected(intent: Intent) -> Unknown:
    return Unknown(cause=f"Stripe: {intent.id} has the status {intent.status!r}, which does not fit this call")
