"""Each fault does what it says: to the caller, and to the books."""

import pytest

from kassa_sdk import Found, NotFound, NotSent, Succeeded, Unknown
from kassa_simulator.control import Fault

# What the caller is told, and how many captures are in the books afterwards.
CAPTURE_FAULTS = {
    Fault.ACT_THEN_SILENCE: (Unknown, 1),
    Fault.ACT_THEN_CUT: (Unknown, 1),
    Fault.CUT_BEFORE_ACTING: (Unknown, 0),
    Fault.SILENCE_BEFORE_ACTING: (Unknown, 0),
    Fault.ACT_LATE: (Unknown, 0),
    Fault.ANSWER_LATE: (Unknown, 1),
    Fault.SERVER_ERROR_AFTER_ACTING: (Unknown, 1),
    Fault.SERVER_ERROR_BEFORE_ACTING: (Unknown, 0),
    Fault.STORED_SERVER_ERROR: (Unknown, 1),
    Fault.TOO_MANY_REQUESTS: (NotSent, 0),
    Fault.UNAUTHORIZED: (NotSent, 0),
    Fault.WRONG_AMOUNT: (Succeeded, 1),
    Fault.WRONG_CURRENCY: (Succeeded, 1),
    Fault.MALFORMED_BODY: (Unknown, 1),
}


@pytest.fixture
def hasty_shop(shop_of, simulator):
    """A shop that does not wait long for an answer."""
    return shop_of(simulator, timeout_seconds=0.5)


def test_every_fault_is_tested():
    assert set(CAPTURE_FAULTS) | {Fault.NOT_FOUND_YET} == set(Fault)


@pytest.mark.parametrize("fault", CAPTURE_FAULTS)
def test_a_fault_happens_to_one_call_and_the_books_tell_whether_it_had_an_effect(hasty_shop, simulator, fault):
    outcome_type, effects = CAPTURE_FAULTS[fault]
    payment_id, key = hasty_shop.authorized(), hasty_shop.key()
    simulator.control.add_fault(fault, "capture", payment_id=payment_id)
    assert isinstance(hasty_shop.capture(payment_id, 4_000, key), outcome_type)
    assert len(simulator.control.effects("captured", attempt_key=key)) == effects
    assert simulator.control.faults() == []


@pytest.mark.parametrize("fault", [fault for fault in CAPTURE_FAULTS if fault is not Fault.STORED_SERVER_ERROR])
def test_resending_with_the_same_key_after_a_fault_has_one_effect(hasty_shop, simulator, fault):
    payment_id, key = hasty_shop.authorized(), hasty_shop.key()
    simulator.control.add_fault(fault, "capture", payment_id=payment_id)
    hasty_shop.capture(payment_id, 4_000, key)
    assert isinstance(hasty_shop.capture(payment_id, 4_000, key), Succeeded)
    simulator.control.act_late_calls()
    assert len(simulator.control.effects("captured", attempt_key=key)) == 1


@pytest.mark.parametrize("hook", ["initiate", "authorize", "update", "capture", "refund", "cancel"])
def test_every_operation_can_be_cut_after_it_acted(shop, simulator, hook):
    simulator.control.add_fault(Fault.ACT_THEN_CUT, hook)
    before = len(simulator.control.books())
    match hook:
        case "initiate":
            outcome = shop.initiate()
        case "authorize" | "cancel":
            outcome = getattr(shop, hook)(shop.created())
        case "update":
            outcome = shop.update(shop.created(), 5_000)
        case "capture":
            outcome = shop.capture(shop.authorized(), 5_000)
        case "refund":
            outcome = shop.refund(shop.captured(), 5_000)
    assert isinstance(outcome, Unknown)
    assert len(simulator.control.books()) > before


def test_a_late_call_acts_when_told(hasty_shop, simulator):
    payment_id, key = hasty_shop.authorized(), hasty_shop.key()
    simulator.control.add_fault(Fault.ACT_LATE, "capture")
    hasty_shop.capture(payment_id, 4_000, key)
    assert simulator.control.act_late_calls() == 1
    assert len(simulator.control.effects("captured", attempt_key=key)) == 1
    assert simulator.control.act_late_calls() == 0


def test_a_late_call_acts_by_itself_after_its_time(hasty_shop, simulator, eventually):
    payment_id, key = hasty_shop.authorized(), hasty_shop.key()
    simulator.control.add_fault(Fault.ACT_LATE, "capture", seconds=1.5)
    hasty_shop.capture(payment_id, 4_000, key)
    assert simulator.control.effects("captured", attempt_key=key) == []
    assert eventually(lambda: len(simulator.control.effects("captured", attempt_key=key)) == 1)


def test_a_late_answer_still_arrives(shop, simulator):
    simulator.control.add_fault(Fault.ANSWER_LATE, "capture", seconds=0.2)
    assert isinstance(shop.capture(shop.authorized(), 4_000), Succeeded)


def test_a_stored_server_error_is_replayed_and_a_look_up_tells_the_truth(shop, simulator):
    payment_id, key = shop.authorized(), shop.key()
    simulator.control.add_fault(Fault.STORED_SERVER_ERROR, "capture")
    outcomes = [shop.capture(payment_id, 4_000, key) for _ in range(3)]
    assert all(isinstance(outcome, Unknown) for outcome in outcomes)
    assert shop.look_up(payment_id=payment_id).facts.captured.minor == 4_000


def test_a_wrong_amount_is_passed_on_for_the_engine_to_see(shop, simulator):
    simulator.control.add_fault(Fault.WRONG_AMOUNT, "capture")
    (movement,) = shop.capture(shop.authorized(), 4_000).facts.captures
    assert movement.amount.minor != 4_000


def test_a_wrong_currency_is_passed_on_for_the_engine_to_see(shop, simulator):
    simulator.control.add_fault(Fault.WRONG_CURRENCY, "authorize")
    assert shop.authorize(shop.created()).facts.authorized.currency == "USD"


def test_a_lagging_look_up_does_not_find_what_exists_until_it_does(shop, simulator):
    payment_id = shop.authorized()
    simulator.control.add_fault(Fault.NOT_FOUND_YET, calls=3)
    assert shop.look_up(payment_id=payment_id) == NotFound()
    assert shop.look_up(our_reference=shop.references[payment_id]) == NotFound()  # asks by key, then by reference
    assert isinstance(shop.look_up(payment_id=payment_id), Found)


def test_a_fault_waits_for_the_payment_it_is_meant_for(shop, simulator):
    meant, other = shop.authorized(), shop.authorized()
    simulator.control.add_fault(Fault.UNAUTHORIZED, our_reference=shop.references[meant])
    assert isinstance(shop.capture(other, 1_000), Succeeded)
    assert isinstance(shop.capture(meant, 1_000), NotSent)


def test_a_fault_waits_for_the_attempt_it_is_meant_for(shop, simulator):
    payment_id, key = shop.authorized(), shop.key()
    simulator.control.add_fault(Fault.UNAUTHORIZED, attempt_key=key)
    assert isinstance(shop.capture(payment_id, 1_000), Succeeded)
    assert isinstance(shop.capture(payment_id, 1_000, key), NotSent)


def test_faults_last_for_as_many_calls_as_told_or_until_they_are_cleared(shop, simulator):
    payment_id = shop.authorized()
    simulator.control.add_fault(Fault.TOO_MANY_REQUESTS, "capture", calls=2)
    outcomes = [type(shop.capture(payment_id, 1_000)) for _ in range(3)]
    assert outcomes == [NotSent, NotSent, Succeeded]
    simulator.control.add_fault(Fault.TOO_MANY_REQUESTS, "capture", calls=None)
    assert all(isinstance(shop.capture(payment_id, 1_000), NotSent) for _ in range(5))
    simulator.control.clear_faults()
    assert isinstance(shop.capture(payment_id, 1_000), Succeeded)


def test_a_server_that_is_gone_was_never_reached(own_simulator, shop_of):
    simulator = own_simulator()
    shop = shop_of(simulator)
    payment_id = shop.authorized()
    simulator.kill()
    assert isinstance(shop.capture(payment_id, 1_000), NotSent)
    assert isinstance(shop.look_up(payment_id=payment_id), NotSent)
    simulator.restart()
    assert isinstance(shop.capture(payment_id, 1_000), Succeeded)
