"""The one path by which evidence changes anything: merge an outcome into its operation, session and payment.

Called inside a transaction, alike for a provider's answer and whatever else will tell about an operation.  Merging takes no
timestamps: SUCCEEDED > FAILED > PENDING > UNKNOWN > IN_FLIGHT.  Evidence that contradicts what was asked is never "paid": it
is set aside for a person to review.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy import Connection

from kassa import contradictions, doubt, idempotency, intents
from kassa.ids import Kind, new_id
from kassa.model import CaseKind, Operation, OperationKind, Payment, PaymentSession
from kassa.store import cases, collections, events, operations, payments, sessions
from kassa.transitions import RESERVING, SESSION_MOVES, OperationStatus, SessionStatus
from kassa_sdk import (
    Action,
    ActionRequired,
    Declined,
    JsonObject,
    Money,
    Movement,
    NotSent,
    Outcome,
    PaymentFacts,
    Pending,
    RefundRequest,
    Succeeded,
    Unknown,
)

LONGEST_RECORD = 8_000
"""Characters of a provider's answer that are kept for a person to read."""

GRACE = timedelta(seconds=60)
"""How long the shopper who paid is left to come back for the order, before the worker places it."""

LOOK_AGAIN = timedelta(hours=1)
"""When to look for a pending operation whose provider did not say by when it will tell."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything about one operation, locked: what evidence is merged into.

    ``booked`` are the captures and refunds of the payment, with the operations behind them.
    """

    connection: Connection
    now: datetime
    operation: Operation
    session: PaymentSession
    payment: Payment | None
    booked: contradictions.Booked
    outcome: Outcome | None = None
    answer: str | None = None
    reference: str | None = None

    def move(self, following: OperationStatus, cause: str | None = None, due_at: datetime | None = None) -> Operation:
        """Move the operation, when all else that follows from it is booked: the client's answer tells of that."""
        moved = operations.move(
            self.connection, self.operation, following, self.now, cause=cause, answer=self.answer, due_at=due_at
        )
        idempotency.settled(self.connection, moved, self.outcome)
        return moved

    def move_session(
        self,
        following: SessionStatus,
        action: Action | None = None,
        failure: str | None = None,
        *,
        takes_place: bool = False,
    ) -> None:
        """Move the session, where its table allows it: evidence about one attempt does not undo that of another."""
        if following is self.session.status or following in SESSION_MOVES[self.session.status]:
            sessions.move(
                self.connection,
                self.session,
                following,
                self.now,
                action=action,
                failure=failure,
                takes_place=takes_place,
            )
        else:
            _alarm(self, "kassa.alarm.overtaken", f"its session is {self.session.status.value} already")

    def the_payment(self) -> Payment:
        assert self.payment is not None, "captures and refunds are planned for a payment"
        return self.payment


def apply(
    connection: Connection, operation: Operation, outcome: Outcome, now: datetime, *, is_decision: bool = False
) -> Operation:
    """Merge what the provider said about an operation.  Returns the operation as it stands afterwards.

    ``is_decision``: a person says it; only then does a failure end a review.

    Negative or vague evidence counts only for the send that it answers; that money has moved counts always.
    """
    scene = _heard(_open(connection, operation, now), outcome)
    if is_decision and scene.operation.status is OperationStatus.REVIEW and isinstance(outcome, Declined):
        return _failed(scene, f"decided: {outcome.reason}")
    if _is_overtaken(scene.operation, outcome) or _is_of_an_old_send(scene.operation, operation, outcome):
        return scene.operation
    match outcome:
        case Succeeded():
            return _succeeded(scene, outcome)
        case ActionRequired():
            return _action_required(scene, outcome)
        case Pending():
            return _pending(scene, outcome)
        case Declined():
            failed = _failed(scene, f"declined ({outcome.code}): {outcome.reason}")
            if outcome.code == doubt.NEVER_HAPPENED and scene.operation.kind is OperationKind.CANCEL:
                _close_again(scene)
            return failed
        case NotSent():
            return _not_sent(scene, outcome)
        case Unknown():
            return scene.move(OperationStatus.UNKNOWN, outcome.cause, due_at=now)
        case _:
            assert_never(outcome)


def set_aside(connection: Connection, operation: Operation, outcome: Outcome, cause: str, now: datetime) -> Operation:
    """What came of a call cannot be merged: keep it, and lay the operation before a person."""
    scene = _heard(_open(connection, operation, now), outcome)
    return _review(scene, cause)


def review(connection: Connection, operation: Operation, cause: str, now: datetime) -> Operation:
    """Nothing more can be found out: lay the operation before a person, unless it was settled meanwhile."""
    scene = _open(connection, operation, now)
    if scene.operation.status not in (OperationStatus.UNKNOWN, OperationStatus.PENDING):
        return scene.operation
    return _review(scene, cause)


def _heard(scene: _Scene, outcome: Outcome) -> _Scene:
    return replace(scene, outcome=outcome, answer=_for_the_record(outcome), reference=_reference_in(outcome))


def _open(connection: Connection, operation: Operation, now: datetime) -> _Scene:
    # One fixed order of locks: collection, then operation.  The payment is guarded by the collection's lock.
    collection = collections.lock(connection, operation.store_id, operation.payment_collection_id)
    payment = collection.payment_of(operation.payment_session_id)
    return _Scene(
        connection=connection,
        now=now,
        operation=operations.lock(connection, operation.store_id, operation.id),
        session=collection.session(operation.payment_session_id),
        payment=payment,
        booked={} if payment is None else payments.booked(connection, payment),
    )


_STRENGTH = {
    OperationStatus.PLANNED: 0,
    OperationStatus.IN_FLIGHT: 0,
    OperationStatus.UNKNOWN: 1,
    OperationStatus.REQUIRES_MORE: 2,
    OperationStatus.PENDING: 2,
    OperationStatus.REVIEW: 3,
    OperationStatus.FAILED: 3,
    OperationStatus.CANCELED: 3,
    OperationStatus.SUCCEEDED: 4,
}


def _is_overtaken(operation: Operation, outcome: Outcome) -> bool:
    """Whether something at least as strong is known already."""
    match outcome:
        case Succeeded():
            return operation.status in (OperationStatus.SUCCEEDED, OperationStatus.CANCELED)
        case Declined():
            return _STRENGTH[operation.status] >= _STRENGTH[OperationStatus.FAILED]
        case ActionRequired():
            return _STRENGTH[operation.status] >= _STRENGTH[OperationStatus.PENDING]
        case Pending():
            waits_for_the_shopper = operation.status is OperationStatus.REQUIRES_MORE
            return _STRENGTH[operation.status] >= _STRENGTH[OperationStatus.PENDING] and not waits_for_the_shopper
        case Unknown():
            return operation.status is not OperationStatus.IN_FLIGHT
        case NotSent():
            # It may come after everybody has stopped waiting for it.
            is_late = operation.status is OperationStatus.UNKNOWN and _is_first_send(operation)
            return operation.status is not OperationStatus.IN_FLIGHT and not is_late
        case _:
            assert_never(outcome)


def _is_first_send(operation: Operation) -> bool:
    """Whether it was sent once, for somebody who may ask again; what recovery sends, nobody but recovery sends again."""
    return operation.sends == 1 and operation.checks == 0


def _is_of_an_old_send(current: Operation, sent: Operation, outcome: Outcome) -> bool:
    """Whether this says, of an earlier send, anything but that money has moved, while another is on its way."""
    if isinstance(outcome, Unknown | NotSent):
        return current.generation != sent.generation
    return not isinstance(outcome, Succeeded) and current.attempt_key != sent.attempt_key


def _for_the_record(outcome: Outcome) -> str:
    # Without what the storefront is given: that may be a secret of the shopper's.
    text = outcome.model_dump_json(exclude={"data": True, "action": True}, exclude_none=True)
    return text[:LONGEST_RECORD].replace("\\u0000", "")


def _succeeded(scene: _Scene, outcome: Succeeded) -> Operation:
    facts = outcome.facts
    contradiction = contradictions.in_answer(scene.operation, scene.session, facts, scene.booked)
    if contradiction is not None:
        return _review(scene, contradiction)
    scene = _remembering(scene, facts.provider_reference, outcome.data)
    match scene.operation.kind:
        case OperationKind.INITIATE:
            return _initiated(scene)
        case OperationKind.AUTHORIZE:
            return _authorized(scene, facts)
        case OperationKind.UPDATE:
            return _updated(scene)
        case OperationKind.CAPTURE:
            return _moved(scene, facts.captures)
        case OperationKind.REFUND:
            return _moved(scene, facts.refunds)
        case OperationKind.CANCEL:
            return _canceled(scene, facts)
        case _:
            assert_never(scene.operation.kind)


def _review(scene: _Scene, cause: str) -> Operation:
    _alarm(scene, "kassa.alarm.review", cause)
    if scene.session.provider_reference is None and scene.reference is not None:
        sessions.remember(scene.connection, scene.session, scene.reference, None, scene.now)
    if scene.operation.status in (OperationStatus.FAILED, OperationStatus.REVIEW, OperationStatus.CANCELED):
        return scene.operation
    return scene.move(OperationStatus.REVIEW, cause)


def _remembering(scene: _Scene, provider_reference: str, data: JsonObject | None) -> _Scene:
    known = sessions.remember(scene.connection, scene.session, provider_reference, data, scene.now)
    return replace(scene, session=known)


def _initiated(scene: _Scene) -> Operation:
    if scene.session.status is SessionStatus.CANCELED:
        # It was replaced while nobody knew whether it had begun.  Now it is known, so it must be closed.
        operations.add(scene.connection, intents.planned(intents.close(scene.session, scene.now)))
    return _settled(scene)


def _close_again(scene: _Scene) -> None:
    """A session that was given up, and whose closing never arrived: nobody but recovery would try it again."""
    if scene.session.status is SessionStatus.CANCELED and scene.payment is None:
        closing = intents.planned(intents.close(scene.session, scene.now))
        due_at = doubt.next_look(scene.session.updated_at, scene.now)
        operations.add(scene.connection, closing.model_copy(update={"due_at": due_at}))


def _updated(scene: _Scene) -> Operation:
    assert scene.operation.amount is not None, "an update is planned with its amount"
    sessions.set_amount(scene.connection, scene.session, scene.operation.amount, scene.now)
    return _settled(scene)


def _authorized(scene: _Scene, facts: PaymentFacts) -> Operation:
    if scene.payment is not None:
        # An earlier attempt of the same session succeeded late; this is the same promise again.
        return _settled(scene)
    other = payments.find_by_reference(
        scene.connection, scene.session.store_id, scene.session.provider_id, facts.provider_reference
    )
    if other is not None:
        return _review(scene, f"{facts.provider_reference} is the payment {other.id} already")
    takes_place = _promise_kept(scene)
    scene.move_session(SessionStatus.AUTHORIZED, takes_place=takes_place)
    payment = _new_payment(scene.session, facts.provider_reference, scene.now)
    payments.add(scene.connection, payment)
    if takes_place:
        collections.expect_completion(scene.connection, payment.payment_collection_id, scene.now + GRACE)
    else:
        _surplus(scene, payment)
    if facts.captured:
        # An immediate sale: taken together with the authorization.
        reference = facts.captures[0].provider_reference if facts.captures else facts.provider_reference
        movement = Movement(provider_reference=reference, amount=facts.captured)
        payments.book_capture(scene.connection, payment, movement, scene.operation, scene.now)
    return _settled(scene)


def _surplus(scene: _Scene, payment: Payment) -> None:
    cause = "a session that was given up is paid after all"
    case = cases.about(scene.session, CaseKind.SURPLUS, payment.id, cause, scene.now, payment.amount)
    cases.open_case(scene.connection, case, due_at=scene.now)


def _promise_kept(scene: _Scene) -> bool:
    """Whether this money pays what is owed: it does, unless its session was given up and something else stands there."""
    if scene.session.status is not SessionStatus.CANCELED:
        return True
    collection = collections.load(scene.connection, scene.session.store_id, scene.session.payment_collection_id)
    is_owed = collection.completed_at is None and collection.amount == scene.session.amount
    return is_owed and not collection.live_sessions


def _new_payment(session: PaymentSession, provider_reference: str, now: datetime) -> Payment:
    nothing = Money.zero(session.amount.currency)
    return Payment(
        id=new_id(Kind.PAYMENT),
        store_id=session.store_id,
        payment_collection_id=session.payment_collection_id,
        payment_session_id=session.id,
        provider_id=session.provider_id,
        provider_reference=provider_reference,
        amount=session.amount,
        captured=nothing,
        capturing=nothing,
        refunded=nothing,
        refunding=nothing,
        canceled=nothing,
        returned=nothing,
        created_at=now,
        updated_at=now,
        captured_at=None,
        canceled_at=None,
    )


def _moved(scene: _Scene, movements: tuple[Movement, ...]) -> Operation:
    movement = next(each for each in movements if each.attempt_key == scene.operation.attempt_key)
    match movement.status:
        case "pending":
            return _wait(scene, None)
        case "failed":
            return _failed(scene, "the provider says that it failed")
        case "succeeded":
            return _booked(scene, movement)
        case _:
            assert_never(movement.status)


def _booked(scene: _Scene, movement: Movement) -> Operation:
    _release(scene)
    if movement.provider_reference in scene.booked:
        # A notice without our key came before this answer.
        payments.claim_movement(scene.connection, scene.the_payment(), movement, scene.operation)
    elif scene.operation.kind is OperationKind.CAPTURE:
        payments.book_capture(scene.connection, scene.the_payment(), movement, scene.operation, scene.now)
    else:
        request = intents.request_of(scene.operation)
        reason = request.reason if isinstance(request, RefundRequest) else None
        payments.book_refund(scene.connection, scene.the_payment(), movement, scene.operation, reason, scene.now)
    return _settled(scene)


def _canceled(scene: _Scene, facts: PaymentFacts) -> Operation:
    known = Money.zero(scene.session.amount.currency) if scene.payment is None else scene.payment.captured
    if facts.captured is not None and facts.captured > known:
        return _review(scene, f"it was to be canceled, but the provider has captured {facts.captured}")
    if facts.condition not in ("canceled", "expired", "declined"):
        return _review(scene, f"it was to be canceled, but the provider says that it is {facts.condition}")
    if scene.payment is None:
        _session_closed(scene)
    else:
        release(scene.connection, scene.payment, scene.session, scene.now)
    return _settled(scene)


def _session_closed(scene: _Scene) -> None:
    if scene.session.is_live:
        scene.move_session(SessionStatus.CANCELED)
    for other in operations.open_of_session(scene.connection, scene.session.store_id, scene.session.id):
        if other.id != scene.operation.id:
            _end(replace(scene, operation=other), "its session was closed at the provider")
    _wait_no_longer(scene)


def release(connection: Connection, payment: Payment, session: PaymentSession, now: datetime) -> bool:
    """The hold is gone, whoever gave it up.  What a capture has reserved stays reserved.  Returns whether that is news.

    The collection is locked by the caller.
    """
    left = payment.amount - payment.captured - payment.capturing - payment.canceled
    if left.minor > 0:
        payments.book_cancel(connection, payment, left, now)
    collection = collections.load(connection, payment.store_id, payment.payment_collection_id)
    is_unused = not payment.captured and not payment.capturing and not collection.order_is_paid
    if is_unused and session.status is SessionStatus.AUTHORIZED:
        # No order counts on it, or one that still waits for its money: its place is free for another session.
        sessions.move(connection, session, SessionStatus.CANCELED, now)
        if session.is_live:
            # No order is to be placed for it.  One that holds no place is surplus: others may still be waited for.
            has_others = any(
                each.id != session.id and collection.is_promised(each) for each in collection.live_sessions
            )
            collections.expect_completion(connection, collection.id, now if has_others else None)
    return left.minor > 0


def _action_required(scene: _Scene, outcome: ActionRequired) -> Operation:
    if scene.operation.kind is not OperationKind.AUTHORIZE:
        return _review(scene, f"{scene.operation.kind.value} asks for an action of the shopper, which it never may")
    if scene.session.provider_reference not in (None, outcome.provider_reference):
        return _review(scene, f"the answer is about {outcome.provider_reference}")
    scene = _remembering(scene, outcome.provider_reference, outcome.data)
    if scene.session.is_live:
        scene.move_session(SessionStatus.REQUIRES_MORE, action=outcome.action)
    return scene.move(OperationStatus.REQUIRES_MORE)


def _pending(scene: _Scene, outcome: Pending) -> Operation:
    mistaken = contradictions.mistaken_identity(scene.session, outcome.facts)
    if mistaken is not None:
        return _review(scene, mistaken)
    scene = _remembering(scene, outcome.facts.provider_reference, outcome.data)
    if scene.operation.kind is OperationKind.AUTHORIZE and scene.session.is_live:
        scene.move_session(SessionStatus.PENDING_AUTHORIZATION, action=outcome.action)
    return _wait(scene, outcome.expected_by)


def _wait(scene: _Scene, expected_by: datetime | None) -> Operation:
    return scene.move(OperationStatus.PENDING, due_at=expected_by or scene.now + LOOK_AGAIN)


def _not_sent(scene: _Scene, outcome: NotSent) -> Operation:
    if not _is_first_send(scene.operation):
        # That a repetition did not arrive says nothing about the first send.
        return scene.move(OperationStatus.UNKNOWN, outcome.cause, due_at=scene.now)
    if scene.operation.hook == "action":
        # The shopper's answer did not arrive; the action is still to be answered.
        return scene.move(OperationStatus.REQUIRES_MORE, outcome.cause)
    return _end(scene, f"not sent: {outcome.cause}", fails_session=scene.operation.kind is OperationKind.INITIATE)


def _failed(scene: _Scene, cause: str) -> Operation:
    fails_session = scene.operation.kind in (OperationKind.INITIATE, OperationKind.AUTHORIZE)
    return _end(scene, cause, fails_session=fails_session)


def _end(scene: _Scene, cause: str, *, fails_session: bool = False) -> Operation:
    """Definitive failure: frees what was reserved."""
    _release(scene)
    if fails_session and scene.session.is_live:
        scene.move_session(SessionStatus.ERROR, failure=cause)
        _wait_no_longer(scene)
    if scene.operation.status is OperationStatus.PLANNED:
        return scene.move(OperationStatus.CANCELED, cause)
    return scene.move(OperationStatus.FAILED, cause)


def _wait_no_longer(scene: _Scene) -> None:
    """Other parts of a split payment may have waited for this one."""
    collection = collections.load(scene.connection, scene.session.store_id, scene.session.payment_collection_id)
    if collection.has_promise and collection.order_id is None:
        collections.expect_completion(scene.connection, collection.id, scene.now + GRACE)


def _settled(scene: _Scene) -> Operation:
    if scene.operation.status is OperationStatus.FAILED:
        _alarm(scene, "kassa.alarm.late_success", "it had failed, and succeeded after all")
    if scene.operation.status is OperationStatus.PLANNED:
        return scene.move(OperationStatus.CANCELED, "it is not needed: what it was to do is done")
    return scene.move(OperationStatus.SUCCEEDED)


def _release(scene: _Scene) -> None:
    operation = scene.operation
    if operation.status not in RESERVING or operation.amount is None:
        return
    if operation.kind is OperationKind.CAPTURE:
        payments.release_capture(scene.connection, scene.the_payment(), operation.amount)
    elif operation.kind is OperationKind.REFUND:
        payments.release_refund(scene.connection, scene.the_payment(), operation.amount)


def _reference_in(outcome: Outcome) -> str | None:
    """What the provider calls the payment, as its answer tells."""
    match outcome:
        case Succeeded() | Pending():
            return outcome.facts.provider_reference
        case ActionRequired() | Declined():
            return outcome.provider_reference
        case NotSent() | Unknown():
            return None
        case _:
            assert_never(outcome)


def _alarm(scene: _Scene, name: str, cause: str) -> None:
    store_id, collection_id = scene.operation.store_id, scene.operation.payment_collection_id
    events.append(scene.connection, store_id, collection_id, name, scene.operation.id, scene.now, {"cause": cause})
