"""The outbox: every event is told, after its commit, to everybody who wants it; at least once.  Called by the worker.

Fanning out gives each event one delivery for each listener.  A delivery is claimed with a lease, told outside of any
transaction, and noted.  Each listener is told in the order of the events, whatever the other listeners do.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import assert_never

from sqlalchemy import Connection

from kassa import listening
from kassa.errors import NotAllowed
from kassa.listening import LEASE, Gone, Listener, NotTaken, Taken
from kassa.model import Delivery
from kassa.store import deliveries, events, outbox
from kassa.store.open_transaction import refuse_inside_transaction
from kassa.transitions import DeliveryStatus
from kassa.world import World

FAN_OUT_BATCH = 500
"""How many events get their deliveries in one transaction."""

MOST_BATCHES = 20
"""After so many of them the worker turns to its other duties."""

BATCH = 20
"""How many deliveries to one listener are taken over at once: few, so that a worker that dies delays few."""

LISTENERS_AT_ONCE = 8
"""How many of them are told beside each other: one that is slow does not make the others wait."""


def listeners(world: World) -> Mapping[str, Listener]:
    """Everybody who is told events, by name."""
    told = {extension.listener_name: extension for extension in world.extensions.values()}
    return {**world.subscribers, **told}


def tell_due(world: World) -> tuple[Delivery, ...]:
    """Give new events their deliveries, and tell what is due.  Returns what was tried, as it then stands."""
    fan_out(world)
    return deliver_due(world)


def fan_out(world: World) -> int:
    """Give the events of every store their deliveries, in batches.  Returns how many events there were."""
    told = listeners(world)
    total = 0
    for _ in range(MOST_BATCHES):
        if world.database.read(outbox.is_empty):
            break
        total += world.database.transact(lambda connection: _fan_out(connection, world, told))
    return total


def deliver_due(world: World) -> tuple[Delivery, ...]:
    """Tell what is due, of every store, to each listener in order.  Returns what was tried, as it then stands."""
    told = listeners(world)
    now = world.clock()
    due = world.database.read(lambda connection: deliveries.due_subscribers(connection, now))
    forgotten = () if due <= told.keys() else _bury_forgotten(world, told)
    ready = [name for name in told if name in due and not world.rests.is_resting(name, now)]
    if not ready:
        return forgotten
    with ThreadPoolExecutor(min(len(ready), LISTENERS_AT_ONCE), "kassa-deliveries") as threads:
        tried = threads.map(lambda name: _deliver_to(world, name, told[name]), ready)
        return (*forgotten, *(delivery for batch in tried for delivery in batch))


def newest(world: World, status: DeliveryStatus | None, limit: int, offset: int) -> tuple[Delivery, ...]:
    """A page of the store's deliveries, newest first."""
    return world.database.read(lambda c: deliveries.newest(c, world.store_id, status, limit, offset))


def replay(world: World, delivery_id: str) -> Delivery:
    """Tell an event once more to one listener, as if it were new.  Raises InvalidData, NotFound, NotAllowed."""

    def replay(connection: Connection) -> Delivery:
        delivery = deliveries.lock(connection, world.store_id, delivery_id)
        if delivery.status in (DeliveryStatus.NEW, DeliveryStatus.RETRY):
            raise NotAllowed(f"delivery {delivery_id} is {delivery.status.value}; the worker tries it anyway")
        if delivery.subscriber not in listeners(world):
            raise NotAllowed(f"{delivery.subscriber} is not configured any more; configure it again")
        return deliveries.replay(connection, delivery, world.clock())

    return world.database.transact(replay)


def _fan_out(connection: Connection, world: World, told: Mapping[str, Listener]) -> int:
    if not told:
        return outbox.drop(connection, FAN_OUT_BATCH)
    taken = outbox.take(connection, FAN_OUT_BATCH)
    wanted = (
        (event, name)
        for event in taken
        for name, listener in told.items()
        if listening.is_to_be_told(event, name, listener)
    )
    deliveries.add_all(connection, wanted, world.clock())
    return len(taken)


def _deliver_to(world: World, name: str, listener: Listener) -> tuple[Delivery, ...]:
    """Tell one listener what is due for it, until it does not take something."""
    now = world.clock()
    claimed = world.database.transact(
        lambda connection: deliveries.claim_due(connection, name, now, now + LEASE, now - listening.PATIENCE, BATCH)
    )
    # Nothing is begun that might not be noted before the lease ends.
    begin_until = time.monotonic() + LEASE.total_seconds() / 2
    tried: list[Delivery] = []
    for delivery in claimed:
        if time.monotonic() > begin_until:
            break
        tried.append(_deliver(world, delivery, listener))
        if tried[-1].status is not DeliveryStatus.SENT:
            break
    _put_back(world, claimed[len(tried) :])
    return tuple(tried)


def _deliver(world: World, delivery: Delivery, listener: Listener) -> Delivery:
    refuse_inside_transaction("the telling of an event")
    if delivery.attempts > listening.MOST_TRIES:
        return _note(world, delivery, Gone("no try was lived through, to be noted"))
    answer = listener.tell(delivery.event, world.clock())
    world.rests.note(delivery.subscriber, answer, world.clock())
    return _note(world, delivery, answer)


def _note(world: World, delivery: Delivery, answer: listening.Answer) -> Delivery:
    """Note what came of a try.  Somebody who took the delivery over meanwhile knows better."""
    return world.database.transact(lambda connection: _noted(connection, world, delivery, answer)) or delivery


def _noted(connection: Connection, world: World, delivery: Delivery, answer: listening.Answer) -> Delivery | None:
    now = world.clock()
    match answer:
        case Taken():
            return deliveries.move(connection, delivery, DeliveryStatus.SENT, now)
        case Gone():
            return _dead(connection, world, delivery, answer.cause)
        case NotTaken() if delivery.attempts >= listening.MOST_TRIES:
            return _dead(connection, world, delivery, answer.cause)
        case NotTaken():
            due_at = now + listening.pause_after(delivery.attempts)
            return deliveries.try_again(connection, delivery, due_at, now, answer.cause)
        case _:
            assert_never(answer)


def _dead(connection: Connection, world: World, delivery: Delivery, cause: str) -> Delivery | None:
    now = world.clock()
    dead = deliveries.move(connection, delivery, DeliveryStatus.DEAD, now, cause)
    event = delivery.event
    # No alarm about an alarm: two listeners that take nothing would have each other's alarms for ever.
    if dead is not None and event.name != listening.DELIVERY_DEAD:
        data = {"subscriber": delivery.subscriber, "event_id": event.id, "event_name": event.name, "cause": cause}
        collection_id = event.payment_collection_id
        events.append(connection, event.store_id, collection_id, listening.DELIVERY_DEAD, delivery.id, now, dict(data))
    return dead


def _bury_forgotten(world: World, told: Mapping[str, Listener]) -> tuple[Delivery, ...]:
    """What waits for somebody whom the configuration does not name: not at once, another process may have a newer one."""
    now = world.clock()
    since = now - listening.FORGOTTEN_AFTER

    def bury(connection: Connection) -> tuple[Delivery, ...]:
        claimed = deliveries.claim_forgotten(connection, tuple(told), since, now + LEASE, BATCH)
        buried = (_dead(connection, world, each, f"{each.subscriber} is not configured any more") for each in claimed)
        return tuple(each for each in buried if each is not None)

    return world.database.transact(bury)


def _put_back(world: World, untried: Sequence[Delivery]) -> None:
    if untried:
        world.database.transact(lambda connection: deliveries.put_back(connection, untried, world.clock()))
