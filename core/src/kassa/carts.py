"""Carts and orders of kassa's own: created and changed by the shop, and, within its catalogue, by the shopper."""

from collections.abc import Callable, Sequence
from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection

from kassa.errors import InvalidData, NotAllowed, NotFound
from kassa.ids import Kind, new_id, require_kind
from kassa.model import Cart, LineItem, Order, PaymentCollection
from kassa.regions import Region
from kassa.store import carts, collections, operations
from kassa_sdk import Address, JsonObject, Money, MoneyError, Record, Shopper

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
LARGEST_QUANTITY = 1_000_000


class NewItem(Record):
    """A line for a cart: the price is the shop's, never the shopper's."""

    title: str = Field(min_length=1, max_length=1000, pattern=PRINTABLE)
    quantity: int = Field(ge=1, le=LARGEST_QUANTITY)
    unit_price: Money
    variant_id: str | None = Field(default=None, min_length=1, max_length=255, pattern=PRINTABLE)


class Wanted(Record):
    """So many of a variant of the catalogue."""

    variant_id: str = Field(min_length=1, max_length=255, pattern=PRINTABLE)
    quantity: int = Field(ge=1, le=LARGEST_QUANTITY)


class CartChanges(Record):
    """What changes in a cart: just the fields that are given, also those that are given as None.

    Another region sets the prices of the catalogue in its currency.
    """

    region_id: str = ""
    email: str | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    return_url: str | None = None
    locale: str | None = None
    metadata: JsonObject = {}


def required(connection: Connection, store_id: str, cart_id: str, *, for_update: bool = False) -> Cart:
    """The cart.  Raises InvalidData, NotFound."""
    require_kind(Kind.CART, cart_id, "cart_id")
    cart = carts.load(connection, store_id, cart_id, for_update=for_update)
    if cart is None:
        raise NotFound(f"there is no cart {cart_id} in this store")
    return cart


def empty(  # what a cart is made of
    store_id: str,
    region: Region,
    shopper: Shopper,
    metadata: JsonObject,
    now: datetime,
    *,
    is_of_catalogue: bool = False,
) -> Cart:
    """A new cart without lines."""
    return Cart(
        id=new_id(Kind.CART),
        store_id=store_id,
        region_id=region.id,
        total=Money.zero(region.currency),
        shopper=shopper,
        items=(),
        metadata=metadata,
        is_of_catalogue=is_of_catalogue,
        order_id=None,
        created_at=now,
        updated_at=now,
        completed_at=None,
    )


def create(connection: Connection, new: Cart, items: Sequence[NewItem]) -> Cart:
    """Store a new cart.  Raises InvalidData for a price in another currency than the region's, or below zero."""
    cart = with_items(new, items)
    carts.add(connection, cart)
    return cart


def change(connection: Connection, store_id: str, cart_id: str, now: datetime, changed: Callable[[Cart], Cart]) -> Cart:
    """Change a cart.  Raises NotAllowed once it is ordered, or, for all but its metadata, while it is being paid."""
    require_kind(Kind.CART, cart_id, "cart_id")
    collection = collections.find_by_cart(connection, store_id, cart_id)
    if collection is not None:
        # One order of locks everywhere: the collection, then its cart.
        collection = collections.lock(connection, store_id, collection.id)
    before = required(connection, store_id, cart_id, for_update=True)
    if before.order_id is not None:
        raise NotAllowed(f"cart {before.id} is ordered already ({before.order_id}); create another cart")
    after = changed(before).model_copy(update={"updated_at": now})
    # The provider was told of all of this, and the order is to be what it has agreed to.
    is_other = any(getattr(after, name) != getattr(before, name) for name in ("items", "region_id", "shopper"))
    if collection is not None and is_other:
        _refuse_being_paid(connection, collection)
    carts.save(connection, after)
    return after


def with_items(cart: Cart, items: Sequence[NewItem]) -> Cart:
    """The cart with just these lines.  Raises InvalidData."""
    currency = cart.total.currency
    return _with_lines(cart, [_line(item, f"items[{index}]", currency) for index, item in enumerate(items)])


def require_of_catalogue(cart: Cart) -> None:
    """Raises NotAllowed for a cart whose lines and prices are the shop's."""
    if not cart.is_of_catalogue:
        raise NotAllowed(f"the shop has filled cart {cart.id}, and nobody else changes what is in it, or its region")


def with_one_more(cart: Cart, item: NewItem) -> Cart:
    """The cart with this line; more of what is there already makes that line longer.  Raises InvalidData."""
    line = _line(item, "item", cart.total.currency)
    same = [each for each in cart.items if (each.variant_id, each.unit_price) == (line.variant_id, line.unit_price)]
    if line.variant_id is None or not same:
        return _with_lines(cart, [*cart.items, line])
    return with_quantity(cart, same[0].id, same[0].quantity + line.quantity)


def with_quantity(cart: Cart, line_item_id: str, quantity: int) -> Cart:
    """The cart with so many of one line, 0 for none.  Raises InvalidData, NotFound."""
    if not 0 <= quantity <= LARGEST_QUANTITY:
        raise InvalidData("quantity", f"expected 0 to {LARGEST_QUANTITY}, not {quantity}")
    if line_item_id not in {line.id for line in cart.items}:
        raise NotFound(f"there is no line {line_item_id[:60]} in cart {cart.id}")
    lines = [
        line.model_copy(update={"quantity": quantity}) if line.id == line_item_id else line
        for line in cart.items
        if line.id != line_item_id or quantity
    ]
    return _with_lines(cart, lines)


def with_changes(cart: Cart, changes: CartChanges) -> Cart:
    """The cart with what is known of its shopper, except for its region."""
    given = changes.model_dump(exclude_unset=True, exclude={"region_id", "email", "metadata"})
    customer = cart.shopper.customer
    if "email" in changes.model_fields_set:
        customer = customer.model_copy(update={"email": changes.email})
    addresses = {name: getattr(changes, name) for name in given}
    shopper = cart.shopper.model_copy(update=addresses | {"customer": customer})
    metadata = changes.metadata if "metadata" in changes.model_fields_set else cart.metadata
    return cart.model_copy(update={"shopper": shopper, "metadata": metadata})


def in_region(cart: Cart, region_id: str, currency: str, priced: Callable[[str, Wanted, str], NewItem]) -> Cart:
    """The cart in another region, at the prices there.  Raises NotAllowed, InvalidData for what is not sold there."""
    require_of_catalogue(cart)
    wanted = [Wanted(variant_id=line.variant_id or "", quantity=line.quantity) for line in cart.items]
    moved = cart.model_copy(update={"region_id": region_id, "total": Money.zero(currency)})
    return with_items(moved, [priced("region_id", each, currency) for each in wanted])


def _refuse_being_paid(connection: Connection, collection: PaymentCollection) -> None:
    session = operations.paying_session(connection, collection)
    if session is not None:
        raise NotAllowed(
            f"cart {collection.cart_id} is being paid ({session.id} is {session.status.value}); finish or cancel that"
        )


def order(connection: Connection, store_id: str, cart_id: str) -> Order | None:
    """The order of a cart, if it was placed."""
    return carts.order_of(connection, store_id, cart_id)


def required_order(connection: Connection, store_id: str, order_id: str) -> Order:
    """The order.  Raises InvalidData, NotFound."""
    require_kind(Kind.ORDER, order_id, "order_id")
    found = carts.find_order(connection, store_id, order_id)
    if found is None:
        raise NotFound(f"there is no order {order_id} in this store")
    return found


def newest_orders(connection: Connection, store_id: str, limit: int, offset: int) -> tuple[Order, ...]:
    """A page of the store's orders, newest first."""
    return carts.newest_orders(connection, store_id, limit, offset)


def _with_lines(cart: Cart, lines: Sequence[LineItem]) -> Cart:
    try:
        total = Money.total((line.total for line in lines), cart.total.currency)
    except MoneyError as error:
        raise InvalidData("items", f"expected a total that fits into 64 bits: {error}") from None
    return cart.model_copy(update={"items": tuple(lines), "total": total})


def _line(item: NewItem, field: str, currency: str) -> LineItem:
    if item.unit_price.currency != currency:
        expected = f"expected a price in {currency}, the currency of the region, not {item.unit_price}"
        raise InvalidData(f"{field}.unit_price", expected)
    if item.unit_price.minor < 0:
        raise InvalidData(f"{field}.unit_price", f"expected zero or more, not {item.unit_price}")
    return LineItem(
        id=new_id(Kind.LINE_ITEM),
        title=item.title,
        variant_id=item.variant_id,
        quantity=item.quantity,
        unit_price=item.unit_price,
    )
