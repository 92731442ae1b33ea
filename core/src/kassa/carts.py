"""The embedded cart driver: carts and orders in tables of our own, for shops that bring none."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from kassa.errors import Conflict, InvalidData, NotAllowed, NotFound
from kassa.ids import Kind, new_id, require_kind
from kassa.model import Cart, LineItem, Order, PaymentCollection
from kassa.store import carts, collections, operations
from kassa_sdk import CartSnapshot, Money, MoneyError, PlacedOrder, Record, Shopper

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"


class NewItem(Record):
    """A line for a cart: the price is the shop's, never the shopper's."""

    title: str = Field(min_length=1, max_length=1000, pattern=PRINTABLE)
    quantity: int = Field(ge=1, le=1_000_000)
    unit_price: Money
    variant_id: str | None = Field(default=None, max_length=255, pattern=PRINTABLE)


class NoOptions(BaseModel):
    """The embedded driver has no options."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbeddedCarts:
    """Loads and completes carts for the engine; creates and changes them for the embedding application."""

    Options: ClassVar[type[BaseModel]] = NoOptions
    shares_database: ClassVar[bool] = True

    def __init__(self, options: NoOptions, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def load(self, store_id: str, cart_id: str, connection: Any) -> CartSnapshot | None:
        """The cart, locked until the end of a writing transaction."""
        require_kind(Kind.CART, cart_id, "cart_id")
        cart = carts.load(connection, store_id, cart_id, for_update=True)
        if cart is None:
            return None
        return CartSnapshot(
            id=cart.id, region_id=cart.region_id, total=cart.total, shopper=cart.shopper, order_id=cart.order_id
        )

    def place_order(self, store_id: str, order: PlacedOrder, connection: Any) -> str:
        """Place the order; when it was placed before, note at most that it is paid now."""
        cart = required(connection, store_id, order.cart_id, for_update=True)
        if cart.total != order.total:
            raise Conflict(f"cart {cart.id} comes to {cart.total} now, not to {order.total}; complete it again")
        placed = carts.order_of(connection, store_id, order.cart_id)
        if placed is not None:
            if order.is_paid and not placed.is_paid:
                carts.mark_paid(connection, store_id, order.cart_id)
            return placed.id
        if not cart.items:
            raise NotAllowed(f"cart {cart.id} is empty; there is nothing to order")
        return carts.place_order(connection, cart, order.payment_collection_id, order.is_paid, self._clock()).id


def required(connection: Connection, store_id: str, cart_id: str, *, for_update: bool = False) -> Cart:
    """The cart.  Raises InvalidData, NotFound."""
    require_kind(Kind.CART, cart_id, "cart_id")
    cart = carts.load(connection, store_id, cart_id, for_update=for_update)
    if cart is None:
        raise NotFound(f"there is no cart {cart_id} in this store")
    return cart


def create(  # what a cart is made of
    connection: Connection,
    store_id: str,
    region_id: str,
    currency: str,
    items: Sequence[NewItem],
    shopper: Shopper,
    now: datetime,
) -> Cart:
    """Store a new cart.  Raises InvalidData for a price in another currency than the region's, or below zero."""
    lines = tuple(_line(item, index, currency) for index, item in enumerate(items))
    total = _total(lines, currency)
    cart = Cart(
        id=new_id(Kind.CART),
        store_id=store_id,
        region_id=region_id,
        total=total,
        shopper=shopper,
        items=lines,
        order_id=None,
        created_at=now,
        updated_at=now,
        completed_at=None,
    )
    carts.add(connection, cart)
    return cart


def replace_items(connection: Connection, store_id: str, cart_id: str, items: Sequence[NewItem], now: datetime) -> Cart:
    """Give a cart other items.  Raises NotAllowed once it is ordered, or while a payment for it is under way."""
    require_kind(Kind.CART, cart_id, "cart_id")
    collection = collections.find_by_cart(connection, store_id, cart_id)
    if collection is not None:
        # One order of locks everywhere: the collection, then its cart.
        collection = collections.lock(connection, store_id, collection.id)
        _refuse_being_paid(connection, collection)
    cart = required(connection, store_id, cart_id, for_update=True)
    if cart.order_id is not None:
        raise NotAllowed(f"cart {cart.id} is ordered already ({cart.order_id}); create another cart")
    lines = tuple(_line(item, index, cart.total.currency) for index, item in enumerate(items))
    total = _total(lines, cart.total.currency)
    changed = cart.model_copy(update={"items": lines, "total": total, "updated_at": now})
    carts.replace_items(connection, changed, now)
    return changed


def _refuse_being_paid(connection: Connection, collection: PaymentCollection) -> None:
    session = operations.paying_session(connection, collection)
    if session is not None:
        raise NotAllowed(
            f"cart {collection.cart_id} is being paid ({session.id} is {session.status.value}); finish or cancel that"
        )


def order(connection: Connection, store_id: str, cart_id: str) -> Order | None:
    """The order of a cart, if it was placed."""
    return carts.order_of(connection, store_id, cart_id)


def newest_orders(connection: Connection, store_id: str, limit: int, offset: int) -> tuple[Order, ...]:
    """A page of the store's orders, newest first."""
    return carts.newest_orders(connection, store_id, limit, offset)


def _total(lines: Sequence[LineItem], currency: str) -> Money:
    try:
        return Money.total((line.total for line in lines), currency)
    except MoneyError as error:
        raise InvalidData("items", f"expected a total that fits into 64 bits: {error}") from None


def _line(item: NewItem, index: int, currency: str) -> LineItem:
    field = f"items[{index}].unit_price"
    if item.unit_price.currency != currency:
        raise InvalidData(field, f"expected a price in {currency}, the currency of the region, not {item.unit_price}")
    if item.unit_price.minor < 0:
        raise InvalidData(field, f"expected zero or more, not {item.unit_price}")
    return LineItem(
        id=new_id(Kind.LINE_ITEM),
        title=item.title,
        variant_id=item.variant_id,
        quantity=item.quantity,
        unit_price=item.unit_price,
    )
