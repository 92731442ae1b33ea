"""The embedded cart driver: carts and orders in tables of our own, for shops that bring none; and what such a shop sells."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kassa.carts import PRINTABLE, NewItem, Wanted, required
from kassa.errors import Conflict, InvalidData, NotAllowed
from kassa.ids import Kind, require_kind
from kassa.store import carts
from kassa_sdk import CartDriver, CartSnapshot, Money, PlacedOrder


class Variant(BaseModel):
    """Something that is sold: its title, and its price in each currency that it is sold in, as decimal text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=1000, pattern=PRINTABLE)
    prices: dict[str, str] = Field(min_length=1)

    @field_validator("prices")
    @classmethod
    def _are_prices(cls, prices: dict[str, str]) -> dict[str, str]:
        for currency, price in prices.items():
            if Money.parse(price, currency).minor < 0:
                raise ValueError(f"expected zero or more, not {price} {currency}")
        return prices


class EmbeddedOptions(BaseModel):
    """What the shop sells, by the id of each variant: shoppers fill carts with it.  Without one, the shop's backend does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    catalogue: dict[str, Variant] = {}


class EmbeddedCarts:
    """Loads and completes carts for the engine; creates and changes them for the embedding application."""

    Options: ClassVar[type[BaseModel]] = EmbeddedOptions
    shares_database: ClassVar[bool] = True

    def __init__(self, options: EmbeddedOptions, clock: Callable[[], datetime]) -> None:
        self._catalogue = options.catalogue
        self._clock = clock

    @property
    def variants(self) -> Mapping[str, Variant]:
        """What the catalogue offers, by the ids of the variants."""
        return MappingProxyType(self._catalogue)

    def priced(self, field: str, wanted: Wanted, currency: str) -> "NewItem":
        """A line for a cart, at the price of the catalogue.  Raises InvalidData, which names the field."""
        variant = self._catalogue.get(wanted.variant_id)
        if variant is None or currency not in variant.prices:
            where = f" in {currency}" if variant is not None else ""
            raise InvalidData(
                field, f"{wanted.variant_id[:60]!r} is not for sale{where}; see [carts.options.catalogue]"
            )
        price = Money.parse(variant.prices[currency], currency)
        return NewItem(title=variant.title, quantity=wanted.quantity, unit_price=price, variant_id=wanted.variant_id)

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
        if cart.order_id is not None:
            if order.is_paid:
                carts.mark_paid(connection, store_id, order.cart_id)
            return cart.order_id
        if not cart.items:
            raise NotAllowed(f"cart {cart.id} is empty; there is nothing to order")
        return carts.place_order(connection, cart, order.payment_collection_id, order.is_paid, self._clock()).id


def is_embedded(driver: CartDriver) -> bool:
    """Whether the driver is this one."""
    return isinstance(driver, EmbeddedCarts)


def of(driver: CartDriver) -> EmbeddedCarts:
    """The driver, where it is this one.  Raises NotAllowed for a shop that brings its own carts."""
    if not isinstance(driver, EmbeddedCarts):
        raise NotAllowed("this shop keeps its carts itself; create and change them there")
    return driver
