"""Our books beside the provider's own list, in both directions: what it knows is adopted, what one side lacks is a case."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import pytest

from kassa import Engine, InvalidData, Money, NotAllowed, PaymentDeclined, StillProcessing
from kassa.config import parse
from kassa.model import Case, CaseKind, PaymentSession, Reconciliation
from kassa.opening import assemble
from kassa.transitions import OperationStatus, SessionStatus
from kassa_sdk import InitiateRequest, Succeeded
from kassa_simulator import SimulatorProvider
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, CASH, Shop


class Clock:
    """A clock that tests put forward."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> None:
        """It is later now."""
        self.now += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    """The engine's clock."""
    return Clock()


@pytest.fixture
def page_by_page(configured: str) -> str:
    """The shop's configuration, with a provider that lists one payment a page."""
    return configured.replace("timeout_seconds = 1.0", "timeout_seconds = 1.0\npayments_per_page = 1")


@pytest.fixture
def timed(page_by_page: str, simulator: SimulatorProcess, clock: Clock) -> Iterator[Shop]:
    """The shop, by a clock that the test puts forward."""
    engine = assemble(parse(page_by_page), clock=clock)
    yield Shop(engine, simulator)
    engine.close()


@pytest.fixture
def somebody_else(simulator: SimulatorProcess) -> Iterator[SimulatorProvider]:
    """Another system that takes payments with the same account."""
    provider = SimulatorProvider(simulator.options())
    yield provider
    provider.close()


def worked_through(engine: Engine) -> tuple[Reconciliation, ...]:
    """Let the worker compare all that is due; what it then stands like, newest first."""
    for _ in range(50):
        steps = engine.work().reconciliations
        if all(step.finished_at or step.cause for step in steps):
            return engine.list_reconciliations()
    raise AssertionError("the comparison does not end")


def cases(engine: Engine, *kinds: CaseKind) -> list[Case]:
    """The open cases of these kinds."""
    return [case for case in engine.list_cases() if case.kind in kinds]


def counts(compared: Reconciliation) -> tuple[int, int, int]:
    """What was listed, adopted and reported."""
    return compared.listed, compared.adopted, compared.reported


def made(provider: SimulatorProvider, reference: str = "somebody_else") -> str:
    """A payment of 7.00 EUR that the other system makes."""
    request = InitiateRequest(attempt_key=token_hex(8), our_reference=reference, amount=Money(700, "EUR"))
    outcome = provider.initiate(request)
    assert isinstance(outcome, Succeeded)
    return outcome.facts.provider_reference


def test_what_was_captured_in_the_dashboard_is_adopted(timed: Shop, clock: Clock) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.do("capture", payment.provider_reference, amount=4000, currency="EUR")
    clock.forward(hours=2)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (1, 1, 0)
    assert timed.engine.retrieve_payment(payment.id).payment.captured == Money.parse("40.00", "EUR")


def test_what_was_refunded_in_the_dashboard_is_adopted(timed: Shop, clock: Clock) -> None:
    payment = timed.engine.capture_payment(timed.paid("100.00").id)
    timed.simulator.control.do("refund", payment.provider_reference, amount=2500, currency="EUR")
    clock.forward(hours=2)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (1, 1, 0)
    assert timed.engine.retrieve_payment(payment.id).payment.refunded == Money.parse("25.00", "EUR")


def test_a_dispute_of_which_no_notice_told_is_adopted(timed: Shop, clock: Clock) -> None:
    payment = timed.engine.capture_payment(timed.paid("100.00").id)
    timed.simulator.control.do("open_dispute", payment.provider_reference, amount=2500)
    clock.forward(hours=2)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (1, 1, 0)
    (case,) = cases(timed.engine, CaseKind.DISPUTED)
    assert case.amount == Money.parse("25.00", "EUR")


def test_books_that_agree_are_left_as_they_are(timed: Shop, clock: Clock) -> None:
    payments = [timed.engine.capture_payment(timed.paid("100.00").id), timed.paid("50.00")]
    before = [timed.engine.list_events(payment.payment_collection_id) for payment in payments]
    clock.forward(hours=2)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (2, 0, 0)
    assert [timed.engine.list_events(payment.payment_collection_id) for payment in payments] == before


def test_a_payment_that_somebody_else_made_with_the_account_is_one_case(
    timed: Shop, clock: Clock, somebody_else: SimulatorProvider
) -> None:
    timed.paid()
    reference = made(somebody_else)
    clock.forward(hours=2)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (2, 0, 1)
    (orphan,) = cases(timed.engine, CaseKind.ORPHAN)
    assert (orphan.subject, orphan.provider_id, orphan.payment_collection_id) == (reference, CARDS, None)
    again = timed.engine.reconcile(CARDS, since=compared.since)
    assert counts(again) == (2, 0, 0)
    assert cases(timed.engine, CaseKind.ORPHAN) == [orphan]


def test_a_payment_of_somebody_else_that_is_closed_and_took_nothing_is_no_case(
    timed: Shop, clock: Clock, somebody_else: SimulatorProvider
) -> None:
    timed.paid()
    timed.simulator.control.do("cancel", made(somebody_else))
    clock.forward(hours=2)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (2, 0, 0)


def test_a_second_payment_for_one_session_is_a_case(
    timed: Shop, clock: Clock, somebody_else: SimulatorProvider
) -> None:
    payment = timed.paid()
    second = made(somebody_else, payment.payment_session_id)
    clock.forward(hours=2)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (2, 0, 1)
    (orphan,) = cases(timed.engine, CaseKind.ORPHAN)
    assert (orphan.subject, orphan.payment_session_id) == (second, payment.payment_session_id)


def test_a_payment_that_the_provider_does_not_have_is_one_case_with_an_alarm(timed: Shop, clock: Clock) -> None:
    payment = timed.paid()
    clock.forward(hours=2)
    for read in ("list_payments", "look_up"):
        timed.simulator.control.add_fault(Fault.NOT_FOUND_YET, read, calls=None)  # type: ignore[arg-type]
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (0, 0, 1)
    timed.engine.reconcile(CARDS, since=compared.since)
    (missing,) = cases(timed.engine, CaseKind.MISSING)
    assert missing.payment_session_id == payment.payment_session_id
    history = [event.name for event in timed.engine.list_events(payment.payment_collection_id)]
    assert history.count("kassa.alarm.missing") == 1
    assert timed.engine.retrieve_payment(payment.id).payment == payment


def test_a_payment_that_is_on_no_page_and_is_found_is_not_missing(timed: Shop, clock: Clock) -> None:
    payment = timed.paid("100.00")
    timed.simulator.control.do("capture", payment.provider_reference, amount=4000, currency="EUR")
    clock.forward(hours=2)
    timed.simulator.control.add_fault(Fault.NOT_FOUND_YET, "list_payments", calls=None)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (0, 1, 0)
    assert timed.engine.retrieve_payment(payment.id).payment.captured == Money.parse("40.00", "EUR")


def test_a_session_whose_preparation_never_answered_is_adopted_by_our_reference(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, "initiate")
    with pytest.raises(StillProcessing):
        timed.session(cart)
    assert session_of(timed, cart.id).provider_reference is None
    clock.forward(hours=2)
    assert counts(timed.engine.reconcile(CARDS)) == (1, 1, 0)
    assert session_of(timed, cart.id).provider_reference is not None


def session_of(shop: Shop, cart_id: str) -> PaymentSession:
    """The one session of a cart."""
    (session,) = shop.engine.create_payment_collection(cart_id).sessions
    return session


def test_a_preparation_that_was_declined_stays_so_when_the_provider_lists_it_as_declined(
    timed: Shop, clock: Clock
) -> None:
    cart = timed.cart()
    with pytest.raises(PaymentDeclined):
        timed.session(cart, "initiate_declined")
    clock.forward(hours=2)
    worked_through(timed.engine)
    (session,) = timed.collection_of(cart).sessions
    (operation,) = timed.engine.list_operations(session.payment_collection_id)
    assert (operation.status, session.status) == (OperationStatus.FAILED, SessionStatus.ERROR)
    assert not any("alarm" in event.name for event in timed.engine.list_events(session.payment_collection_id))


def test_the_days_are_compared_one_after_the_other_without_gap_or_overlap(timed: Shop, clock: Clock) -> None:
    timed.paid()
    first_session_at = clock.now
    clock.forward(hours=2)
    (first,) = worked_through(timed.engine)
    assert (first.since, first.until) == (first_session_at, clock.now - timedelta(hours=1))
    clock.forward(hours=22, minutes=59)
    assert worked_through(timed.engine) == (first,)
    clock.forward(minutes=1)
    second, _ = worked_through(timed.engine)
    assert (second.since, second.until) == (first.until, clock.now - timedelta(hours=1))
    assert counts(second) == (0, 0, 0)


def test_what_is_younger_than_an_hour_is_left_alone(timed: Shop, clock: Clock) -> None:
    timed.paid()
    clock.forward(minutes=59)
    assert worked_through(timed.engine) == ()
    with pytest.raises(NotAllowed, match="are left alone"):
        timed.engine.reconcile(CARDS)


def test_what_an_account_did_before_our_first_session_with_it_is_not_ours(
    timed: Shop, clock: Clock, somebody_else: SimulatorProvider
) -> None:
    made(somebody_else)
    clock.forward(hours=20)
    assert worked_through(timed.engine) == ()
    with pytest.raises(NotAllowed, match="there is nothing of pp_simulator_cards to compare yet"):
        timed.engine.reconcile(CARDS)


def test_one_page_is_compared_in_one_pass_of_the_worker(timed: Shop, clock: Clock) -> None:
    for _ in range(3):
        timed.paid()
    clock.forward(hours=2)
    steps = [timed.engine.work().reconciliations[0] for _ in range(3)]
    assert [step.listed for step in steps] == [1, 2, 3]
    assert [step.finished_at is None for step in steps] == [True, True, False]
    assert timed.engine.work().reconciliations == ()


def test_a_list_that_cannot_be_read_is_read_later_and_never_taken_for_an_empty_one(timed: Shop, clock: Clock) -> None:
    timed.paid()
    clock.forward(hours=2)
    timed.simulator.control.add_fault(Fault.SERVER_ERROR_BEFORE_ACTING, "list_payments")
    (waiting,) = worked_through(timed.engine)
    assert waiting.finished_at is None
    assert "could not be read" in (waiting.cause or "")
    assert timed.engine.work().reconciliations == ()
    clock.forward(minutes=15)
    (compared,) = worked_through(timed.engine)
    assert (compared.id, counts(compared), compared.cause) == (waiting.id, (1, 0, 0), None)
    assert cases(timed.engine, CaseKind.MISSING) == []


def test_a_look_up_that_says_nothing_makes_nothing_missing(timed: Shop, clock: Clock) -> None:
    timed.paid()
    clock.forward(hours=2)
    timed.simulator.control.add_fault(Fault.NOT_FOUND_YET, "list_payments", calls=None)
    timed.simulator.control.add_fault(Fault.SERVER_ERROR_BEFORE_ACTING, "look_up")
    (waiting,) = worked_through(timed.engine)
    assert (waiting.finished_at, cases(timed.engine, CaseKind.MISSING)) == (None, [])
    clock.forward(minutes=15)
    (compared,) = worked_through(timed.engine)
    assert (compared.finished_at is None, compared.reported) == (False, 0)


def test_two_workers_share_the_pages(
    timed: Shop, clock: Clock, page_by_page: str, somebody_else: SimulatorProvider
) -> None:
    payments = [timed.paid("100.00") for _ in range(4)]
    for payment in payments:
        timed.simulator.control.do("capture", payment.provider_reference, amount=1000, currency="EUR")
    made(somebody_else)
    clock.forward(hours=2)
    other = assemble(parse(page_by_page), clock=clock)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(worked_through, (timed.engine, other)))
    other.close()
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (5, 4, 1)
    assert compared.finished_at is not None


def test_a_worker_that_is_killed_in_the_middle_is_taken_over_and_nothing_is_counted_twice(
    timed: Shop, clock: Clock, page_by_page: str, tmp_path: Path
) -> None:
    payments = [timed.paid("100.00") for _ in range(3)]
    for payment in payments:
        timed.simulator.control.do("capture", payment.provider_reference, amount=1000, currency="EUR")
    clock.forward(hours=2)
    timed.engine.work()
    timed.simulator.control.add_fault(Fault.SILENCE_BEFORE_ACTING, "list_payments")
    _kill_while_comparing(timed, clock, page_by_page, tmp_path)
    assert timed.engine.work().reconciliations == ()
    clock.forward(minutes=10)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (3, 3, 0)


def _kill_while_comparing(shop: Shop, clock: Clock, configuration: str, folder: Path) -> None:
    """Work in another process, and SIGKILL it while it waits for the page that it holds."""
    patient = configuration.replace("timeout_seconds = 1.0", "timeout_seconds = 60.0")
    program = (
        "import datetime\nfrom kassa.config import parse\nfrom kassa.opening import assemble\n"
        f"now = datetime.datetime.fromisoformat({clock.now.isoformat()!r})\n"
        f"assemble(parse({patient!r}), clock=lambda: now).work()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=folder) as worker:
        until = time.monotonic() + 30
        while shop.simulator.control.faults() and time.monotonic() < until:
            time.sleep(0.02)
        worker.kill()
    (held,) = shop.engine.list_reconciliations()
    assert (held.listed, held.finished_at) == (1, None)


def test_a_comparison_that_an_operator_began_and_that_was_killed_is_finished_by_the_worker(
    timed: Shop, clock: Clock
) -> None:
    timed.paid()
    began = clock.now
    clock.forward(hours=2)
    worked_through(timed.engine)
    timed.simulator.control.add_fault(Fault.CUT_BEFORE_ACTING, "list_payments")
    left = timed.engine.reconcile(CARDS, since=began)
    assert left.finished_at is None
    clock.forward(minutes=15)
    newest, _ = worked_through(timed.engine)
    assert (newest.id, newest.is_daily, newest.finished_at is None) == (left.id, False, False)


def test_what_an_operator_compares_again_moves_no_day(timed: Shop, clock: Clock) -> None:
    timed.paid()
    began = clock.now
    clock.forward(hours=26)
    (first,) = worked_through(timed.engine)
    timed.engine.reconcile(CARDS, since=began, until=began + timedelta(hours=1))
    clock.forward(hours=24)
    second, _, _ = worked_through(timed.engine)
    assert second.since == first.until


def test_while_one_compares_the_days_another_is_told_so(timed: Shop, clock: Clock) -> None:
    for _ in range(2):
        timed.paid()
    clock.forward(hours=2)
    refused = []

    def ask_again(_: Reconciliation) -> None:
        with pytest.raises(Exception, match="by another process") as refusal:
            timed.engine.reconcile(CARDS)
        refused.append(refusal.typename)

    assert timed.engine.reconcile(CARDS, on_progress=lambda each: None if each.finished_at else ask_again(each))
    assert refused == ["Conflict"]


def test_a_provider_without_a_list_is_left_out(configured: str, simulator: SimulatorProcess, clock: Clock) -> None:
    toml = configured.replace("timeout_seconds = 1.0", "timeout_seconds = 1.0\nlists_payments = false")
    engine = assemble(parse(toml), clock=clock)
    shop = Shop(engine, simulator)
    shop.paid("100.00")
    shop.paid("100.00", provider=CASH)
    clock.forward(hours=30)
    assert worked_through(engine) == ()
    with pytest.raises(NotAllowed, match="has no list of its payments"):
        engine.reconcile(CARDS)
    engine.close()


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [
        (timedelta(0), None, "since"),
        (timedelta(hours=-3), timedelta(minutes=-30), "until"),
        (timedelta(hours=-3), timedelta(hours=-4), "since"),
    ],
)
def test_a_time_that_cannot_be_compared_is_refused(
    timed: Shop, clock: Clock, since: timedelta, until: timedelta | None, field: str
) -> None:
    with pytest.raises(InvalidData, match=f"^{field}: expected"):
        timed.engine.reconcile(CARDS, since=clock.now + since, until=None if until is None else clock.now + until)


def test_every_store_is_compared_and_each_has_its_own_cases(timed: Shop, clock: Clock) -> None:
    other = Shop(timed.engine.for_store("other"), timed.simulator)
    payment = other.paid("100.00")
    timed.simulator.control.do("capture", payment.provider_reference, amount=4000, currency="EUR")
    clock.forward(hours=2)
    (compared,) = worked_through(timed.engine)
    assert counts(compared) == (1, 1, 0)
    assert other.engine.retrieve_payment(payment.id).payment.captured == Money.parse("40.00", "EUR")
    assert (timed.engine.list_cases(), other.engine.list_cases()) == ((), ())
