"""Complete a cart: authorize its session, then place its order, exactly once, however often it is asked."""

from typing import Literal, assert_never

from sqlalchemy import Connection

from kassa import authorization
from kassa.errors import Conflict, NotAllowed, PaymentDeclined, StillProcessing
from kassa.model import PaymentCollection, PaymentSession
from kassa.store import collections
from kassa.transitions import SessionStatus
from kassa.world import World
from kassa_sdk import Action, CartSnapshot, PlacedOrder, Record


class OrderPlaced(Record):
    """The order is placed; ``is_paid`` is False while it waits for its money."""

    type: Literal["order_placed"] = "order_placed"
    order_id: str
    payment_collection: PaymentCollection | None
    is_paid: bool = True


class ActionNeeded(Record):
    """The shopper must act first; show the action, then complete the cart again."""

    type: Literal["action_needed"] = "action_needed"
    payment_session: PaymentSession
    action: Action


class Refused(Record):
    """The payment was declined.  ``retryable``: the shopper may try again, or choose another provider."""

    type: Literal["refused"] = "refused"
    payment_session_id: str
    code: str
    reason: str
    retryable: bool


class Processing(Record):
    """Nobody knows yet: not failed, not paid.  Ask again later; ``action`` is something to show meanwhile."""

    type: Literal["processing"] = "processing"
    payment_session_id: str
    operation_id: str | None
    action: Action | None = None


Completion = OrderPlaced | ActionNeeded | Refused | Processing
"""How completing a cart ends; a closed union."""


def complete(world: World, cart_id: str) -> Completion:
    """Complete a cart.  See ``Engine.complete_cart``."""
    cart, collection = world.database.read(lambda connection: _cart_and_collection(world, connection, cart_id))
    if cart.order_id is not None:
        return _placed_before(world, cart.order_id, collection)
    if not cart.total:
        return _place(world, cart, None, is_paid=True)
    session = _session_to_pay(cart, collection)
    try:
        session = authorization.authorize(world, session.id)
    except PaymentDeclined as declined:
        return Refused(
            payment_session_id=session.id, code=declined.code, reason=declined.reason, retryable=declined.retryable
        )
    except StillProcessing as unknown:
        return Processing(payment_session_id=session.id, operation_id=unknown.operation_id)
    return _completed(world, cart, session)


def _placed_before(world: World, order_id: str, collection: PaymentCollection | None) -> OrderPlaced:
    """The same order again.  A crash may have come between the shop's order and our note of it; that is mended here."""
    if collection is None:
        return OrderPlaced(order_id=order_id, payment_collection=None)
    if collection.completed_at is None:
        unnoted = collection.id
        collection = world.database.transact(lambda connection: _note_order(world, connection, unnoted, order_id))
    return OrderPlaced(order_id=order_id, payment_collection=collection, is_paid=bool(collection.payments))


def _note_order(world: World, connection: Connection, collection_id: str, order_id: str) -> PaymentCollection:
    collection = collections.lock(connection, world.store_id, collection_id)
    collections.complete(connection, collection, order_id, world.clock())
    return collections.load(connection, world.store_id, collection_id)


def _completed(world: World, cart: CartSnapshot, session: PaymentSession) -> Completion:
    collection_id = session.payment_collection_id
    match session.status:
        case SessionStatus.AUTHORIZED:
            return _place(world, cart, collection_id, is_paid=True)
        case SessionStatus.REQUIRES_MORE:
            assert session.action is not None, "a session that requires more says what"
            return ActionNeeded(payment_session=session, action=session.action)
        case SessionStatus.PENDING_AUTHORIZATION:
            if session.provider_id in world.region(cart.region_id).orders_while_pending:
                return _place(world, cart, collection_id, is_paid=False)
            return Processing(payment_session_id=session.id, operation_id=None, action=session.action)
        case SessionStatus.PENDING | SessionStatus.ERROR | SessionStatus.CANCELED:
            raise Conflict(
                f"payment session {session.id} became {session.status.value} meanwhile; complete the cart again"
            )
        case _:
            assert_never(session.status)


def _cart_and_collection(
    world: World, connection: Connection, cart_id: str
) -> tuple[CartSnapshot, PaymentCollection | None]:
    cart = world.cart(cart_id, connection)
    return cart, collections.find_by_cart(connection, world.store_id, cart_id)


def _session_to_pay(cart: CartSnapshot, collection: PaymentCollection | None) -> PaymentSession:
    if collection is None:
        raise NotAllowed(f"cart {cart.id} has no payment collection; create one, and a payment session in it")
    session = collection.live_session
    if session is None:
        raise NotAllowed(f"payment collection {collection.id} has no payment session; create one")
    if cart.total != session.amount:
        raise Conflict(
            f"cart {cart.id} comes to {cart.total} now, but payment session {session.id} is for {session.amount}; update it"
        )
    return session


def _place(world: World, cart: CartSnapshot, collection_id: str | None, *, is_paid: bool) -> OrderPlaced:
    """Place the order, and complete the collection: in one transaction where the cart driver shares the database."""
    order = PlacedOrder(cart_id=cart.id, payment_collection_id=collection_id, total=cart.total, is_paid=is_paid)
    order_id = None if world.carts.shares_database else world.carts.place_order(world.store_id, order, None)

    def place(connection: Connection) -> OrderPlaced:
        if collection_id is None:
            placed = order_id or world.carts.place_order(world.store_id, order, connection)
            return OrderPlaced(order_id=placed, payment_collection=None, is_paid=is_paid)
        collection = collections.lock(connection, world.store_id, collection_id)
        placed = order_id or _recheck_and_place(world, connection, order, collection)
        completed = _note_order(world, connection, collection_id, placed)
        return OrderPlaced(order_id=placed, payment_collection=completed, is_paid=is_paid)

    return world.database.transact(place)


def _recheck_and_place(world: World, connection: Connection, order: PlacedOrder, collection: PaymentCollection) -> str:
    cart = world.cart(order.cart_id, connection)
    if cart.order_id is not None:
        return cart.order_id
    if cart.total != collection.amount:
        raise Conflict(
            f"cart {cart.id} comes to {cart.total} now, but {collection.amount} is authorized; "
            f"cancel that payment, or restore the cart, and complete it again"
        )
    return world.carts.place_order(world.store_id, order, connection)
