"""Complete a cart: authorize its sessions in order, then place its order, exactly once, however often it is asked."""

from collections.abc import Sequence, Set
from typing import Literal, assert_never

from sqlalchemy import Connection

from kassa import authorization, splits
from kassa.errors import CallerError, Conflict, NotAllowed, PaymentDeclined, StillProcessing
from kassa.model import OperationKind, PaymentCollection, PaymentSession
from kassa.protocol import still_processing
from kassa.store import collections, operations
from kassa.transitions import SessionStatus
from kassa.world import World
from kassa_sdk import Action, CartSnapshot, Money, PlacedOrder, Record


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
    if cart.order_id is not None and not _waits_for_money(collection):
        return _placed_before(world, cart.order_id, collection)
    if not cart.total:
        return _place_for_nothing(world, cart)
    live = _paying_sessions(cart, collection)
    own: set[str] = set()
    try:
        completion = _authorize_in_order(world, cart, live, own)
    except StillProcessing:
        raise
    except CallerError:
        _undo(world, live, own)
        raise
    if isinstance(completion, Refused):
        _undo(world, live, own)
    return completion


def complete_paid(world: World, cart_id: str) -> Completion:
    """Place the order of a cart that is paid, or note that it is, for the worker: no provider is asked for anything."""
    cart, collection = world.database.read(lambda connection: _cart_and_collection(world, connection, cart_id))
    if cart.order_id is not None and not _waits_for_money(collection):
        return _placed_before(world, cart.order_id, collection)
    return _completed(world, cart, _paying_sessions(cart, collection))


def _authorize_in_order(world: World, cart: CartSnapshot, live: Sequence[PaymentSession], own: set[str]) -> Completion:
    """Authorize what is not yet, and place the order.  Those that this very call has authorized are added to ``own``."""
    paying: list[PaymentSession] = []
    for session in live:
        try:
            attempt = authorization.authorize(world, session.id)
        except PaymentDeclined as declined:
            return Refused(
                payment_session_id=session.id, code=declined.code, reason=declined.reason, retryable=declined.retryable
            )
        except StillProcessing as unknown:
            return Processing(payment_session_id=session.id, operation_id=unknown.operation_id)
        if attempt.has_authorized:
            own.add(session.id)
        if attempt.session.status is SessionStatus.REQUIRES_MORE:
            assert attempt.session.action is not None, "a session that requires more says what"
            return ActionNeeded(payment_session=attempt.session, action=attempt.session.action)
        paying.append(attempt.session)
    return _completed(world, cart, paying)


def _undo(world: World, live: Sequence[PaymentSession], own: Set[str]) -> None:
    """The parts that this call has authorized are given back; what others have, is not touched.

    One session that pays for all stays as it is: the cart is completed when that is possible again.
    """
    if own and len(live) > 1:
        splits.give_back(world, live[0].payment_collection_id, own)


def _waits_for_money(collection: PaymentCollection | None) -> bool:
    """Whether the order was placed before its money was there, and there is a session that may bring it."""
    if collection is None or collection.completed_at is None:
        return False
    return not collection.order_is_paid and bool(collection.live_sessions)


def note_order(world: World, cart_id: str) -> bool:
    """Note an order that the shop has placed and we have not, because of a crash between.  Returns whether there is one."""
    cart, collection = world.database.read(lambda connection: _cart_and_collection(world, connection, cart_id))
    if cart.order_id is None:
        return False
    _placed_before(world, cart.order_id, collection)
    return True


def _placed_before(world: World, order_id: str, collection: PaymentCollection | None) -> OrderPlaced:
    """The same order again.  A crash may have come between the shop's order and our note of it; that is mended here."""
    if collection is None:
        return OrderPlaced(order_id=order_id, payment_collection=None)
    if collection.completed_at is None:
        # It is paid with what stood when it was placed, whatever was given back since.
        authorized = [each.amount for each in collection.live_sessions if each.status is SessionStatus.AUTHORIZED]
        is_paid = Money.total(authorized, collection.amount.currency) == collection.amount
        unnoted = collection.id
        collection = world.database.transact(
            lambda connection: _note_order(world, connection, unnoted, order_id, is_paid=is_paid)
        )
    is_paid = collection.order_is_paid and collection.has_promise
    return OrderPlaced(order_id=order_id, payment_collection=collection, is_paid=is_paid)


def _note_order(
    world: World, connection: Connection, collection_id: str, order_id: str, *, is_paid: bool
) -> PaymentCollection:
    collection = collections.lock(connection, world.store_id, collection_id)
    return collections.complete(connection, collection, order_id, world.clock(), is_paid=is_paid)


def _completed(world: World, cart: CartSnapshot, paying: Sequence[PaymentSession]) -> Completion:
    """Place the order, where every session is authorized, or pending with a provider whose orders need not wait."""
    may_wait = world.region(cart.region_id).orders_while_pending
    for session in paying:
        match session.status:
            case SessionStatus.AUTHORIZED:
                continue
            case SessionStatus.PENDING_AUTHORIZATION:
                if session.provider_id not in may_wait:
                    return Processing(payment_session_id=session.id, operation_id=None, action=session.action)
            case SessionStatus.REQUIRES_MORE | SessionStatus.PENDING | SessionStatus.ERROR | SessionStatus.CANCELED:
                raise _moved_on(session)
            case _:
                assert_never(session.status)
    is_paid = all(session.status is SessionStatus.AUTHORIZED for session in paying)
    return _place(world, cart, paying, is_paid=is_paid)


def _moved_on(session: PaymentSession) -> Conflict:
    return Conflict(f"payment session {session.id} became {session.status.value} meanwhile; complete the cart again")


def _cart_and_collection(
    world: World, connection: Connection, cart_id: str
) -> tuple[CartSnapshot, PaymentCollection | None]:
    cart = world.cart(cart_id, connection)
    return cart, collections.find_by_cart(connection, world.store_id, cart_id)


def _paying_sessions(cart: CartSnapshot, collection: PaymentCollection | None) -> tuple[PaymentSession, ...]:
    if collection is None:
        raise NotAllowed(f"cart {cart.id} has no payment collection; create one, and a payment session in it")
    live = collection.live_sessions
    if not live:
        raise NotAllowed(f"payment collection {collection.id} has no payment session; create one")
    unprepared = [session for session in live if session.provider_reference is None]
    if len(live) > 1 and unprepared:
        raise NotAllowed(f"payment session {unprepared[0].id} is not prepared at its provider; plan the sessions again")
    return live


def _place(world: World, cart: CartSnapshot, paying: Sequence[PaymentSession], *, is_paid: bool) -> OrderPlaced:
    """Place the order, and complete the collection: in one transaction where the cart driver shares the database."""
    collection_id = paying[0].payment_collection_id
    total = Money.total((session.amount for session in paying), cart.total.currency)
    order = PlacedOrder(cart_id=cart.id, payment_collection_id=collection_id, total=total, is_paid=is_paid)
    if world.carts.shares_database:
        return world.database.transact(lambda connection: _place_here(world, connection, paying, order))
    world.database.transact(lambda connection: _lock_payable(world, connection, paying))
    order_id = world.carts.place_order(world.store_id, order, None)
    noted = world.database.transact(
        lambda connection: _note_order(world, connection, collection_id, order_id, is_paid=is_paid)
    )
    return OrderPlaced(order_id=order_id, payment_collection=noted, is_paid=is_paid)


def _place_here(
    world: World, connection: Connection, paying: Sequence[PaymentSession], order: PlacedOrder
) -> OrderPlaced:
    collection = _lock_payable(world, connection, paying)
    order_id = world.carts.place_order(world.store_id, order, connection)
    noted = collections.complete(connection, collection, order_id, world.clock(), is_paid=order.is_paid)
    return OrderPlaced(order_id=order_id, payment_collection=noted, is_paid=order.is_paid)


def _lock_payable(world: World, connection: Connection, paying: Sequence[PaymentSession]) -> PaymentCollection:
    """The collection, locked, if an order may be placed for these sessions at this moment.

    What was read before the providers were called may have changed since.  Raises Conflict, NotAllowed, StillProcessing.
    """
    collection = collections.lock(connection, world.store_id, paying[0].payment_collection_id)
    for session in paying:
        stored = collection.session(session.id)
        is_authorized = stored.status is SessionStatus.AUTHORIZED
        if stored.status is not session.status or (is_authorized and not collection.is_promised(stored)):
            raise _moved_on(stored)
        if is_authorized:
            _require_whole(collection, stored)
        for operation in operations.open_of_session(connection, session.store_id, session.id):
            if operation.kind is OperationKind.CANCEL:
                raise still_processing(operation)
    if {session.id for session in paying} != {session.id for session in collection.live_sessions}:
        raise Conflict(f"payment collection {collection.id} was planned otherwise meanwhile; complete the cart again")
    cart = world.cart(collection.cart_id or "", connection)
    total = Money.total((session.amount for session in paying), cart.total.currency)
    if cart.total != total:
        raise Conflict(
            f"cart {cart.id} comes to {cart.total} now, but {total} is authorized; "
            f"cancel that payment, or restore the cart, and complete it again"
        )
    return collection


def _require_whole(collection: PaymentCollection, session: PaymentSession) -> None:
    left = collection.standing(session)
    if left != session.amount:
        what_now = "kassa gives back what stands, too" if collection.order_id is None else "give back what stands, too"
        raise NotAllowed(
            f"only {left} of {session.amount} stands for payment session {session.id}: the rest was released or given back; "
            f"{what_now}; then pay cart {collection.cart_id} anew"
        )


def _place_for_nothing(world: World, cart: CartSnapshot) -> OrderPlaced:
    """Place the order of a cart that costs nothing; a payment that was begun for it must be given up first."""
    order = PlacedOrder(cart_id=cart.id, payment_collection_id=None, total=cart.total)
    order_id = None if world.carts.shares_database else world.carts.place_order(world.store_id, order, None)

    def place(connection: Connection) -> OrderPlaced:
        collection = collections.find_by_cart(connection, world.store_id, cart.id)
        if collection is not None and collection.live_sessions:
            raise NotAllowed(
                f"cart {cart.id} costs nothing now; give up its payment ({collection.id}), and complete it again"
            )
        placed = order_id or world.carts.place_order(world.store_id, order, connection)
        if collection is not None:
            collection = _note_order(world, connection, collection.id, placed, is_paid=True)
        return OrderPlaced(order_id=placed, payment_collection=collection)

    return world.database.transact(place)
