"""The verbs after the order: capture, refund, cancel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kassa import idempotency, intents
from kassa.amounts import cancelable, capturable, refundable
from kassa.errors import InvalidData, NotAllowed
from kassa.idempotency import ClientRequest
from kassa.model import Operation, OperationKind, Payment, PaymentSession
from kassa.protocol import finish, raise_failure, refuse_hindered_by, still_processing
from kassa.providers import ConfiguredProvider
from kassa.store import collections, operations, payments, refund_reasons
from kassa.transitions import OperationStatus
from kassa.world import World
from kassa_sdk import CancelRequest, CaptureRequest, Money, Portions, RefundRequest


@dataclass(frozen=True, slots=True)
class _Settling:
    """A payment, locked, of which money is to be moved, and what is under way with it."""

    world: World
    connection: Connection
    payment: Payment
    session: PaymentSession
    provider: ConfiguredProvider
    under_way: Sequence[Operation]


_Plan = Callable[[_Settling], Operation]


def capture(world: World, payment_id: str, amount: Money | None, asked: ClientRequest | None = None) -> Payment:
    """Take money that is authorized: this amount, or all that is left."""

    def plan(settling: _Settling) -> Operation:
        payment, portions = settling.payment, settling.provider.manifest.captures
        taken = _within(amount, capturable(payment, portions), "capture", portions, settling)

        def request(key: str) -> CaptureRequest:
            return CaptureRequest(
                **intents.about(settling.session, key), amount=taken, is_whole=taken == payment.amount
            )

        refuse_hindered_by(settling.under_way, OperationKind.CAPTURE, world.clock())
        payments.reserve_capture(settling.connection, payment, taken)
        return _intent(settling, OperationKind.CAPTURE, request, taken)

    return _settle(world, payment_id, plan, asked)


@dataclass(frozen=True, slots=True)
class Why:
    """Why money is given back: what somebody writes, and which of the shop's own reasons it is."""

    note: str | None = None
    refund_reason_id: str | None = None


def refund(
    world: World, payment_id: str, amount: Money | None, why: Why, asked: ClientRequest | None = None
) -> Payment:
    """Give captured money back: this amount, or all that is left."""

    def plan(settling: _Settling) -> Operation:
        payment, portions = settling.payment, settling.provider.manifest.refunds
        label = _label(settling.connection, world, why)
        returned = _within(amount, refundable(payment, portions), "refund", portions, settling)

        def request(key: str) -> RefundRequest:
            return RefundRequest(**intents.about(settling.session, key), amount=returned, reason=why.note or label)

        refuse_hindered_by(settling.under_way, OperationKind.REFUND, world.clock())
        payments.reserve_refund(settling.connection, payment, returned)
        operation = _intent(settling, OperationKind.REFUND, request, returned)
        return operation.model_copy(update={"refund_reason_id": why.refund_reason_id})

    return _settle(world, payment_id, plan, asked)


def _label(connection: Connection, world: World, why: Why) -> str | None:
    if why.refund_reason_id is None:
        return None
    return refund_reasons.load(connection, world.store_id, why.refund_reason_id).label


def cancel(world: World, payment_id: str, asked: ClientRequest | None = None) -> Payment:
    """Give up what was not captured."""

    def plan(settling: _Settling) -> Operation:
        payment, provider = settling.payment, settling.provider
        if not provider.manifest.cancel:
            raise NotAllowed(f"{provider.id} cannot cancel a payment; capture it and refund it instead")
        if payment.capturing:
            raise NotAllowed(f"payment {payment.id} has {payment.capturing} of captures in doubt; settle them first")
        refuse_hindered_by(settling.under_way, OperationKind.CANCEL, world.clock())
        if not cancelable(payment, provider.manifest.captures):
            raise NotAllowed(f"payment {payment.id} has nothing left to cancel; refund what was captured instead")

        def request(key: str) -> CancelRequest:
            return CancelRequest(**intents.about(settling.session, key))

        return _intent(settling, OperationKind.CANCEL, request, None)

    return _settle(world, payment_id, plan, asked)


def _intent(settling: _Settling, kind: OperationKind, request: intents.RequestFor, amount: Money | None) -> Operation:
    now = settling.world.clock()
    return intents.intent(settling.session, kind, request, now, amount=amount, payment=settling.payment)


def _settle(world: World, payment_id: str, plan: _Plan, asked: ClientRequest | None) -> Payment:
    """Commit the intent, call, commit the outcome.  Returns the payment; an amount that is pending stays reserved.

    What was asked before under the same key is only answered, as it was then.
    """
    step = idempotency.transact(world, asked, lambda connection: _planned(world, connection, payment_id, plan, asked))
    if isinstance(step, Payment):
        return step
    settled, outcome = finish(world, step)
    if asked is not None:
        return _payment(idempotency.answered(world, asked))
    if settled.status not in (OperationStatus.SUCCEEDED, OperationStatus.PENDING):
        raise_failure(settled, outcome)
    return world.database.read(lambda connection: payments.load(connection, world.store_id, payment_id))


def _planned(
    world: World, connection: Connection, payment_id: str, plan: _Plan, asked: ClientRequest | None
) -> Operation | Payment:
    collection = collections.lock_of_payment(connection, world.store_id, payment_id)
    answer = idempotency.repeated(connection, world.store_id, asked)
    if answer is not None:
        return _payment(answer)
    payment = collection.payment(payment_id)
    session = collection.session(payment.payment_session_id)
    under_way = operations.open_of_session(connection, session.store_id, session.id)
    provider = world.providers.find(payment.provider_id)
    settling = _Settling(world, connection, payment, session, provider, under_way)
    operation = plan(settling)
    if asked is None:
        _refuse_another_try(settling, operation)
    return idempotency.add(connection, operation, asked)


def _refuse_another_try(settling: _Settling, planned: Operation) -> None:
    """Raises StillProcessing where just this was asked for before, and nobody knows what came of it.

    Without a key nobody can tell another try from another wish; a wish that is meant has a key, or another amount.
    """
    for other in settling.under_way:
        is_alike = (other.kind, other.amount) == (planned.kind, planned.amount)
        if is_alike and intents.is_in_doubt(other, settling.world.clock()):
            raise still_processing(other)


def _payment(answer: Payment | str) -> Payment:
    assert isinstance(answer, Payment), "the key's verb is one that answers with a payment"
    return answer


def _within(amount: Money | None, left: Money, verb: str, portions: Portions, settling: _Settling) -> Money:
    """The amount to move.  Raises InvalidData, NotAllowed."""
    payment, provider = settling.payment, settling.provider
    if portions is Portions.NONE:
        raise NotAllowed(f"{provider.id} cannot {verb}; its manifest says so")
    wanted = left if amount is None else amount
    if wanted.currency != payment.amount.currency:
        raise InvalidData(
            "amount", f"{wanted} is not in {payment.amount.currency}, the currency of payment {payment.id}"
        )
    if amount is not None and amount.minor <= 0:
        raise InvalidData("amount", f"expected more than zero, not {amount}")
    if not left or wanted > left:
        raise NotAllowed(
            f"payment {payment.id} has {left} left to {verb}, so {amount or 'all of it again'} is too much"
        )
    if portions is Portions.FULL and wanted != left:
        raise NotAllowed(f"{provider.id} can only {verb} all of a payment at once, which is {left}")
    return wanted
