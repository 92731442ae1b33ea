"""How a scenario begins: what the shop and its client have done before the call in which the process is killed."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from acts import Act, eur, initiate, plan_sessions, receive
from stage import Stage, Things

from kassa import KassaError, Money, NewItem
from kassa.carts import Wanted
from kassa_simulator.control import NoticeSelection
from kassa_simulator.server.faults import Fault

Prepare = Callable[[Stage], Things]


@contextmanager
def refusals_are_answers() -> Iterator[None]:
    """A client takes an error of ours for an answer, and goes on."""
    try:
        yield
    except KassaError:
        pass


def nothing(_: Stage) -> Things:
    return {}


def a_cart(stage: Stage) -> Things:
    return stage.cart()


def a_cart_of_the_catalogue(stage: Stage) -> Things:
    return {"cart": stage.engine.create_catalogue_cart("eu", [Wanted(variant_id="tea", quantity=1)]).id}


def a_collection(stage: Stage) -> Things:
    things = stage.cart()
    return things | {"collection": stage.engine.create_payment_collection(things["cart"]).id}


def a_session(script: str = "approve", price: str = "50.00", currency: str = "EUR") -> Prepare:
    return lambda stage: stage.session(script, price, currency)


def a_session_of_no_cart(stage: Stage) -> Things:
    collection = stage.engine.create_custom_payment_collection("eu", Money.parse("30.00", "EUR"))
    things = {"collection": collection.id}
    return things | stage.new_session(things)


def a_decline(stage: Stage) -> Things:
    things = stage.session("decline")
    stage.engine.complete_cart(things["cart"])
    return things


def a_dearer_cart(stage: Stage) -> Things:
    things = stage.session()
    item = NewItem(title="A dearer thing", quantity=1, unit_price=Money.parse("60.00", "EUR"))
    stage.engine.replace_cart_items(things["cart"], [item])
    return things


def an_action(script: str, answer: str | None = None) -> Prepare:
    def prepare(stage: Stage) -> Things:
        things = stage.session(script)
        stage.engine.complete_cart(things["cart"])
        if answer is not None:
            stage.simulator.control.answer_challenge(things["reference"], answer)  # type: ignore[arg-type]
        return things

    return prepare


def an_authorization(stage: Stage) -> Things:
    things = stage.session()
    stage.engine.authorize_payment_session(things["session"])
    return things | stage.payment_of(things)


def a_free_cart(stage: Stage) -> Things:
    return stage.cart("0.00")


def a_payment(script: str = "approve") -> Prepare:
    return lambda stage: stage.paid(script)


def a_compared_payment(stage: Stage) -> Things:
    """A payment that the daily comparison of the books has seen, and will not look at again."""
    things = stage.paid()
    stage.clock.forward(hours=26)
    stage.engine.work()
    return things


def a_capture(amount: str | None = None, script: str = "approve") -> Prepare:
    def prepare(stage: Stage) -> Things:
        things = stage.paid(script)
        stage.engine.capture_payment(things["payment"], eur(amount))
        return things

    return prepare


def a_refund(stage: Stage) -> Things:
    things = a_capture()(stage)
    stage.engine.refund_payment(things["payment"], eur("40.00"))
    return things


def in_doubt(prepare: Prepare, act: Act, hook: str, fault: Fault = Fault.ACT_THEN_CUT) -> Prepare:
    """The answer to this call was lost, and some time has passed."""

    def prepare_doubt(stage: Stage) -> Things:
        things = prepare(stage)
        stage.simulator.control.add_fault(fault, hook)  # type: ignore[arg-type]
        with refusals_are_answers():
            act(stage, things)
        stage.clock.forward(minutes=5)
        return things

    return prepare_doubt


def a_day_later(prepare: Prepare) -> Prepare:
    """As before, and the provider has forgotten its keys."""

    def prepare_later(stage: Stage) -> Things:
        things = prepare(stage)
        stage.clock.forward(hours=25)
        stage.simulator.control.forget_keys()
        return things

    return prepare_later


def hidden_at_first(prepare: Prepare) -> Prepare:
    """As before, and the provider's first answers to look-ups are older than what happens now."""

    def prepare_hidden(stage: Stage) -> Things:
        things = prepare(stage)
        stage.simulator.control.add_fault(Fault.NOT_FOUND_YET, "look_up", calls=2)
        return things

    return prepare_hidden


def hidden_for_good(prepare: Prepare) -> Prepare:
    """As before, and no look-up will ever be answered."""

    def prepare_hidden(stage: Stage) -> Things:
        things = prepare(stage)
        stage.simulator.control.add_fault(Fault.SERVER_ERROR_BEFORE_ACTING, "look_up", calls=None)
        return things

    return prepare_hidden


def a_replaced_session(stage: Stage) -> Things:
    """A session whose initiation was lost, and another one in its place: the first is to be closed."""
    things = in_doubt(a_collection, initiate(), "initiate")(stage)
    return things | stage.new_session(things)


def a_wait_that_ended(price: str = "50.00", currency: str = "EUR") -> Prepare:
    def prepare(stage: Stage) -> Things:
        things = stage.session("pending", price, currency)
        stage.engine.complete_cart(things["cart"])
        stage.simulator.control.do("settle", things["reference"])
        stage.clock.forward(days=3)
        return things

    return prepare


def a_paid_cart_that_nobody_completes(stage: Stage) -> Things:
    things = an_authorization(stage)
    stage.clock.forward(minutes=2)
    return things


def letters(stage: Stage, things: Things) -> Things:
    """The last message about the payment, as the provider would deliver it."""
    written = stage.simulator.control.notices(NoticeSelection(payment_id=things["reference"]))[-1]
    return {"body": written["body"], "headers": json.dumps(written["headers"])}


def told(prepare: Prepare) -> Prepare:
    """As before, and the provider has a message about it."""

    def prepare_message(stage: Stage) -> Things:
        things = prepare(stage)
        return things | letters(stage, things)

    return prepare_message


def a_wait_that_ended_a_moment_ago(stage: Stage) -> Things:
    things = stage.session("pending")
    stage.engine.complete_cart(things["cart"])
    stage.simulator.control.do("settle", things["reference"])
    return things


def a_capture_elsewhere(stage: Stage) -> Things:
    """Somebody captures in the provider's dashboard."""
    things = stage.paid()
    stage.simulator.control.do("capture", things["reference"], amount=4000, currency="EUR")
    return things


def a_dispute(stage: Stage) -> Things:
    things = a_capture()(stage)
    stage.simulator.control.do("open_dispute", things["reference"])
    return things


def money_for_nothing(stage: Stage) -> Things:
    """A session that was given up is paid after all."""
    things = stage.session("challenge")
    stage.engine.complete_cart(things["cart"])
    stage.engine.delete_payment_session(things["session"])
    stage.simulator.control.do("settle", things["reference"])
    return things


def received(prepare: Prepare) -> Prepare:
    """As before, and the message is in our inbox."""

    def prepare_received(stage: Stage) -> Things:
        things = told(prepare)(stage)
        (notice,) = receive(stage, things)
        return things | {"notice": notice.id}

    return prepare_received


def a_minute_later(prepare: Prepare) -> Prepare:
    def prepare_later(stage: Stage) -> Things:
        things = prepare(stage)
        stage.clock.forward(minutes=1)
        return things

    return prepare_later


def a_surplus(stage: Stage) -> Things:
    """Money for nothing, which the policy gives back."""
    things = received(money_for_nothing)(stage)
    stage.engine.apply_notice(things["notice"])
    stage.clock.forward(minutes=1)
    return things


def a_paid_order_to_note(stage: Stage) -> Things:
    """An order that waited for its money, which has come."""
    things = a_wait_that_ended("5.000", "KWD")(stage)
    stage.engine.apply_notice(receive(stage, letters(stage, things))[0].id)
    stage.clock.forward(minutes=2)
    return things


def a_case(stage: Stage) -> Things:
    things = received(a_dispute)(stage)
    stage.engine.apply_notice(things["notice"])
    return things | {"case": stage.engine.list_cases()[0].id}


def a_switch(stage: Stage) -> Things:
    stage.engine.switch_provider_off(stage.provider_id, who="Ada", why="it fails")
    return {}


def a_day_to_compare(stage: Stage) -> Things:
    """A capture that nobody told us of, a day ago."""
    things = a_capture_elsewhere(stage)
    stage.clock.forward(hours=26)
    return things


def a_story_to_tell(stage: Stage) -> Things:
    """Events that nobody was told yet."""
    return stage.paid()


def a_told_story(stage: Stage) -> Things:
    things = stage.cart()
    stage.engine.create_payment_collection(things["cart"])
    stage.engine.work()
    return {"delivery": stage.engine.list_deliveries()[0].id}


def a_plan(second: str = "approve") -> Prepare:
    """A cart whose payment is split over two sessions; the second one goes so."""

    def prepare(stage: Stage) -> Things:
        things = a_collection(stage)
        plan_sessions(second)(stage, things)
        return things

    return prepare


def a_part_that_stands(second: str) -> Prepare:
    """Of a split payment, the first part is authorized, the second is not yet, and some time has passed."""

    def prepare(stage: Stage) -> Things:
        things = a_plan(second)(stage)
        first, _ = stage.engine.retrieve_payment_collection(things["collection"]).live_sessions
        stage.engine.authorize_payment_session(first.id)
        stage.clock.forward(hours=2)
        return things

    return prepare


def a_key(stage: Stage) -> Things:
    return {"key": stage.engine.create_publishable_key("the shop").key.id}


def a_reason(stage: Stage) -> Things:
    return {"reason": stage.engine.create_refund_reason("chipped", "Chipped").id}


def a_debt(stage: Stage) -> Things:
    """An order of which more is owed than what has paid it."""
    things = stage.paid()
    order_id = stage.engine.retrieve_payment_collection(things["collection"]).order_id or ""
    debt = stage.engine.create_payment_collection_for_order(order_id, Money.parse("5.00", "EUR"))
    return things | {"debt": debt.id}
