"""What is in doubt is settled by evidence: resent with its key, looked up, or laid before a person."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kassa import Engine, InvalidData, Money, NotAllowed, OrderPlaced, Processing, StillProcessing
from kassa.config import parse
from kassa.model import Operation
from kassa.opening import assemble
from kassa.transitions import OperationStatus, SessionStatus
from kassa_simulator.process import start_simulator
from kassa_simulator.server.faults import Fault

from ..conftest import TOML, Clock, Shop


def last_operation(engine: Engine, collection_id: str) -> Operation:
    """The newest operation of a collection."""
    return engine.list_operations(collection_id)[-1]


ACTED = [Fault.ACT_THEN_CUT, Fault.SERVER_ERROR_AFTER_ACTING, Fault.MALFORMED_BODY]
NOT_ACTED = [Fault.CUT_BEFORE_ACTING, Fault.SERVER_ERROR_BEFORE_ACTING]


@pytest.mark.parametrize("fault", [*ACTED, *NOT_ACTED])
def test_a_checkout_whose_client_never_returns_is_completed_with_one_authorization(
    timed: Shop, clock: Clock, fault: Fault
) -> None:
    cart = timed.cart()
    session = timed.session(cart)
    timed.simulator.control.add_fault(fault, "authorize")
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    clock.forward(seconds=10)
    timed.engine.work()
    clock.forward(minutes=2)
    timed.engine.work()
    assert timed.books(session, "authorized") == [5000]
    assert [order.cart_id for order in timed.engine.list_orders()] == [cart.id]


@pytest.mark.parametrize("fault", [*ACTED, *NOT_ACTED])
@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_money_moves_once_whatever_happened_to_the_answer(timed: Shop, clock: Clock, verb: str, fault: Fault) -> None:
    payment = timed.paid("100.00")
    if verb == "refund":
        timed.engine.capture_payment(payment.id)
    timed.simulator.control.add_fault(fault, verb)  # type: ignore[arg-type]  # one of the simulator's operations
    with pytest.raises(StillProcessing):
        getattr(timed.engine, f"{verb}_payment")(payment.id, Money.parse("40.00", "EUR"))
    clock.forward(seconds=10)
    (settled,) = timed.engine.work().operations
    assert settled.status is OperationStatus.SUCCEEDED
    session = timed.engine.retrieve_payment_session(payment.payment_session_id)
    assert timed.books(session, "captured" if verb == "capture" else "refunded") == [4000]
    after = timed.engine.retrieve_payment(payment.id).payment
    assert (after.capturing, after.refunding) == (Money(0, "EUR"), Money(0, "EUR"))


def test_a_resend_repeats_the_same_request_with_the_same_key(timed: Shop, clock: Clock) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
    with pytest.raises(StillProcessing):
        timed.engine.capture_payment(payment.id)
    before = last_operation(timed.engine, payment.payment_collection_id)
    clock.forward(seconds=10)
    timed.engine.work()
    after = last_operation(timed.engine, payment.payment_collection_id)
    assert (after.attempt_key, after.request) == (before.attempt_key, before.request)
    assert (after.sends, after.generation > before.generation) == (2, True)


def test_after_the_key_window_nothing_is_resent_but_looked_up(timed: Shop, clock: Clock) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
    with pytest.raises(StillProcessing):
        timed.engine.capture_payment(payment.id)
    clock.forward(hours=22)
    timed.simulator.control.forget_keys()
    (settled,) = timed.engine.work().operations
    assert (settled.status, settled.sends) == (OperationStatus.SUCCEEDED, 1)
    session = timed.engine.retrieve_payment_session(payment.payment_session_id)
    assert timed.books(session, "captured") == [10000]


def test_a_look_up_that_finds_nothing_frees_the_reservation_only_when_absence_is_proof(
    timed: Shop, clock: Clock
) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.add_fault(Fault.CUT_BEFORE_ACTING, "capture")
    with pytest.raises(StillProcessing):
        timed.engine.capture_payment(payment.id)
    clock.forward(hours=22)
    (settled,) = timed.engine.work().operations
    assert settled.status is OperationStatus.FAILED
    assert settled.cause is not None
    assert "its manifest makes proof" in settled.cause
    assert timed.engine.capture_payment(payment.id).captured == Money.parse("100.00", "EUR")


def test_nothing_fails_because_it_is_old(timed: Shop, clock: Clock) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.add_fault(Fault.SILENCE_BEFORE_ACTING, "capture", calls=None)
    timed.simulator.control.add_fault(Fault.SERVER_ERROR_BEFORE_ACTING, "look_up", calls=None)
    with pytest.raises(StillProcessing):
        timed.engine.capture_payment(payment.id)
    clock.forward(hours=23)
    for _ in range(30):
        timed.engine.work()
        clock.forward(hours=7)
    operation = last_operation(timed.engine, payment.payment_collection_id)
    assert operation.status is OperationStatus.REVIEW
    assert timed.engine.retrieve_payment(payment.id).payment.capturing == Money.parse("100.00", "EUR")
    assert "kassa.alarm.review" in [event.name for event in timed.engine.list_events(payment.payment_collection_id)]


def test_a_pending_payment_is_looked_up_until_it_is_there_and_then_ordered(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    session = timed.session(cart, "pending")
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    timed.simulator.control.do("settle", session.provider_reference or "")
    clock.forward(days=3)
    timed.engine.work()
    clock.forward(minutes=2)
    timed.engine.work()
    assert [order.cart_id for order in timed.engine.list_orders()] == [cart.id]


def test_an_operation_whose_sender_was_killed_is_taken_over_when_its_lease_ends(
    timed: Shop, clock: Clock, tmp_path: Path
) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.add_fault(Fault.SILENCE_BEFORE_ACTING, "capture")
    _kill_while_capturing(timed, payment.id, tmp_path)
    # The request may or may not have arrived before the sender died.
    timed.simulator.control.clear_faults()
    assert timed.engine.work().operations == ()
    (leased,) = timed.engine.list_operations_in_doubt()
    with pytest.raises(StillProcessing):
        timed.engine.resolve_operation(leased.id, has_succeeded=False, who="Ada", why="too early to tell")
    clock.forward(minutes=5)
    (settled,) = timed.engine.work().operations
    assert (settled.status, settled.sends) == (OperationStatus.SUCCEEDED, 2)
    assert timed.engine.retrieve_payment(payment.id).payment.captured == Money.parse("100.00", "EUR")


def _kill_while_capturing(shop: Shop, payment_id: str, folder: Path) -> None:
    """Capture in another process, and SIGKILL it as soon as its intent is committed."""
    (folder / "kassa.toml").write_text(
        TOML.replace("timeout_seconds = 1.0", "timeout_seconds = 60.0"), encoding="utf-8"
    )
    program = f"import kassa; kassa.open('kassa.toml').capture_payment('{payment_id}')"
    with subprocess.Popen([sys.executable, "-c", program], cwd=folder) as sender:
        until = time.monotonic() + 30
        while not shop.engine.list_operations_in_doubt() and time.monotonic() < until:
            time.sleep(0.02)
        sender.kill()
    (operation,) = shop.engine.list_operations_in_doubt()
    assert operation.status is OperationStatus.IN_FLIGHT


def test_a_paid_cart_whose_shopper_never_came_back_is_ordered_by_the_worker(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    session = timed.session(cart)
    timed.engine.authorize_payment_session(session.id)
    assert timed.engine.work().carts == ()
    clock.forward(minutes=2)
    assert timed.engine.work().carts == (cart.id,)
    assert isinstance(timed.engine.complete_cart(cart.id), OrderPlaced)
    assert len(timed.engine.list_orders()) == 1


def test_a_session_that_was_replaced_before_it_answered_is_closed_when_it_turns_out_to_exist(
    timed: Shop, clock: Clock
) -> None:
    cart = timed.cart()
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, "initiate")
    with pytest.raises(StillProcessing):
        timed.session(cart)
    timed.complete(cart)
    for _ in range(3):
        clock.forward(minutes=3)
        timed.engine.work()
    first, second = timed.collection_of(cart).sessions
    assert (first.status, second.status) == (SessionStatus.CANCELED, SessionStatus.AUTHORIZED)
    assert timed.simulator.control.payment(first.provider_reference or "")["status"] == "canceled"


@pytest.mark.parametrize("fault", [Fault.TOO_MANY_REQUESTS, Fault.CUT_BEFORE_ACTING])
def test_a_session_that_was_given_up_is_closed_also_when_its_closing_did_not_arrive_at_first(
    keyless: Shop, clock: Clock, fault: Fault
) -> None:
    cart = keyless.cart()
    keyless.simulator.control.add_fault(Fault.ACT_THEN_CUT, "initiate")
    with pytest.raises(StillProcessing):
        keyless.session(cart)
    keyless.complete(cart)
    keyless.simulator.control.add_fault(fault, "cancel", calls=3)
    for _ in range(40):
        clock.forward(hours=1)
        keyless.engine.work()
    first, _ = keyless.collection_of(cart).sessions
    assert keyless.simulator.control.payment(first.provider_reference or "")["status"] == "canceled"
    assert keyless.engine.list_operations_in_doubt() == ()


@pytest.mark.parametrize(("has_succeeded", "expected"), [(True, "100.00"), (False, "0.00")])
def test_a_person_decides_through_the_same_path(timed: Shop, clock: Clock, has_succeeded: bool, expected: str) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.add_fault(Fault.WRONG_AMOUNT, "capture")
    with pytest.raises(StillProcessing):
        timed.engine.capture_payment(payment.id)
    (operation,) = timed.engine.list_operations_in_doubt()
    assert operation.status is OperationStatus.REVIEW
    decided = timed.engine.resolve_operation(
        operation.id, has_succeeded=has_succeeded, who="Ada", why="seen in the dashboard", provider_reference="simcap_x"
    )
    assert decided.status is (OperationStatus.SUCCEEDED if has_succeeded else OperationStatus.FAILED)
    after = timed.engine.retrieve_payment(payment.id).payment
    assert (after.captured, after.capturing) == (Money.parse(expected, "EUR"), Money(0, "EUR"))
    history = timed.engine.list_events(payment.payment_collection_id)
    assert [event.data["who"] for event in history if event.name == "kassa.operation.decided"] == ["Ada"]


def test_a_decision_needs_a_name_and_a_reason_and_something_to_decide(timed: Shop) -> None:
    payment = timed.paid("100.00")
    timed.engine.capture_payment(payment.id)
    operation = last_operation(timed.engine, payment.payment_collection_id)
    with pytest.raises(InvalidData, match="who: expected some words"):
        timed.engine.resolve_operation(operation.id, has_succeeded=True, who=" ", why="x")
    with pytest.raises(NotAllowed, match="there is nothing to decide"):
        timed.engine.resolve_operation(operation.id, has_succeeded=False, who="Ada", why="x")


@pytest.fixture
def keyless(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """The shop with a provider that takes no keys, so that a repetition has a second effect."""
    with start_simulator(tmp_path_factory.mktemp("keyless") / "books.jsonl", keys="none") as simulator:
        monkeypatch.setenv("SHOP_DATABASE", database_url)
        monkeypatch.setenv("SIMULATOR_URL", simulator.url)
        monkeypatch.setenv("SIMULATOR_API_KEY", simulator.settings.api_key)
        monkeypatch.setenv("SIMULATOR_WEBHOOK_SECRET", simulator.settings.webhook_secret)
        toml = TOML.replace("timeout_seconds = 1.0", 'timeout_seconds = 1.0\nkeys = "none"')
        engine = assemble(parse(toml), clock=clock)
        yield Shop(engine, simulator)
        engine.close()


@pytest.mark.parametrize("fault", [*ACTED, *NOT_ACTED])
def test_a_provider_without_keys_is_never_sent_the_same_money_operation_twice(
    keyless: Shop, clock: Clock, fault: Fault
) -> None:
    payment = keyless.paid("100.00")
    keyless.simulator.control.add_fault(fault, "capture")
    with pytest.raises(StillProcessing):
        keyless.engine.capture_payment(payment.id, Money.parse("40.00", "EUR"))
    for _ in range(3):
        clock.forward(minutes=10)
        keyless.engine.work()
    operation = last_operation(keyless.engine, payment.payment_collection_id)
    expected = OperationStatus.SUCCEEDED if fault in ACTED else OperationStatus.FAILED
    assert (operation.status, operation.sends) == (expected, 1)
    session = keyless.engine.retrieve_payment_session(payment.payment_session_id)
    assert keyless.books(session, "captured") == ([4000] if fault in ACTED else [])


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_what_one_call_waits_for_is_not_taken_for_what_became_of_another_without_keys(
    keyless: Shop, clock: Clock, verb: str
) -> None:
    payment = keyless.paid("100.00", scenario=f"{verb}_pending")
    if verb == "refund":
        keyless.engine.capture_payment(payment.id)
    call = getattr(keyless.engine, f"{verb}_payment")
    keyless.simulator.control.add_fault(Fault.CUT_BEFORE_ACTING, verb)  # type: ignore[arg-type]  # one of its operations
    with pytest.raises(StillProcessing):
        call(payment.id, Money.parse("40.00", "EUR"))
    (lost,) = keyless.engine.list_operations_in_doubt()
    call(payment.id, Money.parse("40.00", "EUR"), idempotency_key="another wish")
    _, waiting = keyless.engine.list_operations_in_doubt()
    for _ in range(3):
        clock.forward(minutes=10)
        keyless.engine.work()
    after = {each.id: each for each in keyless.engine.list_operations(payment.payment_collection_id)}
    assert (after[lost.id].cause or "").startswith("declined (never_happened)")
    assert after[waiting.id].status is OperationStatus.PENDING


def test_what_a_provider_that_is_not_configured_any_more_has_in_doubt_waits_and_says_so(
    timed: Shop, clock: Clock, configured: str
) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
    with pytest.raises(StillProcessing):
        timed.engine.capture_payment(payment.id)
    renamed = configured.replace("providers.cards", "providers.other").replace('"cards"', '"other"')
    without = assemble(parse(renamed.replace("{ cards =", "{ other =")), clock=clock)
    clock.forward(seconds=10)
    (waiting,) = without.work().operations
    assert waiting.status is OperationStatus.UNKNOWN
    assert waiting.cause == "pp_simulator_cards is not configured any more; configure it again"
    without.close()
    clock.forward(minutes=5)
    (settled,) = timed.engine.work().operations
    assert settled.status is OperationStatus.SUCCEEDED


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_what_the_provider_takes_its_time_for_is_not_taken_for_what_never_happened(
    timed: Shop, clock: Clock, verb: str
) -> None:
    payment = timed.paid("100.00", scenario=f"{verb}_pending")
    if verb == "refund":
        timed.engine.capture_payment(payment.id)
    getattr(timed.engine, f"{verb}_payment")(payment.id)
    for _ in range(3):
        clock.forward(days=1)
        timed.engine.work()
    assert last_operation(timed.engine, payment.payment_collection_id).status is OperationStatus.PENDING
    after = timed.engine.retrieve_payment(payment.id).payment
    assert (after.capturing if verb == "capture" else after.refunding) == Money.parse("100.00", "EUR")


def test_a_pending_authorization_whose_answer_was_lost_is_pending_also_without_keys(
    keyless: Shop, clock: Clock
) -> None:
    cart = keyless.cart()
    session = keyless.session(cart, "pending")
    keyless.simulator.control.add_fault(Fault.ACT_THEN_CUT, "authorize")
    assert isinstance(keyless.engine.complete_cart(cart.id), Processing)
    for _ in range(3):
        clock.forward(days=1)
        keyless.engine.work()
    assert keyless.engine.retrieve_payment_session(session.id).status is SessionStatus.PENDING_AUTHORIZATION
    keyless.simulator.control.do("settle", session.provider_reference or "")
    for _ in range(3):
        clock.forward(days=2)
        keyless.engine.work()
    assert [order.cart_id for order in keyless.engine.list_orders()] == [cart.id]


def test_a_payment_that_was_canceled_before_the_order_leaves_the_worker_nothing_to_do(
    timed: Shop, clock: Clock
) -> None:
    cart = timed.cart()
    session = timed.session(cart)
    timed.engine.authorize_payment_session(session.id)
    timed.engine.cancel_payment(timed.collection_of(cart).payments[0].id)
    clock.forward(days=1)
    worked = timed.engine.work()
    assert (worked.operations, worked.carts) == ((), ())


@pytest.mark.parametrize("verb", ["capture", "refund"])
@pytest.mark.parametrize("fault", [Fault.WRONG_AMOUNT, Fault.WRONG_CURRENCY])
def test_a_look_up_that_contradicts_what_was_asked_frees_nothing_and_goes_to_a_person(
    timed: Shop, clock: Clock, verb: str, fault: Fault
) -> None:
    payment = timed.paid("100.00")
    if verb == "refund":
        timed.engine.capture_payment(payment.id)
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, verb)  # type: ignore[arg-type]  # one of its operations
    with pytest.raises(StillProcessing):
        getattr(timed.engine, f"{verb}_payment")(payment.id)
    clock.forward(hours=22)
    timed.simulator.control.add_fault(fault, "look_up")
    operation = timed.engine.look_again(last_operation(timed.engine, payment.payment_collection_id).id)
    assert operation.status is OperationStatus.REVIEW
    session = timed.engine.retrieve_payment_session(payment.payment_session_id)
    assert timed.books(session, "captured" if verb == "capture" else "refunded") == [10000]
    after = timed.engine.retrieve_payment(payment.id).payment
    assert after.capturing + after.refunding == Money.parse("100.00", "EUR")
