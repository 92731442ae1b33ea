"""Canaries: no secret is ever seen outside."""

import io
import json
import logging
import traceback
from collections.abc import Iterator

import pytest
import stripe
from pydantic import ValidationError
from stripe_answers import error, event, intent, signed
from stripe_requests import CALLS, SECRET_KEY, WEBHOOK_SECRET, Ask
from stripe_servers import RawServer, answer, close

from kassa_sdk import BadSignature
from kassa_stripe import StripeOptions, StripeProvider

CLIENT_SECRET = "pi_1_secret_Canary4713"
ECHO = f"Bad key {SECRET_KEY}, {WEBHOOK_SECRET}, sk_live_another, {CLIENT_SECRET}."


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that any library logs, however chatty it is told to be."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("hook", CALLS)
@pytest.mark.parametrize("status", [200, 400, 401, 402, 403, 404, 409, 429, 500])
def test_an_answer_that_echoes_secrets_leaves_none_in_outcomes_or_logs(
    hook: str, status: int, raw: RawServer, raw_provider: StripeProvider, ask: Ask, log: io.StringIO
) -> None:
    raw.then(answer(error("card_error", None, message=ECHO), status))
    outcome = CALLS[hook](raw_provider, ask)
    seen = repr(outcome) + outcome.model_dump_json()
    assert "Canary" not in seen
    assert "sk_live_another" not in seen
    assert SECRET_KEY not in log.getvalue()
    assert WEBHOOK_SECRET not in log.getvalue()


def test_the_client_secret_is_in_the_data_of_the_session_and_in_no_log(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask, log: io.StringIO
) -> None:
    raw.then(answer(json.dumps(intent(status="requires_payment_method"))))
    outcome = raw_provider.initiate(ask.initiate())
    assert CLIENT_SECRET in outcome.model_dump_json()
    assert "Canary" not in log.getvalue()


def test_a_lost_connection_leaves_no_secret_behind(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask, log: io.StringIO
) -> None:
    raw.then(close)
    assert "Canary" not in repr(raw_provider.initiate(ask.initiate()))
    assert "Canary" not in log.getvalue()


def test_a_bad_signature_shows_neither_the_secret_nor_the_body(raw_provider: StripeProvider) -> None:
    with pytest.raises(BadSignature) as caught:
        raw_provider.read_notice(signed(event("payment_intent.succeeded", intent()), "whsec_other"))
    assert "Canary" not in "".join(traceback.format_exception(caught.value))


def test_provider_and_options_can_be_printed(raw_provider: StripeProvider) -> None:
    assert "Canary" not in repr(raw_provider) + repr(vars(raw_provider))


@pytest.mark.parametrize(
    "mistake",
    [
        {"secret_key": "pk_test_Canary"},
        {"secret_key": "sk_test_Canary\n"},
        {"publishable_key": "sk_test_Canary"},
        {"webhook_secret": ["whsec_Canary", " "]},
        {"webhook_secret": [1, "whsec_Canary"]},
        {"secret_key": "sk_live_Canary"},
        {"misspelt": "sk_test_Canary"},
    ],
)
def test_a_mistake_in_the_options_is_told_without_the_secrets(mistake: dict[str, object]) -> None:
    options = {"secret_key": "sk_test_Canary", "publishable_key": "pk_test_1", "webhook_secret": "whsec_Canary"}
    with pytest.raises(ValidationError) as caught:
        StripeOptions.model_validate({**options, **mistake})
    assert "Canary" not in str(caught.value)


def test_the_global_settings_of_stripes_sdk_are_left_alone(raw_provider: StripeProvider) -> None:
    assert stripe.api_key is None
    assert stripe.default_http_client is None
