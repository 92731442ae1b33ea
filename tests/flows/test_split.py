"""Split payments: several sessions in order, all of them or none; what does not come together is given back."""

from collections.abc import Sequence

import pytest

from kassa import (
    ActionNeeded,
    Conflict,
    InvalidData,
    Money,
    NewItem,
    NotAllowed,
    OrderPlaced,
    PaymentDeclined,
    PlannedSession,
    Processing,
    ProviderUnavailable,
    Refused,
)
from kassa.amounts import collection_status
from kassa.config import parse
from kassa.model import Cart, CaseKind, CaseStatus, CollectionStatus, PaymentCollection, PaymentSession, PaymentStatus
from kassa.opening import assemble
from kassa.transitions import SessionStatus
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, CASH, Clock, Shop
from .test_at_once import at_once


def part(amount: str, scenario: str = "approve", provider: str = CARDS) -> PlannedSession:
    """One session of a plan, in euros."""
    data = {"scenario": scenario} if provider == CARDS else {}
    return PlannedSession(provider_id=provider, amount=Money.parse(amount, "EUR"), data=data)


def dinars(amount: str, scenario: str = "approve") -> PlannedSession:
    """One session of a plan in Kuwait, where orders need not wait for this provider."""
    return PlannedSession(provider_id=CARDS, amount=Money.parse(amount, "KWD"), data={"scenario": scenario})


def planned(shop: Shop, cart: Cart, *parts: PlannedSession) -> tuple[PaymentSession, ...]:
    """The live sessions of the cart's collection, after it was planned so."""
    return shop.engine.plan_payment_sessions(shop.collection_of(cart).id, parts).live_sessions


def held(shop: Shop, sessions: Sequence[PaymentSession]) -> list[str]:
    """How the provider has these payments."""
    return [shop.simulator.control.payment(session.provider_reference or "")["status"] for session in sessions]


def standing(collection: PaymentCollection) -> list[Money]:
    """The payments that stand."""
    return [payment.amount for payment in collection.payments if payment.status is PaymentStatus.AUTHORIZED]


def work_for(shop: Shop, clock: Clock, minutes: int) -> None:
    """Let the worker do all that it does in so many minutes."""
    for _ in range(minutes // 5):
        clock.forward(minutes=5)
        shop.engine.work()


# The plan


def test_a_payment_is_split_over_sessions_in_the_planned_order(shop: Shop) -> None:
    gift, card = planned(shop, shop.cart("50.00"), part("20.00"), part("30.00", provider=CASH))
    assert [(each.place, each.provider_id, str(each.amount)) for each in (gift, card)] == [
        (0, CARDS, "20.00 EUR"),
        (1, CASH, "30.00 EUR"),
    ]


def test_the_same_plan_again_gets_the_same_sessions(shop: Shop) -> None:
    cart = shop.cart("50.00")
    plan = part("20.00"), part("30.00")
    assert planned(shop, cart, *plan) == planned(shop, cart, *plan)


def test_another_plan_replaces_what_differs_and_keeps_what_is_the_same(shop: Shop) -> None:
    cart = shop.cart("50.00")
    gift, card = planned(shop, cart, part("20.00"), part("20.00"), part("10.00"))[:2]
    kept, new = planned(shop, cart, part("20.00"), part("30.00", provider=CASH))
    assert kept == gift
    assert (new.place, new.provider_id) == (1, CASH)
    assert held(shop, [gift, card]) == ["created", "canceled"]


def test_one_session_for_all_replaces_a_plan(shop: Shop) -> None:
    cart = shop.cart("50.00")
    parts = planned(shop, cart, part("20.00"), part("30.00"))
    session = shop.session(cart)
    assert shop.collection_of(cart).live_sessions == (session,)
    assert held(shop, parts) == ["canceled", "canceled"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), "sessions: expected 1 to 10 sessions, not 0"),
        ((part("1.00"),) * 11, "sessions: expected 1 to 10 sessions, not 11"),
        (
            (part("20.00"), part("29.99")),
            r"sessions: expected parts that come to the 50.00 EUR that is owed; it is 0.01 EUR less",
        ),
        ((part("30.00"), part("30.00")), "sessions: expected parts .* it is 10.00 EUR more"),
        (
            (part("60.00"), part("-10.00")),
            r"sessions\[0\].amount: .* at most the 50.00 EUR that is owed, not 60.00 EUR",
        ),
        ((part("50.00"), part("-10.00")), r"sessions\[1\].amount: expected more than zero, .* not -10.00 EUR"),
        ((part("50.00"), part("0.00")), r"sessions\[1\].amount: expected more than zero, .* not 0.00 EUR"),
        (
            (part("50.00"), PlannedSession(provider_id=CARDS, amount=Money(1, "JPY"))),
            r"sessions\[1\].amount: expected an amount in EUR, as is owed, not 1 JPY",
        ),
    ],
)
def test_a_plan_that_does_not_add_up_changes_nothing(
    shop: Shop, parts: tuple[PlannedSession, ...], message: str
) -> None:
    cart = shop.cart("50.00")
    session = shop.session(cart)
    with pytest.raises(InvalidData, match=message):
        planned(shop, cart, *parts)
    assert shop.collection_of(cart).live_sessions == (session,)


def test_a_rule_of_the_region_judges_the_part_that_its_provider_would_take(shop: Shop) -> None:
    cart = shop.cart("200.00")
    assert len(planned(shop, cart, part("100.00", provider=CASH), part("100.00"))) == 2
    with pytest.raises(NotAllowed, match="Cash on delivery only up to 150 EUR"):
        planned(shop, cart, part("160.00", provider=CASH), part("40.00"))


def test_a_plan_of_which_a_part_could_not_be_prepared_is_completed_by_another_plan(shop: Shop) -> None:
    cart = shop.cart("50.00")
    with pytest.raises(PaymentDeclined):
        planned(shop, cart, part("20.00"), part("30.00", "initiate_declined"))
    with pytest.raises(NotAllowed, match="is not prepared at its provider; plan the sessions again"):
        shop.engine.complete_cart(cart.id)
    planned(shop, cart, part("20.00"), part("30.00"))
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)


def test_a_part_is_not_updated_by_itself(shop: Shop) -> None:
    gift, _card = planned(shop, shop.cart("50.00"), part("20.00"), part("30.00"))
    with pytest.raises(NotAllowed, match="is split over several sessions; plan them again instead"):
        shop.engine.update_payment_session(gift.id)


# Completion


def test_an_order_is_placed_when_every_part_is_authorized(shop: Shop) -> None:
    cart = shop.cart("50.00")
    parts = planned(shop, cart, part("20.00"), part("30.00"))
    completion = shop.engine.complete_cart(cart.id)
    assert isinstance(completion, OrderPlaced)
    assert completion.is_paid
    assert completion.payment_collection is not None
    assert [str(payment.amount) for payment in completion.payment_collection.payments] == ["20.00 EUR", "30.00 EUR"]
    assert collection_status(completion.payment_collection) is CollectionStatus.AUTHORIZED
    assert held(shop, parts) == ["authorized", "authorized"]
    (order,) = shop.engine.list_orders()
    assert str(order.total) == "50.00 EUR"


def test_a_completed_split_answers_with_the_same_order(shop: Shop) -> None:
    cart = shop.cart("50.00")
    planned(shop, cart, part("20.00"), part("30.00"))
    first, second = shop.engine.complete_cart(cart.id), shop.engine.complete_cart(cart.id)
    assert isinstance(first, OrderPlaced)
    assert isinstance(second, OrderPlaced)
    assert (first.order_id, first.payment_collection) == (second.order_id, second.payment_collection)


def test_a_part_that_requires_an_action_is_shown_before_the_next_is_begun(shop: Shop) -> None:
    cart = shop.cart("50.00")
    first, second, third = planned(shop, cart, part("20.00"), part("20.00", "challenge"), part("10.00"))
    completion = shop.engine.complete_cart(cart.id)
    assert isinstance(completion, ActionNeeded)
    assert completion.payment_session.id == second.id
    assert held(shop, [first, second, third]) == ["authorized", "requires_action", "created"]
    assert collection_status(shop.collection_of(cart)) is CollectionStatus.PARTIALLY_AUTHORIZED
    shop.simulator.control.answer_challenge(second.provider_reference or "", "approve")
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)
    assert held(shop, [first, second, third]) == ["authorized"] * 3


def test_when_a_part_is_declined_those_that_this_call_authorized_are_given_back(shop: Shop) -> None:
    cart = shop.cart("50.00")
    first, second = planned(shop, cart, part("20.00"), part("30.00", "decline"))
    completion = shop.engine.complete_cart(cart.id)
    assert isinstance(completion, Refused)
    assert completion.payment_session_id == second.id
    assert held(shop, [first, second]) == ["canceled", "declined"]
    assert standing(shop.collection_of(cart)) == []
    (case,) = shop.engine.list_cases(status=CaseStatus.CLOSED)
    assert (case.kind, case.closed_why) == (CaseKind.INCOMPLETE, "all of it was given back")
    assert not any("alarm" in event.name for event in shop.engine.list_events(first.payment_collection_id))


def test_a_part_that_was_taken_at_once_is_refunded(shop: Shop) -> None:
    cart = shop.cart("50.00")
    first, _ = planned(shop, cart, part("20.00", "immediate_sale"), part("30.00", "decline"))
    assert isinstance(shop.engine.complete_cart(cart.id), Refused)
    (payment,) = shop.collection_of(cart).payments
    assert (str(payment.captured), str(payment.refunded)) == ("20.00 EUR", "20.00 EUR")
    assert shop.books(first, "refunded") == [2000]


def test_what_an_earlier_call_has_authorized_is_not_undone(shop: Shop) -> None:
    cart = shop.cart("50.00")
    first, second = planned(shop, cart, part("20.00"), part("30.00", "challenge"))
    assert isinstance(shop.engine.complete_cart(cart.id), ActionNeeded)
    shop.simulator.control.answer_challenge(second.provider_reference or "", "decline")
    assert isinstance(shop.engine.complete_cart(cart.id), Refused)
    assert held(shop, [first]) == ["authorized"]


def test_after_a_decline_another_plan_keeps_the_part_that_stands(shop: Shop) -> None:
    cart = shop.cart("50.00")
    first, second = planned(shop, cart, part("20.00"), part("30.00", "challenge"))
    shop.engine.complete_cart(cart.id)
    shop.simulator.control.answer_challenge(second.provider_reference or "", "decline")
    shop.engine.complete_cart(cart.id)
    kept, _ = planned(shop, cart, part("20.00"), part("30.00", provider=CASH))
    assert kept.id == first.id
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)
    assert [str(amount) for amount in standing(shop.collection_of(cart))] == ["20.00 EUR", "30.00 EUR"]


def test_after_a_decline_the_cart_can_be_paid_by_a_new_plan(shop: Shop) -> None:
    cart = shop.cart("50.00")
    planned(shop, cart, part("20.00"), part("30.00", "decline"))
    assert isinstance(shop.engine.complete_cart(cart.id), Refused)
    with pytest.raises(Conflict, match=r"come to|is for 30.00 EUR"):
        shop.engine.complete_cart(cart.id)
    planned(shop, cart, part("20.00"), part("30.00"))
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)
    assert len(standing(shop.collection_of(cart))) == 2


def test_a_cart_that_became_dearer_is_not_ordered_for_the_sum_of_its_old_parts(shop: Shop) -> None:
    cart = shop.cart("50.00")
    parts = planned(shop, cart, part("20.00"), part("30.00"))
    dearer = NewItem(title="A dearer thing", quantity=1, unit_price=Money.parse("60.00", "EUR"))
    shop.engine.replace_cart_items(cart.id, [dearer])
    with pytest.raises(Conflict, match=r"come to 50.00 EUR, but 60.00 EUR is owed now; plan them again"):
        shop.engine.complete_cart(cart.id)
    assert held(shop, parts) == ["created"] * 2


def test_a_cart_whose_split_payment_has_begun_keeps_its_items(shop: Shop) -> None:
    cart = shop.cart("50.00")
    planned(shop, cart, part("20.00"), part("30.00", "challenge"))
    shop.engine.complete_cart(cart.id)
    with pytest.raises(NotAllowed, match="is being paid"):
        shop.engine.replace_cart_items(cart.id, [])


def test_a_part_whose_provider_is_not_reached_can_be_tried_again(shop: Shop) -> None:
    cart = shop.cart("50.00")
    parts = planned(shop, cart, part("20.00"), part("30.00"))
    shop.simulator.control.add_fault(Fault.TOO_MANY_REQUESTS, "authorize", our_reference=parts[1].id)
    with pytest.raises(ProviderUnavailable):
        shop.engine.complete_cart(cart.id)
    assert held(shop, parts) == ["authorized", "created"]
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)
    assert shop.books(parts[0], "authorized") == [2000]


def test_a_part_whose_answer_is_lost_is_processing_and_undoes_nothing(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    parts = planned(timed, cart, part("20.00"), part("30.00"))
    timed.simulator.control.add_fault(Fault.ACT_THEN_CUT, "authorize", our_reference=parts[1].id)
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    work_for(timed, clock, 10)
    assert [order.cart_id for order in timed.engine.list_orders()] == [cart.id]
    assert held(timed, parts) == ["authorized", "authorized"]


# Nobody comes back


def test_a_part_that_nobody_completes_is_given_back_after_an_hour_and_not_before(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    parts = planned(timed, cart, part("20.00"), part("30.00", "challenge"))
    timed.engine.complete_cart(cart.id)
    timed.simulator.control.answer_challenge(parts[1].provider_reference or "", "decline")
    timed.engine.complete_cart(cart.id)
    work_for(timed, clock, 50)
    assert held(timed, parts) == ["authorized", "declined"]
    work_for(timed, clock, 20)
    assert held(timed, parts) == ["canceled", "declined"]
    assert timed.engine.list_orders() == ()


def test_a_part_is_given_back_when_the_shopper_leaves_the_challenge_of_the_other(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    first, second = planned(timed, cart, part("20.00"), part("30.00", "challenge"))
    assert isinstance(timed.engine.complete_cart(cart.id), ActionNeeded)
    work_for(timed, clock, 50)
    assert held(timed, [first]) == ["authorized"]
    work_for(timed, clock, 20)
    assert held(timed, [first]) == ["canceled"]
    # The shopper comes back after all: what is left is no payment for the cart, and is given back too.
    timed.simulator.control.answer_challenge(second.provider_reference or "", "approve")
    timed.engine.answer_action(second.id)
    work_for(timed, clock, 120)
    assert held(timed, [first, second]) == ["canceled", "canceled"]
    assert timed.engine.list_orders() == ()


def test_the_worker_authorizes_no_part_that_the_shopper_has_not_confirmed(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    parts = planned(timed, cart, part("20.00"), part("30.00"))
    timed.engine.authorize_payment_session(parts[0].id)
    work_for(timed, clock, 120)
    assert held(timed, parts) == ["canceled", "created"]


def test_parts_that_a_shopper_paid_elsewhere_are_ordered_once_all_of_them_are_paid(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    first, second = planned(timed, cart, part("20.00"), part("30.00"))
    for session in (first, second):
        timed.engine.authorize_payment_session(session.id)
    work_for(timed, clock, 5)
    assert [order.cart_id for order in timed.engine.list_orders()] == [cart.id]


def test_a_part_waits_for_one_that_its_provider_takes_days_for(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    parts = planned(timed, cart, part("20.00"), part("30.00", "pending"))
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    work_for(timed, clock, 180)
    assert held(timed, parts) == ["authorized", "pending"]
    timed.simulator.control.do("settle", parts[1].provider_reference or "")
    clock.forward(days=2)
    work_for(timed, clock, 10)
    assert [order.cart_id for order in timed.engine.list_orders()] == [cart.id]


def test_a_part_whose_companion_never_comes_is_given_back(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    parts = planned(timed, cart, part("20.00"), part("30.00", "pending"))
    timed.engine.complete_cart(cart.id)
    timed.simulator.control.do("decline", parts[1].provider_reference or "")
    work_for(timed, clock, 24 * 60)
    assert held(timed, parts) == ["canceled", "declined"]
    assert timed.engine.list_operations_in_doubt() == ()


def test_giving_a_part_back_does_not_make_the_worker_forget_the_other(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    parts = planned(timed, cart, part("20.00"), part("30.00"))
    for session in parts:
        timed.engine.authorize_payment_session(session.id)
    timed.engine.cancel_payment(timed.collection_of(cart).payments[0].id)
    work_for(timed, clock, 120)
    assert held(timed, parts) == ["canceled", "canceled"]
    assert timed.engine.list_orders() == ()


def test_a_part_that_is_given_back_is_not_kept_by_the_policy_for_surplus_money(
    configured: str, simulator: SimulatorProcess
) -> None:
    keeping = configured.replace('plugin = "simulator"', 'plugin = "simulator"\nsurplus = "keep"', 1)
    shop = Shop(assemble(parse(keeping)), simulator)
    cart = shop.cart("50.00")
    parts = planned(shop, cart, part("20.00"), part("30.00", "decline"))
    assert isinstance(shop.engine.complete_cart(cart.id), Refused)
    assert held(shop, parts) == ["canceled", "declined"]
    shop.engine.close()


def test_a_part_whose_giving_back_is_not_answered_is_given_back_by_the_worker(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    parts = planned(timed, cart, part("20.00"), part("30.00", "decline"))
    timed.simulator.control.add_fault(Fault.CUT_BEFORE_ACTING, "cancel")
    assert isinstance(timed.engine.complete_cart(cart.id), Refused)
    (case,) = timed.engine.list_cases()
    assert case.kind is CaseKind.INCOMPLETE
    work_for(timed, clock, 15)
    assert held(timed, parts) == ["canceled", "declined"]
    assert timed.engine.list_cases() == ()


def test_a_giving_back_that_never_arrived_is_tried_again_by_the_worker(
    configured: str, simulator: SimulatorProcess, clock: Clock
) -> None:
    # Without keys it is not sent again while nobody knows; that it never arrived has to be proven first.
    keyless = configured.replace("timeout_seconds = 1.0", 'timeout_seconds = 1.0\nkeys = "none"')
    shop = Shop(assemble(parse(keyless), clock=clock), simulator)
    cart = shop.cart("50.00")
    parts = planned(shop, cart, part("20.00"), part("30.00", "decline"))
    simulator.control.add_fault(Fault.CUT_BEFORE_ACTING, "cancel")
    assert isinstance(shop.engine.complete_cart(cart.id), Refused)
    work_for(shop, clock, 600)
    assert held(shop, parts) == ["canceled", "declined"]
    assert shop.engine.list_cases() == ()
    shop.engine.close()


@pytest.mark.parametrize("fault", [Fault.TOO_MANY_REQUESTS, Fault.UNAUTHORIZED])
def test_a_person_is_told_when_giving_back_does_not_go_for_hours_and_it_goes_on(
    timed: Shop, clock: Clock, fault: Fault
) -> None:
    cart = timed.cart("50.00")
    parts = planned(timed, cart, part("20.00"), part("30.00", "decline"))
    timed.simulator.control.add_fault(fault, "cancel", calls=None)
    assert isinstance(timed.engine.complete_cart(cart.id), Refused)
    work_for(timed, clock, 50)
    collection_id = parts[0].payment_collection_id
    assert not [event for event in timed.engine.list_events(collection_id) if event.name.startswith("kassa.alarm")]
    work_for(timed, clock, 300)
    assert [event for event in timed.engine.list_events(collection_id) if event.name == "kassa.alarm.incomplete"]
    timed.simulator.control.clear_faults()
    work_for(timed, clock, 420)
    assert held(timed, parts) == ["canceled", "declined"]
    assert timed.engine.list_cases() == ()


def test_a_part_waits_no_longer_for_a_pending_one_that_is_deleted(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("50.00")
    first, pending = planned(timed, cart, part("20.00"), part("30.00", "pending"))
    assert isinstance(timed.engine.complete_cart(cart.id), Processing)
    work_for(timed, clock, 5)
    timed.engine.delete_payment_session(pending.id)
    work_for(timed, clock, 70)
    assert held(timed, [first]) == ["canceled"]


@pytest.mark.parametrize("scenario", ["challenge", "pending"])
def test_the_same_plan_again_leaves_a_part_alone_that_is_under_way(shop: Shop, scenario: str) -> None:
    cart = shop.cart("50.00")
    plan = part("20.00"), part("30.00", scenario)
    before = planned(shop, cart, *plan)
    shop.engine.complete_cart(cart.id)
    assert [each.id for each in planned(shop, cart, *plan)] == [each.id for each in before]
    assert len(shop.collection_of(cart).sessions) == 2


# Beside others, and beside orders


def test_of_two_who_plan_differently_at_once_at_most_one_plan_stands_and_pays(shop: Shop) -> None:
    cart = shop.cart("50.00")
    collection = shop.collection_of(cart)
    plans = [part("20.00"), part("30.00")], [part("10.00"), part("40.00")]
    turns = iter(plans * 4)
    at_once(lambda: shop.engine.plan_payment_sessions(collection.id, next(turns)), clients=8)
    last = planned(shop, cart, *plans[0])
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)
    assert held(shop, last) == ["authorized", "authorized"]
    given_up = [each for each in shop.collection_of(cart).sessions if not each.is_live and each.provider_reference]
    assert set(held(shop, given_up)) <= {"canceled"}


def test_of_many_who_complete_at_once_a_split_that_is_declined_nothing_is_left_standing(
    timed: Shop, clock: Clock
) -> None:
    cart = timed.cart("50.00")
    parts = planned(timed, cart, part("20.00"), part("30.00", "decline"))
    at_once(lambda: timed.engine.complete_cart(cart.id), clients=8)
    work_for(timed, clock, 120)
    assert held(timed, parts) == ["canceled", "declined"]
    assert timed.engine.list_orders() == ()
    assert timed.engine.list_operations_in_doubt() == ()


def test_an_order_that_waits_for_one_part_keeps_the_others_when_that_part_fails(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("5.000", "KWD")
    first, late = planned(timed, cart, dinars("2.000"), dinars("3.000", "pending"))
    waiting = timed.engine.complete_cart(cart.id)
    assert isinstance(waiting, OrderPlaced)
    assert not waiting.is_paid
    timed.simulator.control.do("decline", late.provider_reference or "")
    clock.forward(days=3)
    work_for(timed, clock, 120)
    assert held(timed, [first, late]) == ["authorized", "declined"]
    kept, _ = planned(timed, cart, dinars("2.000"), dinars("3.000"))
    paid = timed.engine.complete_cart(cart.id)
    assert isinstance(paid, OrderPlaced)
    assert (paid.order_id, paid.is_paid, kept.id) == (waiting.order_id, True, first.id)
    assert len(timed.engine.list_orders()) == 1


def test_an_order_that_waits_for_one_part_is_paid_when_that_part_comes(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("5.000", "KWD")
    _first, late = planned(timed, cart, dinars("2.000"), dinars("3.000", "pending"))
    timed.engine.complete_cart(cart.id)
    timed.simulator.control.do("settle", late.provider_reference or "")
    clock.forward(days=3)
    work_for(timed, clock, 10)
    (order,) = timed.engine.list_orders()
    assert order.is_paid


@pytest.mark.parametrize("how", ["expires", "is canceled", "is refunded"])
def test_an_order_that_waits_for_one_part_can_be_paid_when_the_other_is_gone_meanwhile(
    timed: Shop, clock: Clock, how: str
) -> None:
    cart = timed.cart("5.000", "KWD")
    scenario = "immediate_sale" if how == "is refunded" else "approve"
    first, late = planned(timed, cart, dinars("2.000", scenario), dinars("3.000", "pending"))
    timed.engine.complete_cart(cart.id)
    (payment,) = timed.collection_of(cart).payments
    match how:
        case "expires":
            timed.simulator.control.do("expire", first.provider_reference or "")
            clock.forward(days=1)
            timed.engine.reconcile(CARDS)
        case "is canceled":
            timed.engine.cancel_payment(payment.id)
        case "is refunded":
            timed.engine.refund_payment(payment.id)
    timed.simulator.control.do("settle", late.provider_reference or "")
    clock.forward(days=3)
    work_for(timed, clock, 30)
    alarms = [event.name for event in timed.engine.list_events(first.payment_collection_id) if "alarm" in event.name]
    assert "kassa.alarm.not_completed" in alarms
    planned(timed, cart, dinars("2.000"), dinars("3.000", "pending"))
    paid = timed.engine.complete_cart(cart.id)
    assert isinstance(paid, OrderPlaced)
    assert paid.is_paid
    assert held(timed, [late]) == ["authorized"]
    assert len(timed.engine.list_orders()) == 1


def test_an_order_whose_parts_are_all_gone_takes_no_money_that_it_does_not_count(timed: Shop, clock: Clock) -> None:
    cart = timed.cart("5.000", "KWD")
    first, late = planned(timed, cart, dinars("2.000"), dinars("3.000", "pending"))
    timed.engine.complete_cart(cart.id)
    timed.simulator.control.do("expire", first.provider_reference or "")
    timed.simulator.control.do("decline", late.provider_reference or "")
    clock.forward(days=3)
    timed.engine.reconcile(CARDS)
    work_for(timed, clock, 60)
    again = planned(timed, cart, dinars("2.000"), dinars("3.000"))
    paid = timed.engine.complete_cart(cart.id)
    assert isinstance(paid, OrderPlaced)
    assert paid.is_paid
    assert held(timed, again) == ["authorized", "authorized"]


def test_money_that_is_given_back_counts_for_nothing_in_how_far_a_collection_is_paid(shop: Shop) -> None:
    cart = shop.cart("50.00")
    planned(shop, cart, part("20.00", "immediate_sale"), part("30.00", "decline"))
    assert isinstance(shop.engine.complete_cart(cart.id), Refused)
    planned(shop, cart, part("20.00"), part("30.00"))
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)
    assert collection_status(shop.collection_of(cart)) is CollectionStatus.AUTHORIZED
    shop.engine.capture_payment(shop.collection_of(cart).payments[-1].id)
    assert collection_status(shop.collection_of(cart)) is CollectionStatus.PARTIALLY_CAPTURED


def test_money_for_what_the_cart_came_to_before_it_changed_is_given_back_after_an_hour(
    timed: Shop, clock: Clock
) -> None:
    cart = timed.cart("50.00")
    session = timed.session(cart)
    dearer = NewItem(title="A dearer thing", quantity=1, unit_price=Money.parse("60.00", "EUR"))
    timed.engine.replace_cart_items(cart.id, [dearer])
    assert timed.collection_of(cart).amount == dearer.unit_price
    # The shopper pays on the provider's own page, for what was owed before.
    timed.simulator.control.do("settle", session.provider_reference or "")
    clock.forward(hours=2)
    timed.engine.reconcile(CARDS)
    work_for(timed, clock, 50)
    assert held(timed, [session]) == ["authorized"]
    work_for(timed, clock, 30)
    assert held(timed, [session]) == ["canceled"]
    assert timed.engine.list_orders() == ()


# A split of what no cart stands behind


def test_a_collection_without_a_cart_is_split_too(shop: Shop) -> None:
    collection = shop.engine.create_custom_payment_collection("eu", Money.parse("50.00", "EUR"))
    plan = shop.engine.plan_payment_sessions(collection.id, [part("20.00"), part("30.00")])
    for session in plan.live_sessions:
        shop.engine.authorize_payment_session(session.id)
    paid = shop.engine.retrieve_payment_collection(collection.id)
    assert (paid.is_covered, collection_status(paid)) == (True, CollectionStatus.AUTHORIZED)
    assert all(session.status is SessionStatus.AUTHORIZED for session in paid.sessions)


def test_a_part_that_was_taken_and_given_back_by_hand_frees_its_place(shop: Shop) -> None:
    collection = shop.engine.create_custom_payment_collection("eu", Money.parse("50.00", "EUR"))
    plan = [part("20.00", "immediate_sale"), part("30.00")]
    first, _ = shop.engine.plan_payment_sessions(collection.id, plan).live_sessions
    shop.engine.authorize_payment_session(first.id)
    (payment,) = shop.engine.retrieve_payment_collection(collection.id).payments
    shop.engine.refund_payment(payment.id, Money.parse("5.00", "EUR"))
    with pytest.raises(NotAllowed, match=r"15\.00 EUR of 20\.00 EUR stands"):
        shop.engine.plan_payment_sessions(collection.id, plan)
    shop.engine.refund_payment(payment.id)
    again, _ = shop.engine.plan_payment_sessions(collection.id, plan).live_sessions
    assert again.id != first.id
