"""Calls that go wrong: what is proven, and what is not."""

import json
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
import requests
import stripe
import urllib3
from stripe import oauth_error
from stripe_answers import error, intent
from stripe_requests import CALLS, IMPATIENT_SECONDS, Ask, MakeProvider
from stripe_servers import Behaviour, RawServer, answer, close, cut_within, stay_silent

from kassa_sdk import (
    Declined,
    NotSent,
    Outcome,
    Unknown,
)
from kassa_stripe import StripeProvider
from kassa_stripe.errors import MEANINGS, Meaning, meaning_of, was_never_connected

HANG_UPS = {"close": close, "silence": stay_silent, "cut": cut_within(json.dumps(intent()))}
STATUSES = {
    400: (error("invalid_request_error", "parameter_missing"), Declined),
    401: (error("invalid_request_error"), NotSent),
    402: (error("card_error", "card_declined", decline_code="insufficient_funds"), Declined),
    403: (error("invalid_request_error"), NotSent),
    404: (error("invalid_request_error", "resource_missing"), Declined),
    409: (error("idempotency_error", "idempotency_key_in_use"), Unknown),
    429: (error("invalid_request_error", "lock_timeout"), NotSent),
    500: (error("api_error"), Unknown),
    502: ("<html>Bad gateway</html>", Unknown),
    503: (error("api_error"), Unknown),
}


def all_exceptions(base: type[stripe.StripeError]) -> Iterator[type[stripe.StripeError]]:
    yield base
    for kind in base.__subclasses__():
        yield from all_exceptions(kind)


def test_every_exception_of_the_installed_sdk_is_in_the_table() -> None:
    exceptions = {kind for kind in all_exceptions(stripe.StripeError) if kind.__module__.startswith("stripe")}
    assert len(exceptions) > 30
    assert exceptions - set(MEANINGS) == set()
    assert set(MEANINGS) - exceptions == set()
    assert oauth_error.OAuthError in exceptions


def test_an_exception_that_a_later_sdk_adds_means_what_its_base_means() -> None:
    class Newer(stripe.RateLimitError):
        pass

    assert meaning_of(Newer()) is Meaning.TURNED_AWAY


@pytest.mark.parametrize("hook", CALLS)
def test_a_refused_connection_proves_that_nothing_was_sent(hook: str, make_provider: MakeProvider, ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = CALLS[hook](make_provider(f"http://127.0.0.1:{port}"), ask)
    assert isinstance(outcome, NotSent)


def test_an_address_that_nobody_has_proves_that_nothing_was_sent(make_provider: MakeProvider, ask: Ask) -> None:
    assert isinstance(make_provider("http://stripe.invalid").initiate(ask.initiate()), NotSent)


def test_a_certificate_that_cannot_be_verified_proves_that_nothing_was_sent() -> None:
    pool = urllib3.HTTPSConnectionPool("127.0.0.1")
    for reason, proven in ((ssl.SSLCertVerificationError("self-signed"), True), (ssl.SSLError("bad record"), False)):
        underneath = urllib3.exceptions.MaxRetryError(pool, "/", urllib3.exceptions.SSLError(reason))
        connection_error = stripe.APIConnectionError("no")
        connection_error.__cause__ = requests.exceptions.SSLError(underneath)
        assert was_never_connected(connection_error) is proven


@pytest.mark.parametrize("hook", CALLS)
@pytest.mark.parametrize("hang_up", HANG_UPS)
def test_after_a_lost_answer_nobody_can_tell(
    hook: str, hang_up: str, raw: RawServer, impatient_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(HANG_UPS[hang_up])
    assert isinstance(CALLS[hook](impatient_provider, ask), Unknown)
    assert len(raw.requests) == 1


@pytest.mark.parametrize("hook", ["initiate", "update", "capture", "refund"])
@pytest.mark.parametrize("status", STATUSES)
def test_each_http_status_of_a_request_with_an_effect_is_one_outcome(
    hook: str, status: int, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    body, expected = STATUSES[status]
    raw.then(answer(body, status))
    assert isinstance(CALLS[hook](raw_provider, ask), expected)
    assert len(raw.requests) == 1


@pytest.mark.parametrize("hook", ["authorize", "action", "look_up_by_ours", "list_payments"])
@pytest.mark.parametrize("status", [400, 402, 409, 500, 502, 503])
def test_a_read_that_is_refused_says_nothing_about_the_payment(
    hook: str, status: int, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(answer(STATUSES[status][0], status))
    assert isinstance(CALLS[hook](raw_provider, ask), Unknown)


def test_completing_a_payment_that_stripe_does_not_know_is_in_doubt_and_not_declined(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(answer(error("invalid_request_error", "resource_missing"), 404))
    outcome = raw_provider.authorize(ask.authorize("pi_1"))
    assert isinstance(outcome, Unknown)
    assert "secret_key" in outcome.cause


def test_another_request_under_the_same_key_says_nothing_about_the_first(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(answer(error("idempotency_error"), 400))
    assert isinstance(raw_provider.refund(ask.refund("pi_1", 100)), Unknown)


def test_a_decline_carries_the_banks_code_and_stripes_sentence(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(answer(STATUSES[402][0], 402))
    outcome = raw_provider.initiate(ask.initiate())
    assert outcome == Declined(code="insufficient_funds", reason="About card_declined.", retryable=True)


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "",
        "no json",
        json.dumps(intent(amount="10000")),
        json.dumps(intent(amount=10.5)),
        json.dumps(intent(currency="usdc")),
        json.dumps(intent(currency="isk", amount=150)),
        json.dumps(intent(status=None)),
    ],
)
def test_an_answer_that_makes_no_sense_is_in_doubt(
    body: str, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(answer(body))
    assert isinstance(raw_provider.initiate(ask.initiate()), Unknown)


def test_a_status_that_is_new_to_us_is_in_doubt(raw: RawServer, raw_provider: StripeProvider, ask: Ask) -> None:
    raw.then(answer(json.dumps(intent(status="requires_patience"))))
    outcome = raw_provider.authorize(ask.authorize("pi_1"))
    assert isinstance(outcome, Unknown)
    assert "requires_patience" in outcome.cause


@pytest.mark.parametrize("hook", ["initiate", "update", "capture", "refund", "create_account_holder"])
def test_a_resend_repeats_the_bytes_and_the_key(
    hook: str, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(close, answer(error("api_error"), 500))
    CALLS[hook](raw_provider, ask)
    CALLS[hook](raw_provider, ask)
    first, second = raw.bodies()
    assert first == second
    keys = raw.headers("Idempotency-Key")
    assert len(keys) == 2
    assert keys[0] == keys[1] == {"create_account_holder": "holder-1"}.get(hook, f"{hook}-1")


def test_nothing_is_sent_twice_behind_the_engines_back(raw: RawServer, raw_provider: StripeProvider, ask: Ask) -> None:
    raw.then(answer(error("api_error"), 503, "Stripe-Should-Retry: true\r\n"))
    raw_provider.capture(ask.capture("pi_1", 3_000))
    assert len(raw.requests) == 1


def after_refusal(*reads: Behaviour) -> tuple[Behaviour, ...]:
    return (answer(error("invalid_request_error", "payment_intent_unexpected_state"), 400), *reads)


@pytest.mark.parametrize("read", [close, answer(error("invalid_request_error"), 401), answer("{}")])
def test_a_refused_cancel_whose_reason_cannot_be_read_is_in_doubt(
    read: Behaviour, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(*after_refusal(read))
    assert isinstance(raw_provider.cancel(ask.cancel("pi_1")), Unknown)


def test_a_refused_cancel_of_an_open_payment_did_nothing(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(*after_refusal(answer(json.dumps(intent()))))
    assert isinstance(raw_provider.cancel(ask.cancel("pi_1")), Declined)


def test_a_confirmation_that_the_browser_overtook_is_read_and_not_declined(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    waiting = answer(json.dumps(intent(status="requires_confirmation")))
    raw.then(waiting, *after_refusal(answer(json.dumps(intent()))))
    outcome: Outcome = raw_provider.authorize(ask.authorize("pi_1"))
    assert outcome.outcome == "succeeded"


def test_a_silent_server_is_given_up_after_the_timeout(
    raw: RawServer, impatient_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(stay_silent)
    began = time.monotonic()
    impatient_provider.capture(ask.capture("pi_1", 3_000))
    assert IMPATIENT_SECONDS <= time.monotonic() - began < IMPATIENT_SECONDS + 5
