"""The verbs that make a session a payment: authorize it, and answer the actions that its provider requires."""

from sqlalchemy import Connection

from kassa import intents
from kassa.errors import Conflict, NotAllowed
from kassa.model import Operation, OperationKind, PaymentCollection, PaymentSession
from kassa.payment_collections import refuse_completed
from kassa.protocol import finish, raise_failure, still_processing
from kassa.sessions import load
from kassa.store import collections, operations, sessions
from kassa.transitions import OperationStatus, SessionStatus
from kassa.world import World
from kassa_sdk import ActionRequest, AuthorizeRequest, JsonObject


def authorize(world: World, session_id: str, answer: JsonObject | None = None) -> PaymentSession:
    """Authorize a session, or go on where it waits for the shopper, with their answer.

    Returns the session as it then stands: authorized, requiring more, or pending authorization.
    """
    session = load(world, session_id)
    operation = world.database.transact(lambda connection: _plan(world, connection, session, answer))
    if operation is not None:
        settled, outcome = finish(world, operation)
        if settled.status in (OperationStatus.FAILED, OperationStatus.UNKNOWN, OperationStatus.REVIEW):
            raise_failure(settled, outcome)
    return load(world, session_id)


def _plan(world: World, connection: Connection, session: PaymentSession, answer: JsonObject | None) -> Operation | None:
    collection = collections.lock(connection, world.store_id, session.payment_collection_id)
    session = sessions.load(connection, world.store_id, session.id)
    if session.status in (SessionStatus.AUTHORIZED, SessionStatus.PENDING_AUTHORIZATION):
        return None
    refuse_completed(collection)
    _refuse_unauthorizable(session, collection, answer)
    waiting = _waiting_authorization(connection, session)
    if waiting is not None:
        return _plan_answer(world, connection, session, waiting, answer or {})
    now = world.clock()
    if session.status is SessionStatus.ERROR:
        session = sessions.move(connection, session, SessionStatus.PENDING, now)

    def request(key: str) -> AuthorizeRequest:
        return AuthorizeRequest(**intents.about(session, key), amount=session.amount, shopper=session.shopper)

    operation = intents.intent(session, OperationKind.AUTHORIZE, request, now, amount=session.amount)
    operations.add(connection, operation)
    return operation


def _refuse_unauthorizable(session: PaymentSession, collection: PaymentCollection, answer: JsonObject | None) -> None:
    if not session.is_live:
        raise NotAllowed(f"payment session {session.id} was given up; create another one")
    if session.amount != collection.amount:
        raise Conflict(
            f"payment session {session.id} is for {session.amount}, but {collection.amount} is owed now; update it"
        )
    if answer is not None and session.status is not SessionStatus.REQUIRES_MORE:
        raise NotAllowed(f"payment session {session.id} does not wait for an action; it is {session.status.value}")


def _waiting_authorization(connection: Connection, session: PaymentSession) -> Operation | None:
    """The authorization that waits for the shopper, if there is one.  Raises StillProcessing for any other open call."""
    waiting = None
    for operation in operations.open_of_session(connection, session.store_id, session.id):
        if operation.status is not OperationStatus.REQUIRES_MORE:
            raise still_processing(operation)
        waiting = operation
    if waiting is None and session.provider_reference is None:
        raise NotAllowed(f"payment session {session.id} was never prepared at the provider; create another one")
    return waiting


def _plan_answer(
    world: World, connection: Connection, session: PaymentSession, waiting: Operation, answer: JsonObject
) -> Operation:
    def request(key: str) -> ActionRequest:
        return ActionRequest(
            **intents.about(session, key), amount=session.amount, answer=answer, shopper=session.shopper
        )

    send = intents.continuation(waiting, "action", request, world.clock())
    return operations.send_again(connection, waiting, send)
