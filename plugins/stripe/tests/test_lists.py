"""The list of the account's payments: complete, page by page, and whatever is among them."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from stripe_answers import charge, dispute, error, intent, page, refund
from stripe_requests import Ask
from stripe_servers import RawServer, answer
from stripe_wire import Wire

from kassa_sdk import Dispute, Found, ListPaymentsRequest, Money, NotSent, PaymentFacts, PaymentPage, Unknown
from kassa_stripe import StripeProvider

if TYPE_CHECKING:
    from localstripe_server import LocalStripe

NOW = datetime.now(UTC)
AN_HOUR = timedelta(hours=1)
AROUND_NOW = ListPaymentsRequest(since=NOW - AN_HOUR, until=NOW + AN_HOUR)


def says(raw: RawServer, *things: dict[str, Any] | str) -> None:
    raw.then(*(answer(thing if isinstance(thing, str) else json.dumps(thing)) for thing in things))


def test_each_payment_is_listed_as_a_look_up_tells_it(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe", authorized: str
) -> None:
    provider.capture(ask.capture(authorized, 10_000))
    localstripe.post("/v1/refunds", payment_intent=authorized, amount="500").raise_for_status()
    found = provider.look_up(ask.look_up(authorized))
    assert isinstance(found, Found)
    assert provider.list_payments(AROUND_NOW) == PaymentPage(facts=(found.facts,))


def test_a_payment_that_somebody_else_made_with_the_account_is_listed_without_our_reference(
    provider: StripeProvider, localstripe: "LocalStripe"
) -> None:
    reference = localstripe.post("/v1/payment_intents", amount="700", currency="eur").json()["id"]
    listed = provider.list_payments(AROUND_NOW)
    assert isinstance(listed, PaymentPage)
    assert [(facts.provider_reference, facts.our_reference) for facts in listed.facts] == [(reference, None)]


def test_what_was_created_at_another_time_is_not_listed(provider: StripeProvider, authorized: str) -> None:
    before = ListPaymentsRequest(since=NOW - 2 * AN_HOUR, until=NOW - AN_HOUR)
    after = ListPaymentsRequest(since=NOW + AN_HOUR, until=NOW + 2 * AN_HOUR)
    assert provider.list_payments(before) == provider.list_payments(after) == PaymentPage()


def test_a_list_longer_than_a_page_goes_on_behind_the_last_payment_of_the_page(
    provider: StripeProvider, localstripe: "LocalStripe"
) -> None:
    created = [
        localstripe.post("/v1/payment_intents", amount=str(100 + number), currency="eur").json()["id"]
        for number in range(21)
    ]
    first = provider.list_payments(AROUND_NOW)
    assert isinstance(first, PaymentPage)
    last = provider.list_payments(AROUND_NOW.model_copy(update={"cursor": first.next_cursor}))
    assert isinstance(last, PaymentPage)
    assert (len(first.facts), len(last.facts), last.next_cursor) == (20, 1, None)
    assert {facts.provider_reference for facts in first.facts + last.facts} == set(created)


def test_the_seconds_of_stripe_are_asked_for_rounded_down_at_both_ends(
    raw: RawServer, raw_provider: StripeProvider, wire: Wire
) -> None:
    says(raw, page())
    since, until = (datetime.fromtimestamp(seconds, UTC) for seconds in (1_000.9, 2_000.1))
    raw_provider.list_payments(ListPaymentsRequest(since=since, until=until, cursor="pi_7"))
    assert wire.last().parameters() == {
        "created": {"gte": "1000", "lt": "2000"},
        "limit": "20",
        "expand": ["data.latest_charge"],
        "starting_after": "pi_7",
    }


def test_a_disputed_payment_is_listed_and_found_with_its_disputes(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    paid = intent(status="succeeded", amount_received=10_000, latest_charge=charge(disputed=True))
    disputes = page(dispute(status="lost"), dispute(id="dp_2", amount=1, status="warning_closed"))
    lost = Dispute(provider_reference="dp_1", amount=Money(10_000, "EUR"), status="lost")
    says(raw, page(paid), page(refund()), disputes)
    listed = raw_provider.list_payments(ask.list_payments())
    says(raw, paid, page(refund()), disputes)
    found = raw_provider.look_up(ask.look_up("pi_1"))
    assert isinstance(listed, PaymentPage)
    assert isinstance(found, Found)
    assert listed.facts == (found.facts,)
    assert found.facts.disputes == (lost,)


def test_a_payment_whose_amounts_cannot_be_read_does_not_hide_the_others(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    says(raw, page(intent(id="pi_odd", currency="xxx", metadata={"kassa_reference": "payses_7"}), intent()))
    listed = raw_provider.list_payments(ask.list_payments())
    assert isinstance(listed, PaymentPage)
    assert listed.facts[0] == PaymentFacts(provider_reference="pi_odd", our_reference="payses_7")
    assert listed.facts[1].authorized == Money(10_000, "EUR")


@pytest.mark.parametrize("status", [401, 429])
def test_a_list_that_was_turned_away_was_not_sent(
    status: int, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    raw.then(answer(error("invalid_request_error"), status))
    assert isinstance(raw_provider.list_payments(ask.list_payments()), NotSent)


def test_a_page_without_the_refunds_of_one_payment_is_no_page(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    paid = intent(status="succeeded", amount_received=10_000, latest_charge=charge())
    raw.then(answer(page(paid)), answer(error("api_error"), 500))
    assert isinstance(raw_provider.list_payments(ask.list_payments()), Unknown)
