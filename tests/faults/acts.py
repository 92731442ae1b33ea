"""What a client calls while its process is killed: one function for each verb, with what the client remembers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from stage import Stage, Things

from kassa import Money, NewItem, PlannedSession
from kassa.carts import CartChanges, Wanted
from kassa.model import ReceivedNotice, Scope
from kassa.refund_reasons import ReasonChanges

Act = Callable[[Stage, Things], object]


def eur(amount: str | None) -> Money | None:
    return None if amount is None else Money.parse(amount, "EUR")


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


def create_catalogue_cart(stage: Stage, _: Things) -> object:
    return stage.engine.create_catalogue_cart("eu", [Wanted(variant_id="tea", quantity=1)])


def create_catalogue_cart_keyed(stage: Stage, _: Things) -> object:
    wanted = [Wanted(variant_id="tea", quantity=1)]
    return stage.engine.create_catalogue_cart("eu", wanted, idempotency_key="cart-1")


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


def add_to_cart(stage: Stage, things: Things) -> object:
    return stage.engine.add_to_cart(things["cart"], Wanted(variant_id="tea", quantity=1))


def set_quantity(stage: Stage, things: Things) -> object:
    (line,) = stage.engine.retrieve_cart(things["cart"]).items
    return stage.engine.set_cart_quantity(things["cart"], line.id, 3)


def update_cart(stage: Stage, things: Things) -> object:
    return stage.engine.update_cart(things["cart"], CartChanges(email="ada@example.org"))


def create_publishable_key(stage: Stage, _: Things) -> object:
    return stage.engine.create_publishable_key("the shop")


def create_secret_key(stage: Stage, _: Things) -> object:
    return stage.engine.create_secret_key("the backend", [Scope.READ])


def revoke_key(stage: Stage, things: Things) -> object:
    return stage.engine.revoke_api_key(things["key"])


def create_reason(stage: Stage, _: Things) -> object:
    return stage.engine.create_refund_reason("chipped", "Chipped")


def change_reason(stage: Stage, things: Things) -> object:
    return stage.engine.update_refund_reason(things["reason"], ReasonChanges(label="Broken"))


def delete_reason(stage: Stage, things: Things) -> object:
    return stage.engine.delete_refund_reason(things["reason"])


def owe_more(stage: Stage, things: Things) -> object:
    order_id = stage.engine.retrieve_payment_collection(things["collection"]).order_id or ""
    return stage.engine.create_payment_collection_for_order(order_id, Money.parse("5.00", "EUR"))


def delete_collection(stage: Stage, things: Things) -> object:
    return stage.engine.delete_payment_collection(things["debt"])


def mark_as_paid(stage: Stage, things: Things) -> object:
    return stage.engine.mark_as_paid(things["debt"], stage.provider_id)


def plan_sessions(second: str = "approve") -> Act:
    """Plan two sessions, of 20.00 and what is left of 50.00; the second one goes so."""

    def act(stage: Stage, things: Things) -> object:
        parts = [
            PlannedSession(provider_id=stage.provider_id, amount=Money.parse(amount, "EUR"), data=stage.data(script))
            for amount, script in (("20.00", "approve"), ("30.00", second))
        ]
        return stage.engine.plan_payment_sessions(things["collection"], parts)

    return act
