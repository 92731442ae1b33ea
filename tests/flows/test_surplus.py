"""Money that comes for a session that was given up: it pays what is owed, or is given back, or a person decides."""

import pytest

from kassa import Money, NotAllowed, OrderPlaced, Processing
from kassa.config import parse
from kassa.model import CaseKind, CaseStatus, OperationKind, PaymentSession
from kassa.opening import assemble
from kassa.transitions import OperationStatus
from kassa_sdk import Movement, PaymentFacts
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.control import Deed

from ..conftest import Clock, Shop
from .test_notices import apply_all, learn, told


def test_money_for_a_session_that_was_given_up_is_given_back(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    first = timed.session(cart, "pending")
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    timed.engine.delete_payment_session(first.id)
    second = timed.complete(cart)
    assert isinstance(second, OrderPlaced)
    # Canceled in our books and at the provider, and yet the bank sends the money.
    timed.simulator.control.do("settle", first.provider_reference or "")
    apply_all(timed.engine, told(timed, first))
    (case,) = timed.engine.list_cases()
    assert (case.kind, case.amount) == (CaseKind.SURPLUS, Money.parse("50.00", "EUR"))
    for _ in range(3):
        timed.engine.work()
        clock.forward(minutes=3)
    (closed,) = timed.engine.list_cases(status=CaseStatus.CLOSED)
    assert (closed.id, closed.closed_why) == (case.id, "all of it was given back")
    held = timed.simulator.control.payment(first.provider_reference or "")
    assert held["status"] == "canceled" or held["refunded"] == held["captured"]
    assert len(timed.engine.list_orders()) == 1


def test_late_money_pays_the_cart_when_nothing_else_does(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    session = timed.session(cart, "pending")
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    timed.engine.delete_payment_session(session.id)
    timed.simulator.control.do("settle", session.provider_reference or "")
    apply_all(timed.engine, told(timed, session))
    clock.forward(minutes=2)
    timed.engine.work()
    assert [order.cart_id for order in timed.engine.list_orders()] == [cart.id]
    assert timed.engine.list_cases() == ()


def test_a_policy_to_keep_surplus_money_leaves_the_case_to_a_person(
    configured: str, simulator: SimulatorProcess, clock: Clock
) -> None:
    keeping = configured.replace('plugin = "simulator"', 'plugin = "simulator"\nsurplus = "keep"', 1)
    shop = Shop(assemble(parse(keeping), clock=clock), simulator)
    cart = shop.cart()
    first = shop.session(cart, "pending")
    shop.engine.complete_cart(cart.id)
    shop.engine.delete_payment_session(first.id)
    shop.complete(cart)
    simulator.control.do("settle", first.provider_reference or "")
    apply_all(shop.engine, told(shop, first))
    for _ in range(3):
        shop.engine.work()
        clock.forward(minutes=3)
    (case,) = shop.engine.list_cases()
    closed = shop.engine.close_case(case.id, who="Ada", why="the customer wants a voucher for it")
    assert (closed.status, closed.closed_by) == (CaseStatus.CLOSED, "Ada")
    with pytest.raises(NotAllowed, match="was closed by Ada already"):
        shop.engine.close_case(case.id, who="Bob", why="again")
    shop.engine.close()


def test_giving_surplus_money_back_does_not_make_the_worker_forget_the_order(timed: Shop, clock: Clock) -> None:
    cart = timed.cart()
    first = timed.session(cart, "pending")
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    timed.engine.delete_payment_session(first.id)
    second = timed.session(cart)
    timed.simulator.control.do("settle", first.provider_reference or "")
    apply_all(timed.engine, told(timed, first)[-1:])
    # The shopper pays with the second session and never comes back.
    timed.engine.authorize_payment_session(second.id)
    for _ in range(3):
        timed.engine.work()
        clock.forward(minutes=3)
    assert [order.cart_id for order in timed.engine.list_orders()] == [cart.id]
    assert timed.engine.list_cases() == ()


def test_money_that_is_taken_again_for_a_session_that_was_given_up_is_given_back_again(
    timed: Shop, clock: Clock
) -> None:
    cart = timed.cart()
    session = timed.session(cart)
    timed.engine.authorize_payment_session(session.id)
    timed.engine.cancel_payment(timed.collection_of(cart).payments[0].id)
    payment = timed.collection_of(cart).payments[0]
    for number in (1, 2):
        taken = PaymentFacts(
            provider_reference=session.provider_reference or "",
            captures=(Movement(provider_reference=f"elsewhere_{number}", amount=Money.parse("10.00", "EUR")),),
        )
        learn(timed, session, taken)
    assert [case.kind for case in timed.engine.list_cases()] == [CaseKind.SURPLUS] * 2
    assert timed.engine.retrieve_payment(payment.id).payment.captured == Money.parse("20.00", "EUR")


def surplus(shop: Shop, scenario: str) -> PaymentSession:
    """Money that was taken for a session that was given up, beside an order that is paid."""
    cart = shop.cart("50.00")
    first = shop.session(cart, scenario)
    shop.engine.delete_payment_session(first.id)
    shop.complete(cart)
    deeds: tuple[tuple[Deed, int | None], ...] = (("settle", None), ("capture", 5_000))
    for deed, amount in deeds:
        shop.simulator.control.do(deed, first.provider_reference or "", amount=amount, currency="EUR")
    apply_all(shop.engine, told(shop, first))
    return first


def test_surplus_money_whose_refund_fails_after_days_is_left_to_a_person_and_not_refunded_again(
    timed: Shop, clock: Clock
) -> None:
    session = surplus(timed, "refund_failed")
    for _ in range(12):
        timed.engine.work()
        clock.forward(days=1)
        timed.simulator.control.advance_clock(days=1)
        apply_all(timed.engine, told(timed, session))
    (case,) = timed.engine.list_cases()
    operations = timed.engine.list_operations(case.payment_collection_id or "")
    assert [each.status for each in operations if each.kind is OperationKind.REFUND] == [OperationStatus.FAILED]
    events = timed.engine.list_events(case.payment_collection_id or "")
    causes = [str(event.data["cause"]) for event in events if event.name == "kassa.alarm.surplus"]
    assert "refund" in causes[-1]
    assert len(causes) == 2


def test_what_waits_to_be_given_back_is_looked_at_ever_more_rarely(timed: Shop, clock: Clock) -> None:
    surplus(timed, "refund_pending")
    looked = 0
    for _ in range(24 * 12):
        clock.forward(minutes=5)
        looked += len(timed.engine.work().cases)
    assert 0 < looked < 20
