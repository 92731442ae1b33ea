"""What went wrong elsewhere, and must never here: one test a case, with where it was seen.

Cases that other tests prove already are not proven again: docs/reliability.md has the whole table.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from secrets import token_hex
from threading import Event
from typing import TypeVar

import pytest

from kassa import (
    ActionNeeded,
    Money,
    NotAllowed,
    OrderPlaced,
    Processing,
    Refused,
    StillProcessing,
    failpoints,
)
from kassa.config import parse
from kassa.model import Payment, PaymentSession
from kassa.opening import assemble
from kassa.transitions import NoticeStatus, OperationStatus, SessionStatus
from kassa_sdk import InitiateRequest, Succeeded
from kassa_simulator import SimulatorProvider
from kassa_simulator.control import NoticeSelection
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, CASH, TOML, Clock, Shop
from .test_at_once import at_once
from .test_notices import apply_all, receive, told

AnswerT = TypeVar("AnswerT")
WAITS_AT_MOST_SECONDS = 20.0

MORTAL = """
import os, signal, sys
import kassa
from kassa import failpoints

def die(point):
    if point == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

failpoints.watch(die)
engine = kassa.open("kassa.toml")
exec(sys.argv[2])
failpoints.passing("it has returned")
"""
"""A process that is killed with SIGKILL at the point that it is given."""


def kill_at(point: str, statement: str, folder: Path) -> None:
    """Execute this in another process, which is killed at this point."""
    (folder / "kassa.toml").write_text(TOML, encoding="utf-8")
    ended = subprocess.run([sys.executable, "-c", MORTAL, point, statement], cwd=folder, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, f"it never came to {point}"


def eur(amount: str) -> Money:
    """An amount in EUR."""
    return Money.parse(amount, "EUR")


def session_of(shop: Shop, payment: Payment) -> PaymentSession:
    """The session that has brought this payment."""
    return shop.engine.retrieve_payment_session(payment.payment_session_id)


def effects(shop: Shop, session: PaymentSession) -> list[str]:
    """Everything that has happened to a payment at the provider, oldest first."""
    books = shop.simulator.control.books()
    return [each["type"] for each in books if each.get("payment_id") == session.provider_reference]


@contextmanager
def on_its_way(hook: str, ask: Callable[[], AnswerT]) -> Iterator[Future[AnswerT]]:
    """Meanwhile the provider has acted and answered, and nobody has heard its answer yet."""
    answered, heard = Event(), Event()

    def hold_back(point: str) -> None:
        if point == f"call:{hook}:after":
            answered.set()
            heard.wait(WAITS_AT_MOST_SECONDS)

    failpoints.watch(hold_back)
    try:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask)
            assert answered.wait(WAITS_AT_MOST_SECONDS), f"{hook} was not called"
            try:
                yield asked
            finally:
                heard.set()
    finally:
        failpoints.watch(None)


# Seen live on Medusa 2.21.2, with a provider that keeps books


def test_a_checkout_that_is_killed_while_it_authorizes_ends_in_one_order_with_its_payment(
    timed: Shop, clock: Clock, tmp_path: Path
) -> None:
    """Medusa 2.21.2: kill -9 during authorize, a restart, and completing again placed an order without a payment."""
    cart = timed.cart("50.00")
    session = timed.session(cart)
    kill_at("call:authorize:after", f"engine.complete_cart({cart.id!r})", tmp_path)
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    clock.forward(minutes=5)
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    timed.engine.work()
    completed = timed.engine.complete_cart(cart.id)
    assert isinstance(completed, OrderPlaced)
    assert completed.is_paid
    assert [payment.amount for payment in timed.collection_of(cart).payments] == [eur("50.00")]
    assert timed.books(session, "authorized") == [5000]
    assert [order.id for order in timed.engine.list_orders()] == [completed.order_id]


def test_of_two_who_authorize_one_session_neither_undoes_what_the_other_did(shop: Shop) -> None:
    """Medusa 2.21.2: of two concurrent authorizations the loser cancelled the winner at the provider, 20 times of 20."""
    for _ in range(3):
        session = shop.session(shop.cart())
        shop.simulator.control.add_fault(Fault.ANSWER_LATE, "authorize", seconds=0.05)
        answers = at_once(partial(shop.engine.authorize_payment_session, session.id), clients=2)
        assert {type(answer) for answer in answers} <= {PaymentSession, StillProcessing}
        assert effects(shop, session) == ["payment_created", "authorized"]
        assert shop.engine.retrieve_payment_session(session.id).status is SessionStatus.AUTHORIZED


def test_a_capture_that_is_killed_is_finished_and_nothing_is_refunded_before_it_is_taken(
    timed: Shop, clock: Clock, tmp_path: Path
) -> None:
    """Medusa 2.21.2: kill -9 during capture left it stuck for ever, and a refund of money never captured was sent."""
    payment = timed.paid("100.00")
    session = session_of(timed, payment)
    kill_at("call:capture:before", f"engine.capture_payment({payment.id!r})", tmp_path)
    with pytest.raises(NotAllowed, match=r"has 0\.00 EUR left to refund"):
        timed.engine.refund_payment(payment.id)
    assert effects(timed, session) == ["payment_created", "authorized"]
    clock.forward(minutes=5)
    timed.engine.work()
    timed.engine.refund_payment(payment.id)
    assert timed.books(session, "captured", "refunded") == [10000, 10000]
    after = timed.engine.retrieve_payment(payment.id).payment
    assert (after.captured, after.refunded) == (eur("100.00"), eur("100.00"))


def test_20_captures_of_5_at_once_take_100_and_book_100(shop: Shop) -> None:
    """Medusa 2.21.2: 20 concurrent captures of 5 booked 800 instead of 100."""
    payment = shop.paid("100.00")
    answers = at_once(lambda: shop.engine.capture_payment(payment.id, eur("5.00")), clients=20)
    assert all(isinstance(answer, Payment) for answer in answers)
    ledger = shop.engine.retrieve_payment(payment.id)
    assert shop.books(session_of(shop, payment), "captured") == [500] * 20
    assert (len(ledger.captures), ledger.payment.captured) == (20, eur("100.00"))


def test_of_20_refunds_of_10_at_once_exactly_the_ten_that_were_made_are_answered_as_made(shop: Shop) -> None:
    """Medusa 2.21.2: of 20 concurrent refunds of 10 ten were executed, and eight of those answered as errors."""
    payment = shop.paid("100.00")
    shop.engine.capture_payment(payment.id)
    answers = at_once(lambda: shop.engine.refund_payment(payment.id, eur("10.00")), clients=20)
    assert sum(isinstance(answer, Payment) for answer in answers) == 10
    assert sum(isinstance(answer, NotAllowed) for answer in answers) == 10
    ledger = shop.engine.retrieve_payment(payment.id)
    assert shop.books(session_of(shop, payment), "refunded") == [1000] * 10
    assert (len(ledger.refunds), ledger.payment.refunded) == (10, eur("100.00"))


def test_a_placed_order_keeps_its_authorization_whatever_is_done_to_its_collection(shop: Shop) -> None:
    """Medusa 2.21.2: a new session on the collection of a placed order cancelled the authorization that paid it."""
    payment = shop.paid("100.00")
    session = session_of(shop, payment)
    for deed in (
        lambda: shop.engine.create_payment_session(payment.payment_collection_id, CARDS),
        lambda: shop.engine.create_payment_session(payment.payment_collection_id, CASH),
        lambda: shop.engine.update_payment_session(session.id),
        lambda: shop.engine.delete_payment_session(session.id),
    ):
        with pytest.raises(NotAllowed, match="is completed; its order is order_"):
            deed()
    assert effects(shop, session) == ["payment_created", "authorized"]
    assert shop.engine.capture_payment(payment.id).captured == eur("100.00")


def test_ten_who_mark_50_as_paid_at_once_take_50(shop: Shop) -> None:
    """Medusa 2.21.2: ten concurrent "mark as paid" of 50 captured 200."""
    collection = shop.engine.create_custom_payment_collection("eu", eur("50.00"))

    def mark_as_paid() -> Payment:
        session = shop.engine.create_payment_session(collection.id, CARDS)
        shop.engine.authorize_payment_session(session.id)
        (payment,) = shop.engine.retrieve_payment_collection(collection.id).payments
        return shop.engine.capture_payment(payment.id)

    answers = at_once(mark_as_paid, clients=10)
    assert sum(isinstance(answer, Payment) for answer in answers) == 1
    (session,) = shop.engine.retrieve_payment_collection(collection.id).sessions
    assert effects(shop, session) == ["payment_created", "authorized", "captured"]
    (payment,) = shop.engine.retrieve_payment_collection(collection.id).payments
    assert payment.captured == eur("50.00")


def test_a_notice_that_was_acknowledged_outlives_the_process_that_took_it(
    timed: Shop, clock: Clock, tmp_path: Path
) -> None:
    """Medusa 2.21.2: a webhook that was answered with 200 was lost with the process that was killed right after it."""
    payment = timed.paid("100.00")
    session = session_of(timed, payment)
    timed.simulator.control.do("capture", payment.provider_reference, amount=4000, currency="EUR")
    notice = told(timed, session)[-1]
    taking = f"engine.receive_notice('cards', {notice['body'].encode()!r}, {notice['headers']!r})"
    kill_at("it has returned", taking, tmp_path)
    clock.forward(minutes=1)
    (applied,) = timed.engine.work().notices
    assert applied.status is NoticeStatus.APPLIED
    assert timed.engine.retrieve_payment(payment.id).payment.captured == eur("40.00")


# From other trackers


def test_a_look_up_that_is_overtaken_by_a_cancellation_does_not_undo_it(timed: Shop) -> None:
    """hyperswitch#9925: a sync wrote the provider's older word over a payment that was cancelled."""
    cart = timed.cart()
    session = timed.session(cart, "pending")
    timed.engine.complete_cart(cart.id)
    older = told(timed, session)
    (waiting,) = timed.engine.list_operations_in_doubt()
    with on_its_way("look_up", lambda: timed.engine.look_again(waiting.id)) as sync:
        timed.engine.delete_payment_session(session.id)
    assert sync.result().status is OperationStatus.FAILED
    apply_all(timed.engine, older)
    after = timed.engine.retrieve_payment_session(session.id)
    assert (after.status, after.action) == (SessionStatus.CANCELED, None)
    assert timed.collection_of(cart).live_sessions == ()


def test_a_session_of_which_the_provider_never_told_an_id_is_for_a_person_after_the_last_check(
    timed: Shop, clock: Clock
) -> None:
    """hyperswitch, payment_sync: without the provider's id the last retry marked the payment as failed."""
    cart = timed.cart()
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, "initiate", calls=None)
    for read in ("look_up", "list_payments"):
        timed.simulator.control.add_fault(Fault.SERVER_ERROR_BEFORE_ACTING, read, calls=None)  # type: ignore[arg-type]
    with pytest.raises(StillProcessing):
        timed.session(cart)
    for _ in range(30):
        clock.forward(hours=7)
        timed.engine.work()
    (session,) = timed.collection_of(cart).sessions
    (operation,) = timed.engine.list_operations(session.payment_collection_id)
    assert (operation.status, session.provider_reference) == (OperationStatus.REVIEW, None)
    assert session.status is SessionStatus.PENDING
    assert "kassa.alarm.review" in [event.name for event in timed.engine.list_events(session.payment_collection_id)]


def test_a_refusal_that_comes_late_does_not_undo_what_a_notice_has_confirmed(timed: Shop, clock: Clock) -> None:
    """django-payments#491: a request with a stale payment wrote ERROR over CONFIRMED, and the paid order was cancelled."""
    cart = timed.cart("50.00")
    timed.complete(cart, "challenge")
    (session,) = timed.collection_of(cart).sessions
    reference = session.provider_reference or ""
    timed.simulator.control.answer_challenge(reference, "decline")
    with on_its_way("action", lambda: timed.engine.complete_cart(cart.id)) as refusal:
        timed.simulator.control.do("settle", reference)
        apply_all(timed.engine, told(timed, session)[-1:])
    assert isinstance(refusal.result(), OrderPlaced)
    apply_all(timed.engine, told(timed, session))
    (order,) = timed.engine.list_orders()
    assert (order.cart_id, order.is_paid) == (cart.id, True)
    assert timed.engine.retrieve_payment_session(session.id).status is SessionStatus.AUTHORIZED
    assert timed.books(session, "authorized") == [5000]


def test_the_failure_of_an_earlier_try_does_not_end_the_next_one(shop: Shop) -> None:
    """polar#14274: the failure of an old attempt came late, and reopened a checkout that was being paid."""
    cart = shop.cart("50.00")
    shop.complete(cart, "challenge")
    (session,) = shop.collection_of(cart).sessions
    shop.simulator.control.answer_challenge(session.provider_reference or "", "decline")
    assert isinstance(shop.engine.complete_cart(cart.id), Refused)
    failure = told(shop, session)[-1]
    assert failure["type"] == "payment.declined"
    assert isinstance(shop.engine.complete_cart(cart.id), ActionNeeded)
    apply_all(shop.engine, [failure])
    assert shop.engine.retrieve_payment_session(session.id).status is SessionStatus.REQUIRES_MORE
    shop.simulator.control.answer_challenge(session.provider_reference or "", "approve")
    placed = shop.engine.complete_cart(cart.id)
    assert isinstance(placed, OrderPlaced)
    shop.engine.replay_notice(receive(shop.engine, failure).id)
    assert shop.engine.complete_cart(cart.id) == placed
    assert shop.books(session, "authorized") == [5000]


def test_a_capture_that_its_notice_and_its_answer_tell_of_counts_once(shop: Shop) -> None:
    """saleor#14648: amounts were counted twice, by the webhook and by the response."""
    payment = shop.paid("100.00")
    session = session_of(shop, payment)
    with on_its_way("capture", lambda: shop.engine.capture_payment(payment.id, eur("40.00"))) as answer:
        apply_all(shop.engine, told(shop, session)[-1:])
        assert shop.engine.retrieve_payment(payment.id).payment.captured == eur("40.00")
    assert (answer.result().captured, answer.result().capturing) == (eur("40.00"), eur("0.00"))
    assert [each.amount for each in shop.engine.retrieve_payment(payment.id).captures] == [eur("40.00")]
    assert shop.books(session, "captured") == [4000]


def test_a_refund_whose_notice_comes_before_its_answer_is_one_refund(shop: Shop) -> None:
    """woocommerce-gateway-stripe#3653: a refund's webhook that came before its answer made a second refund."""
    payment = shop.paid("100.00")
    session = session_of(shop, payment)
    shop.engine.capture_payment(payment.id)
    with on_its_way("refund", lambda: shop.engine.refund_payment(payment.id, eur("30.00"))) as answer:
        apply_all(shop.engine, told(shop, session)[-1:])
        assert shop.engine.retrieve_payment(payment.id).payment.refunded == eur("30.00")
    assert (answer.result().refunded, answer.result().refunding) == (eur("30.00"), eur("0.00"))
    assert [each.amount for each in shop.engine.retrieve_payment(payment.id).refunds] == [eur("30.00")]
    assert shop.books(session, "refunded") == [3000]


def test_a_notice_that_comes_before_its_payment_is_known_here_is_kept_and_applied_later(
    configured: str, simulator: SimulatorProcess, clock: Clock
) -> None:
    """polar#10728, statamic-cargo#190: a webhook that came before the row that it was about was lost."""
    id_only = configured.replace("timeout_seconds = 1.0", 'timeout_seconds = 1.0\nnotices = "id_only"')
    shop = Shop(assemble(parse(id_only), clock=clock), simulator)
    cart = shop.cart("50.00")
    simulator.control.add_fault(Fault.ACT_THEN_CUT, "initiate")
    with pytest.raises(StillProcessing):
        shop.session(cart)
    created = simulator.control.effects("payment_created")[-1]
    simulator.control.do("settle", created["payment_id"])
    (session,) = shop.collection_of(cart).sessions
    paid = told(shop, session.model_copy(update={"provider_reference": created["payment_id"]}))
    (early,) = apply_all(shop.engine, paid)
    assert (early.status, session.provider_reference) == (NoticeStatus.UNMATCHED, None)
    for _ in range(3):
        clock.forward(minutes=2)
        shop.engine.work()
    assert shop.engine.retrieve_notice(early.id).status is NoticeStatus.APPLIED
    assert [order.cart_id for order in shop.engine.list_orders()] == [cart.id]
    shop.engine.close()


def test_a_shopper_whose_payment_is_in_doubt_is_never_told_failed_and_cannot_pay_twice(
    timed: Shop, clock: Clock
) -> None:
    """ps_checkout#1546: the shopper was told "failed" and paid again; both payments succeeded."""
    cart = timed.cart("50.00")
    session = timed.session(cart)
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, "authorize")
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    for provider in (CARDS, CASH):
        with pytest.raises(StillProcessing):
            timed.session(cart, provider=provider)
    with pytest.raises(StillProcessing):
        timed.engine.delete_payment_session(session.id)
    clock.forward(seconds=10)
    timed.engine.work()
    assert isinstance(timed.engine.complete_cart(cart.id), OrderPlaced)
    assert effects(timed, session) == ["payment_created", "authorized"]
    assert [each.id for each in timed.collection_of(cart).sessions] == [session.id]


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "never answered"])
def test_a_signed_notice_of_a_payment_of_1_never_pays_what_costs_2000(
    shop: Shop, stranger: SimulatorProvider, is_known: bool
) -> None:
    """CVE-2026-9189: a real payment of 1 that named an order of 2000 paid it; its message was signed, and not compared."""
    cart = shop.cart("2000.00")
    if not is_known:
        shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "initiate")
    with suppress(StillProcessing):
        shop.session(cart)
    (session,) = shop.collection_of(cart).sessions
    request = InitiateRequest(attempt_key=token_hex(8), our_reference=session.id, amount=eur("1.00"))
    cheap = stranger.initiate(request)
    assert isinstance(cheap, Succeeded)
    shop.simulator.control.do("settle", cheap.facts.provider_reference)
    selection = NoticeSelection(payment_id=cheap.facts.provider_reference)
    (applied,) = apply_all(shop.engine, shop.simulator.control.notices(selection))
    assert applied.payment_session_id == session.id
    assert shop.engine.retrieve_payment_session(session.id).status is SessionStatus.PENDING
    assert (shop.collection_of(cart).payments, shop.engine.list_orders()) == ((), ())
    alarms = [event.name for event in shop.engine.list_events(session.payment_collection_id)]
    assert ("kassa.alarm.contradiction" if is_known else "kassa.alarm.review") in alarms


@pytest.fixture
def stranger(simulator: SimulatorProcess) -> Iterator[SimulatorProvider]:
    """Somebody who pays with the same account, and writes our references on it."""
    provider = SimulatorProvider(simulator.options())
    yield provider
    provider.close()
