"""What clients do while their process is killed: one entry for each verb and each way in which its provider can answer.

A new verb needs one entry here.  A verb of the engine that is in no entry fails the run.
"""

import inspect
from dataclasses import dataclass

from acts import (
    Act,
    add_to_cart,
    answer_action,
    apply_notice,
    authorize,
    cancel,
    cancel_keyed,
    capture,
    capture_keyed,
    change_reason,
    close_case,
    complete,
    create_cart,
    create_cart_keyed,
    create_catalogue_cart,
    create_catalogue_cart_keyed,
    create_collection,
    create_custom_collection,
    create_publishable_key,
    create_reason,
    create_secret_key,
    delete_collection,
    delete_reason,
    delete_session,
    initiate,
    initiate_keyed,
    look_again,
    mark_as_paid,
    owe_more,
    plan_sessions,
    receive,
    reconcile,
    refund,
    refund_keyed,
    replace_items,
    replace_session,
    replay_delivery,
    replay_notice,
    request_reload,
    resolve,
    revoke_key,
    set_quantity,
    switch_off,
    switch_on,
    update_cart,
    update_session,
    work,
)
from beginnings import (
    Prepare,
    a_capture,
    a_capture_elsewhere,
    a_cart,
    a_cart_of_the_catalogue,
    a_case,
    a_collection,
    a_compared_payment,
    a_day_later,
    a_day_to_compare,
    a_dearer_cart,
    a_debt,
    a_decline,
    a_dispute,
    a_free_cart,
    a_key,
    a_minute_later,
    a_paid_cart_that_nobody_completes,
    a_paid_order_to_note,
    a_part_that_stands,
    a_payment,
    a_plan,
    a_reason,
    a_refund,
    a_replaced_session,
    a_session,
    a_session_of_no_cart,
    a_story_to_tell,
    a_surplus,
    a_switch,
    a_told_story,
    a_wait_that_ended,
    a_wait_that_ended_a_moment_ago,
    an_action,
    an_authorization,
    hidden_at_first,
    hidden_for_good,
    in_doubt,
    money_for_nothing,
    nothing,
    received,
    told,
)

from kassa import Engine
from kassa_simulator.server.faults import Fault

SIMULATED = ("keyed", "keyless")

READS = frozenset(
    {
        "backlog",
        "close",
        "explain_providers",
        "find_idempotency_key",
        "find_payment_collection",
        "for_store",
        "list_api_keys",
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
        "list_refund_reasons",
        "payment_collection_of_order",
        "provider_health",
        "recognize_api_key",
        "refund_reasons_of",
        "reload",
        "require_database",
        "reload_if_asked",
        "retrieve_cart",
        "snapshot_cart",
        "retrieve_notice",
        "retrieve_order",
        "retrieve_payment",
        "retrieve_payment_collection",
        "retrieve_payment_session",
        "retrieve_refund_reason",
        "retrieve_region",
        "search_payments",
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


_CREATE_SESSION, _PLAN = "create_payment_session", "plan_payment_sessions"
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
scenario("plan a split payment", a_collection, plan_sessions(), _PLAN, hook="initiate")
scenario("plan a split payment anew", a_plan("challenge"), plan_sessions(), _PLAN, hook="cancel")
scenario("complete a split payment", a_plan(), complete, _COMPLETE, hook="authorize")
scenario("complete a split payment, declined", a_plan("decline"), complete, _COMPLETE, hook="cancel")
scenario("complete a split payment, pending", a_plan("pending"), complete, _COMPLETE, hook="authorize")
scenario("complete a split payment, action required", a_plan("challenge"), complete, _COMPLETE, hook="authorize")
scenario("complete a split payment that stands in part", a_part_that_stands("approve"), complete, _COMPLETE)
scenario("give a part back that nobody completes", a_part_that_stands("challenge"), work, _WORK, hook="cancel")
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
scenario(
    "create a cart of the catalogue", nothing, create_catalogue_cart, "create_catalogue_cart", providers=_NO_PROVIDER
)
scenario(
    "create a cart of the catalogue with a key",
    nothing,
    create_catalogue_cart_keyed,
    "create_catalogue_cart",
    providers=_NO_PROVIDER,
)
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
scenario("add to a cart", a_cart_of_the_catalogue, add_to_cart, "add_to_cart", providers=_NO_PROVIDER)
scenario("have more of one line", a_cart_of_the_catalogue, set_quantity, "set_cart_quantity", providers=_NO_PROVIDER)
scenario("note who buys", a_collection, update_cart, "update_cart", providers=_NO_PROVIDER)
scenario("create a publishable key", nothing, create_publishable_key, "create_publishable_key", providers=_NO_PROVIDER)
scenario("create a secret key", nothing, create_secret_key, "create_secret_key", providers=_NO_PROVIDER)
scenario("revoke a key", a_key, revoke_key, "revoke_api_key", providers=_NO_PROVIDER)
scenario("create a refund reason", nothing, create_reason, "create_refund_reason", providers=_NO_PROVIDER)
scenario("change a refund reason", a_reason, change_reason, "update_refund_reason", providers=_NO_PROVIDER)
scenario("delete a refund reason", a_reason, delete_reason, "delete_refund_reason", providers=_NO_PROVIDER)
scenario(
    "say that more is owed",
    a_payment(),
    owe_more,
    "create_payment_collection_for_order",
)
scenario(
    "give up what is owed",
    a_debt,
    delete_collection,
    "delete_payment_collection",
)
scenario("mark as paid", a_debt, mark_as_paid, "mark_as_paid", hook="capture")
