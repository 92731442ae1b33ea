"""The engine for async applications: the same verbs, each run on a thread.  There is no second copy of anything."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from kassa.engine import Engine

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


def _on_a_thread(
    verb: Callable[Concatenate[Engine, P], ResultT],
) -> Callable[Concatenate["AsyncEngine", P], Awaitable[ResultT]]:
    async def run(self: "AsyncEngine", /, *args: P.args, **kwargs: P.kwargs) -> ResultT:
        # Shielded: a client that goes away must not make us forget what the provider answers.
        return await asyncio.shield(asyncio.to_thread(verb, self.engine, *args, **kwargs))

    run.__name__, run.__doc__ = verb.__name__, verb.__doc__
    return run


class AsyncEngine:
    """Wraps an Engine: ``await AsyncEngine(engine).complete_cart(cart_id)``.  Same verbs, same arguments, same errors."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    retrieve_region = _on_a_thread(Engine.retrieve_region)
    require_database = _on_a_thread(Engine.require_database)
    provider_health = _on_a_thread(Engine.provider_health)
    explain_providers = _on_a_thread(Engine.explain_providers)
    list_payment_providers = _on_a_thread(Engine.list_payment_providers)
    switch_provider_off = _on_a_thread(Engine.switch_provider_off)
    switch_provider_on = _on_a_thread(Engine.switch_provider_on)
    list_provider_switches = _on_a_thread(Engine.list_provider_switches)
    create_publishable_key = _on_a_thread(Engine.create_publishable_key)
    create_secret_key = _on_a_thread(Engine.create_secret_key)
    list_api_keys = _on_a_thread(Engine.list_api_keys)
    revoke_api_key = _on_a_thread(Engine.revoke_api_key)
    recognize_api_key = _on_a_thread(Engine.recognize_api_key)
    create_cart = _on_a_thread(Engine.create_cart)
    create_catalogue_cart = _on_a_thread(Engine.create_catalogue_cart)
    replace_cart_items = _on_a_thread(Engine.replace_cart_items)
    add_to_cart = _on_a_thread(Engine.add_to_cart)
    set_cart_quantity = _on_a_thread(Engine.set_cart_quantity)
    update_cart = _on_a_thread(Engine.update_cart)
    snapshot_cart = _on_a_thread(Engine.snapshot_cart)
    retrieve_cart = _on_a_thread(Engine.retrieve_cart)
    retrieve_order = _on_a_thread(Engine.retrieve_order)
    list_orders = _on_a_thread(Engine.list_orders)
    create_payment_collection = _on_a_thread(Engine.create_payment_collection)
    create_custom_payment_collection = _on_a_thread(Engine.create_custom_payment_collection)
    create_payment_collection_for_order = _on_a_thread(Engine.create_payment_collection_for_order)
    payment_collection_of_order = _on_a_thread(Engine.payment_collection_of_order)
    delete_payment_collection = _on_a_thread(Engine.delete_payment_collection)
    mark_as_paid = _on_a_thread(Engine.mark_as_paid)
    find_payment_collection = _on_a_thread(Engine.find_payment_collection)
    retrieve_payment_collection = _on_a_thread(Engine.retrieve_payment_collection)
    create_payment_session = _on_a_thread(Engine.create_payment_session)
    plan_payment_sessions = _on_a_thread(Engine.plan_payment_sessions)
    retrieve_payment_session = _on_a_thread(Engine.retrieve_payment_session)
    update_payment_session = _on_a_thread(Engine.update_payment_session)
    delete_payment_session = _on_a_thread(Engine.delete_payment_session)
    authorize_payment_session = _on_a_thread(Engine.authorize_payment_session)
    answer_action = _on_a_thread(Engine.answer_action)
    complete_cart = _on_a_thread(Engine.complete_cart)
    capture_payment = _on_a_thread(Engine.capture_payment)
    refund_payment = _on_a_thread(Engine.refund_payment)
    cancel_payment = _on_a_thread(Engine.cancel_payment)
    find_idempotency_key = _on_a_thread(Engine.find_idempotency_key)
    retrieve_payment = _on_a_thread(Engine.retrieve_payment)
    list_payments = _on_a_thread(Engine.list_payments)
    search_payments = _on_a_thread(Engine.search_payments)
    create_refund_reason = _on_a_thread(Engine.create_refund_reason)
    update_refund_reason = _on_a_thread(Engine.update_refund_reason)
    delete_refund_reason = _on_a_thread(Engine.delete_refund_reason)
    retrieve_refund_reason = _on_a_thread(Engine.retrieve_refund_reason)
    list_refund_reasons = _on_a_thread(Engine.list_refund_reasons)
    refund_reasons_of = _on_a_thread(Engine.refund_reasons_of)
    list_operations_in_doubt = _on_a_thread(Engine.list_operations_in_doubt)
    backlog = _on_a_thread(Engine.backlog)
    look_again = _on_a_thread(Engine.look_again)
    resolve_operation = _on_a_thread(Engine.resolve_operation)
    work = _on_a_thread(Engine.work)
    receive_notice = _on_a_thread(Engine.receive_notice)
    apply_notice = _on_a_thread(Engine.apply_notice)
    replay_notice = _on_a_thread(Engine.replay_notice)
    list_notices = _on_a_thread(Engine.list_notices)
    retrieve_notice = _on_a_thread(Engine.retrieve_notice)
    list_cases = _on_a_thread(Engine.list_cases)
    close_case = _on_a_thread(Engine.close_case)
    reconcile = _on_a_thread(Engine.reconcile)
    list_reconciliations = _on_a_thread(Engine.list_reconciliations)
    list_deliveries = _on_a_thread(Engine.list_deliveries)
    replay_delivery = _on_a_thread(Engine.replay_delivery)
    list_operations = _on_a_thread(Engine.list_operations)
    list_events = _on_a_thread(Engine.list_events)
    reload = _on_a_thread(Engine.reload)
    reload_if_asked = _on_a_thread(Engine.reload_if_asked)
    request_reload = _on_a_thread(Engine.request_reload)
    close = _on_a_thread(Engine.close)
