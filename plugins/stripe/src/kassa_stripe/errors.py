"""What each exception of the Stripe SDK means for a payment: one table, and the outcomes that follow from it.

Sources: https://docs.stripe.com/error-handling and https://docs.stripe.com/api/idempotent_requests.  A test compares the
table with the exceptions of the installed SDK.
"""

import re
import ssl
from enum import Enum, auto

import requests
import stripe
import urllib3
from pydantic import ValidationError
from stripe import oauth_error

from kassa_sdk import Declined, NotSent, Unknown
from kassa_stripe.wire import Problem

# "Succeeded" in HTTP, and yet an answer that nobody can read: the proxy or the server in between is not Stripe.
UNREADABLE_ANSWER = "Stripe answered with something that cannot be read"

HTTP_NOT_FOUND = 404


class Meaning(Enum):
    """What an exception proves."""

    DECLINED = auto()
    """The bank or Stripe's risk checks said no; nothing moved."""
    REFUSED = auto()
    """Stripe read the request and refused it as invalid in itself or in this state; it did nothing."""
    TURNED_AWAY = auto()
    """Stripe turned the request away before it looked at it; the same request may be sent again."""
    TRANSPORT = auto()
    """Nothing in itself; the error underneath tells whether a connection was ever made."""
    NOTHING = auto()
    """Neither that it happened nor that it did not."""


MEANINGS: dict[type[stripe.StripeError], Meaning] = {
    stripe.CardError: Meaning.DECLINED,
    stripe.InvalidRequestError: Meaning.REFUSED,
    stripe.AuthenticationError: Meaning.TURNED_AWAY,
    stripe.PermissionError: Meaning.TURNED_AWAY,
    stripe.RateLimitError: Meaning.TURNED_AWAY,
    stripe.APIConnectionError: Meaning.TRANSPORT,
    # 5xx, and 409 when another request holds the key: it may be done already, or be under way.
    stripe.APIError: Meaning.NOTHING,
    # Another request used this key.  What became of that one, this answer does not say.
    stripe.IdempotencyError: Meaning.NOTHING,
    # The bases, for a subclass that a later SDK may add.
    stripe.StripeError: Meaning.NOTHING,
    stripe.StripeErrorWithParamCode: Meaning.NOTHING,
    # Only webhooks raise it, and notices.py answers it with BadSignature.
    stripe.SignatureVerificationError: Meaning.NOTHING,
    # Answers of version 2 of the API and of OAuth, neither of which this provider calls.
    stripe.AlreadyCanceledError: Meaning.NOTHING,
    stripe.BlockedByStripeError: Meaning.NOTHING,
    stripe.CannotProceedError: Meaning.NOTHING,
    stripe.CapabilityNotEnabledError: Meaning.NOTHING,
    stripe.ControlledByAlternateResourceError: Meaning.NOTHING,
    stripe.FeatureNotEnabledError: Meaning.NOTHING,
    stripe.FinancialAccountNotOpenError: Meaning.NOTHING,
    stripe.FxQuoteNeedsRefreshError: Meaning.NOTHING,
    stripe.InsufficientFundsError: Meaning.NOTHING,
    stripe.InvalidPaymentMethodError: Meaning.NOTHING,
    stripe.InvalidPayoutMethodError: Meaning.NOTHING,
    stripe.InvalidVaultedCredentialError: Meaning.NOTHING,
    stripe.NotCancelableError: Meaning.NOTHING,
    stripe.QuotaExceededError: Meaning.NOTHING,
    stripe.RecipientNotNotifiableError: Meaning.NOTHING,
    stripe.TemporarySessionExpiredError: Meaning.NOTHING,
    stripe.VerificationAttemptFailedError: Meaning.NOTHING,
    stripe.VerificationExpiredError: Meaning.NOTHING,
    stripe.VerificationNotInitiatedError: Meaning.NOTHING,
    oauth_error.OAuthError: Meaning.NOTHING,
    oauth_error.InvalidClientError: Meaning.NOTHING,
    oauth_error.InvalidGrantError: Meaning.NOTHING,
    oauth_error.InvalidRequestError: Meaning.NOTHING,
    oauth_error.InvalidScopeError: Meaning.NOTHING,
    oauth_error.UnsupportedGrantTypeError: Meaning.NOTHING,
    oauth_error.UnsupportedResponseTypeError: Meaning.NOTHING,
}


def meaning_of(error: stripe.StripeError) -> Meaning:
    """What this error proves, by the nearest class that the table knows."""
    return next(MEANINGS[kind] for kind in type(error).__mro__ if kind in MEANINGS)


class SendingFailed(Exception):
    """A request that was to have an effect did not end well; ``outcome`` says what is known of it.

    ``refused`` tells that Stripe found the request invalid in this state, so that reading the state is worth while.
    """

    def __init__(self, outcome: Declined | NotSent | Unknown, *, refused: bool = False) -> None:
        super().__init__(outcome.outcome)
        self.outcome = outcome
        self.refused = refused


class ReadingFailed(Exception):
    """A request that only reads did not end well."""

    def __init__(self, outcome: NotSent | Unknown) -> None:
        super().__init__(outcome.outcome)
        self.outcome = outcome


class Missing(Exception):
    """Stripe does not know the object that was asked for."""


class Failures:
    """Tells what failed calls mean, in words that carry no secret."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        patterns = [
            *map(re.escape, secrets),
            r"\b(?:sk|rk|whsec)_[A-Za-z0-9_]+",
            r"\b[a-z]+_[A-Za-z0-9]+_secret_[A-Za-z0-9]+",
        ]
        self._secrets = re.compile("|".join(patterns))

    def of_sending(self, error: Exception) -> SendingFailed:
        """What became of a request that was to have an effect."""
        if not isinstance(error, stripe.StripeError):
            return SendingFailed(Unknown(cause=_unreadable(error)))
        match meaning_of(error):
            case Meaning.DECLINED:
                return SendingFailed(self._declined(error, retryable=True))
            case Meaning.REFUSED:
                return SendingFailed(self._declined(error, retryable=False), refused=True)
            case Meaning.TURNED_AWAY:
                return SendingFailed(NotSent(cause=self._cause(error)))
            case Meaning.TRANSPORT | Meaning.NOTHING:
                return SendingFailed(self._in_doubt(error))

    def of_reading(self, error: Exception) -> ReadingFailed | Missing:
        """What became of a request that only reads.  A refusal to be read says nothing about the payment itself."""
        if not isinstance(error, stripe.StripeError):
            return ReadingFailed(Unknown(cause=_unreadable(error)))
        match meaning_of(error):
            case Meaning.REFUSED if error.http_status == HTTP_NOT_FOUND:
                return Missing()
            case Meaning.TURNED_AWAY:
                return ReadingFailed(NotSent(cause=self._cause(error)))
            case Meaning.DECLINED | Meaning.REFUSED | Meaning.TRANSPORT | Meaning.NOTHING:
                return ReadingFailed(self._in_doubt(error))

    def without_secrets(self, text: str) -> str:
        """This text, with everything blacked out that is or looks like a secret."""
        return self._secrets.sub("[removed]", text)

    def _declined(self, error: stripe.StripeError, *, retryable: bool) -> Declined:
        problem = _problem_in(error)
        return Declined(
            code=problem.decline_code or problem.code or "invalid_request",
            reason=self.without_secrets(problem.message or "Stripe gave no reason."),
            retryable=retryable,
        )

    def _in_doubt(self, error: stripe.StripeError) -> NotSent | Unknown:
        never_connected = isinstance(error, stripe.APIConnectionError) and was_never_connected(error)
        return NotSent(cause=self._cause(error)) if never_connected else Unknown(cause=self._cause(error))

    def _cause(self, error: stripe.StripeError) -> str:
        # Not the error's own text: it quotes addresses and bodies.
        details = (
            type(error).__name__,
            f"by {type(error.__cause__).__name__}" if error.__cause__ is not None else None,
            f"HTTP {error.http_status}" if error.http_status is not None else None,
            f"code {error.code}" if error.code else None,
            f"request {error.request_id}" if error.request_id else None,
        )
        return self.without_secrets("Stripe: " + ", ".join(detail for detail in details if detail))


def was_never_connected(error: stripe.APIConnectionError) -> bool:
    """Whether the error underneath proves that no connection was made, so that not one byte of the request was sent."""
    cause = error.__cause__
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return True
    reason = cause.args[0] if isinstance(cause, requests.exceptions.ConnectionError) and cause.args else None
    if isinstance(reason, urllib3.exceptions.MaxRetryError):
        reason = reason.reason
    if isinstance(reason, urllib3.exceptions.SSLError):
        # A certificate is verified before the request is written; other TLS errors can come later.
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _problem_in(error: stripe.StripeError) -> Problem:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    try:
        return Problem.model_validate(body.get("error", {}))
    except ValidationError:
        return Problem()


def _unreadable(error: Exception) -> str:
    # The names of the fields, never what stood in them.
    if not isinstance(error, ValidationError):
        return UNREADABLE_ANSWER
    fields = {".".join(map(str, each["loc"])) for each in error.errors(include_input=False)}
    return f"{UNREADABLE_ANSWER}: {error.title} {', '.join(sorted(fields))}".rstrip()
