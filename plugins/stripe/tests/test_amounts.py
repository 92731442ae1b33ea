"""Amounts on the wire, as Stripe documents them for each currency."""

import json

import pytest
from stripe_answers import intent
from stripe_requests import Ask
from stripe_servers import RawServer, answer
from stripe_wire import Wire

from kassa_sdk import Money, Succeeded, Unsupported, exponent_of
from kassa_stripe import StripeProvider
from kassa_stripe.manifest import CURRENCIES

# 500 of each currency's own units (https://docs.stripe.com/currencies), as text and as Stripe's number.
EXAMPLES = [
    ("EUR", "49.99", 4_999),
    ("JPY", "500", 500),
    ("KWD", "5.120", 5_120),
    ("ISK", "5", 500),
    ("UGX", "5", 500),
    ("MGA", "500", 500),
    ("HUF", "10.45", 1_045),
    ("TWD", "800.45", 80_045),
    ("KRW", "500", 500),
    ("XOF", "500", 500),
]


@pytest.mark.parametrize(("currency", "text", "expected"), EXAMPLES)
def test_each_currency_is_written_and_read_as_stripe_counts_it(
    currency: str, text: str, expected: int, raw: RawServer, raw_provider: StripeProvider, ask: Ask, wire: Wire
) -> None:
    amount = Money.parse(text, currency)
    held = intent(currency=currency.lower(), amount=expected, amount_capturable=expected)
    raw.then(answer(json.dumps(held)))
    raw_provider.initiate(ask.initiate(amount))
    sent = wire.last().parameters()
    assert (sent["amount"], sent["currency"]) == (str(expected), currency.lower())
    outcome = raw_provider.authorize(ask.authorize("pi_1"))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.authorized == amount


@pytest.mark.parametrize(
    "amount", [Money(5_124, "KWD"), Money(150, "MGA"), Money(1_000, "IQD"), Money(1_000, "CLF"), Money(1_000, "LYD")]
)
def test_an_amount_that_stripe_does_not_take_is_refused_before_anything_is_sent(
    amount: Money, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    with pytest.raises(Unsupported, match=amount.currency):
        raw_provider.initiate(ask.initiate(amount))
    assert raw.requests == []


def test_every_declared_currency_can_be_paid_with() -> None:
    assert len(CURRENCIES) > 135
    assert all(exponent_of(currency) in (0, 2, 3) for currency in CURRENCIES)
