"""Cart drivers: how a shop brings its own carts and orders.

The engine asks a cart what is to be paid, and, once that is paid, has the order placed: exactly once for each cart.  A
driver is found through the entry point group ``kassa.carts`` and named in the configuration; without one, kassa keeps
carts and orders in tables of its own.
"""

from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from kassa_sdk.money import Money
from kassa_sdk.records import Record
from kassa_sdk.requests import Shopper

CART_ENTRY_POINTS = "kassa.carts"
"""The entry point group in which a distribution lists its cart drivers."""


class CartSnapshot(Record):
    """What is to be paid, at the moment of asking.

    ``region_id`` is a region of the configuration; ``total`` is in that region's currency; ``order_id`` is set once the
    order is placed.
    """

    id: str
    region_id: str
    total: Money
    shopper: Shopper = Shopper()
    order_id: str | None = None


class PlacedOrder(Record):
    """The order of a cart.  ``is_paid`` is False where the region lets an order wait for its money."""

    cart_id: str
    payment_collection_id: str | None
    total: Money
    is_paid: bool = True


class CartDriver(Protocol):
    """Loads carts and places orders.

    With ``shares_database`` True, ``place_order`` gets the SQLAlchemy connection of the engine's own transaction, and its
    rows are committed together with the payment's.  Otherwise ``connection`` is None, and ``place_order`` must be
    idempotent by ``order.cart_id``: after a crash it is called again.
    """

    Options: ClassVar[type[BaseModel]]
    shares_database: ClassVar[bool]

    def __init__(self, options: Any) -> None: ...

    def load(self, store_id: str, cart_id: str, connection: Any) -> CartSnapshot | None:
        """The cart as it is now, or None where there is none of this id in this store.

        ``connection`` is given as for ``place_order``; read the total for update where the database allows it.
        """
        ...

    def place_order(self, store_id: str, order: PlacedOrder, connection: Any) -> str:
        """Place the order of this cart and return its id; the same id again when it was placed before."""
        ...
