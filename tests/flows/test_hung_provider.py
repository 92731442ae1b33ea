"""A provider that hangs, or is away: nobody else waits for it, and what it says late is heard."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from kassa import Completion, Engine, Money, OrderPlaced, Processing, ProviderUnavailable, StillProcessing
from kassa.config import parse
from kassa.model import Operation, Payment
from kassa.opening import assemble
from kassa.transitions import OperationStatus, SessionStatus
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, CASH, Clock, Shop

LATE_SECONDS = 0.5
HUNDRED = Money.parse("100.00", "EUR")


def with_settings(configured: str, *lines: str) -> str:
    """The shop's configuration with these lines in the block of its cards, whose plugin itself is patient."""
    patient = configured.replace("timeout_seconds = 1.0", "timeout_seconds = 60.0")
    return patient.replace('plugin = "simulator"', "\n".join(['plugin = "simulator"', *lines]))


def until(condition: Callable[[], bool]) -> None:
    """Wait for what is about to happen; a test that waits for long has failed."""
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def impatient(shop: Shop, configured: str) -> Iterator[Engine]:
    """An engine on the shop's database that gives its provider hardly any time."""
    engine = assemble(parse(with_settings(configured, "timeout_seconds = 0.05")))
    yield engine
    engine.close()


def under_way(engine: Engine, provider_id: str = CARDS) -> int:
    """How many calls this engine makes to the provider at this moment."""
    return next(health.calls_under_way for health in engine.provider_health() if health.provider_id == provider_id)


def captured_late(shop: Shop, impatient: Engine) -> tuple[Payment, Operation]:
    """A payment whose capture the provider has made, and has not answered yet."""
    payment = shop.paid("100.00")
    shop.simulator.control.add_fault(Fault.ANSWER_LATE, "capture", seconds=LATE_SECONDS)
    with pytest.raises(StillProcessing):
        impatient.capture_payment(payment.id)
    return payment, shop.engine.list_operations(payment.payment_collection_id)[-1]


def test_a_late_success_settles_what_was_unknown_without_recovery(shop: Shop, impatient: Engine) -> None:
    payment, unknown = captured_late(shop, impatient)
    assert unknown.status is OperationStatus.UNKNOWN
    assert unknown.cause == "pp_simulator_cards did not answer capture within 0.05 seconds"
    until(lambda: not shop.engine.list_operations_in_doubt())
    settled = shop.engine.list_operations(payment.payment_collection_id)[-1]
    assert (settled.status, settled.sends, settled.checks) == (OperationStatus.SUCCEEDED, 1, 0)
    ledger = shop.engine.retrieve_payment(payment.id)
    assert (ledger.payment.captured, ledger.payment.capturing) == (HUNDRED, Money(0, "EUR"))


def test_a_late_success_is_not_merged_again_when_recovery_was_faster(shop: Shop, impatient: Engine) -> None:
    payment, _ = captured_late(shop, impatient)
    (recovered,) = shop.engine.work().operations
    assert (recovered.status, recovered.sends) == (OperationStatus.SUCCEEDED, 2)
    until(lambda: not under_way(impatient))
    ledger = shop.engine.retrieve_payment(payment.id)
    assert [capture.amount for capture in ledger.captures] == [HUNDRED]
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    assert shop.books(session, "captured") == [10000]


def test_a_checkout_whose_authorization_answers_late_is_processing_and_then_ordered(
    shop: Shop, impatient: Engine
) -> None:
    cart = shop.cart("100.00")
    session = shop.session(cart)
    shop.simulator.control.add_fault(Fault.ANSWER_LATE, "authorize", seconds=LATE_SECONDS)
    assert isinstance(impatient.complete_cart(cart.id), Processing)
    until(lambda: shop.collection_of(cart).sessions[0].status is SessionStatus.AUTHORIZED)
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)
    assert shop.books(session, "authorized") == [10000]


def test_a_late_decline_ends_the_doubt(shop: Shop, impatient: Engine) -> None:
    cart = shop.cart("100.00")
    shop.session(cart, "decline")
    shop.simulator.control.add_fault(Fault.ANSWER_LATE, "authorize", seconds=LATE_SECONDS)
    assert isinstance(impatient.complete_cart(cart.id), Processing)
    until(lambda: shop.collection_of(cart).sessions[0].status is SessionStatus.ERROR)
    assert shop.engine.list_operations_in_doubt() == ()


def test_a_refusal_before_it_was_sent_ends_the_doubt_even_when_it_comes_late(
    configured: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr("kassa_sdk.test_gate", gate, raising=False)
    _install_slow_provider(site)
    added = '[providers.slow]\nplugin = "slow"\ntimeout_seconds = 0.05\n\n[regions.eu]'
    toml = configured.replace("[regions.eu]", added, 1).replace('["cards", "default"]', '["cards", "default", "slow"]')
    engine = assemble(parse(toml))
    collection = engine.create_custom_payment_collection("eu", HUNDRED)
    with pytest.raises(StillProcessing):
        engine.create_payment_session(collection.id, "pp_slow_slow")
    gate.set()
    until(lambda: not engine.list_operations_in_doubt())
    (operation,) = engine.list_operations(collection.id)
    assert (operation.status, operation.cause) == (OperationStatus.FAILED, "not sent: no connection after all")
    engine.close()


def _install_slow_provider(site: Path) -> None:
    source = """
import kassa_sdk
from kassa_sdk import Declined, Idempotency, Manifest, NotSent, hookimpl
from pydantic import BaseModel, ConfigDict


class Slow:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")

    manifest = Manifest(name="slow", display_name="Slow", contract_version=1, idempotency=Idempotency(keys="none"))

    def __init__(self, options):
        pass

    @hookimpl
    def initiate(self, request):
        kassa_sdk.test_gate.wait(30)
        return NotSent(cause="no connection after all")

    @hookimpl
    def authorize(self, request):
        return Declined(code="no", reason="no")
"""
    (site / "kassa_slow_test.py").write_text(source, encoding="utf-8")
    metadata = site / "kassa_slow_test-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: kassa-slow-test\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[kassa.providers]\nslow = kassa_slow_test:Slow\n", encoding="utf-8")


PLACES = 3
CLIENTS = 8


def test_while_one_provider_hangs_another_takes_payments(
    shop: Shop, configured: str, simulator: SimulatorProcess
) -> None:
    carts = [shop.cart() for _ in range(CLIENTS)]
    for cart in carts:
        shop.session(cart)
    toml = with_settings(configured, f"max_concurrent_calls = {PLACES}", "wait_for_place_seconds = 0.1")
    hung = Shop(assemble(parse(toml)), simulator)
    simulator.control.add_fault(Fault.SILENCE_BEFORE_ACTING, "authorize", calls=None)
    before = set(threading.enumerate())
    with ThreadPoolExecutor(CLIENTS) as clients:
        asked = [clients.submit(_outcome, hung.engine, cart.id) for cart in carts]
        until(lambda: _waiting(asked) == PLACES)
        assert isinstance(hung.complete(hung.cart(), provider=CASH), OrderPlaced)
        assert (_waiting(asked), under_way(hung.engine)) == (PLACES, PLACES)
        started = set(threading.enumerate()) - before
        assert sum(thread.name.startswith(f"{CARDS} ") for thread in started) == PLACES
        # Only now do the calls that hang come to an end.
        simulator.kill()
        wait(asked)
    simulator.restart()
    outcomes = [type(each.result()) for each in asked]
    assert outcomes.count(Processing) == PLACES
    assert outcomes.count(ProviderUnavailable) == CLIENTS - PLACES
    hung.engine.close()


def _outcome(engine: Engine, cart_id: str) -> Completion | ProviderUnavailable:
    try:
        return engine.complete_cart(cart_id)
    except ProviderUnavailable as error:
        return error


def _waiting(asked: list[Future[Completion | ProviderUnavailable]]) -> int:
    return sum(not each.done() for each in asked)


@pytest.fixture
def timed(configured: str, simulator: SimulatorProcess) -> Iterator[tuple[Shop, Clock]]:
    """The shop, by a clock that the test puts forward; one failure opens the circuit of its cards."""
    clock = Clock()
    engine = assemble(parse(with_settings(configured, "circuit_failures = 1")), clock=clock)
    yield Shop(engine, simulator), clock
    engine.close()


def test_while_the_circuit_is_open_nothing_is_sent_and_the_shopper_may_try_again(timed: tuple[Shop, Clock]) -> None:
    shop, clock = timed
    first, second = shop.cart(), shop.cart()
    for cart in (first, second):
        shop.session(cart)
    shop.simulator.control.add_fault(Fault.CUT_BEFORE_ACTING, "authorize")
    assert isinstance(shop.engine.complete_cart(first.id), Processing)
    with pytest.raises(
        ProviderUnavailable, match=r"the circuit of pp_simulator_cards is open since .*, tried again at"
    ):
        shop.engine.complete_cart(second.id)
    clock.forward(seconds=31)
    assert isinstance(shop.engine.complete_cart(second.id), OrderPlaced)


def test_while_the_circuit_is_open_another_provider_takes_payments(timed: tuple[Shop, Clock]) -> None:
    shop, _ = timed
    cart = shop.cart()
    shop.session(cart)
    shop.simulator.control.add_fault(Fault.CUT_BEFORE_ACTING, "authorize")
    shop.engine.complete_cart(cart.id)
    assert [health.circuit_open_since is not None for health in shop.engine.provider_health()] == [False, True]
    assert isinstance(shop.complete(shop.cart(), provider=CASH), OrderPlaced)


def test_an_attempt_that_was_never_made_is_no_check(timed: tuple[Shop, Clock]) -> None:
    shop, clock = timed
    payment = shop.paid("100.00")
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
    with pytest.raises(StillProcessing):
        shop.engine.capture_payment(payment.id)
    (unknown,) = shop.engine.list_operations_in_doubt()
    history = shop.engine.list_events(payment.payment_collection_id)
    for _ in range(30):
        waiting = shop.engine.look_again(unknown.id)
    assert (waiting.status, waiting.checks, waiting.sends) == (OperationStatus.UNKNOWN, 0, 1)
    assert str(waiting.cause).startswith("the circuit of pp_simulator_cards is open since")
    assert shop.engine.list_events(payment.payment_collection_id) == history
    assert shop.engine.work().operations == ()
    clock.forward(seconds=31)
    (settled,) = shop.engine.work().operations
    assert settled.status is OperationStatus.SUCCEEDED
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    assert shop.books(session, "captured") == [10000]


def test_that_a_repetition_was_not_sent_says_nothing_about_the_first_send(timed: tuple[Shop, Clock]) -> None:
    shop, clock = timed
    payment = shop.paid("100.00")
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
    shop.simulator.control.add_fault(Fault.TOO_MANY_REQUESTS, "capture")
    with pytest.raises(StillProcessing):
        shop.engine.capture_payment(payment.id)
    clock.forward(seconds=31)
    (again,) = shop.engine.work().operations
    assert (again.status, again.sends) == (OperationStatus.UNKNOWN, 2)
    assert shop.engine.retrieve_payment(payment.id).payment.capturing == HUNDRED
    clock.forward(minutes=2)
    (settled,) = shop.engine.work().operations
    assert settled.status is OperationStatus.SUCCEEDED


def test_a_session_that_recovery_could_not_close_is_closed_when_the_provider_is_back(timed: tuple[Shop, Clock]) -> None:
    shop, clock = timed
    cart = shop.cart()
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "initiate")
    shop.simulator.control.add_fault(Fault.TOO_MANY_REQUESTS, "cancel")
    with pytest.raises(StillProcessing):
        shop.session(cart)
    shop.complete(cart, provider=CASH)
    for _ in range(4):
        clock.forward(minutes=3)
        shop.engine.work()
    first = shop.collection_of(cart).sessions[0]
    assert shop.simulator.control.payment(first.provider_reference or "")["status"] == "canceled"
    assert shop.engine.list_operations_in_doubt() == ()
