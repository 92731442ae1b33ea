"""What each answer of Stripe means, in the shapes that localstripe does not have."""

import json
from typing import Any

import pytest
from stripe_answers import charge, error, intent, page, refund
from stripe_requests import Ask, MakeProvider
from stripe_servers import RawServer, answer
from stripe_wire import Wire

from kassa_sdk import (
    ActionRequired,
    Challenge,
    Declined,
    Found,
    Money,
    NotFound,
    Pending,
    Redirect,
    Succeeded,
    Unknown,
)
from kassa_stripe import StripeProvider


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


def says(raw: RawServer, *things: dict[str, Any] | str) -> None:
    raw.then(*(answer(thing if isinstance(thing, str) else json.dumps(thing)) for thing in things))


def test_a_bank_that_wants_the_shopper_on_its_own_page_is_a_redirect(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    next_action = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank.example/3ds", "return_url": "x"}}
    says(raw, intent(status="requires_action", next_action=next_action))
    outcome = raw_provider.authorize(ask.authorize("pi_1"))
    assert isinstance(outcome, ActionRequired)
    assert outcome.action == Redirect(url="https://bank.example/3ds")


@pytest.mark.parametrize("type", ["use_stripe_sdk", "wechat_pay_display_qr_code", "some_day_there_will_be"])
def test_every_other_next_action_is_left_to_stripe_js(
    type: str, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    says(raw, intent(status="requires_action", next_action={"type": type, type: {}}))
    outcome = raw_provider.authorize(ask.authorize("pi_1"))
    assert isinstance(outcome, ActionRequired)
    assert outcome.action == Challenge(
        script="stripe.js",
        parameters={
            "client_secret": "pi_1_secret_Canary4713",
            "publishable_key": "pk_test_1",
            "next_action": type,
        },
    )


def test_every_action_that_can_be_required_is_declared() -> None:
    assert StripeProvider.manifest.actions == {"challenge", "redirect"}


def test_a_debit_that_takes_days_is_pending(raw: RawServer, raw_provider: StripeProvider, ask: Ask) -> None:
    says(raw, intent(status="processing", amount_capturable=0, capture_method="automatic"))
    outcome = raw_provider.authorize(ask.authorize("pi_1"))
    assert isinstance(outcome, Pending)
    assert outcome.facts.condition == "pending"
    assert StripeProvider.manifest.settles_later


@pytest.mark.parametrize("reason", [None, "automatic", "abandoned"])
def test_a_canceled_intent_cannot_be_paid_any_more(
    reason: str | None, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    says(raw, intent(status="canceled", cancellation_reason=reason))
    outcome = raw_provider.authorize(ask.authorize("pi_1"))
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.retryable) == (reason or "canceled", False)


def test_another_amount_and_another_currency_are_told_as_they_are(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    says(raw, intent(amount=500, amount_capturable=500, currency="jpy"))
    outcome = raw_provider.authorize(ask.authorize("pi_1"))
    assert isinstance(outcome, Succeeded)
    assert outcome.facts.authorized == Money(500, "JPY")


def test_the_return_url_goes_along_where_the_server_confirms(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask, wire: Wire
) -> None:
    says(raw, intent(status="requires_confirmation"), intent())
    raw_provider.authorize(ask.authorize("pi_1", return_url="https://shop.example/back"))
    assert wire.last().path == "/v1/payment_intents/pi_1/confirm"
    assert wire.last().parameters()["return_url"] == "https://shop.example/back"


def test_the_types_that_may_be_used_to_pay_go_along_only_when_they_are_configured(
    make_provider: MakeProvider, raw: RawServer, ask: Ask, wire: Wire
) -> None:
    says(raw, intent(status="requires_payment_method"))
    make_provider(raw.url).initiate(ask.initiate())
    assert not [name for name in wire.last().parameters() if "types" in name]
    make_provider(raw.url, allowed_payment_method_types=["card", "ideal"]).initiate(ask.initiate())
    assert wire.last().parameters()["allowed_payment_method_types"] == ["card", "ideal"]


@pytest.mark.parametrize("payment_method", ["cus_1", "pm_1&amount=1", "", "pm_", "x" * 300])
def test_what_the_storefront_sends_is_a_payment_method_or_nothing(
    payment_method: str, raw: RawServer, raw_provider: StripeProvider, ask: Ask, wire: Wire
) -> None:
    says(raw, intent(status="requires_payment_method"))
    raw_provider.initiate(ask.initiate(payment_method=payment_method, customer="cus_2"))
    assert not {"payment_method", "customer"} & set(wire.last().parameters())


def test_a_capture_under_way_is_pending(raw: RawServer, raw_provider: StripeProvider, ask: Ask) -> None:
    says(raw, intent(status="processing"))
    assert isinstance(raw_provider.capture(ask.capture("pi_1", 3_000)), Pending)


@pytest.mark.parametrize("status", ["requires_capture", "canceled", "requires_action"])
def test_a_capture_that_captured_nothing_is_in_doubt(
    status: str, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    says(raw, intent(status=status))
    assert isinstance(raw_provider.capture(ask.capture("pi_1", 3_000)), Unknown)


def test_a_capture_is_told_with_the_amount_that_stripe_took(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    says(raw, intent(status="succeeded", amount_received=2_999, latest_charge=charge(amount_captured=2_999)))
    outcome = raw_provider.capture(ask.capture("pi_1", 3_000))
    assert isinstance(outcome, Succeeded)
    assert [capture.amount for capture in outcome.facts.captures] == [euros(2_999)]


@pytest.mark.parametrize("status", ["pending", "requires_action"])
def test_a_refund_under_way_is_pending(status: str, raw: RawServer, raw_provider: StripeProvider, ask: Ask) -> None:
    says(raw, refund(status=status))
    outcome = raw_provider.refund(ask.refund("pi_1", 4_000))
    assert isinstance(outcome, Pending)
    assert [(each.status, each.attempt_key) for each in outcome.facts.refunds] == [("pending", "refund-1")]


@pytest.mark.parametrize(
    ("status", "failure", "code"),
    [("failed", "expired_or_canceled_card", "expired_or_canceled_card"), ("canceled", None, "refund_canceled")],
)
def test_a_refund_that_failed_is_declined(
    status: str, failure: str | None, code: str, raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    says(raw, refund(status=status, failure_reason=failure))
    outcome = raw_provider.refund(ask.refund("pi_1", 4_000))
    assert isinstance(outcome, Declined)
    assert outcome.code == code


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        ("duplicate", {"reason": "duplicate"}),
        ("fraudulent", {"reason": "fraudulent"}),
        ("requested_by_customer", {"reason": "requested_by_customer"}),
        (None, {}),
        ("too small", {"kassa_reason": "too small"}),
        ("x" * 600, {"kassa_reason": "x" * 500}),
    ],
)
def test_stripes_reasons_are_sent_as_such_and_all_others_as_metadata(
    reason: str | None, sent: dict[str, str], raw: RawServer, raw_provider: StripeProvider, ask: Ask, wire: Wire
) -> None:
    says(raw, refund())
    raw_provider.refund(ask.refund("pi_1", 4_000, reason=reason))
    parameters = wire.last().parameters()
    told = {**parameters.pop("metadata"), **parameters}
    assert {name: told[name] for name in ("reason", "kassa_reason") if name in told} == sent


def test_a_cancel_while_the_bank_is_working_is_pending(raw: RawServer, raw_provider: StripeProvider, ask: Ask) -> None:
    refused = answer(error("invalid_request_error", "payment_intent_unexpected_state"), 400)
    raw.then(refused, answer(json.dumps(intent(status="processing"))))
    assert isinstance(raw_provider.cancel(ask.cancel("pi_1")), Pending)


def test_a_cancel_that_left_the_hold_is_in_doubt(raw: RawServer, raw_provider: StripeProvider, ask: Ask) -> None:
    says(raw, intent())
    assert isinstance(raw_provider.cancel(ask.cancel("pi_1")), Unknown)


def test_a_look_up_tells_releases_and_refunds_apart(raw: RawServer, raw_provider: StripeProvider, ask: Ask) -> None:
    says(
        raw,
        intent(status="succeeded", amount_received=3_000, latest_charge=charge(amount_captured=3_000)),
        page(
            refund(id="re_release", amount=7_000, metadata={}, balance_transaction=None),
            refund(id="re_named", amount=7_000, metadata={}, reason="partial_capture"),
            refund(id="re_dashboard", amount=1_000, metadata={}),
            refund(id="re_ours", amount=500),
            refund(id="re_pending", amount=250, status="pending", balance_transaction=None),
            refund(id="re_failed", amount=125, status="failed"),
        ),
    )
    outcome = raw_provider.look_up(ask.look_up("pi_1"))
    assert isinstance(outcome, Found)
    assert [each.provider_reference for each in outcome.facts.refunds] == [
        "re_dashboard",
        "re_ours",
        "re_pending",
        "re_failed",
    ]
    assert outcome.facts.refunded == euros(1_500)
    assert outcome.facts.authorized == euros(10_000)


def test_a_look_up_reads_every_page_of_refunds(raw: RawServer, raw_provider: StripeProvider, ask: Ask) -> None:
    first = json.loads(page(refund(id="re_1")))
    says(
        raw,
        intent(status="succeeded", amount_received=10_000, latest_charge=charge()),
        {**first, "has_more": True, "url": "/v1/refunds"},
        page(refund(id="re_2")),
    )
    outcome = raw_provider.look_up(ask.look_up("pi_1"))
    assert isinstance(outcome, Found)
    assert outcome.facts.refunded == euros(8_000)


def test_a_look_up_of_a_challenge_shows_the_challenge_again(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    says(raw, intent(status="requires_action", next_action={"type": "use_stripe_sdk"}))
    outcome = raw_provider.look_up(ask.look_up("pi_1"))
    assert isinstance(outcome, Found)
    assert isinstance(outcome.action, Challenge)


def test_what_is_not_among_the_newest_is_searched(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask, wire: Wire
) -> None:
    found = json.dumps({"object": "search_result", "data": [intent()], "has_more": False, "url": "/x"})
    says(raw, page(intent(metadata={"kassa_reference": "payses_2"})), found, intent())
    assert isinstance(raw_provider.look_up(ask.look_up(None)), Found)
    newest, search, retrieve = wire.sent
    assert newest.path == "/v1/payment_intents"
    assert search.parameters()["query"] == "metadata['kassa_reference']:'payses_1'"
    assert retrieve.path == "/v1/payment_intents/pi_1"


def test_a_search_that_finds_somebody_elses_payment_finds_nothing(
    raw: RawServer, raw_provider: StripeProvider, ask: Ask
) -> None:
    stranger = intent(metadata={"kassa_reference": "payses_10"})
    found = json.dumps({"object": "search_result", "data": [stranger], "has_more": False, "url": "/x"})
    says(raw, page(), found)
    assert raw_provider.look_up(ask.look_up(None)) == NotFound()


def test_not_found_proves_nothing_and_the_manifest_says_so() -> None:
    look_up = StripeProvider.manifest.look_up
    assert look_up is not None
    assert look_up.proves_absence_after is None
