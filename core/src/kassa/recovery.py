"""Recovery: settle what is in doubt by evidence, or lay it before a person.  Called by the worker and by operators.

Each operation that is due is taken over with a lease and the next generation, so that any number of workers on any number
of machines share the work; a worker that dies loses its lease, and another goes on.
"""

import logging
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection

from kassa import contradictions, doubt, evidence, intents, learning
from kassa.calls import NotAsked
from kassa.errors import InvalidData, NotAllowed
from kassa.ids import Kind, require_kind
from kassa.intents import LEASE
from kassa.model import Operation, OperationKind
from kassa.protocol import finish, look_up, still_processing
from kassa.providers import ConfiguredProvider
from kassa.store import collections, events, operations, payments, sessions
from kassa.transitions import OPEN_OPERATION, OperationStatus
from kassa.world import World
from kassa_sdk import (
    Declined,
    Found,
    LookUpOutcome,
    Movement,
    NotSent,
    Outcome,
    PaymentFacts,
    Record,
    Succeeded,
    Unknown,
)
from kassa_sdk.outcomes import NotFound as NotThere

_log = logging.getLogger("kassa.recovery")

BATCH = 20
"""How many operations one worker takes over at once: few, so that a worker that dies delays few."""


def recover_due(world: World) -> tuple[Operation, ...]:
    """Take over what is due now, of every store, and do the next step for each.  Returns them as they then stand."""
    now = world.clock()
    if not world.database.read(lambda connection: operations.is_any_due(connection, now)):
        return ()
    claimed = world.database.transact(lambda connection: operations.claim_due(connection, now, now + LEASE, BATCH))
    return tuple(_recover_or_leave(replace(world, store_id=operation.store_id), operation) for operation in claimed)


def in_doubt(world: World, limit: int) -> tuple[Operation, ...]:
    """The store's operations that are not settled, oldest first."""
    return world.database.read(lambda connection: operations.in_doubt(connection, world.store_id, limit))


def look_again(world: World, operation_id: str) -> Operation:
    """Do the next step for one operation now, whenever it is due.  Raises NotFound, NotAllowed."""
    require_kind(Kind.OPERATION, operation_id, "operation_id")
    now = world.clock()
    claimed = world.database.transact(
        lambda connection: operations.claim(connection, world.store_id, operation_id, now, now + LEASE)
    )
    return _recover(world, claimed)


class Decision(Record):
    """What a person decides about an operation in doubt.

    ``provider_reference`` is what the provider calls the capture or refund, where there is one.
    """

    has_succeeded: bool
    who: str
    why: str
    provider_reference: str = ""


def resolve(world: World, operation_id: str, decision: Decision) -> Operation:
    """An operator's decision, through the same path as any evidence.  Raises InvalidData, NotFound, NotAllowed."""
    require_kind(Kind.OPERATION, operation_id, "operation_id")
    for field, text in (("who", decision.who), ("why", decision.why)):
        if not text.strip():
            raise InvalidData(field, "expected some words: the decision is kept with who made it, and why")

    def decide(connection: Connection) -> Operation:
        operation = operations.lock(connection, world.store_id, operation_id)
        if operation.status not in OPEN_OPERATION - {OperationStatus.PLANNED}:
            raise NotAllowed(f"operation {operation_id} is {operation.status.value}; there is nothing to decide")
        if intents.is_leased(operation, world.clock()):
            # A send may be on its way at this moment: what a person saw before it is no evidence about it.
            raise still_processing(operation)
        outcome = _decided(connection, operation, decision)
        settled = evidence.apply(connection, operation, outcome, world.clock(), is_decision=True)
        data = decision.model_dump(mode="json")
        collection_id = operation.payment_collection_id
        name = "kassa.operation.decided"
        events.append(connection, world.store_id, collection_id, name, operation_id, world.clock(), data)
        return settled

    return world.database.transact(decide)


def _recover_or_leave(world: World, operation: Operation) -> Operation:
    """One operation that cannot be recovered keeps nobody from the others; it is due again when its lease ends."""
    try:
        return _recover(world, operation)
    except Exception as error:
        _log.error("%s could not be recovered, and is tried again: %s", operation.id, type(error).__name__)
        return operation


def _recover(world: World, operation: Operation) -> Operation:
    provider = world.providers.get(operation.provider_id)
    if provider is None:
        return _postponed(world, operation, f"{operation.provider_id} is not configured any more; configure it again")
    step = doubt.next_step(operation, provider.manifest, world.clock())
    if isinstance(step, doubt.Send | doubt.LookItUp):
        not_asked = provider.not_asked()
        if not_asked is not None:
            return _unasked(world, operation, not_asked)
    match step:
        case doubt.Send():
            return _send(world, operation)
        case doubt.LookItUp():
            return _look_up(world, operation, provider)
        case doubt.Wait():
            return _postponed(world, operation, "waits for a notice")
        case doubt.Review():
            return _reviewed(world, operation, step.cause)
        case _:
            assert_never(step)


def _unasked(world: World, operation: Operation, why: NotAsked) -> Operation:
    """Later, and without counting a check: an attempt that was never made has told nothing."""
    unchecked = operation.model_copy(update={"checks": operation.checks - 1})
    due_at = max(doubt.next_check(unchecked, world.clock()), why.until)
    return world.database.transact(lambda connection: _due_at(connection, unchecked, due_at, why.cause))


def _send(world: World, operation: Operation) -> Operation:
    again = intents.resend(operation, world.clock())
    sent = world.database.transact(lambda connection: _in_flight(connection, operation, again))
    settled, _outcome = finish(world, sent)
    if settled.status is OperationStatus.UNKNOWN:
        return _postponed(world, settled, settled.cause)
    return settled


def _in_flight(connection: Connection, operation: Operation, again: Operation) -> Operation:
    collections.lock(connection, operation.store_id, operation.payment_collection_id)
    return operations.send_again(connection, operation, again)


def _look_up(world: World, operation: Operation, provider: ConfiguredProvider) -> Operation:
    session = world.database.read(
        lambda connection: sessions.load(connection, operation.store_id, operation.payment_session_id)
    )
    found = look_up(world, provider, session, intents.look_up_request(operation, session))
    return world.database.transact(lambda connection: _apply_look_up(world, connection, operation, found, provider))


def _apply_look_up(
    world: World, connection: Connection, operation: Operation, found: LookUpOutcome, provider: ConfiguredProvider
) -> Operation:
    collections.lock(connection, operation.store_id, operation.payment_collection_id)
    match found:
        case Found():
            riddle = _riddle(connection, operation, found)
            if riddle is not None:
                return evidence.review(connection, operation, riddle, world.clock())
            learned = _learned(world, connection, operation, found)
            if learned.status is not operation.status or learned.generation != operation.generation:
                return _again_later(connection, world, learned)
            payment = payments.of_session(connection, operation.store_id, operation.payment_session_id)
            if doubt.may_be_unlisted(operation, payment, found.facts):
                return _postpone(connection, world, operation, "the provider's total is more than all that it lists")
        case NotSent() | Unknown():
            return _postpone(connection, world, operation, f"could not be looked up: {found.cause}")
        case NotThere():
            pass
        case _:
            assert_never(found)
    if doubt.is_proven_absent(operation, provider.manifest, world.clock()):
        reason = f"{provider.manifest.display_name} does not have it, which its manifest makes proof"
        absent = Declined(code=doubt.NEVER_HAPPENED, reason=reason)
        return _again_later(connection, world, evidence.apply(connection, operation, absent, world.clock()))
    return _postpone(connection, world, operation, operation.cause)


def _riddle(connection: Connection, operation: Operation, found: Found) -> str | None:
    """What in these facts cannot be about the payment that was asked for: they prove nothing about the operation."""
    session = sessions.load(connection, operation.store_id, operation.payment_session_id)
    payment = payments.of_session(connection, operation.store_id, operation.payment_session_id)
    return contradictions.about_payment(session, payment, found.facts)


def _learned(world: World, connection: Connection, operation: Operation, found: Found) -> Operation:
    """The operation, after all that the provider says about its payment is merged."""
    verdict = doubt.verdict(operation, found)
    if verdict is not None:
        evidence.apply(connection, operation, verdict, world.clock())
    session = sessions.load(connection, operation.store_id, operation.payment_session_id)
    learning.learn(world, connection, session, found.facts)
    return operations.lock(connection, operation.store_id, operation.id)


def _again_later(connection: Connection, world: World, operation: Operation) -> Operation:
    """What is still to be settled is looked at later, not again at once."""
    if operation.status in operations.DUE_STATUSES:
        return _postpone(connection, world, operation, operation.cause)
    return operation


def _postponed(world: World, operation: Operation, cause: str | None) -> Operation:
    return world.database.transact(lambda connection: _postpone(connection, world, operation, cause))


def _postpone(connection: Connection, world: World, operation: Operation, cause: str | None) -> Operation:
    return _due_at(connection, operation, doubt.next_check(operation, world.clock()), cause)


def _due_at(connection: Connection, operation: Operation, due_at: datetime, cause: str | None) -> Operation:
    operations.postpone(connection, operation, due_at, cause)
    return operations.lock(connection, operation.store_id, operation.id)


def _reviewed(world: World, operation: Operation, cause: str) -> Operation:
    return world.database.transact(lambda connection: evidence.review(connection, operation, cause, world.clock()))


def _decided(connection: Connection, operation: Operation, decision: Decision) -> Outcome:
    if not decision.has_succeeded:
        return Declined(code="decided", reason=decision.why)
    reference = decision.provider_reference
    session = sessions.load(connection, operation.store_id, operation.payment_session_id)
    known = session.provider_reference or reference
    if not known:
        raise InvalidData("provider_reference", "expected what the provider calls it")
    facts = PaymentFacts(provider_reference=known)
    match operation.kind:
        case OperationKind.AUTHORIZE:
            return Succeeded(facts=facts.model_copy(update={"authorized": operation.amount}))
        case OperationKind.CAPTURE:
            return Succeeded(facts=facts.model_copy(update={"captures": (_movement(operation, reference),)}))
        case OperationKind.REFUND:
            return Succeeded(facts=facts.model_copy(update={"refunds": (_movement(operation, reference),)}))
        case OperationKind.CANCEL:
            return Succeeded(facts=facts.model_copy(update={"condition": "canceled"}))
        case OperationKind.INITIATE | OperationKind.UPDATE:
            return Succeeded(facts=facts)
        case _:
            assert_never(operation.kind)


def _movement(operation: Operation, reference: str) -> Movement:
    assert operation.amount is not None, "captures and refunds have amounts"
    return Movement(
        provider_reference=reference or operation.attempt_key,
        amount=operation.amount,
        attempt_key=operation.attempt_key,
    )
