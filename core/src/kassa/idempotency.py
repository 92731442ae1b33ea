"""Clients' keys: the same key and the same request get the same answer, and have one effect.

A key is stored in the transaction that stores the intent, or the thing that is created.  So it has no "in progress" of its
own: how its operation stands is how it stands, also after a crash.  The answer is stored in the transaction that settles
the operation, whoever settles it.  A request that is refused before anything is stored leaves its key free.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic_core import to_jsonable_python
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from kassa import arguments
from kassa.answers import Answer, Created, IdempotencyKey, PaymentStands, failure, give, refusal
from kassa.errors import InvalidData, KeyReused, StillProcessing
from kassa.model import Cart, Operation, Payment, PaymentCollection
from kassa.store import idempotency_keys, operations, payments
from kassa.store.database import is_unique_violation
from kassa.transitions import OperationStatus
from kassa.world import World
from kassa_sdk import Outcome, Shopper

ResultT = TypeVar("ResultT")
CreatedT = TypeVar("CreatedT", Cart, PaymentCollection)

LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """What a client asks for under a key of its own.  The fingerprint is the same for the same verb and arguments only."""

    key: str
    verb: str
    fingerprint: str


def client_request(key: str | None, verb: str, **given: object) -> ClientRequest | None:
    """The request, or None where the client gave no key.  Raises InvalidData for what cannot be a key."""
    if key is None:
        return None
    require_key(key)
    # Where the shopper is at the moment is no part of what is asked for.
    asked = {
        name: value.model_copy(update={"ip_address": None}) if isinstance(value, Shopper) else value
        for name, value in given.items()
    }
    # Without the fields that nothing was said in, so that one which a later release adds changes no fingerprint.
    canonical = json.dumps([verb, to_jsonable_python(asked, exclude_none=True)], sort_keys=True, separators=(",", ":"))
    return ClientRequest(key, verb, hashlib.sha256(canonical.encode()).hexdigest())


def require_key(key: str) -> None:
    """Raises InvalidData for what cannot be a key."""
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidData("idempotency_key", f"expected 1 to {LONGEST_KEY} printable characters")
    arguments.refuse_card_number("idempotency_key", key)


def transact(world: World, request: ClientRequest | None, work: Callable[[Connection], ResultT]) -> ResultT:
    """Run ``work`` in one transaction.  When the key was stored meanwhile by another request, once more: it is found now."""
    try:
        return world.database.transact(work)
    except IntegrityError as error:
        if request is None or not is_unique_violation(error):
            raise
        return world.database.transact(work)


def repeated(connection: Connection, store_id: str, request: ClientRequest | None) -> Payment | str | None:
    """What was answered, when this was asked before: the payment, or the id of what was created; None: it is to be done.

    Raises KeyReused, StillProcessing, and the error that the answer was.
    """
    known = None if request is None else _find(connection, store_id, request)
    if known is None or known.may_be_tried_again:
        return None
    return _given(known)


def answered(world: World, request: ClientRequest) -> Payment | str:
    """What is kept for the client under its key; the first one to ask gets what everybody gets who asks again.

    Raises StillProcessing, and the error that the answer is.
    """
    known = world.database.read(lambda connection: _find(connection, world.store_id, request))
    assert known is not None, "a key is stored before anything is sent, and never removed"
    return _given(known)


def add(connection: Connection, operation: Operation, request: ClientRequest | None) -> Operation:
    """Store an intent, together with the key under which the client asked for it."""
    if request is None:
        operations.add(connection, operation)
        return operation
    keyed = operation.model_copy(update={"client_key": request.key})
    operations.add(connection, keyed)
    _keep(connection, keyed.store_id, request, keyed.created_at, operation_id=keyed.id)
    return keyed


def created(connection: Connection, store_id: str, request: ClientRequest | None, thing_id: str, now: datetime) -> None:
    """Keep what the request was answered with, where no provider had to be asked."""
    if request is not None:
        _keep(connection, store_id, request, now, answer=Created(id=thing_id))


def create_once(
    world: World,
    request: ClientRequest | None,
    create: Callable[[Connection], CreatedT],
    load: Callable[[Connection, str, str], CreatedT],
) -> CreatedT:
    """Create a thing in one transaction; where it was created under the key before, that one is loaded."""

    def work(connection: Connection) -> CreatedT:
        known = repeated(connection, world.store_id, request)
        if known is not None:
            return load(connection, world.store_id, str(known))
        thing = create(connection)
        created(connection, world.store_id, request, thing.id, world.clock())
        return thing

    return transact(world, request, work)


def settled(connection: Connection, operation: Operation, outcome: Outcome | None) -> None:
    """Keep what the client is told who asked for this operation, as far as that is known now.

    The newest word counts: a failure that turns out to be a success late must not go on hiding money that was taken.
    """
    if operation.client_key is None:
        return
    said = _answer_to(connection, operation, outcome)
    if said is not None:
        idempotency_keys.answer(connection, operation.store_id, operation.client_key, operation.id, said)


def _find(connection: Connection, store_id: str, request: ClientRequest) -> IdempotencyKey | None:
    known = idempotency_keys.find(connection, store_id, request.key)
    if known is not None and known.fingerprint != request.fingerprint:
        raise KeyReused(request.key, known.verb)
    return known


def _given(known: IdempotencyKey) -> Payment | str:
    if known.answer is None:
        raise StillProcessing(
            known.operation_id or "",
            f"{known.verb} under idempotency key {known.client_key!r} ({known.operation_id}) is not settled yet; "
            f"nothing is lost, ask again later",
        )
    return give(known.answer)


def _keep(
    connection: Connection,
    store_id: str,
    request: ClientRequest,
    now: datetime,
    *,
    operation_id: str | None = None,
    answer: Answer | None = None,
) -> None:
    key = IdempotencyKey(
        store_id=store_id,
        client_key=request.key,
        verb=request.verb,
        fingerprint=request.fingerprint,
        operation_id=operation_id,
        answer=answer,
        created_at=now,
    )
    former = _find(connection, store_id, request)
    if former is not None and former.may_be_tried_again:
        idempotency_keys.replace(connection, former, key)
    else:
        # Where it stands there since we looked, this breaks its unique rule, and ``transact`` looks again.
        idempotency_keys.add(connection, key)


def _answer_to(connection: Connection, operation: Operation, outcome: Outcome | None) -> Answer | None:
    match operation.status:
        case OperationStatus.SUCCEEDED | OperationStatus.PENDING if operation.payment_id is not None:
            return PaymentStands(payment=payments.load(connection, operation.store_id, operation.payment_id))
        case OperationStatus.SUCCEEDED:
            return Created(id=operation.payment_session_id)
        case OperationStatus.FAILED | OperationStatus.CANCELED:
            return refusal(failure(operation, outcome))
        case _:
            return None
