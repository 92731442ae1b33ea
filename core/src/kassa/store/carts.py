"""Carts and orders of the embedded driver."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from kassa.ids import Kind, new_id
from kassa.model import Cart, LineItem, Order
from kassa.store.tables import cart_items, carts, orders
from kassa_sdk import Money, Shopper

_INSERT = insert(carts)
_INSERT_ITEMS = insert(cart_items)
_DELETE_ITEMS = delete(cart_items).where(
    cart_items.c.store_id == bindparam("store"), cart_items.c.cart_id == bindparam("cart")
)
_SAVE = (
    update(carts)
    .where(carts.c.store_id == bindparam("store"), carts.c.id == bindparam("key"))
    .values(
        region_id=bindparam("region"),
        currency=bindparam("its_currency"),
        shopper=bindparam("who", type_=carts.c.shopper.type),
        metadata=bindparam("noted", type_=carts.c.metadata.type),
        is_of_catalogue=bindparam("of_catalogue"),
        updated_at=bindparam("now"),
    )
)
_INSERT_ORDER = insert(orders)
_ORDERED = (
    update(carts)
    .where(carts.c.store_id == bindparam("store"), carts.c.id == bindparam("key"))
    .values(order_id=bindparam("its_order"), completed_at=bindparam("now"))
)
_LOAD = select(carts).where(carts.c.store_id == bindparam("store"), carts.c.id == bindparam("key"))
_LOCK = _LOAD.with_for_update()
_ITEMS = (
    select(cart_items)
    .where(cart_items.c.store_id == bindparam("store"), cart_items.c.cart_id == bindparam("cart"))
    .order_by(cart_items.c.id)
)
_ORDER_OF = select(orders).where(orders.c.store_id == bindparam("store"), orders.c.cart_id == bindparam("cart"))
_ORDER = select(orders).where(orders.c.store_id == bindparam("store"), orders.c.id == bindparam("key"))
_ORDERS = (
    select(orders)
    .where(orders.c.store_id == bindparam("store"))
    .order_by(orders.c.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
_PAID = (
    update(orders)
    .where(orders.c.store_id == bindparam("store"), orders.c.cart_id == bindparam("cart"), orders.c.is_paid.is_(False))
    .values(is_paid=True)
)


def add(connection: Connection, cart: Cart) -> None:
    """Store a new cart with its items."""
    connection.execute(
        _INSERT,
        {
            "id": cart.id,
            "store_id": cart.store_id,
            "region_id": cart.region_id,
            "currency": cart.total.currency,
            "shopper": cart.shopper.model_dump(mode="json"),
            "metadata": cart.metadata,
            "is_of_catalogue": cart.is_of_catalogue,
            "created_at": cart.created_at,
            "updated_at": cart.updated_at,
        },
    )
    _add_items(connection, cart)


def save(connection: Connection, cart: Cart) -> None:
    """Store a cart that was changed, with its items."""
    connection.execute(_DELETE_ITEMS, {"store": cart.store_id, "cart": cart.id})
    _add_items(connection, cart)
    connection.execute(
        _SAVE,
        {
            "store": cart.store_id,
            "key": cart.id,
            "region": cart.region_id,
            "its_currency": cart.total.currency,
            "who": cart.shopper.model_dump(mode="json"),
            "noted": cart.metadata,
            "of_catalogue": cart.is_of_catalogue,
            "now": cart.updated_at,
        },
    )


def load(connection: Connection, store_id: str, cart_id: str, *, for_update: bool = False) -> Cart | None:
    """The cart, or None where this store has none of this id."""
    statement = _LOCK if for_update else _LOAD
    row = connection.execute(statement, {"store": store_id, "key": cart_id}).first()
    return None if row is None else _cart(connection, row)


def place_order(connection: Connection, cart: Cart, collection_id: str | None, is_paid: bool, now: datetime) -> Order:
    """Store the order of a cart.  A second one for the same cart breaks a unique rule of the database."""
    order = Order(
        id=new_id(Kind.ORDER),
        store_id=cart.store_id,
        cart_id=cart.id,
        payment_collection_id=collection_id,
        region_id=cart.region_id,
        total=cart.total,
        is_paid=is_paid,
        shopper=cart.shopper,
        items=cart.items,
        created_at=now,
    )
    columns = order.model_dump(mode="json", exclude={"total", "created_at"})
    money = {"currency": order.total.currency, "amount_minor": order.total.minor}
    connection.execute(_INSERT_ORDER, columns | money | {"created_at": now})
    connection.execute(_ORDERED, {"store": cart.store_id, "key": cart.id, "its_order": order.id, "now": now})
    return order


def mark_paid(connection: Connection, store_id: str, cart_id: str) -> None:
    """The money that an order was waiting for is there.  Does nothing when that is known."""
    connection.execute(_PAID, {"store": store_id, "cart": cart_id})


def order_of(connection: Connection, store_id: str, cart_id: str) -> Order | None:
    """The order of a cart, if it was placed."""
    row = connection.execute(_ORDER_OF, {"store": store_id, "cart": cart_id}).first()
    return None if row is None else _order(row)


def find_order(connection: Connection, store_id: str, order_id: str) -> Order | None:
    """The order, or None where this store has none of this id."""
    row = connection.execute(_ORDER, {"store": store_id, "key": order_id}).first()
    return None if row is None else _order(row)


def newest_orders(connection: Connection, store_id: str, limit: int, offset: int) -> tuple[Order, ...]:
    """A page of the store's orders, newest first."""
    return tuple(map(_order, connection.execute(_ORDERS, {"store": store_id, "limit": limit, "offset": offset})))


def _add_items(connection: Connection, cart: Cart) -> None:
    rows = [
        {
            "id": item.id,
            "store_id": cart.store_id,
            "cart_id": cart.id,
            "title": item.title,
            "variant_id": item.variant_id,
            "quantity": item.quantity,
            "currency": item.unit_price.currency,
            "amount_minor": item.unit_price.minor,
        }
        for item in cart.items
    ]
    if rows:
        connection.execute(_INSERT_ITEMS, rows)


def _cart(connection: Connection, row: Row[Any]) -> Cart:
    items = tuple(map(_item, connection.execute(_ITEMS, {"store": row.store_id, "cart": row.id})))
    return Cart(
        id=row.id,
        store_id=row.store_id,
        region_id=row.region_id,
        total=Money.total((item.total for item in items), row.currency),
        shopper=Shopper.model_validate(row.shopper),
        items=items,
        metadata=row.metadata,
        is_of_catalogue=row.is_of_catalogue,
        order_id=row.order_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
    )


def _item(row: Row[Any]) -> LineItem:
    return LineItem(
        id=row.id,
        title=row.title,
        variant_id=row.variant_id,
        quantity=row.quantity,
        unit_price=Money(row.amount_minor, row.currency),
    )


def _order(row: Row[Any]) -> Order:
    columns = row._asdict()
    total = Money(columns.pop("amount_minor"), columns.pop("currency"))
    return Order.model_validate({**columns, "total": total})
