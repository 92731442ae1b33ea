"""Webhooks: who may speak, and what is understood."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from stripe_answers import NOW, charge, dispute, event, intent, refund, signed
from stripe_requests import WEBHOOK_SECRET, Ask, MakeProvider

from kassa_sdk import BadSignature, Dispute, DisputeStatus, Money, Movement, Notice, PaymentFacts, RawNotice
from kassa_stripe import StripeProvider

if TYPE_CHECKING:
    from localstripe_server import LocalStripe, WebhookReceiver

HELD = event("payment_intent.amount_capturable_updated", intent())


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def listener(make_provider: MakeProvider) -> StripeProvider:
    """A provider that needs no server: a notice is read without asking anybody."""
    return make_provider("http://127.0.0.1:1")


def only(listener: StripeProvider, type: str, thing: dict[str, Any], **changes: Any) -> Notice:
    (notice,) = listener.read_notice(signed(event(type, thing, **changes), WEBHOOK_SECRET))
    return notice


def test_a_webhook_that_localstripe_signed_and_delivered_is_read(
    provider: StripeProvider, ask: Ask, localstripe: "LocalStripe", receiver: "WebhookReceiver", authorized: str
) -> None:
    localstripe.send_webhooks_to(receiver.url, WEBHOOK_SECRET)
    provider.capture(ask.capture(authorized, 3_000))
    arrived = receiver.next_about(authorized)
    raw = RawNotice(body=arrived.body, headers=arrived.headers, received_at=datetime.now(UTC))
    (notice,) = provider.read_notice(raw)
    assert notice.type == "payment_intent.succeeded"
    assert notice.event_id is not None
    assert notice.provider_reference == authorized
    assert notice.facts is not None
    assert notice.facts.our_reference == ask.our_reference
    assert notice.facts.captured == euros(3_000)
    assert [capture.attempt_key for capture in notice.facts.captures] == ["capture-1"]


def test_a_signed_event_tells_its_facts(listener: StripeProvider) -> None:
    (notice,) = listener.read_notice(signed(HELD, WEBHOOK_SECRET))
    assert notice == Notice(
        type="payment_intent.amount_capturable_updated",
        event_id="evt_1",
        provider_reference="pi_1",
        facts=PaymentFacts(
            provider_reference="pi_1",
            our_reference="payses_1",
            condition="authorized",
            authorized=euros(10_000),
            captured=euros(0),
        ),
    )


def test_one_changed_byte_is_a_bad_signature(listener: StripeProvider) -> None:
    raw = signed(HELD, WEBHOOK_SECRET)
    position = raw.body.index(b"10000")
    tampered = raw.model_copy(update={"body": raw.body[:position] + b"2" + raw.body[position + 1 :]})
    with pytest.raises(BadSignature):
        listener.read_notice(tampered)


@pytest.mark.parametrize("secret", ["whsec_SomebodyElse", "x"])
def test_another_secret_is_a_bad_signature(listener: StripeProvider, secret: str) -> None:
    with pytest.raises(BadSignature):
        listener.read_notice(signed(HELD, secret))


@pytest.mark.parametrize("header", ["", "nonsense", "t=1", "v1=abc", "t=x,v1=abc", "t=1,v0=abc", "t=,v1="])
def test_a_header_that_is_no_signature_is_a_bad_signature(listener: StripeProvider, header: str) -> None:
    raw = signed(HELD, WEBHOOK_SECRET).model_copy(update={"headers": {"stripe-signature": header}})
    with pytest.raises(BadSignature):
        listener.read_notice(raw)


def test_a_missing_header_is_a_bad_signature(listener: StripeProvider) -> None:
    with pytest.raises(BadSignature):
        listener.read_notice(signed(HELD, WEBHOOK_SECRET).model_copy(update={"headers": {}}))


def test_bytes_that_are_no_text_are_a_bad_signature(listener: StripeProvider) -> None:
    with pytest.raises(BadSignature):
        listener.read_notice(signed(b"\xff\xfe{}", WEBHOOK_SECRET))


@pytest.mark.parametrize("age_seconds", [-301, 301, 86_400])
def test_a_signature_from_another_time_is_a_bad_signature(listener: StripeProvider, age_seconds: int) -> None:
    with pytest.raises(BadSignature, match="seconds"):
        listener.read_notice(signed(HELD, WEBHOOK_SECRET, age_seconds=age_seconds))


@pytest.mark.parametrize("age_seconds", [-300, 0, 300])
def test_five_minutes_are_allowed_both_ways(listener: StripeProvider, age_seconds: int) -> None:
    assert listener.read_notice(signed(HELD, WEBHOOK_SECRET, age_seconds=age_seconds))


def test_a_stored_notice_is_judged_by_when_it_came_in_and_not_by_when_it_is_read(listener: StripeProvider) -> None:
    assert abs(datetime.now(UTC) - NOW) > timedelta(seconds=0)
    assert listener.read_notice(signed(HELD, WEBHOOK_SECRET))


def test_while_a_secret_is_rotated_both_are_accepted(make_provider: MakeProvider) -> None:
    listener = make_provider("http://127.0.0.1:1", webhook_secret=["whsec_new", "whsec_old"])
    assert listener.read_notice(signed(HELD, "whsec_new"))
    assert listener.read_notice(signed(HELD, "whsec_old"))
    with pytest.raises(BadSignature):
        listener.read_notice(signed(HELD, WEBHOOK_SECRET))


def test_the_same_event_says_the_same_however_often_it_comes(listener: StripeProvider) -> None:
    raw = signed(HELD, WEBHOOK_SECRET)
    assert listener.read_notice(raw) == listener.read_notice(raw)


@pytest.mark.parametrize(
    "content",
    [
        event("customer.created", {"id": "cus_1", "object": "customer"}),
        event("some.day_there_will_be", intent()),
        event("payment_intent.succeeded", intent(), account="acct_somebody_else"),
        {"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered"},
        b"[1, 2]",
        b"not json",
    ],
)
def test_what_is_signed_but_tells_nothing_about_our_payments_is_no_notice(
    listener: StripeProvider, content: dict[str, Any] | bytes
) -> None:
    assert listener.read_notice(signed(content, WEBHOOK_SECRET)) == ()


@pytest.mark.parametrize(
    ("status", "changes", "condition"),
    [
        ("requires_payment_method", {}, "open"),
        ("requires_payment_method", {"last_payment_error": {"code": "card_declined"}}, "declined"),
        ("requires_confirmation", {}, "open"),
        ("requires_action", {}, "open"),
        ("processing", {}, "pending"),
        ("requires_capture", {}, "authorized"),
        ("succeeded", {}, "authorized"),
        ("canceled", {"cancellation_reason": "requested_by_customer"}, "canceled"),
        ("canceled", {"cancellation_reason": "automatic"}, "expired"),
        ("canceled", {"cancellation_reason": "expired"}, "expired"),
    ],
)
def test_each_status_of_an_intent_is_one_condition(
    listener: StripeProvider, status: str, changes: dict[str, Any], condition: str
) -> None:
    notice = only(listener, "payment_intent.created", intent(status=status, **changes))
    assert notice.facts is not None
    assert notice.facts.condition == condition


def test_an_amount_in_another_currency_is_told_in_that_currency(listener: StripeProvider) -> None:
    notice = only(listener, "payment_intent.succeeded", intent(currency="jpy", status="succeeded", amount_received=100))
    assert notice.facts is not None
    assert notice.facts.captured == Money(100, "JPY")


def test_an_amount_that_is_no_money_makes_the_engine_look(listener: StripeProvider) -> None:
    notice = only(listener, "payment_intent.succeeded", intent(currency="usdc"))
    assert (notice.provider_reference, notice.facts) == ("pi_1", None)


def test_a_refunded_charge_tells_both_totals(listener: StripeProvider) -> None:
    notice = only(listener, "charge.refunded", charge(amount_refunded=4_000))
    assert notice.facts is not None
    assert (notice.facts.captured, notice.facts.refunded) == (euros(10_000), euros(4_000))


def test_a_hold_that_was_given_up_is_not_money_that_went_back(listener: StripeProvider) -> None:
    voided = charge(captured=False, amount_captured=0, amount_refunded=10_000)
    notice = only(listener, "charge.refunded", voided)
    assert notice.facts is not None
    assert (notice.facts.captured, notice.facts.refunded) == (euros(0), euros(0))


def test_a_partly_captured_charge_with_refunds_makes_the_engine_look(listener: StripeProvider) -> None:
    notice = only(listener, "charge.refunded", charge(amount_captured=3_000, amount_refunded=7_000))
    assert (notice.provider_reference, notice.facts) == ("pi_1", None)


def test_an_expired_charge_expires_the_payment(listener: StripeProvider) -> None:
    notice = only(listener, "charge.expired", charge(captured=False, amount_captured=0, amount_refunded=10_000))
    assert notice.facts is not None
    assert notice.facts.condition == "expired"


def test_a_charge_without_an_intent_is_not_ours(listener: StripeProvider) -> None:
    raw = signed(event("charge.refunded", charge(payment_intent=None)), WEBHOOK_SECRET)
    assert listener.read_notice(raw) == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("succeeded", "succeeded"),
        ("pending", "pending"),
        ("requires_action", "pending"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_a_refund_tells_itself_with_our_key(listener: StripeProvider, status: str, expected: str) -> None:
    notice = only(listener, "refund.updated", refund(status=status))
    assert notice.facts is not None
    (movement,) = notice.facts.refunds
    assert (movement.amount, movement.status, movement.attempt_key) == (euros(4_000), expected, "refund-1")


def test_a_refund_from_the_dashboard_has_no_key(listener: StripeProvider) -> None:
    notice = only(listener, "refund.created", refund(metadata={}))
    assert notice.facts is not None
    assert notice.facts.refunds == (Movement(provider_reference="re_1", amount=euros(4_000)),)


@pytest.mark.parametrize("reason", ["expired_uncaptured_charge", "partial_capture"])
def test_the_release_of_a_hold_is_no_refund(listener: StripeProvider, reason: str) -> None:
    raw = signed(event("refund.created", refund(metadata={}, reason=reason)), WEBHOOK_SECRET)
    assert listener.read_notice(raw) == ()


def test_a_refund_that_moved_nothing_on_the_balance_makes_the_engine_look(listener: StripeProvider) -> None:
    notice = only(listener, "refund.created", refund(metadata={}, balance_transaction=None))
    assert (notice.provider_reference, notice.facts) == ("pi_1", None)


@pytest.mark.parametrize(
    ("type", "status", "told"),
    [
        ("charge.dispute.created", "needs_response", "open"),
        ("charge.dispute.updated", "under_review", "open"),
        ("charge.dispute.updated", "some_day_there_will_be", "open"),
        ("charge.dispute.closed", "lost", "lost"),
        ("charge.dispute.closed", "won", "won"),
    ],
)
def test_a_dispute_is_told_with_its_reference_its_amount_and_how_it_stands(
    listener: StripeProvider, type: str, status: str, told: DisputeStatus
) -> None:
    notice = only(listener, type, dispute(status=status))
    assert notice.facts is not None
    assert notice.facts.disputes == (Dispute(provider_reference="dp_1", amount=euros(10_000), status=told),)


@pytest.mark.parametrize("status", ["warning_needs_response", "warning_under_review", "warning_closed", "prevented"])
def test_a_question_of_the_bank_is_no_dispute(listener: StripeProvider, status: str) -> None:
    notice = only(listener, "charge.dispute.created", dispute(status=status))
    assert notice.facts == PaymentFacts(provider_reference="pi_1")


def test_the_order_of_events_does_not_change_what_each_says(listener: StripeProvider) -> None:
    events = [
        signed(event("payment_intent.created", intent(status="requires_payment_method")), WEBHOOK_SECRET),
        signed(HELD, WEBHOOK_SECRET),
        signed(event("charge.refunded", charge(amount_refunded=4_000)), WEBHOOK_SECRET),
        signed(event("refund.created", refund()), WEBHOOK_SECRET),
    ]
    expected = {raw.body: listener.read_notice(raw) for raw in events}
    for order in itertools.permutations(events):
        assert [listener.read_notice(raw) for raw in order] == [expected[raw.body] for raw in order]
