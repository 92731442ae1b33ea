"""A split payment that does not come together: the parts of it that stand are given back.

A part that is given back leaves its place in the transaction that opens its case, so no order can be placed for it any more;
the case is settled by the same verbs as everything else, now or by the worker.
"""

from collections.abc import Container, Iterable, Set
from datetime import timedelta

from sqlalchemy import Connection

from kassa import cases
from kassa.intents import LEASE
from kassa.model import Case, CaseKind, Operation, OperationKind, PaymentCollection, PaymentSession
from kassa.store import cases as stored_cases
from kassa.store import collections, operations, payments, sessions
from kassa.transitions import OperationStatus, SessionStatus
from kassa.world import World

PATIENCE = timedelta(hours=1)
"""How long a part that stands waits for the others, when nothing is under way and nobody goes on."""

MAY_COME_NOW = frozenset({OperationStatus.IN_FLIGHT, OperationStatus.UNKNOWN, OperationStatus.REQUIRES_MORE})
"""While the authorization of a part stands here, somebody is at it, or may be."""

COMES_BY_ITSELF = frozenset({OperationStatus.IN_FLIGHT, OperationStatus.UNKNOWN, OperationStatus.PENDING})
"""While it stands here, what becomes of it is found out also when nobody comes back."""


def _is_in_part(collection: PaymentCollection) -> bool:
    """Whether payments stand for a part of what is owed only, and no order does."""
    return collection.has_promise and not collection.is_covered and collection.order_id is None


def give_back(world: World, collection_id: str, own: Container[str]) -> None:
    """Give back these sessions' payments, which the caller has made, unless the payment has come together after all."""

    def give_up(connection: Connection) -> tuple[Case, ...]:
        collection = collections.lock(connection, world.store_id, collection_id)
        if not _is_in_part(collection) or _authorizations(connection, collection, MAY_COME_NOW):
            return ()
        parts = [session for session in collection.live_sessions if session.id in own]
        return _leave(world, connection, collection, parts)

    for case in world.database.transact(give_up):
        cases.settle(world, case)


def wait_or_give_back(world: World, collection_id: str) -> None:
    """The worker's part: give back what stands when nobody has gone on for long; until then, look again later."""

    def look(connection: Connection) -> tuple[Case, ...]:
        collection = collections.lock(connection, world.store_id, collection_id)
        if not _is_in_part(collection):
            if not collection.is_covered:
                # Given up, or ordered before its money was there; what is heard next makes it due again.
                collections.expect_completion(connection, collection.id, None)
            return ()
        awaited = _authorizations(connection, collection, COMES_BY_ITSELF)
        promised_at = max(payment.created_at for payment in collection.payments)
        until = PATIENCE + max([promised_at, *(each.due_at for each in awaited if each.due_at is not None)])
        if world.clock() < until:
            collections.expect_completion(connection, collection.id, until)
            return ()
        return _leave(world, connection, collection, collection.live_sessions)

    for case in world.database.transact(look):
        cases.settle(world, case)


def _authorizations(
    connection: Connection, collection: PaymentCollection, statuses: Set[OperationStatus]
) -> list[Operation]:
    """The authorizations of live sessions that stand in one of these statuses."""
    return [
        operation
        for session in collection.live_sessions
        for operation in operations.open_of_session(connection, session.store_id, session.id)
        if operation.kind is OperationKind.AUTHORIZE and operation.status in statuses
    ]


def _leave(
    world: World, connection: Connection, collection: PaymentCollection, parts: Iterable[PaymentSession]
) -> tuple[Case, ...]:
    """Those of them that are promised leave their places; their cases are the caller's to settle."""
    opened = [_leave_one(world, connection, part) for part in parts if collection.is_promised(part)]
    left = collections.load(connection, collection.store_id, collection.id)
    collections.expect_completion(connection, collection.id, world.clock() + PATIENCE if left.has_promise else None)
    return tuple(opened)


def _leave_one(world: World, connection: Connection, part: PaymentSession) -> Case:
    now = world.clock()
    payment = payments.of_session(connection, part.store_id, part.id)
    assert payment is not None, "a part that is promised has a payment"
    without_place = part.model_copy(update={"place": None})
    sessions.move(connection, without_place, SessionStatus.CANCELED, now)
    cause = f"{part.amount} is promised, and what is owed beside it did not come"
    case = stored_cases.about(part, CaseKind.INCOMPLETE, payment.id, cause, now, part.amount)
    stored_cases.open_case(connection, case, due_at=now + LEASE, raises_alarm=False)
    return case
