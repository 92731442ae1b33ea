"""The verbs that make a session a payment: authorize it, and answer the actions that its provider requires."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kassa import intents
from kassa.errors import Conflict, NotAllowed
from kassa.model import Operation, OperationKind, PaymentCollection, PaymentSession
from kassa.payment_collections import refuse_another_region, refuse_completed
from kassa.protocol import finish, raise_failure, refuse_hindered_by, still_processing
from kassa.sessions import load, told_of
from kassa.store import collections, operations, sessions
from kassa.transitions import OperationStatus, SessionStatus
from kassa.world import World
from kassa_sdk import ActionRequest, AuthorizeRequest, JsonObject, Money


@dataclass(frozen=True, slots=True)
class Attempt:
    """The session as it stands afterwards, and whether it was this very call that has authorized it."""

    session: PaymentSession
    has_authorized: bool


def authorize(world: World, session_id: str, answer: JsonObject | None = None) -> Attempt:
    """Authorize a session, or go on where it waits for the shopper, with their answer.

    Afterwards it is authorized, requires more, or is pending authorization.
    """
    operation = world.database.transact(lambda connection: _plan(world, connection, session_id, answer))
    if operation is None:
        return Attempt(load(world, session_id), has_authorized=False)
    settled, outcome = finish(world, operation)
    if settled.status in (OperationStatus.FAILED, OperationStatus.UNKNOWN, OperationStatus.REVIEW):
        raise_failure(settled, outcome)
    return Attempt(load(world, session_id), has_authorized=settled.status is OperationStatus.SUCCEEDED)


def _plan(world: World, connection: Connection, session_id: str, answer: JsonObject | None) -> Operation | None:
    collection = collections.lock_of_session(connection, world.store_id, session_id)
    session = collection.session(session_id)
    if session.status in (SessionStatus.AUTHORIZED, SessionStatus.PENDING_AUTHORIZATION):
        return None
    # Whoever is to be called must be there before the intent to call them is stored.
    world.providers.find(session.provider_id)
    refuse_completed(collection)
    if not session.is_live:
        raise NotAllowed(f"payment session {session.id} was given up; create another one")
    under_way = operations.open_of_session(connection, session.store_id, session.id)
    waiting = _waiting_authorization(under_way)
    if waiting is not None:
        # Whatever the cart comes to by now: the shopper has acted, and the provider is asked what came of it.
        return _plan_answer(world, connection, session, waiting, answer or {})
    if answer is not None:
        raise NotAllowed(f"payment session {session.id} does not wait for an action; it is {session.status.value}")
    owed = collection.amount
    if collection.cart_id is not None:
        cart = world.cart(collection.cart_id, connection)
        refuse_another_region(collection, cart)
        owed, session = cart.total, told_of(world, connection, session, cart.shopper)
    _refuse_another_amount(session, collection, owed)
    refuse_hindered_by(under_way, OperationKind.AUTHORIZE, world.clock())
    return _begin(world, connection, session)


def _begin(world: World, connection: Connection, session: PaymentSession) -> Operation:
    if session.provider_reference is None:
        raise NotAllowed(f"payment session {session.id} was never prepared at the provider; create another one")
    now = world.clock()
    if session.status is SessionStatus.ERROR:
        session = sessions.move(connection, session, SessionStatus.PENDING, now)

    def request(key: str) -> AuthorizeRequest:
        return AuthorizeRequest(**intents.about(session, key), amount=session.amount, shopper=session.shopper)

    operation = intents.intent(session, OperationKind.AUTHORIZE, request, now, amount=session.amount)
    operations.add(connection, operation)
    return operation


def _refuse_another_amount(session: PaymentSession, collection: PaymentCollection, owed: Money) -> None:
    """Nothing is authorized but what the cart comes to at this moment."""
    planned = Money.total((each.amount for each in collection.live_sessions), collection.amount.currency)
    if planned == owed:
        return
    if planned == session.amount:
        raise Conflict(f"payment session {session.id} is for {session.amount}, but {owed} is owed now; update it")
    raise Conflict(
        f"the payment sessions of {collection.id} come to {planned}, but {owed} is owed now; plan them again"
    )


def _waiting_authorization(under_way: Sequence[Operation]) -> Operation | None:
    """The authorization that waits for the shopper, if there is one.  Raises StillProcessing beside any other open call."""
    waiting = [operation for operation in under_way if operation.status is OperationStatus.REQUIRES_MORE]
    others = [operation for operation in under_way if operation.status is not OperationStatus.REQUIRES_MORE]
    if waiting and others:
        raise still_processing(others[0])
    return waiting[0] if waiting else None


def _plan_answer(
    world: World, connection: Connection, session: PaymentSession, waiting: Operation, answer: JsonObject
) -> Operation:
    def request(key: str) -> ActionRequest:
        return ActionRequest(
            **intents.about(session, key), amount=session.amount, answer=answer, shopper=session.shopper
        )

    send = intents.continuation(waiting, "action", request, world.clock())
    return operations.send_again(connection, waiting, send)
