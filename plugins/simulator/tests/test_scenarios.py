"""Each scenario ends as the table in the README says, and what is not allowed is refused."""

import pytest

from kassa_sdk import Declined, Found, Money, NotFound, Pending, Succeeded
from kassa_simulator.server.scenarios import SCRIPTS, Scenario

AUTHORIZES = (
    Scenario.APPROVE,
    Scenario.CAPTURE_DECLINED,
    Scenario.CAPTURE_PENDING,
    Scenario.REFUND_DECLINED,
    Scenario.REFUND_PENDING,
    Scenario.REFUND_FAILED,
)


def test_every_scenario_has_a_script():
    assert set(SCRIPTS) == set(Scenario)


def test_initiating_tells_the_reference_and_nothing_about_money(shop):
    outcome = shop.initiate()
    assert isinstance(outcome, Succeeded)
    assert list(outcome.facts.amounts()) == []
    assert outcome.data == {"scenario": "approve", "payment_id": outcome.facts.provider_reference}


def test_an_unknown_scenario_is_refused_with_the_names_of_those_that_exist(shop):
    outcome = shop.initiate("aprove")
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.retryable) == ("unknown_scenario", False)
    assert "'aprove'" in outcome.reason and "immediate_sale" in outcome.reason


def test_a_payment_can_be_declined_when_it_is_initiated(shop):
    outcome = shop.initiate("initiate_declined")
    assert isinstance(outcome, Declined) and outcome.code == "account_blocked"


@pytest.mark.parametrize("scenario", AUTHORIZES)
def test_an_authorization_holds_the_amount_and_takes_nothing(shop, scenario):
    outcome = shop.authorize(shop.created(scenario))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.condition == "authorized"
    assert (outcome.facts.authorized, outcome.facts.captured) == (Money(10_000, "EUR"), Money(0, "EUR"))


def test_an_immediate_sale_takes_the_money_with_the_authorization(shop):
    outcome = shop.authorize(shop.created("immediate_sale"))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.authorized == outcome.facts.captured == Money(10_000, "EUR")
    assert [movement.amount for movement in outcome.facts.captures] == [Money(10_000, "EUR")]


@pytest.mark.parametrize(
    ("scenario", "code", "retryable"),
    [
        ("decline", "card_declined", True),
        ("insufficient_funds", "insufficient_funds", True),
        ("expired_card", "expired_card", True),
        ("stolen_card", "stolen_card", False),
    ],
)
def test_a_decline_names_its_code_and_whether_the_shopper_may_try_again(shop, scenario, code, retryable):
    payment_id = shop.created(scenario)
    outcome = shop.authorize(payment_id)
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.retryable, outcome.provider_reference) == (code, retryable, payment_id)


@pytest.mark.parametrize("scenario", ["pending", "pending_declined", "pending_expired", "instructions"])
def test_a_slow_payment_is_pending_and_says_when_to_look_again(shop, scenario):
    outcome = shop.authorize(shop.created(scenario))
    assert isinstance(outcome, Pending)
    assert outcome.expected_by is not None
    assert outcome.facts.condition == "pending"


@pytest.mark.parametrize("minor", [1, 4_000, 10_000])
def test_a_capture_takes_exactly_the_amount_and_carries_our_key(shop, minor):
    outcome = shop.capture(shop.authorized(), minor, key=(key := shop.key()))
    assert isinstance(outcome, Succeeded)
    (movement,) = outcome.facts.captures
    assert (movement.amount.minor, movement.attempt_key, movement.status) == (minor, key, "succeeded")


def test_captures_and_refunds_may_be_many(shop):
    payment_id = shop.authorized()
    assert all(isinstance(shop.capture(payment_id, minor), Succeeded) for minor in (1_000, 2_000, 7_000))
    assert all(isinstance(shop.refund(payment_id, minor), Succeeded) for minor in (500, 9_500))
    facts = shop.look_up(payment_id=payment_id).facts
    assert (facts.captured.minor, facts.refunded.minor) == (10_000, 10_000)
    assert (len(facts.captures), len(facts.refunds)) == (3, 2)


def test_more_than_was_authorized_cannot_be_captured(shop):
    payment_id = shop.authorized()
    assert isinstance(shop.capture(payment_id, 9_999), Succeeded)
    outcome = shop.capture(payment_id, 2)
    assert isinstance(outcome, Declined) and outcome.code == "over_capture"


def test_more_than_was_captured_cannot_be_refunded(shop):
    payment_id = shop.authorized()
    shop.capture(payment_id, 5_000)
    outcome = shop.refund(payment_id, 5_001)
    assert isinstance(outcome, Declined) and outcome.code == "over_refund"


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_another_currency_is_refused(shop, verb):
    payment_id = shop.captured()
    shop.currency = "USD"
    outcome = getattr(shop, verb)(payment_id, 100)
    assert isinstance(outcome, Declined) and outcome.code == "wrong_currency"


def test_another_amount_than_was_initiated_cannot_be_authorized(shop):
    outcome = shop.authorize(shop.created(minor=10_000), 9_999)
    assert isinstance(outcome, Declined) and outcome.code == "wrong_amount"


def test_nothing_can_be_captured_before_it_is_authorized(shop):
    outcome = shop.capture(shop.created(), 100)
    assert isinstance(outcome, Declined) and outcome.code == "wrong_status"


def test_a_payment_that_does_not_exist_is_refused(shop):
    outcome = shop.capture("simpay_0_nothing", 100)
    assert isinstance(outcome, Declined) and outcome.code == "unknown_payment"


def test_authorizing_an_authorized_payment_under_another_key_holds_nothing_more(shop, simulator):
    payment_id = shop.authorized()
    outcome = shop.authorize(payment_id)
    assert isinstance(outcome, Succeeded) and outcome.facts.authorized == Money(10_000, "EUR")
    assert [effect["type"] for effect in simulator.control.books() if effect.get("payment_id") == payment_id] == [
        "payment_created",
        "authorized",
    ]


def test_the_amount_can_change_until_the_payment_is_authorized(shop):
    payment_id = shop.created(minor=10_000)
    assert isinstance(shop.update(payment_id, 12_000), Succeeded)
    outcome = shop.authorize(payment_id, 12_000)
    assert isinstance(outcome, Succeeded) and outcome.facts.authorized == Money(12_000, "EUR")
    assert isinstance(shop.update(payment_id, 13_000), Declined)


@pytest.mark.parametrize("scenario", ["approve", "redirect", "pending", "decline"])
def test_a_payment_of_which_nothing_was_taken_can_be_canceled(shop, scenario):
    payment_id = shop.created(scenario)
    shop.authorize(payment_id)
    outcome = shop.cancel(payment_id)
    assert isinstance(outcome, Succeeded) and outcome.facts.condition == "canceled"
    assert isinstance(shop.capture(payment_id, 100), Declined)


def test_canceling_twice_is_canceled_once(shop, simulator):
    payment_id = shop.created()
    assert shop.cancel(payment_id) == shop.cancel(payment_id)
    canceled = [effect for effect in simulator.control.effects("canceled") if effect["payment_id"] == payment_id]
    assert len(canceled) == 1


def test_canceling_what_was_captured_tells_that_the_money_was_taken(shop):
    outcome = shop.cancel(shop.captured())
    assert isinstance(outcome, Succeeded)
    assert (outcome.facts.condition, outcome.facts.captured) == ("authorized", Money(10_000, "EUR"))


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_a_capture_or_refund_can_be_declined(shop, verb):
    scenario = f"{verb}_declined"
    payment_id = shop.authorized(scenario) if verb == "capture" else shop.captured(scenario)
    outcome = getattr(shop, verb)(payment_id, 10_000)
    assert isinstance(outcome, Declined) and outcome.code == f"{verb}_rejected"


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_a_capture_or_refund_under_way_counts_against_what_is_left(shop, verb):
    scenario = f"{verb}_pending"
    payment_id = shop.authorized(scenario) if verb == "capture" else shop.captured(scenario)
    outcome = getattr(shop, verb)(payment_id, 6_000)
    assert isinstance(outcome, Pending)
    (movement,) = outcome.facts.captures or outcome.facts.refunds
    assert (movement.status, movement.amount.minor) == ("pending", 6_000)
    assert isinstance(getattr(shop, verb)(payment_id, 6_000), Declined)


@pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD", "CLF"])
def test_amounts_of_every_currency_arrive_in_its_minor_units(shop_of, simulator, currency):
    shop = shop_of(simulator, currency=currency)
    outcome = shop.authorize(shop.created(minor=5_001), 5_001)
    assert outcome.facts.authorized == Money(5_001, currency)


def test_the_largest_amount_that_there_is_passes(shop):
    largest = 2**63 - 1
    assert shop.authorize(shop.created(minor=largest), largest).facts.authorized.minor == largest


@pytest.mark.parametrize("by", ["payment_id", "key", "our_reference"])
def test_a_look_up_finds_a_payment_with_every_capture_and_refund_and_their_keys(shop, by):
    payment_id = shop.authorized()
    capture_key, refund_key = shop.key(), shop.key()
    shop.capture(payment_id, 10_000, key=capture_key)
    shop.refund(payment_id, 4_000, key=refund_key)
    how = {"payment_id": payment_id, "key": refund_key, "our_reference": shop.references[payment_id]}
    outcome = shop.look_up(**{by: how[by]})
    assert isinstance(outcome, Found)
    assert [movement.attempt_key for movement in outcome.facts.captures] == [capture_key]
    assert [movement.attempt_key for movement in outcome.facts.refunds] == [refund_key]


@pytest.mark.parametrize("how", [{}, {"payment_id": "simpay_0_nothing"}])
def test_a_look_up_does_not_find_what_is_not_there(shop, how):
    assert shop.look_up(**how) == NotFound()
