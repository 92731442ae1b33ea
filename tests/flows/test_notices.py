"""Webhooks: verified, stored once, acknowledged, applied; late, early, twice, forged, or about something else."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from kassa import (
    Engine,
    InvalidData,
    Money,
    NotAllowed,
    NotFound,
    OrderPlaced,
    Processing,
    StillProcessing,
    Unverified,
    learning,
)
from kassa.config import parse
from kassa.model import CaseKind, OperationKind, PaymentSession, ReceivedNotice
from kassa.opening import assemble
from kassa.store import collections, sessions
from kassa.transitions import NoticeStatus, OperationStatus, SessionStatus
from kassa_sdk import Movement, PaymentFacts
from kassa_simulator.control import NoticeSelection, NoticeTwist, WrittenNotice
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, TOML, Clock, Shop

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def told(shop: Shop, session: PaymentSession, twist: NoticeTwist = NoticeTwist.TRUE) -> list[WrittenNotice]:
    """Every notice that the provider writes about a session, as it happened."""
    return shop.simulator.control.notices(NoticeSelection(payment_id=session.provider_reference, twist=twist))


def receive(engine: Engine, notice: WrittenNotice, *, received_at: datetime | None = None) -> ReceivedNotice:
    """Let the engine have one notice, as its HTTP route would."""
    moment = received_at or datetime.now(UTC)
    (received,) = engine.receive_notice(CARDS, notice["body"].encode(), notice["headers"], received_at=moment)
    return received


def apply_all(engine: Engine, notices: list[WrittenNotice]) -> list[ReceivedNotice]:
    """Receive and apply these notices, one after the other."""
    return [engine.apply_notice(receive(engine, notice).id) for notice in notices]


def test_a_pending_payment_is_settled_and_ordered_by_its_notice(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    session = timed.session(cart, "pending")
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    timed.simulator.control.do("settle", session.provider_reference or "")
    receive(timed.engine, told(timed, session)[-1])
    clock.forward(minutes=1)
    (applied,) = timed.engine.work().notices
    assert applied.status is NoticeStatus.APPLIED
    clock.forward(minutes=2)
    timed.engine.work()
    assert [order.cart_id for order in timed.engine.list_orders()] == [cart.id]


def test_an_order_that_waits_for_its_money_is_paid_by_the_notice(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("5.000", "KWD")
    session = timed.session(cart, "pending")
    waiting = timed.engine.complete_cart(cart.id)
    assert isinstance(waiting, OrderPlaced)
    assert not waiting.is_paid
    timed.simulator.control.do("settle", session.provider_reference or "")
    apply_all(timed.engine, told(timed, session))
    clock.forward(minutes=2)
    timed.engine.work()
    (order,) = timed.engine.list_orders()
    assert (order.id, order.is_paid) == (waiting.order_id, True)


def test_a_notice_settles_what_is_in_doubt(shop: Shop) -> None:
    payment = shop.paid("100.00")
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
    with pytest.raises(StillProcessing):
        shop.engine.capture_payment(payment.id, Money.parse("40.00", "EUR"))
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    apply_all(shop.engine, told(shop, session)[-1:])
    after = shop.engine.retrieve_payment(payment.id)
    assert [capture.amount for capture in after.captures] == [Money.parse("40.00", "EUR")]
    assert after.captures[0].operation_id is not None
    assert after.payment.capturing == Money(0, "EUR")


def test_the_same_notice_five_times_changes_nothing_after_the_first(shop: Shop) -> None:
    payment = shop.paid("100.00")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    shop.simulator.control.do("capture", session.provider_reference or "", amount=4000, currency="EUR")
    last = told(shop, session)[-1]
    received = {receive(shop.engine, last).id for _ in range(5)}
    assert len(received) == 1
    shop.engine.work()
    for _ in range(4):
        shop.engine.replay_notice(received.copy().pop())
    after = shop.engine.retrieve_payment(payment.id)
    assert [capture.amount for capture in after.captures] == [Money.parse("40.00", "EUR")]


def test_what_is_captured_and_refunded_in_the_dashboard_is_booked_as_made_elsewhere(shop: Shop) -> None:
    payment = shop.paid("100.00")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    reference = session.provider_reference or ""
    shop.simulator.control.do("capture", reference, amount=10000, currency="EUR")
    shop.simulator.control.do("refund", reference, amount=2500, currency="EUR")
    apply_all(shop.engine, told(shop, session))
    after = shop.engine.retrieve_payment(payment.id)
    assert [(each.operation_id, each.amount.minor) for each in after.captures] == [(None, 10000)]
    assert [(each.operation_id, each.amount.minor) for each in after.refunds] == [(None, 2500)]
    with pytest.raises(NotAllowed, match=r"has 75\.00 EUR left to refund"):
        shop.engine.refund_payment(payment.id, Money.parse("80.00", "EUR"))


def test_an_own_refund_is_not_counted_again_when_its_notice_comes(shop: Shop) -> None:
    payment = shop.paid("100.00")
    shop.engine.capture_payment(payment.id)
    shop.engine.refund_payment(payment.id, Money.parse("30.00", "EUR"))
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    apply_all(shop.engine, told(shop, session))
    after = shop.engine.retrieve_payment(payment.id)
    assert after.payment.refunded == Money.parse("30.00", "EUR")
    assert len(after.refunds) == 1


def test_a_notice_that_comes_before_the_answer_makes_no_second_refund(shop: Shop) -> None:
    payment = shop.paid("100.00")
    shop.engine.capture_payment(payment.id)
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "refund")
    with pytest.raises(StillProcessing):
        shop.engine.refund_payment(payment.id, Money.parse("30.00", "EUR"))
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    apply_all(shop.engine, told(shop, session))
    operation = shop.engine.list_operations(payment.payment_collection_id)[-1]
    assert operation.status is OperationStatus.SUCCEEDED
    assert shop.engine.retrieve_payment(payment.id).payment.refunded == Money.parse("30.00", "EUR")


def test_a_notice_about_a_session_whose_preparation_never_answered_is_matched_by_our_reference(shop: Shop) -> None:
    cart = shop.cart()
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "initiate")
    with pytest.raises(StillProcessing):
        shop.session(cart)
    (unknown,) = shop.collection_of(cart).sessions
    payments = [each for each in shop.simulator.control.effects() if each.get("our_reference") == unknown.id]
    reference = payments[0]["payment_id"]
    shop.simulator.control.do("cancel", reference)
    written = shop.simulator.control.notices(NoticeSelection(payment_id=reference))
    assert unknown.id in written[-1]["body"]
    (applied,) = apply_all(shop.engine, written[-1:])
    assert (applied.status, applied.payment_session_id) == (NoticeStatus.APPLIED, unknown.id)


def test_a_notice_about_a_payment_of_somebody_else_is_kept_tried_again_and_given_up_with_an_alarm(
    timed: Shop, clock: Clock
) -> None:
    other = timed.session(timed.cart())
    timed.engine.authorize_payment_session(other.id)
    notice = told(timed, other)[-1]
    forgotten = notice | {"body": notice["body"]}
    stranger = assemble(parse(_another_database(timed)), clock=clock)
    received = receive(stranger, forgotten)  # type: ignore[arg-type]
    for _ in range(30):
        stranger.work()
        clock.forward(hours=7)
    given_up = stranger.retrieve_notice(received.id)
    assert given_up.status is NoticeStatus.EXPIRED
    assert given_up.cause == "no payment session of ours is known by this reference, yet"
    stranger.close()


def _another_database(shop: Shop) -> str:
    return TOML.replace('url = "env:SHOP_DATABASE"', 'url = "env:OTHER_DATABASE"')


@pytest.fixture(autouse=True)
def other_database(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second, empty database."""
    monkeypatch.setenv("OTHER_DATABASE", f"sqlite:///{tmp_path_factory.mktemp('other') / 'kassa.db'}")


@pytest.mark.parametrize("twist", [NoticeTwist.FORGED, NoticeTwist.UNSIGNED, NoticeTwist.TAMPERED])
def test_what_is_not_proven_to_come_from_the_provider_is_refused_and_not_kept(shop: Shop, twist: NoticeTwist) -> None:
    session = shop.session(shop.cart())
    shop.engine.authorize_payment_session(session.id)
    with pytest.raises(Unverified, match="pp_simulator_cards: "):
        receive(shop.engine, told(shop, session, twist)[-1])
    assert shop.engine.list_notices() == ()


def test_a_notice_signed_long_ago_is_refused(shop: Shop) -> None:
    session = shop.session(shop.cart())
    shop.engine.authorize_payment_session(session.id)
    with pytest.raises(Unverified, match="300 seconds"):
        receive(shop.engine, told(shop, session)[-1], received_at=datetime.now(UTC) + timedelta(minutes=10))


@pytest.mark.parametrize("twist", [NoticeTwist.WRONG_AMOUNT, NoticeTwist.WRONG_CURRENCY])
def test_an_authentic_notice_about_another_amount_or_currency_is_a_case_and_never_paid(
    shop: Shop, twist: NoticeTwist
) -> None:
    payment = shop.paid("100.00")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    shop.simulator.control.do("capture", session.provider_reference or "", amount=4000, currency="EUR")
    apply_all(shop.engine, told(shop, session, twist)[-1:])
    (case,) = shop.engine.list_cases()
    assert case.kind is CaseKind.CONTRADICTION
    assert shop.engine.retrieve_payment(payment.id).captures == ()


def test_a_notice_that_pays_another_amount_than_was_asked_for_authorizes_nothing(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart, "pending")
    assert isinstance(shop.engine.complete_cart(cart.id), Processing)
    shop.simulator.control.do("settle", session.provider_reference or "", amount=100)
    apply_all(shop.engine, told(shop, session))
    operation = shop.engine.list_operations(session.payment_collection_id)[-1]
    assert operation.status is OperationStatus.REVIEW
    assert shop.engine.retrieve_payment_session(session.id).status is SessionStatus.PENDING_AUTHORIZATION


def test_a_payment_that_the_shopper_made_alone_is_found_by_its_notice_and_ordered(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    session = timed.session(cart, "redirect_sale")
    timed.engine.complete_cart(cart.id)
    timed.simulator.control.answer_challenge(session.provider_reference or "", "approve")
    apply_all(timed.engine, told(timed, session))
    clock.forward(minutes=2)
    timed.engine.work()
    assert [order.cart_id for order in timed.engine.list_orders()] == [cart.id]


def test_a_declined_payment_frees_the_checkout_by_its_notice(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart, "pending_declined")
    assert isinstance(shop.engine.complete_cart(cart.id), Processing)
    shop.simulator.control.do("decline", session.provider_reference or "")
    apply_all(shop.engine, told(shop, session))
    assert shop.engine.retrieve_payment_session(session.id).status is SessionStatus.ERROR
    assert isinstance(shop.complete(cart), OrderPlaced)


def test_a_hold_that_expired_at_the_provider_is_released_here(shop: Shop) -> None:
    payment = shop.paid("100.00")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    shop.simulator.control.do("expire", session.provider_reference or "")
    apply_all(shop.engine, told(shop, session))
    after = shop.engine.retrieve_payment(payment.id).payment
    assert after.canceled == Money.parse("100.00", "EUR")
    with pytest.raises(NotAllowed, match="left to capture"):
        shop.engine.capture_payment(payment.id)


def test_a_debit_that_is_returned_is_a_case_with_an_alarm(shop: Shop) -> None:
    payment = shop.paid("100.00", scenario="immediate_sale")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    shop.simulator.control.do("return", session.provider_reference or "")
    apply_all(shop.engine, told(shop, session))
    (case,) = shop.engine.list_cases()
    assert (case.kind, case.amount) == (CaseKind.RETURNED, Money.parse("100.00", "EUR"))
    assert shop.engine.retrieve_payment(payment.id).payment.returned == Money.parse("100.00", "EUR")
    assert "kassa.alarm.returned" in [each.name for each in shop.engine.list_events(payment.payment_collection_id)]


def test_a_refund_that_fails_after_it_succeeded_does_not_count_and_is_a_case(shop: Shop) -> None:
    payment = shop.paid("100.00", scenario="refund_pending")
    shop.engine.capture_payment(payment.id)
    shop.engine.refund_payment(payment.id, Money.parse("30.00", "EUR"))
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    reference = session.provider_reference or ""
    (refund,) = shop.simulator.control.payment(reference)["refunds"]
    shop.simulator.control.do("fail_movement", reference, movement_id=refund["id"])
    apply_all(shop.engine, told(shop, session))
    after = shop.engine.retrieve_payment(payment.id).payment
    assert (after.refunded, after.refunding) == (Money(0, "EUR"), Money(0, "EUR"))


def test_a_notice_that_only_names_a_payment_is_looked_up(
    configured: str, simulator: SimulatorProcess, clock: Clock
) -> None:
    id_only = configured.replace("timeout_seconds = 1.0", 'timeout_seconds = 1.0\nnotices = "id_only"')
    shop = Shop(assemble(parse(id_only), clock=clock), simulator)
    payment = shop.paid("100.00")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    simulator.control.do("capture", session.provider_reference or "", amount=4000, currency="EUR")
    (received, *_) = shop.engine.list_notices() or (receive(shop.engine, told(shop, session)[-1]),)
    assert received.facts is None
    assert shop.engine.apply_notice(received.id).status is NoticeStatus.APPLIED
    assert shop.engine.retrieve_payment(payment.id).payment.captured == Money.parse("40.00", "EUR")
    shop.engine.close()


def test_a_notice_that_cannot_be_applied_is_tried_again_and_replayed_by_a_person(
    configured: str, simulator: SimulatorProcess, clock: Clock
) -> None:
    id_only = configured.replace("timeout_seconds = 1.0", 'timeout_seconds = 1.0\nnotices = "id_only"')
    shop = Shop(assemble(parse(id_only), clock=clock), simulator)
    payment = shop.paid("100.00")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    simulator.control.do("capture", session.provider_reference or "", amount=4000, currency="EUR")
    received = receive(shop.engine, told(shop, session)[-1])
    simulator.control.add_fault(Fault.SERVER_ERROR_BEFORE_ACTING, "look_up", calls=None)
    for _ in range(30):
        shop.engine.work()
        clock.forward(hours=7)
    dead = shop.engine.retrieve_notice(received.id)
    assert (dead.status, dead.attempts) == (NoticeStatus.DEAD, 24)
    simulator.control.clear_faults()
    assert shop.engine.replay_notice(received.id).status is NoticeStatus.APPLIED
    assert shop.engine.retrieve_payment(payment.id).payment.captured == Money.parse("40.00", "EUR")
    shop.engine.close()


def test_bad_input_is_named(shop: Shop) -> None:
    with pytest.raises(NotFound, match="provider_id: 'nobody' is not configured"):
        shop.engine.receive_notice("nobody", b"{}", {})
    with pytest.raises(InvalidData, match="body: expected at most 1048576 bytes"):
        shop.engine.receive_notice("cards", b" " * 1_048_577, {})
    with pytest.raises(NotFound, match="sends no notices"):
        shop.engine.receive_notice("default", b"{}", {})
    with pytest.raises(InvalidData, match="notice_id: expected an id that starts with notice_"):
        shop.engine.replay_notice("evt_1")


def test_a_closing_that_is_in_doubt_is_settled_by_the_notice(shop: Shop) -> None:
    payment = shop.paid("100.00")
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "cancel")
    with pytest.raises(StillProcessing):
        shop.engine.cancel_payment(payment.id)
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    apply_all(shop.engine, told(shop, session))
    closing = shop.engine.list_operations(payment.payment_collection_id)[-1]
    assert (closing.kind, closing.status) == (OperationKind.CANCEL, OperationStatus.SUCCEEDED)
    assert shop.engine.retrieve_payment(payment.id).payment.canceled == Money.parse("100.00", "EUR")


@pytest.mark.parametrize(("deed", "is_open"), [("win_dispute", False), ("lose_dispute", True)])
def test_a_dispute_is_a_case_until_it_is_won(shop: Shop, deed: str, is_open: bool) -> None:
    payment = shop.paid("100.00", scenario="immediate_sale")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    reference = session.provider_reference or ""
    shop.simulator.control.do("open_dispute", reference, amount=6000)
    apply_all(shop.engine, told(shop, session))
    (case,) = shop.engine.list_cases()
    assert (case.kind, case.amount) == (CaseKind.DISPUTED, Money.parse("60.00", "EUR"))
    shop.simulator.control.do(deed, reference)  # type: ignore[arg-type]  # one of the simulator's deeds
    apply_all(shop.engine, list(reversed(told(shop, session))))
    assert bool(shop.engine.list_cases()) is is_open


def test_a_store_sees_its_own_notices_and_no_others(shop: Shop) -> None:
    payment = shop.paid("100.00")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    (applied,) = apply_all(shop.engine, told(shop, session)[-1:])
    other = shop.engine.for_store("other")
    assert (shop.engine.list_notices(), other.list_notices()) == ((applied,), ())
    with pytest.raises(NotFound, match="in this store"):
        other.replay_notice(applied.id)


def test_a_hold_that_was_over_before_we_heard_of_it_is_no_payment(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    session = timed.session(cart)
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, "authorize")
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    timed.simulator.control.do("expire", session.provider_reference or "")
    apply_all(timed.engine, told(timed, session)[-1:])
    assert timed.engine.retrieve_payment_session(session.id).status is SessionStatus.ERROR
    assert timed.collection_of(cart).payments == ()


def test_a_hold_that_is_released_before_the_order_leaves_the_worker_nothing_to_do(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    session = timed.session(cart)
    timed.engine.authorize_payment_session(session.id)
    timed.simulator.control.do("cancel", session.provider_reference or "")
    apply_all(timed.engine, told(timed, session)[-1:])
    clock.forward(days=1)
    assert timed.engine.work().carts == ()


def test_no_order_is_placed_for_a_payment_of_which_only_a_part_stands(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    session = timed.session(cart)
    timed.engine.authorize_payment_session(session.id)
    timed.simulator.control.do("capture", session.provider_reference or "", amount=1_250, currency="EUR")
    timed.simulator.control.do("expire", session.provider_reference or "")
    apply_all(timed.engine, told(timed, session))
    with pytest.raises(NotAllowed, match=r"12\.50 EUR of 50\.00 EUR"):
        timed.engine.complete_cart(cart.id)
    for _ in range(24):
        timed.engine.work()
        clock.forward(minutes=5)
    assert timed.engine.list_orders() == ()
    assert timed.engine.list_cases() == ()
    held = timed.simulator.control.payment(session.provider_reference or "")
    assert held["refunded"] == held["captured"] == 1_250
    assert isinstance(timed.complete(cart), OrderPlaced)


def test_another_contradiction_of_the_same_payment_is_another_case(shop: Shop) -> None:
    payment = shop.paid("100.00")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    for twist in (NoticeTwist.WRONG_AMOUNT, NoticeTwist.WRONG_CURRENCY):
        shop.simulator.control.do("capture", session.provider_reference or "", amount=1000, currency="EUR")
        apply_all(shop.engine, told(shop, session, twist)[-1:])
    assert [case.kind for case in shop.engine.list_cases()] == [CaseKind.CONTRADICTION] * 2


def test_another_amount_under_our_key_is_reviewed_and_stays_reserved(shop: Shop) -> None:
    payment = shop.paid("100.00")
    shop.simulator.control.add_fault(Fault.CUT_BEFORE_ACTING, "capture")
    with pytest.raises(StillProcessing):
        shop.engine.capture_payment(payment.id, Money.parse("40.00", "EUR"))
    (operation,) = shop.engine.list_operations_in_doubt()
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    movement = Movement(
        provider_reference="theirs", amount=Money.parse("50.00", "EUR"), attempt_key=operation.attempt_key
    )
    learn(shop, session, PaymentFacts(provider_reference=session.provider_reference or "", captures=(movement,)))
    (reviewed,) = shop.engine.list_operations_in_doubt()
    assert reviewed.status is OperationStatus.REVIEW
    after = shop.engine.retrieve_payment(payment.id).payment
    assert (after.captured, after.capturing) == (Money(0, "EUR"), Money.parse("40.00", "EUR"))


def learn(shop: Shop, session: PaymentSession, facts: PaymentFacts) -> None:
    """Merge facts that the simulator would never tell."""
    world = shop.engine._world

    def merge(connection: Connection) -> None:
        collections.lock(connection, session.store_id, session.payment_collection_id)
        learning.learn(world, connection, sessions.load(connection, session.store_id, session.id), facts)

    world.database.transact(merge)
