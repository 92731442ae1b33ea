"""The verbs after the order: capture, refund, cancel."""

from collections.abc import Callable

from sqlalchemy import Connection

from kassa import intents
from kassa.amounts import cancelable, capturable, refundable
from kassa.errors import InvalidData, NotAllowed
from kassa.model import Operation, OperationKind, Payment, PaymentSession
from kassa.protocol import finish, raise_failure, refuse_hindered
from kassa.providers import ConfiguredProvider
from kassa.store import collections, operations, payments, sessions
from kassa.transitions import OperationStatus
from kassa.world import World
from kassa_sdk import CancelRequest, CaptureRequest, Money, Portions, RefundRequest

Plan = Callable[[Connection, Payment, PaymentSession, ConfiguredProvider], Operation]


def capture(world: World, payment_id: str, amount: Money | None) -> Payment:
    """Take money that is authorized: this amount, or all that is left."""

    def plan(
        connection: Connection, payment: Payment, session: PaymentSession, provider: ConfiguredProvider
    ) -> Operation:
        left = capturable(payment, provider.manifest.captures)
        taken = _within(amount, left, "capture", payment, provider.manifest.captures, provider)

        def request(key: str) -> CaptureRequest:
            return CaptureRequest(**intents.about(session, key), amount=taken, is_whole=taken == payment.amount)

        refuse_hindered(world, connection, session, OperationKind.CAPTURE)
        payments.reserve_capture(connection, payment, taken)
        return intents.intent(session, OperationKind.CAPTURE, request, world.clock(), amount=taken, payment=payment)

    return _settle(world, payment_id, plan)


def refund(world: World, payment_id: str, amount: Money | None, reason: str | None) -> Payment:
    """Give captured money back: this amount, or all that is left."""

    def plan(
        connection: Connection, payment: Payment, session: PaymentSession, provider: ConfiguredProvider
    ) -> Operation:
        left = refundable(payment, provider.manifest.refunds)
        returned = _within(amount, left, "refund", payment, provider.manifest.refunds, provider)

        def request(key: str) -> RefundRequest:
            return RefundRequest(**intents.about(session, key), amount=returned, reason=reason)

        refuse_hindered(world, connection, session, OperationKind.REFUND)
        payments.reserve_refund(connection, payment, returned)
        return intents.intent(session, OperationKind.REFUND, request, world.clock(), amount=returned, payment=payment)

    return _settle(world, payment_id, plan)


def cancel(world: World, payment_id: str) -> Payment:
    """Give up what was not captured."""

    def plan(
        connection: Connection, payment: Payment, session: PaymentSession, provider: ConfiguredProvider
    ) -> Operation:
        if not provider.manifest.cancel:
            raise NotAllowed(f"{provider.id} cannot cancel a payment; capture it and refund it instead")
        if payment.capturing:
            raise NotAllowed(f"payment {payment.id} has {payment.capturing} of captures in doubt; settle them first")
        refuse_hindered(world, connection, session, OperationKind.CANCEL)
        if not cancelable(payment, provider.manifest.captures):
            raise NotAllowed(f"payment {payment.id} has nothing left to cancel; refund what was captured instead")

        def request(key: str) -> CancelRequest:
            return CancelRequest(**intents.about(session, key))

        return intents.intent(session, OperationKind.CANCEL, request, world.clock(), payment=payment)

    return _settle(world, payment_id, plan)


def _settle(world: World, payment_id: str, plan: Plan) -> Payment:
    """Commit the intent, call, commit the outcome.  Returns the payment; an amount that is pending stays reserved."""
    operation = world.database.transact(lambda connection: _planned(world, connection, payment_id, plan))
    settled, outcome = finish(world, operation)
    if settled.status not in (OperationStatus.SUCCEEDED, OperationStatus.PENDING):
        raise_failure(settled, outcome)
    return world.database.read(lambda connection: payments.load(connection, world.store_id, payment_id))


def _planned(world: World, connection: Connection, payment_id: str, plan: Plan) -> Operation:
    found = payments.load(connection, world.store_id, payment_id)
    collections.lock(connection, world.store_id, found.payment_collection_id)
    payment = payments.load(connection, world.store_id, payment_id)
    session = sessions.load(connection, world.store_id, payment.payment_session_id)
    provider = world.providers.find(payment.provider_id)
    operation = plan(connection, payment, session, provider)
    operations.add(connection, operation)
    return operation


def _within(  # a refusal tells all of it
    amount: Money | None,
    left: Money,
    verb: str,
    payment: Payment,
    portions: Portions,
    provider: ConfiguredProvider,
) -> Money:
    """The amount to move.  Raises InvalidData, NotAllowed."""
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
