"""Free the place that a session holds: close it at its provider first, where the shopper could still pay it."""

from sqlalchemy import Connection

from kassa import intents
from kassa.errors import NotAllowed
from kassa.model import Operation, OperationKind, PaymentSession
from kassa.protocol import finish, raise_failure, refuse_hindered, still_processing
from kassa.providers import ConfiguredProvider
from kassa.store import collections, operations, payments, sessions
from kassa.transitions import OperationStatus, SessionStatus
from kassa.world import World
from kassa_sdk import Declined


def make_way(world: World, connection: Connection, live: PaymentSession) -> Operation | None:
    """Free the place that this session holds.  Returns what must be sent first, or None when the place is free."""
    now = world.clock()
    if live.status is SessionStatus.AUTHORIZED:
        _require_nothing_stands(connection, live)
        sessions.move(connection, live, SessionStatus.CANCELED, now)
        return None
    refuse_hindered(world, connection, live, OperationKind.CANCEL)
    if live.provider_reference is None:
        # The shopper never got it, so nobody can pay it; should it have begun after all, recovery closes it.
        sessions.move(connection, live, SessionStatus.CANCELED, now)
        return None
    provider = world.providers.find(live.provider_id)
    if not provider.manifest.cancel:
        _give_up_unclosed(connection, live, provider, world)
        return None
    closing = intents.close(live, now)
    operations.add(connection, closing)
    return closing


def _require_nothing_stands(connection: Connection, live: PaymentSession) -> None:
    payment = payments.of_session(connection, live.store_id, live.id)
    assert payment is not None, "a session that is authorized has a payment"
    if payment.standing == payment.amount:
        raise NotAllowed(f"payment session {live.id} is authorized; complete the cart, or cancel its payment first")
    if payment.standing or payment.capturing or payment.refunding:
        raise NotAllowed(
            f"{payment.standing} of {payment.amount} stands for payment session {live.id}, or something of it is in doubt; "
            f"give back the rest of payment {payment.id} first"
        )


def _give_up_unclosed(connection: Connection, live: PaymentSession, provider: ConfiguredProvider, world: World) -> None:
    # A declined one is not expected to be paid; should it be after all, that raises an alarm.
    if provider.settings.if_close_unconfirmed == "wait" and live.status is not SessionStatus.ERROR:
        raise NotAllowed(
            f"payment session {live.id} may still be paid, and {provider.id} cannot close it; wait until it expires, or "
            f"set if_close_unconfirmed = 'allow' for [providers.{provider.instance}] to risk that both are paid"
        )
    sessions.move(connection, live, SessionStatus.CANCELED, world.clock())


def close(world: World, operation: Operation) -> None:
    """Close a session at its provider.  Where that is not confirmed, the configuration decides.

    Returns when the place is free.  Raises NotAllowed, ProviderUnavailable, StillProcessing.
    """
    settled, outcome = finish(world, operation)
    if settled.status is OperationStatus.SUCCEEDED:
        return
    provider = world.providers.find(operation.provider_id)
    if provider.settings.if_close_unconfirmed == "allow":
        world.database.transact(lambda connection: _give_up(world, connection, operation))
    elif isinstance(outcome, Declined):
        raise NotAllowed(f"payment session {operation.payment_session_id} cannot be closed: {outcome.reason}")
    else:
        raise_failure(settled, outcome)


def _give_up(world: World, connection: Connection, operation: Operation) -> None:
    collections.lock(connection, operation.store_id, operation.payment_collection_id)
    session = sessions.load(connection, operation.store_id, operation.payment_session_id)
    if session.status is SessionStatus.AUTHORIZED:
        raise NotAllowed(f"payment session {session.id} is authorized meanwhile; complete the cart")
    for other in operations.open_of_session(connection, session.store_id, session.id):
        if other.id != operation.id and intents.hinders(other, OperationKind.CANCEL, world.clock()):
            raise still_processing(other)
    if session.is_live:
        sessions.move(connection, session, SessionStatus.CANCELED, world.clock())
