"""What clients do while their process is killed: one entry for each verb and each way in which its provider can answer.

A new verb needs one entry here.  A verb of the engine that is in no entry fails the run.
"""

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from stage import Stage, Things

from kassa import Engine, KassaError, Money, NewItem
from kassa.model import ReceivedNotice
from kassa_simulator.control import NoticeSelection
from kassa_simulator.server.faults import Fault

Act = Callable[[Stage, Things], object]
Prepare = Callable[[Stage], Things]

SIMULATED = ("keyed", "keyless")

READS = frozenset(
    {
        "close",
        "explain_providers",
        "find_idempotency_key",
        "for_store",
        "list_cases",
        "list_deliveries",
        "list_events",
        "list_notices",
        "list_operations",
        "list_operations_in_doubt",
        "list_orders",
        "list_payment_providers",
        "list_payments",
        "list_provider_switches",
        "list_reconciliations",
        "provider_health",
        "reload",
        "reload_if_asked",
        "retrieve_cart",
        "retrieve_notice",
        "retrieve_payment",
        "retrieve_payment_collection",
        "retrieve_payment_session",
    }
)
"""The methods of the engine that change nothing that is stored."""


@dataclass(frozen=True)
class Scenario:
    """One call of a client.

    ``hook`` is the provider call whose answer is lost in the variants in which an answer is lost; None: there is none.
    """

    name: str
    verbs: frozenset[str]
    prepare: Prepare
    act: Act
    hook: str | None = None
    providers: tuple[str, ...] = SIMULATED
    tells: bool = False
    """Whether a subscriber is told what happens."""


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    name: str,
    prepare: Prepare,
    act: Act,
    *verbs: str,
    hook: str | None = None,
    providers: tuple[str, ...] = SIMULATED,
    tells: bool = False,
) -> None:
    """Add one entry."""
    SCENARIOS[name] = Scenario(name, frozenset(verbs), prepare, act, hook, providers, tells)


def verbs_without_a_scenario() -> set[str]:
    """The verbs of the engine that nobody kills."""
    methods = {name for name, _ in inspect.getmembers(Engine, inspect.isfunction) if not name.startswith("_")}
    return methods - READS - {verb for each in SCENARIOS.values() for verb in each.verbs}


@contextmanager
def refusals_are_answers() -> Iterator[None]:
    """A client takes an error of ours for an answer, and goes on."""
    try:
        yield
    except KassaError:
        pass


def eur(amount: str | None) -> Money | None:
    return None if amount is None else Money.parse(amount, "EUR")


# How a scenario begins


def nothing(_: Stage) -> Things:
    return {}


def a_cart(stage: Stage) -> Things:
    return stage.cart()


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


# What the client calls


def create_cart(stage: Stage, _: Things) -> object:
    return stage.cart()


def replace_items(stage: Stage, things: Things) -> object:
    item = NewItem(title="Another thing", quantity=2, unit_price=Money.parse("20.00", "EUR"))
    return stage.engine.replace_cart_items(things["cart"], [item])


def create_collection(stage: Stage, things: Things) -> object:
    return stage.engine.create_payment_collection(things["cart"])


def create_custom_collection(stage: Stage, _: Things) -> object:
    return stage.engine.create_custom_payment_collection("eu", Money.parse("30.00", "EUR"))


def initiate(script: str = "approve") -> Act:
    return lambda stage, things: stage.new_session(things, script)


def replace_session(stage: Stage, things: Things) -> object:
    return stage.engine.create_payment_session(things["collection"], "pp_system_default", {})


def update_session(stage: Stage, things: Things) -> object:
    return stage.engine.update_payment_session(things["session"])


def delete_session(stage: Stage, things: Things) -> object:
    return stage.engine.delete_payment_session(things["session"])


def authorize(stage: Stage, things: Things) -> object:
    return stage.engine.authorize_payment_session(things["session"])


def answer_action(stage: Stage, things: Things) -> object:
    return stage.engine.answer_action(things["session"], {"returned": "yes"})


def complete(stage: Stage, things: Things) -> object:
    return stage.engine.complete_cart(things["cart"])


def capture(amount: str | None = None) -> Act:
    return lambda stage, things: stage.engine.capture_payment(things["payment"], eur(amount))


def refund(amount: str | None = None) -> Act:
    return lambda stage, things: stage.engine.refund_payment(things["payment"], eur(amount), "broken")


def cancel(stage: Stage, things: Things) -> object:
    return stage.engine.cancel_payment(things["payment"])


def capture_keyed(stage: Stage, things: Things) -> object:
    return stage.engine.capture_payment(things["payment"], eur("40.00"), idempotency_key="capture-1")


def refund_keyed(stage: Stage, things: Things) -> object:
    return stage.engine.refund_payment(things["payment"], eur("40.00"), "broken", idempotency_key="refund-1")


def cancel_keyed(stage: Stage, things: Things) -> object:
    return stage.engine.cancel_payment(things["payment"], idempotency_key="cancel-1")


def create_cart_keyed(stage: Stage, _: Things) -> object:
    item = NewItem(title="A thing", quantity=1, unit_price=Money.parse("50.00", "EUR"))
    return stage.engine.create_cart("eu", [item], idempotency_key="cart-1")


def initiate_keyed(stage: Stage, things: Things) -> object:
    return stage.engine.create_payment_session(
        things["collection"], stage.provider_id, stage.data("approve"), idempotency_key="session-1"
    )


def switch_off(stage: Stage, _: Things) -> object:
    return stage.engine.switch_provider_off(stage.provider_id, who="Ada", why="it fails")


def switch_on(stage: Stage, _: Things) -> object:
    return stage.engine.switch_provider_on(stage.provider_id, who="Ada", why="it works again")


def request_reload(stage: Stage, _: Things) -> object:
    return stage.engine.request_reload("Ada")


def reconcile(stage: Stage, _: Things) -> object:
    return stage.engine.reconcile(stage.provider_id)


def replay_delivery(stage: Stage, things: Things) -> object:
    return stage.engine.replay_delivery(things["delivery"])


def work(stage: Stage, _: Things) -> object:
    return stage.engine.work()


def look_again(stage: Stage, _: Things) -> object:
    doubtful = stage.engine.list_operations_in_doubt()
    return [stage.engine.look_again(operation.id) for operation in doubtful]


def receive(stage: Stage, things: Things) -> tuple[ReceivedNotice, ...]:
    # It was signed by the provider's clock, which nobody puts forward.
    arrived = datetime.now(UTC)
    body, headers = things["body"].encode(), json.loads(things["headers"])
    return stage.engine.receive_notice(stage.provider_id, body, headers, received_at=arrived)


def apply_notice(stage: Stage, things: Things) -> object:
    return stage.engine.apply_notice(things["notice"])


def replay_notice(stage: Stage, things: Things) -> object:
    return stage.engine.replay_notice(things["notice"])


def close_case(stage: Stage, things: Things) -> object:
    return stage.engine.close_case(things["case"], who="Ada", why="talked to the shopper")


def resolve(has_succeeded: bool) -> Act:
    def act(stage: Stage, _: Things) -> object:
        decided = []
        for operation in stage.engine.list_operations_in_doubt():
            decision = stage.engine.resolve_operation(
                operation.id, has_succeeded=has_succeeded, who="Ada", why="seen in the dashboard"
            )
            decided.append(decision)
        return decided

    return act


_CREATE_SESSION = "create_payment_session"
_CAPTURE, _REFUND, _CANCEL = "capture_payment", "refund_payment", "cancel_payment"
_COMPLETE, _WORK = "complete_cart", "work"
_NO_PROVIDER = ("default",)

scenario("create a cart", nothing, create_cart, "create_cart", providers=_NO_PROVIDER)
scenario("change a cart", a_collection, replace_items, "replace_cart_items", providers=_NO_PROVIDER)
scenario("create a collection", a_cart, create_collection, "create_payment_collection", providers=_NO_PROVIDER)
scenario(
    "create a collection of no cart",
    nothing,
    create_custom_collection,
    "create_custom_payment_collection",
    providers=_NO_PROVIDER,
)
scenario("initiate", a_collection, initiate(), _CREATE_SESSION, hook="initiate")
scenario("initiate, declined", a_collection, initiate("initiate_declined"), _CREATE_SESSION, hook="initiate")
scenario("initiate after a decline", a_decline, initiate(), _CREATE_SESSION, hook="cancel")
scenario("replace a session", a_session(), replace_session, _CREATE_SESSION, hook="cancel")
scenario("replace a session that waits", an_action("challenge"), replace_session, _CREATE_SESSION, hook="cancel")
scenario(
    "replace a session in doubt",
    in_doubt(a_session(), complete, "authorize"),
    replace_session,
    _CREATE_SESSION,
    hook="authorize",
)
scenario("update a session", a_dearer_cart, update_session, "update_payment_session", hook="update")
scenario("delete a session", a_session(), delete_session, "delete_payment_session", hook="cancel")
scenario("authorize without a cart", a_session_of_no_cart, authorize, "authorize_payment_session", hook="authorize")
scenario("complete, approved", a_session(), complete, _COMPLETE, hook="authorize")
scenario("complete, sold at once", a_session("immediate_sale"), complete, _COMPLETE, hook="authorize")
scenario("complete, declined", a_session("decline"), complete, _COMPLETE, hook="authorize")
scenario("complete, action required", a_session("challenge"), complete, _COMPLETE, hook="authorize")
scenario("complete, pending", a_session("pending"), complete, _COMPLETE, hook="authorize")
scenario(
    "complete, ordered while pending",
    a_session("pending", "5.000", "KWD"),
    complete,
    _COMPLETE,
    hook="authorize",
)
scenario("complete, pending and then declined", a_session("pending_declined"), complete, _COMPLETE, hook="authorize")
scenario("complete after a decline", a_decline, complete, _COMPLETE, hook="authorize")
scenario("complete what is authorized", an_authorization, complete, _COMPLETE)
scenario("complete for cash", a_session(), complete, _COMPLETE, providers=_NO_PROVIDER)
scenario("complete for nothing", a_free_cart, complete, _COMPLETE, providers=_NO_PROVIDER)
scenario("answer, approved", an_action("challenge", "approve"), answer_action, "answer_action", hook="action")
scenario("answer, declined", an_action("redirect", "decline"), answer_action, "answer_action", hook="action")
scenario("answer by completing", an_action("redirect_sale", "approve"), complete, _COMPLETE, hook="action")
scenario("answer too early", an_action("qr_code"), answer_action, "answer_action", hook="action")
scenario("capture", a_payment(), capture(), _CAPTURE, hook="capture")
scenario("capture a part", a_payment(), capture("40.00"), _CAPTURE, hook="capture")
scenario("capture the rest", a_capture("40.00"), capture(), _CAPTURE, hook="capture")
scenario("capture, declined", a_payment("capture_declined"), capture(), _CAPTURE, hook="capture")
scenario("capture, pending", a_payment("capture_pending"), capture(), _CAPTURE, hook="capture")
scenario("refund", a_capture(), refund(), _REFUND, hook="refund")
scenario("refund a part", a_capture(), refund("40.00"), _REFUND, hook="refund")
scenario("refund the rest", a_refund, refund(), _REFUND, hook="refund")
scenario("refund, declined", a_capture(script="refund_declined"), refund("40.00"), _REFUND, hook="refund")
scenario("refund, pending", a_capture(script="refund_pending"), refund("40.00"), _REFUND, hook="refund")
scenario("refund, failed later", a_capture(script="refund_failed"), refund("40.00"), _REFUND, hook="refund")
scenario("cancel", a_payment(), cancel, _CANCEL, hook="cancel")
scenario("cancel before the order", an_authorization, cancel, _CANCEL, hook="cancel")
scenario("cancel the rest", a_capture("40.00"), cancel, _CANCEL, hook="cancel")
scenario("recover an authorization", in_doubt(a_session(), complete, "authorize"), work, _WORK, hook="authorize")
scenario(
    "recover a capture that never arrived",
    in_doubt(a_payment(), capture("40.00"), "capture", Fault.CUT_BEFORE_ACTING),
    work,
    _WORK,
    hook="capture",
)
scenario("recover a refund", in_doubt(a_capture(), refund("40.00"), "refund"), work, _WORK, hook="refund")
scenario("recover a cancellation", in_doubt(a_payment(), cancel, "cancel"), work, _WORK, hook="cancel")
scenario("recover an update", in_doubt(a_dearer_cart, update_session, "update"), work, _WORK, hook="update")
scenario(
    "recover an answer",
    in_doubt(an_action("challenge", "approve"), answer_action, "action"),
    work,
    _WORK,
    hook="action",
)
scenario(
    "recover a day later",
    a_day_later(in_doubt(a_payment(), capture("40.00"), "capture")),
    work,
    _WORK,
    hook="look_up",
)
scenario(
    "recover what never happened a day later",
    a_day_later(in_doubt(a_payment(), capture("40.00"), "capture", Fault.CUT_BEFORE_ACTING)),
    work,
    _WORK,
    hook="look_up",
)
scenario(
    "capture what is not found at first",
    hidden_at_first(a_payment()),
    capture("40.00"),
    _CAPTURE,
    hook="capture",
)
scenario(
    "recover what nobody can find out",
    hidden_for_good(a_day_later(in_doubt(a_compared_payment, capture("40.00"), "capture"))),
    work,
    _WORK,
)
scenario("recover a session that was replaced", a_replaced_session, work, _WORK, hook="initiate")
scenario("recover a wait that ended", a_wait_that_ended(), work, _WORK, hook="look_up")
scenario("recover a wait after the order", a_wait_that_ended("5.000", "KWD"), work, _WORK, hook="look_up")
scenario("note that an order is paid", a_paid_order_to_note, work, _WORK)
scenario("place the order that nobody fetched", a_paid_cart_that_nobody_completes, work, _WORK)
scenario(
    "review a wrong amount",
    a_payment(),
    lambda stage, things: in_doubt(lambda _: things, capture("40.00"), "capture", Fault.WRONG_AMOUNT)(stage),
    _CAPTURE,
)
scenario("look again", in_doubt(a_capture(), refund("40.00"), "refund"), look_again, "look_again", hook="look_up")
scenario(
    "decide that it failed",
    in_doubt(a_payment(), capture("40.00"), "capture", Fault.CUT_BEFORE_ACTING),
    resolve(False),
    "resolve_operation",
)
scenario("receive a notice", told(a_wait_that_ended_a_moment_ago), receive, "receive_notice")
scenario("receive a notice of a capture elsewhere", told(a_capture_elsewhere), receive, "receive_notice")
scenario("apply a notice of a wait that ended", received(a_wait_that_ended_a_moment_ago), apply_notice, "apply_notice")
scenario("apply a notice of a capture elsewhere", received(a_capture_elsewhere), apply_notice, "apply_notice")
scenario("apply a notice of a dispute", received(a_dispute), apply_notice, "apply_notice")
scenario("apply a notice of money for nothing", received(money_for_nothing), apply_notice, "apply_notice")
scenario("apply the notices that are due", a_minute_later(received(a_wait_that_ended_a_moment_ago)), work, _WORK)
scenario("give surplus money back", a_surplus, work, _WORK, hook="cancel")
scenario(
    "apply a notice of a capture in doubt",
    received(in_doubt(a_payment(), capture("40.00"), "capture")),
    apply_notice,
    "apply_notice",
    hook="look_up",
)
scenario("replay a notice", received(a_wait_that_ended_a_moment_ago), replay_notice, "replay_notice")
scenario("close a case", a_case, close_case, "close_case")
scenario("capture with a key", a_payment(), capture_keyed, _CAPTURE, hook="capture")
scenario("refund with a key", a_capture(), refund_keyed, _REFUND, hook="refund")
scenario("cancel with a key", a_payment(), cancel_keyed, _CANCEL, hook="cancel")
scenario("create a cart with a key", nothing, create_cart_keyed, "create_cart", providers=_NO_PROVIDER)
scenario("initiate with a key", a_collection, initiate_keyed, _CREATE_SESSION, hook="initiate")
scenario("switch a provider off", nothing, switch_off, "switch_provider_off", providers=_NO_PROVIDER)
scenario("switch a provider on", a_switch, switch_on, "switch_provider_on", providers=_NO_PROVIDER)
scenario("ask for a reload", nothing, request_reload, "request_reload", providers=_NO_PROVIDER)
scenario("compare the books", a_day_to_compare, reconcile, "reconcile", hook="list_payments")
scenario("compare the books daily", a_day_to_compare, work, _WORK, hook="list_payments")
scenario("tell a subscriber", a_story_to_tell, work, _WORK, providers=_NO_PROVIDER, tells=True)
scenario(
    "tell a subscriber again", a_told_story, replay_delivery, "replay_delivery", providers=_NO_PROVIDER, tells=True
)
