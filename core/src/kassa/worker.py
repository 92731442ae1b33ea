"""One pass of the worker: everything that is due, of every store, and the orders of carts that nobody came back for."""

import logging
from dataclasses import replace

from sqlalchemy import Connection

from kassa import cases, checkout, doubt, notices, outbox, reconciliation, recovery, splits
from kassa.errors import CallerError, ProviderFailure
from kassa.intents import LEASE
from kassa.model import Case, Delivery, Operation, PaymentCollection, ReceivedNotice, Reconciliation
from kassa.store import collections, events
from kassa.transitions import DeliveryStatus
from kassa.world import World
from kassa_sdk import Record

_log = logging.getLogger("kassa.worker")

_BATCH = 20
"""How many carts one pass takes up at once: few, so that a worker that dies delays few."""


class Worked(Record):
    """What one pass of the worker did: all that it took up, as it then stands, and the carts that it completed.

    ``deliveries`` are the tries to tell an event to somebody.
    """

    operations: tuple[Operation, ...] = ()
    notices: tuple[ReceivedNotice, ...] = ()
    cases: tuple[Case, ...] = ()
    carts: tuple[str, ...] = ()
    reconciliations: tuple[Reconciliation, ...] = ()
    deliveries: tuple[Delivery, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in type(self).model_fields)

    @property
    def leaves_more(self) -> bool:
        """Whether there may be more to do at once: somebody took an event, or a long list is compared."""
        is_read_on = any(each.finished_at is None and each.cause is None for each in self.reconciliations)
        return is_read_on or any(delivery.status is DeliveryStatus.SENT for delivery in self.deliveries)


def work(world: World) -> Worked:
    """Settle what is due, apply notices, place orders, compare the books, tell the events."""
    return Worked(
        notices=notices.apply_due(world),
        operations=recovery.recover_due(world),
        cases=cases.settle_due(world),
        carts=complete_due(world),
        reconciliations=reconciliation.reconcile_due(world),
        deliveries=outbox.tell_due(world),
    )


def complete_due(world: World) -> tuple[str, ...]:
    """Place the orders of carts that are paid and whose shopper did not come back for them.  Returns the cart ids."""
    now = world.clock()
    if not world.database.read(lambda connection: collections.is_any_due(connection, now)):
        return ()
    claimed = world.database.transact(lambda connection: collections.claim_due(connection, now, now + LEASE, _BATCH))
    for collection in claimed:
        _complete(replace(world, store_id=collection.store_id), collection)
    return tuple(collection.cart_id for collection in claimed if collection.cart_id is not None)


def _complete(world: World, collection: PaymentCollection) -> None:
    assert collection.cart_id is not None, "only collections of carts become due"
    try:
        if not collection.is_covered and not checkout.note_order(world, collection.cart_id):
            # The rest is not authorized here: the shopper may still be choosing how to pay it.
            splits.wait_or_give_back(world, collection.id)
            return
        completion = checkout.complete_paid(world, collection.cart_id)
        if isinstance(completion, checkout.OrderPlaced):
            return
        cause = f"its payment is {completion.type}"
    except (CallerError, ProviderFailure) as error:
        cause = str(error)
    except Exception as error:
        _log.error("%s could not be completed, and is tried again: %s", collection.id, type(error).__name__)
        return
    world.database.transact(lambda connection: _alarm_not_completed(world, connection, collection, cause))


def _alarm_not_completed(world: World, connection: Connection, collection: PaymentCollection, cause: str) -> None:
    """Tell the operator, and try again when as much time has passed once more, but not for ever more rarely."""
    now = world.clock()
    paid_at = max((payment.created_at for payment in collection.payments), default=now)
    collections.postpone_completion(connection, collection.id, doubt.next_look(paid_at, now))
    name, data = "kassa.alarm.not_completed", {"cause": cause}
    events.append(connection, world.store_id, collection.id, name, collection.id, now, dict(data))
