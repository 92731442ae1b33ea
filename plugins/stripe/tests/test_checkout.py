"""From the session to the money, at localstripe."""

from typing import TYPE_CHECKING

import pytest
from stripe_requests import Ask, MakeProvider

from kassa_sdk import (
    ActionRequired,
    Challenge,
    Declined,
    Found,
    Money,
    Movement,
    NotFound,
    PaymentFacts,
    Succeeded,
)
from kassa_stripe import StripeProvider

if TYPE_CHECKING:
    from localstripe_server import LocalStripe

CHALLENGED_CARD = "4000002760003184"
DECLINED_CARD = "4000000000000341"


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


def test_a_session_gives_the_storefront_the_client_secret_and_the_publishable_key(
    provider: StripeProvider, ask: Ask
) -> None:
    outcome = provider.initiate(ask.initiate())
    assert isinstance(outcome, Succeeded)
    assert outcome.facts == PaymentFacts(
        provider_reference=outcome.facts.provider_reference, our_reference=ask.our_reference
    )
    assert outcome.data is not None
    assert str(outcome.data["client_secret"]).startswith(f"{outcome.facts.provider_reference}_secret_")
    assert outcome.data["publishable_key"] == "pk_test_1"
    assert (outcome.data["amount"], outcome.data["currency"]) == (10_000, "eur")


def test_completing_before_the_shopper_paid_asks_the_shopper_to_pay_with_stripe_js(
    provider: StripeProvider, ask: Ask, initiated: PaymentFacts
) -> None:
    outcome = provider.authorize(ask.authorize(initiated.provider_reference))
    assert isinstance(outcome, ActionRequired)
    assert isinstance(outcome.action, Challenge)
    assert outcome.action.script == "stripe.js"


def test_a_card_without_a_challenge_is_held_for_the_whole_amount(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe", initiated: PaymentFacts
) -> None:
    localstripe.shopper_pays(initiated.provider_reference, "4242424242424242")
    outcome = provider.authorize(ask.authorize(initiated.provider_reference))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.condition == "authorized"
    assert outcome.facts.authorized == euros(10_000)
    assert outcome.facts.captured == euros(0)
    assert outcome.facts.captures == ()


def test_a_challenged_card_is_held_after_the_shopper_has_authenticated(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe", initiated: PaymentFacts
) -> None:
    reference = initiated.provider_reference
    localstripe.shopper_pays(reference, CHALLENGED_CARD)
    challenged = provider.authorize(ask.authorize(reference))
    assert isinstance(challenged, ActionRequired)
    assert isinstance(challenged.action, Challenge)
    client_secret = str(challenged.action.parameters["client_secret"])
    assert challenged.action.parameters["publishable_key"] == "pk_test_1"

    localstripe.shopper_authenticates(reference, client_secret, success=True)
    outcome = provider.action(ask.action(reference))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.authorized == euros(10_000)
    assert isinstance(provider.authorize(ask.authorize(reference)), Succeeded)


def test_a_failed_authentication_is_declined_and_may_be_tried_again(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe", initiated: PaymentFacts
) -> None:
    reference = initiated.provider_reference
    localstripe.shopper_pays(reference, CHALLENGED_CARD)
    challenged = provider.authorize(ask.authorize(reference))
    assert isinstance(challenged, ActionRequired)
    assert isinstance(challenged.action, Challenge)
    localstripe.shopper_authenticates(reference, str(challenged.action.parameters["client_secret"]), success=False)
    outcome = provider.action(ask.action(reference))
    assert isinstance(outcome, Declined)
    assert outcome.code == "payment_intent_authentication_failure"
    assert outcome.retryable


def test_a_card_that_was_declined_in_the_browser_is_declined_with_stripes_code(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe", initiated: PaymentFacts
) -> None:
    assert localstripe.shopper_pays(initiated.provider_reference, DECLINED_CARD).status_code == 402
    outcome = provider.authorize(ask.authorize(initiated.provider_reference))
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.retryable) == ("card_declined", True)
    assert outcome.provider_reference == initiated.provider_reference


def test_a_payment_method_that_came_with_the_session_is_confirmed_only_when_the_cart_completes(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe"
) -> None:
    prepared = provider.initiate(ask.initiate(payment_method=localstripe.card("4242424242424242")))
    assert isinstance(prepared, Succeeded)
    assert prepared.data is not None
    assert prepared.data["status"] == "requires_confirmation"
    outcome = provider.authorize(ask.authorize(prepared.facts.provider_reference))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.authorized == euros(10_000)


def test_a_declined_payment_method_that_came_with_the_session_is_declined(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe"
) -> None:
    prepared = provider.initiate(ask.initiate(payment_method=localstripe.card(DECLINED_CARD)))
    assert isinstance(prepared, Succeeded)
    outcome = provider.authorize(ask.authorize(prepared.facts.provider_reference))
    assert isinstance(outcome, Declined)
    assert outcome.code == "card_declined"


def test_automatic_capture_takes_the_money_with_the_authorization(
    make_provider: MakeProvider, ask: Ask, localstripe: "LocalStripe"
) -> None:
    provider = make_provider(localstripe.url, capture="automatic")
    prepared = provider.initiate(ask.initiate(payment_method=localstripe.card("4242424242424242")))
    assert isinstance(prepared, Succeeded)
    outcome = provider.authorize(ask.authorize(prepared.facts.provider_reference))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.authorized == outcome.facts.captured == euros(10_000)
    assert [capture.attempt_key for capture in outcome.facts.captures] == [None]


def test_a_new_amount_is_what_the_shopper_then_pays(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe", initiated: PaymentFacts
) -> None:
    updated = provider.update(ask.update(initiated.provider_reference, euros(2_500)))
    assert isinstance(updated, Succeeded)
    assert updated.data is not None
    assert updated.data["amount"] == 2_500
    localstripe.shopper_pays(initiated.provider_reference, "4242424242424242")
    outcome = provider.authorize(ask.authorize(initiated.provider_reference))
    assert isinstance(outcome, Succeeded)
    # The request asked for 100.00: a difference is told as Stripe has it, never as it was asked for.
    assert outcome.facts.authorized == euros(2_500)


def test_a_partial_capture_takes_exactly_that_and_tells_what_was_held(
    provider: StripeProvider, ask: Ask, authorized: str
) -> None:
    outcome = provider.capture(ask.capture(authorized, 3_000))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.captured == euros(3_000)
    assert outcome.facts.authorized == euros(10_000)
    (movement,) = outcome.facts.captures
    assert (movement.amount, movement.attempt_key) == (euros(3_000), "capture-1")


def test_a_second_capture_is_refused_by_stripe(provider: StripeProvider, ask: Ask, authorized: str) -> None:
    provider.capture(ask.capture(authorized, 3_000))
    outcome = provider.capture(ask.capture(authorized, 1_000, key="capture-2"))
    assert isinstance(outcome, Declined)
    assert not outcome.retryable


def test_each_refund_gives_back_its_amount_under_its_own_key(
    provider: StripeProvider, ask: Ask, authorized: str
) -> None:
    provider.capture(ask.capture(authorized, 10_000))
    first = provider.refund(ask.refund(authorized, 4_000, key="refund-1"))
    second = provider.refund(ask.refund(authorized, 1_500, key="refund-2", reason="the left shoe was missing"))
    assert isinstance(first, Succeeded)
    assert isinstance(second, Succeeded)
    assert [(each.amount, each.attempt_key) for each in first.facts.refunds] == [(euros(4_000), "refund-1")]
    assert [(each.amount, each.attempt_key) for each in second.facts.refunds] == [(euros(1_500), "refund-2")]


def test_a_cancelled_hold_is_told_as_canceled_with_nothing_captured(
    provider: StripeProvider, ask: Ask, authorized: str
) -> None:
    outcome = provider.cancel(ask.cancel(authorized))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.condition == "canceled"
    assert outcome.facts.captured == euros(0)


def test_cancelling_twice_says_canceled_twice(provider: StripeProvider, ask: Ask, authorized: str) -> None:
    provider.cancel(ask.cancel(authorized))
    again = provider.cancel(ask.cancel(authorized, key="cancel-2"))
    assert isinstance(again, Succeeded)
    assert again.facts.condition == "canceled"


def test_cancelling_what_was_captured_tells_that_it_was_captured(
    provider: StripeProvider, ask: Ask, authorized: str
) -> None:
    provider.capture(ask.capture(authorized, 10_000))
    outcome = provider.cancel(ask.cancel(authorized))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.condition == "authorized"
    assert outcome.facts.captured == euros(10_000)
    assert [capture.attempt_key for capture in outcome.facts.captures] == ["capture-1"]


def test_a_look_up_tells_every_capture_and_refund_with_our_keys(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe", authorized: str
) -> None:
    provider.capture(ask.capture(authorized, 10_000))
    provider.refund(ask.refund(authorized, 4_000))
    elsewhere = localstripe.post("/v1/refunds", payment_intent=authorized, amount="500").json()["id"]
    outcome = provider.look_up(ask.look_up(authorized, hook="refund", key="refund-1"))
    assert isinstance(outcome, Found)
    assert outcome.facts.captured == euros(10_000)
    assert outcome.facts.refunded == euros(4_500)
    assert [capture.attempt_key for capture in outcome.facts.captures] == ["capture-1"]
    keys = {refund.attempt_key: refund.amount for refund in outcome.facts.refunds}
    assert keys == {"refund-1": euros(4_000), None: euros(500)}
    assert Movement(provider_reference=elsewhere, amount=euros(500)) in outcome.facts.refunds


def test_what_a_partial_capture_releases_is_no_refund(provider: StripeProvider, ask: Ask, authorized: str) -> None:
    provider.capture(ask.capture(authorized, 3_000))
    outcome = provider.look_up(ask.look_up(authorized))
    assert isinstance(outcome, Found)
    assert outcome.facts.refunded == euros(0)
    assert outcome.facts.refunds == ()


def test_a_payment_whose_reference_never_reached_us_is_found_by_our_own(
    provider: StripeProvider, ask: Ask, initiated: PaymentFacts
) -> None:
    outcome = provider.look_up(ask.look_up(None))
    assert isinstance(outcome, Found)
    assert outcome.facts.provider_reference == initiated.provider_reference
    assert outcome.facts.condition == "open"
    assert outcome.data is not None
    assert outcome.data["client_secret"]


def test_of_two_attempts_of_a_session_the_one_with_the_key_is_found(
    provider: StripeProvider, ask: Ask, initiated: PaymentFacts
) -> None:
    second = provider.initiate(ask.initiate(key="initiate-2"))
    assert isinstance(second, Succeeded)
    for key, reference in (
        ("initiate-1", initiated.provider_reference),
        ("initiate-2", second.facts.provider_reference),
    ):
        outcome = provider.look_up(ask.look_up(None, key=key))
        assert isinstance(outcome, Found)
        assert outcome.facts.provider_reference == reference


@pytest.mark.parametrize("reference", [None, "pi_neverexisted"])
def test_a_payment_that_does_not_exist_is_not_found(provider: StripeProvider, ask: Ask, reference: str | None) -> None:
    assert provider.look_up(ask.look_up(reference)) == NotFound()
