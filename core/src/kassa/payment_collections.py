"""The verbs of payment collections: what is owed, for a cart or for an amount of its own."""

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from kassa import idempotency
from kassa.errors import InvalidData, NotAllowed, NotFound
from kassa.idempotency import ClientRequest
from kassa.ids import Kind, new_id
from kassa.model import PaymentCollection
from kassa.regions import Region
from kassa.store import collections, operations
from kassa.store.database import is_unique_violation
from kassa.transitions import SessionStatus
from kassa.world import World, require_cart_id
from kassa_sdk import CartSnapshot, Money

UNPAID = (SessionStatus.PENDING, SessionStatus.REQUIRES_MORE, SessionStatus.ERROR)
"""A session in which no money is promised or on its way."""


def create(world: World, cart_id: str) -> PaymentCollection:
    """Get or create the payment collection of a cart."""
    require_cart_id(cart_id)
    try:
        return world.database.transact(lambda connection: _get_or_add(world, connection, cart_id))
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
        # Another request was first; its collection is there now.
        return world.database.transact(lambda connection: _get_or_add(world, connection, cart_id))


def create_custom(world: World, region_id: str, amount: Money, asked: ClientRequest | None = None) -> PaymentCollection:
    """Create a payment collection for an amount that no cart stands behind."""
    return idempotency.create_once(
        world, asked, lambda connection: _add_custom(world, connection, region_id, amount), collections.load
    )


def create_for_order(
    world: World, order_id: str, amount: Money, asked: ClientRequest | None = None
) -> PaymentCollection:
    """Create a payment collection for what is owed for an order beyond what has paid it."""

    def add(connection: Connection) -> PaymentCollection:
        paid_by = of_order(world, connection, order_id)
        return _add_custom(world, connection, paid_by.region_id, amount, for_order_id=order_id)

    return idempotency.create_once(world, asked, add, collections.load)


def of_order(world: World, connection: Connection, order_id: str) -> PaymentCollection:
    """The collection that has paid this order.  Raises NotFound."""
    found = collections.find_by_order(connection, world.store_id, order_id)
    if found is None:
        raise NotFound(f"no payment collection of this store has paid an order {order_id[:60]}")
    return found


def delete(world: World, collection_id: str) -> PaymentCollection:
    """Nothing is owed any more.  Raises InvalidData, NotFound, NotAllowed where anything may have been paid."""

    def take_away(connection: Connection) -> PaymentCollection:
        collection = collections.lock(connection, world.store_id, collection_id)
        if collection.cart_id is not None:
            raise NotAllowed(f"payment collection {collection.id} is that of a cart; change the cart instead")
        if collection.live_sessions or collection.payments:
            raise NotAllowed(f"payment collection {collection.id} has sessions or payments; give them up first")
        if collection.deleted_at is None:
            collections.delete(connection, collection, world.clock())
        return collection

    return world.database.transact(take_away)


def _add_custom(
    world: World, connection: Connection, region_id: str, amount: Money, for_order_id: str | None = None
) -> PaymentCollection:
    region = world.region(region_id)
    if amount.currency != region.currency:
        raise InvalidData(
            "amount", f"expected an amount in {region.currency}, the currency of {region.id}, not {amount}"
        )
    if amount.minor <= 0:
        raise InvalidData("amount", f"expected more than zero, not {amount}")
    collection = _new_collection(world, region, amount, cart_id=None, for_order_id=for_order_id)
    collections.add(connection, collection)
    return collection


def _get_or_add(world: World, connection: Connection, cart_id: str) -> PaymentCollection:
    existing = collections.find_by_cart(connection, world.store_id, cart_id)
    if existing is not None:
        # One order of locks everywhere: the collection, then its cart.
        locked = collections.lock(connection, world.store_id, existing.id)
        return with_amount_of(world, connection, locked, world.cart(cart_id, connection))
    cart = world.cart(cart_id, connection)
    refuse_nothing_to_pay(cart)
    collection = _new_collection(world, world.region(cart.region_id), cart.total, cart_id)
    collections.add(connection, collection)
    return collection


def _new_collection(
    world: World, region: Region, amount: Money, cart_id: str | None, for_order_id: str | None = None
) -> PaymentCollection:
    now = world.clock()
    return PaymentCollection(
        id=new_id(Kind.PAYMENT_COLLECTION),
        store_id=world.store_id,
        region_id=region.id,
        cart_id=cart_id,
        order_id=None,
        order_is_paid=False,
        for_order_id=for_order_id,
        amount=amount,
        created_at=now,
        updated_at=now,
        completed_at=None,
    )


def refuse_nothing_to_pay(cart: CartSnapshot) -> None:
    """Raises NotAllowed for a cart that comes to nothing."""
    if cart.total.minor <= 0:
        raise NotAllowed(f"cart {cart.id} comes to {cart.total}; there is nothing to pay, complete it as it is")


def with_amount_of(
    world: World, connection: Connection, collection: PaymentCollection, cart: CartSnapshot
) -> PaymentCollection:
    """The collection with the cart's total of now, unless money is promised or about to be: then the amount stays."""
    if _is_being_paid(connection, collection):
        return collection
    refuse_another_region(collection, cart)
    if cart.total == collection.amount or cart.total.minor <= 0:
        return collection
    collections.set_amount(connection, collection, cart.total, world.clock())
    return collections.load(connection, world.store_id, collection.id)


def refuse_another_region(collection: PaymentCollection, cart: CartSnapshot) -> None:
    """Raises NotAllowed for a cart that was moved to another region, with another currency or other providers."""
    here, there = (collection.region_id, collection.amount.currency), (cart.region_id, cart.total.currency)
    if here != there:
        raise NotAllowed(
            f"cart {cart.id} is in region {cart.region_id} ({cart.total.currency}) now, its payment collection in "
            f"{collection.region_id} ({collection.amount.currency}); move it back, or create another cart"
        )


def _is_being_paid(connection: Connection, collection: PaymentCollection) -> bool:
    if collection.completed_at is not None or collection.has_promise:
        return True
    return operations.paying_session(connection, collection) is not None


def refuse_completed(collection: PaymentCollection) -> None:
    """Raises NotAllowed once the order is placed, unless it waits for money that did not come; and once it is deleted."""
    if collection.deleted_at is not None:
        raise NotAllowed(f"payment collection {collection.id} was deleted; create another one")
    live = collection.live_sessions
    expected = (collection.standing(each) if each.status is SessionStatus.AUTHORIZED else each.amount for each in live)
    is_missing = Money.total(expected, collection.amount.currency) != collection.amount
    waits_in_vain = is_missing or any(session.status in UNPAID for session in live)
    if collection.completed_at is not None and (collection.order_is_paid or not waits_in_vain):
        raise NotAllowed(f"payment collection {collection.id} is completed; its order is {collection.order_id}")
