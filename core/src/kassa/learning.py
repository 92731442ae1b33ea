"""Learning: merge what a provider says of a payment, asked or not, in our books.

One path for notices, look-ups and the provider's own list.  Facts are cumulative, so the same ones five times, late, or in
any order lead to the same books.  What carries a key of ours goes through ``evidence``, like the answer to that call; what
does not was made elsewhere, and is booked as such.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from kassa import contradictions, doubt, evidence, intents
from kassa.model import CaseKind, Operation, OperationKind, Payment, PaymentSession, Refund
from kassa.store import cases, disputes, operations, payments, sessions
from kassa.transitions import OPEN_OPERATION, OperationStatus, SessionStatus
from kassa.world import World
from kassa_sdk import Declined, Dispute, Manifest, Money, Movement, Outcome, PaymentFacts, Succeeded

WAITS_FOR_WORD = (OperationStatus.PENDING, OperationStatus.REQUIRES_MORE, OperationStatus.UNKNOWN)
"""Where a definitive no of the provider ends an authorization; while a call is under way, its own answer counts."""

OVER = ("declined", *doubt.CLOSED)
"""The conditions of a payment by which nothing was promised, or nothing is any more."""


def learn(world: World, connection: Connection, session: PaymentSession, facts: PaymentFacts) -> bool:
    """Merge everything that these facts say.  Returns whether they said anything new.

    The collection is locked by the caller.
    """
    pupil = _Pupil(world, connection, session, facts, world.clock())
    contradiction = contradictions.about_payment(session, pupil.payment(), facts)
    if contradiction is not None:
        subject = f"{facts.provider_reference}: {contradiction}"
        return pupil.lay_before_a_person(CaseKind.CONTRADICTION, subject, contradiction)
    lessons = (_initiated, _promised, _moved, _ended, _returned, _disputed, _unexplained)
    # Each of them is given, also after one that had something new.
    return any([lesson(pupil) for lesson in lessons])


def is_doubtful(
    session: PaymentSession, payment: Payment | None, known: Iterable[Operation], facts: PaymentFacts
) -> bool:
    """Whether a message alone may be late or of an earlier try, so that the provider should be asked how it stands now."""
    if contradictions.about_payment(session, payment, facts) is not None:
        return False
    if facts.condition in OVER:
        return True
    if session.status is SessionStatus.CANCELED and payment is None:
        return True
    by_key = {operation.attempt_key: operation for operation in known}
    return any(_is_contested(by_key, movement) for movement in (*facts.captures, *facts.refunds)) or _is_unexplained(
        payment, facts
    )


def _is_contested(by_key: dict[str, Operation], movement: Movement) -> bool:
    """Whether it is said to have failed, or to have succeeded after we heard that it failed."""
    operation = by_key.get(movement.attempt_key or "")
    has_failed = operation is not None and operation.status is OperationStatus.FAILED
    return movement.status == "failed" or (movement.status == "succeeded" and has_failed)


def _is_unexplained(payment: Payment | None, facts: PaymentFacts) -> bool:
    """Whether a total is more than we know of, and no movement beside it says why."""
    if payment is None:
        return False
    taken = Money.total((each.amount for each in facts.captures), payment.amount.currency)
    returned = Money.total((each.amount for each in facts.refunds), payment.amount.currency)
    return (facts.captured is not None and facts.captured > max(payment.captured, taken)) or (
        facts.refunded is not None and facts.refunded > max(payment.refunded, returned)
    )


@dataclass(frozen=True, slots=True)
class _Pupil:
    """Whom the facts are told, under the lock of the collection."""

    world: World
    connection: Connection
    session: PaymentSession
    facts: PaymentFacts
    now: datetime

    def payment(self) -> Payment | None:
        return payments.of_session(self.connection, self.session.store_id, self.session.id)

    def session_now(self) -> PaymentSession:
        return sessions.load(self.connection, self.session.store_id, self.session.id)

    def latest(self, kind: OperationKind) -> Operation | None:
        return operations.newest_of_session(self.connection, self.session.store_id, self.session.id, kind)

    @property
    def manifest(self) -> Manifest | None:
        provider = self.world.providers.get(self.session.provider_id)
        return None if provider is None else provider.manifest

    def apply(self, operation: Operation, outcome: Outcome) -> bool:
        settled = evidence.apply(self.connection, operation, outcome, self.now)
        return settled.status is not operation.status

    def lay_before_a_person(self, kind: CaseKind, subject: str, cause: str, amount: Money | None = None) -> bool:
        case = cases.about(self.session, kind, subject, cause, self.now, amount)
        return cases.open_case(self.connection, case)


def _initiated(pupil: _Pupil) -> bool:
    """The provider has a session whose preparation never answered."""
    if pupil.session.provider_reference is not None:
        return False
    begun = pupil.latest(OperationKind.INITIATE)
    if begun is None or (begun.status is OperationStatus.FAILED and pupil.facts.condition in OVER):
        # What was declined and is shown as such was not prepared after all.
        return False
    facts = PaymentFacts(provider_reference=pupil.facts.provider_reference, our_reference=pupil.facts.our_reference)
    return pupil.apply(begun, Succeeded(facts=facts))


def _promised(pupil: _Pupil) -> bool:
    """The amount is held or taken, and we have no payment of it yet."""
    if not doubt.is_promised(pupil.facts) or pupil.payment() is not None:
        return False
    authorization = pupil.latest(OperationKind.AUTHORIZE)
    if authorization is None or authorization.status is OperationStatus.CANCELED:
        authorization = intents.told(pupil.session_now(), pupil.now)
        operations.add(pupil.connection, authorization)
    return pupil.apply(authorization, Succeeded(facts=doubt.promise_in(pupil.facts)))


def _moved(pupil: _Pupil) -> bool:
    """Captures and refunds, ours and those that were made elsewhere."""
    news = [_moved_one(pupil, OperationKind.CAPTURE, movement) for movement in pupil.facts.captures]
    news += [_moved_one(pupil, OperationKind.REFUND, movement) for movement in pupil.facts.refunds]
    return any(news)


def _moved_one(pupil: _Pupil, kind: OperationKind, movement: Movement) -> bool:
    payment = pupil.payment()
    if payment is None:
        return False
    operation = _behind(pupil, payment, kind, movement)
    if operation is None:
        return _moved_elsewhere(pupil, payment, kind, movement)
    keyed = movement.model_copy(update={"attempt_key": operation.attempt_key})
    facts = pupil.facts.model_copy(update={"captures": (), "refunds": (), _PART[kind]: (keyed,)})
    outcome = doubt.outcome_of(keyed, facts)
    if operation.amount != movement.amount:
        return _moved_differently(pupil, operation, movement, outcome)
    if operation.status is not OperationStatus.SUCCEEDED:
        return pupil.apply(operation, outcome)
    if movement.status == "failed":
        return _failed_after_all(pupil, payment, operation.id)
    return False


_PART = {OperationKind.CAPTURE: "captures", OperationKind.REFUND: "refunds"}


def _moved_differently(pupil: _Pupil, operation: Operation, movement: Movement, outcome: Outcome) -> bool:
    """Another amount than was asked for, under our key: a person looks at it, and what is reserved stays so."""
    cause = f"{movement.amount} was moved for {operation.id}, {operation.amount} was asked for"
    if operation.status in OPEN_OPERATION - {OperationStatus.PLANNED}:
        settled = evidence.set_aside(pupil.connection, operation, outcome, cause, pupil.now)
        return settled.status is not operation.status
    subject = f"{movement.provider_reference}: {cause}"
    return pupil.lay_before_a_person(CaseKind.CONTRADICTION, subject, cause, movement.amount)


def _behind(pupil: _Pupil, payment: Payment, kind: OperationKind, movement: Movement) -> Operation | None:
    """The operation of ours that made this movement; None: it was made elsewhere."""
    ours = [each for each in operations.of_payment(pupil.connection, payment) if each.kind is kind]
    for operation in ours:
        if operation.attempt_key == movement.attempt_key:
            return operation
    if movement.provider_reference in payments.booked(pupil.connection, payment):
        return None
    if pupil.manifest is None or pupil.manifest.idempotency.keys != "none" or movement.attempt_key is not None:
        return None
    # A provider that keeps no keys tells none: what is in doubt with just this amount is what it tells of, unless the
    # answer to another call has named it.
    alike = [each for each in ours if each.status in OPEN_OPERATION and each.amount == movement.amount]
    awaited = {each.id: doubt.awaited_movement(each) for each in alike}
    named = [each for each in alike if awaited[each.id] == movement.provider_reference]
    nameless = [each for each in alike if awaited[each.id] is None]
    return next(iter(named or nameless), None)


def _moved_elsewhere(pupil: _Pupil, payment: Payment, kind: OperationKind, movement: Movement) -> bool:
    """Made in the provider's dashboard: booked once, and never more than the provider's total says."""
    if movement.provider_reference in payments.booked(pupil.connection, payment):
        refunds = payments.ledger(pupil.connection, payment).refunds
        known = next((each for each in refunds if each.provider_reference == movement.provider_reference), None)
        return known is not None and movement.status == "failed" and _fail_refund(pupil, payment, known)
    if movement.status != "succeeded":
        return False
    total, booked = (
        (pupil.facts.captured, payment.captured)
        if kind is OperationKind.CAPTURE
        else (pupil.facts.refunded, payment.refunded)
    )
    if total is not None and booked + movement.amount > total:
        return False
    if kind is OperationKind.REFUND:
        payments.book_refund(pupil.connection, payment, movement, None, None, pupil.now)
        return True
    payments.book_capture(pupil.connection, payment, movement, None, pupil.now)
    if pupil.session_now().status is SessionStatus.CANCELED:
        cause = "money was taken for a session that was given up"
        subject = f"{payment.id}/{movement.provider_reference}"
        case = cases.about(pupil.session, CaseKind.SURPLUS, subject, cause, pupil.now, movement.amount)
        cases.open_case(pupil.connection, case, due_at=pupil.now)
    return True


def _failed_after_all(pupil: _Pupil, payment: Payment, operation_id: str) -> bool:
    ledger = payments.ledger(pupil.connection, payment)
    refund = next((each for each in ledger.refunds if each.operation_id == operation_id), None)
    if refund is not None:
        return _fail_refund(pupil, payment, refund)
    cause = f"the provider says that the capture of {operation_id} failed, after it had succeeded"
    return pupil.lay_before_a_person(CaseKind.CONTRADICTION, operation_id, cause)


def _fail_refund(pupil: _Pupil, payment: Payment, refund: Refund) -> bool:
    if refund.failed_at is not None:
        return False
    payments.fail_refund(pupil.connection, payment, refund, pupil.now)
    cause = f"{refund.amount} was given back, and came back: give it to the shopper in another way"
    return pupil.lay_before_a_person(CaseKind.REFUND_FAILED, refund.id, cause, refund.amount)


def _ended(pupil: _Pupil) -> bool:
    """Declined, canceled or expired."""
    if pupil.facts.condition not in OVER:
        return False
    payment = pupil.payment()
    if payment is not None:
        return pupil.facts.condition != "declined" and _released(pupil, payment)
    closing, authorization = pupil.latest(OperationKind.CANCEL), pupil.latest(OperationKind.AUTHORIZE)
    if closing is not None and closing.status in WAITS_FOR_WORD and pupil.facts.condition in doubt.CLOSED:
        return pupil.apply(closing, Succeeded(facts=_condition_alone(pupil.facts)))
    if authorization is not None and authorization.status in WAITS_FOR_WORD:
        condition = pupil.facts.condition
        return pupil.apply(authorization, Declined(code=condition, reason=f"the provider says that it is {condition}"))
    return pupil.facts.condition in doubt.CLOSED and _given_up(pupil)


def _condition_alone(facts: PaymentFacts) -> PaymentFacts:
    return facts.model_copy(update={"captures": (), "refunds": ()})


def _released(pupil: _Pupil, payment: Payment) -> bool:
    """The hold is gone, whoever released it; what is in doubt keeps its reservation."""
    closing = pupil.latest(OperationKind.CANCEL)
    if closing is not None and closing.status in WAITS_FOR_WORD:
        return pupil.apply(closing, Succeeded(facts=_condition_alone(pupil.facts)))
    if closing is not None and closing.status in OPEN_OPERATION:
        return False
    return evidence.release(pupil.connection, payment, pupil.session_now(), pupil.now)


def _given_up(pupil: _Pupil) -> bool:
    """Closed at the provider before anything was promised: its place is free for another."""
    session = pupil.session_now()
    under_way = operations.open_of_session(pupil.connection, session.store_id, session.id)
    if not session.is_live or under_way:
        return False
    sessions.move(pupil.connection, session, SessionStatus.CANCELED, pupil.now)
    return True


def _returned(pupil: _Pupil) -> bool:
    """A bank has taken captured money back."""
    payment, returned = pupil.payment(), pupil.facts.returned
    if payment is None or returned is None or returned <= payment.returned:
        return False
    payments.set_returned(pupil.connection, payment, returned, pupil.now)
    cause = f"{returned} of payment {payment.id} was taken back by the bank"
    pupil.lay_before_a_person(CaseKind.RETURNED, f"{payment.id}/{returned.minor}", cause, returned)
    return True


def _disputed(pupil: _Pupil) -> bool:
    """The shopper's bank takes the money back, or gives it back again."""
    payment = pupil.payment()
    if payment is None:
        return False
    return any([_disputed_one(pupil, payment, dispute) for dispute in pupil.facts.disputes])


def _disputed_one(pupil: _Pupil, payment: Payment, dispute: Dispute) -> bool:
    if not disputes.note(pupil.connection, payment, dispute, pupil.now):
        return False
    subject = f"{payment.id}/{dispute.provider_reference}"
    if dispute.status == "won":
        why = "the dispute is won"
        cases.close_about(pupil.connection, payment.store_id, CaseKind.DISPUTED, subject, why, pupil.now)
        return True
    cause = (
        f"{dispute.amount} of payment {payment.id} is disputed ({dispute.status}); answer in the provider's dashboard"
    )
    pupil.lay_before_a_person(CaseKind.DISPUTED, subject, cause, dispute.amount)
    return True


def _unexplained(pupil: _Pupil) -> bool:
    """More was moved than all that we know of, and nothing says by which capture or refund."""
    payment, facts = pupil.payment(), pupil.facts
    if payment is None:
        return False
    told = (
        ("captured", facts.captured, payment.captured + payment.capturing),
        ("refunded", facts.refunded, payment.refunded + payment.refunding),
    )
    news = [
        pupil.lay_before_a_person(
            CaseKind.UNEXPLAINED,
            f"{payment.id}/{what}/{total.minor}",
            f"{total} is {what} at the provider, and we know of {known}; its dashboard says why",
            total - known,
        )
        for what, total, known in told
        if total is not None and total > known
    ]
    return any(news)
