"""What happens at the simulator without a call of ours: by the passing of its own time, or in its dashboard."""

import httpx
import pytest

from kassa_sdk import Declined, Succeeded


@pytest.fixture
def simulator(own_simulator):
    """A simulator of its own for each test here, because its clock cannot be turned back."""
    return own_simulator()


@pytest.fixture
def shop(shop_of, simulator):
    return shop_of(simulator)


@pytest.mark.parametrize(
    ("scenario", "condition", "authorized", "captured"),
    [
        ("pending", "authorized", 10_000, 0),
        ("instructions", "authorized", 10_000, 10_000),
        ("pending_declined", "declined", 0, 0),
        ("pending_expired", "expired", 0, 0),
    ],
)
def test_a_pending_payment_ends_as_its_scenario_says_after_two_days(
    shop, simulator, scenario, condition, authorized, captured
):
    payment_id = shop.created(scenario)
    shop.authorize(payment_id)
    simulator.control.advance_clock(days=1.9)
    assert shop.look_up(payment_id=payment_id).facts.condition == "pending"
    simulator.control.advance_clock(days=0.2)
    facts = shop.look_up(payment_id=payment_id).facts
    assert (facts.condition, facts.authorized.minor, facts.captured.minor) == (condition, authorized, captured)


@pytest.mark.parametrize(
    ("verb", "scenario", "status"),
    [
        ("capture", "capture_pending", "succeeded"),
        ("refund", "refund_pending", "succeeded"),
        ("refund", "refund_failed", "failed"),
    ],
)
def test_a_capture_or_refund_under_way_ends_as_its_scenario_says_after_a_day(shop, simulator, verb, scenario, status):
    payment_id = shop.authorized(scenario) if verb == "capture" else shop.captured(scenario)
    getattr(shop, verb)(payment_id, 4_000)
    simulator.control.advance_clock(days=1.1)
    facts = shop.look_up(payment_id=payment_id).facts
    (movement,) = facts.captures if verb == "capture" else facts.refunds
    assert movement.status == status


def test_an_action_that_nobody_answers_expires_after_a_day(shop, simulator):
    payment_id = shop.created("redirect")
    shop.authorize(payment_id)
    simulator.control.advance_clock(days=1.1)
    outcome = shop.action(payment_id)
    assert isinstance(outcome, Declined) and outcome.code == "expired"


def test_a_hold_expires_after_seven_days_and_leaves_what_was_captured(shop, simulator):
    payment_id = shop.authorized()
    shop.capture(payment_id, 4_000)
    simulator.control.advance_clock(days=7.1)
    facts = shop.look_up(payment_id=payment_id).facts
    assert (facts.condition, facts.captured.minor) == ("expired", 4_000)
    assert isinstance(shop.capture(payment_id, 1_000), Declined)
    assert isinstance(shop.refund(payment_id, 4_000), Succeeded)


def test_time_survives_a_restart(shop, simulator):
    payment_id = shop.created("pending")
    simulator.control.advance_clock(days=30)
    simulator.restart()
    outcome = shop.authorize(payment_id)
    simulator.restart()
    assert shop.action(payment_id).expected_by == outcome.expected_by


@pytest.mark.parametrize("amount", [None, 9_000, 11_000])
def test_a_pending_payment_can_be_settled_with_any_amount(shop, simulator, amount):
    payment_id = shop.created("instructions")
    shop.authorize(payment_id)
    simulator.control.do("settle", payment_id, amount=amount)
    assert shop.look_up(payment_id=payment_id).facts.captured.minor == (amount or 10_000)


@pytest.mark.parametrize(
    ("deed", "condition"), [("decline", "declined"), ("expire", "expired"), ("cancel", "canceled")]
)
def test_a_payment_can_end_elsewhere_and_late_money_can_still_arrive(shop, simulator, deed, condition):
    payment_id = shop.created("pending")
    shop.authorize(payment_id)
    simulator.control.do(deed, payment_id)
    assert shop.look_up(payment_id=payment_id).facts.condition == condition
    simulator.control.do("settle", payment_id)
    assert shop.look_up(payment_id=payment_id).facts.condition == "authorized"


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_a_capture_or_refund_in_the_dashboard_has_no_key(shop, simulator, verb):
    payment_id = getattr(shop, {"capture": "authorized", "refund": "captured"}[verb])()
    simulator.control.do(verb, payment_id, amount=1_500, currency="EUR")
    facts = shop.look_up(payment_id=payment_id).facts
    (movement,) = facts.refunds if verb == "refund" else facts.captures
    assert (movement.attempt_key, movement.amount.minor) == (None, 1_500)


def test_a_debit_can_be_returned(shop, simulator):
    payment_id = shop.captured()
    simulator.control.do("return", payment_id, amount=10_000)
    assert shop.look_up(payment_id=payment_id).facts.returned.minor == 10_000


@pytest.mark.parametrize(("deed", "status"), [("win_dispute", "won"), ("lose_dispute", "lost")])
def test_a_dispute_can_be_opened_and_decided(shop, simulator, deed, status):
    payment_id = shop.captured()
    simulator.control.do("open_dispute", payment_id, amount=6_000)
    (opened,) = shop.look_up(payment_id=payment_id).facts.disputes
    assert (opened.amount.minor, opened.status) == (6_000, "open")
    simulator.control.do(deed, payment_id)
    assert shop.look_up(payment_id=payment_id).facts.disputes == (opened.model_copy(update={"status": status}),)


def test_two_disputes_of_one_payment_are_two_and_are_decided_in_their_order(shop, simulator):
    payment_id = shop.captured()
    for deed in ("open_dispute", "open_dispute", "lose_dispute", "win_dispute"):
        simulator.control.do(deed, payment_id, amount=3_000)
    disputes = shop.look_up(payment_id=payment_id).facts.disputes
    assert len({dispute.provider_reference for dispute in disputes}) == 2
    assert [dispute.status for dispute in disputes] == ["lost", "won"]


def test_a_dispute_that_is_decided_is_not_decided_again(shop, simulator):
    payment_id = shop.captured()
    simulator.control.do("open_dispute", payment_id)
    simulator.control.do("lose_dispute", payment_id)
    with pytest.raises(httpx.HTTPStatusError):
        simulator.control.do("win_dispute", payment_id)


@pytest.mark.parametrize(("deed", "status"), [("settle_movement", "succeeded"), ("fail_movement", "failed")])
def test_a_movement_under_way_can_be_settled_or_failed(shop, simulator, deed, status):
    payment_id = shop.authorized("capture_pending")
    (movement,) = shop.capture(payment_id, 4_000).facts.captures
    simulator.control.do(deed, payment_id, movement_id=movement.provider_reference)
    assert shop.look_up(payment_id=payment_id).facts.captures[0].status == status


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("capture", {"amount": 10_001, "currency": "EUR"}),
        ("refund", {"amount": 1, "currency": "EUR"}),
        ("return", {"amount": 1}),
        ("open_dispute", {"amount": 1}),
        ("win_dispute", {}),
        ("decline", {"code": "bad_mood"}),
        ("fail_movement", {"movement_id": "simcap_0"}),
        ("gift", {}),
    ],
)
def test_what_cannot_happen_to_a_payment_is_refused(shop, simulator, deed, told):
    payment_id = shop.authorized()
    with pytest.raises(httpx.HTTPStatusError):
        simulator.control.do(deed, payment_id, **told)
