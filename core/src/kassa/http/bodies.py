"""What clients send: every field that there is, and what is expected of it.  Everything else is refused."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from kassa.arguments import LONGEST_TEXT, TEXT, WORDS
from kassa.carts import LARGEST_QUANTITY, PRINTABLE, CartChanges, NewItem
from kassa.http import exact
from kassa.refund_reasons import LONGEST_CODE, ReasonChanges
from kassa.world import LONGEST_CART_ID
from kassa_sdk import Address, Customer, JsonObject, Shopper

Amount = Annotated[
    Decimal | int,
    WithJsonSchema({"type": "number", "description": "in major units, exact", "examples": [49.99]}),
]


def _kept(value: Any) -> Any:
    """A value that somebody else reads: its decimals are those of every JSON reader, or refused where that changes them."""
    if isinstance(value, dict):
        return {name: _kept(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_kept(each) for each in value]
    if isinstance(value, Decimal):
        if Decimal(repr(float(value))) != value:
            raise ValueError(f"the number {str(value)[:40]} would not be kept exactly; write it as text")
        return float(value)
    return value


def _whole(value: Any) -> Any:
    """2.0 is as whole as 2."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


Object = Annotated[JsonObject, BeforeValidator(_kept), WithJsonSchema({"type": "object"})]
Whole = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=TEXT)]
Words = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=WORDS)]
Name = Annotated[str, Field(max_length=255, pattern=WORDS)]
Code = Annotated[str, Field(max_length=LONGEST_CODE, pattern=WORDS)]
Title = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT, pattern=PRINTABLE)]
Detail = Annotated[str, Field(max_length=255, pattern=PRINTABLE)]
VariantId = Annotated[str, Field(min_length=1, max_length=255, pattern=PRINTABLE)]
CartId = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^[ -~]{{1,{LONGEST_CART_ID}}}$"})]


class Body(BaseModel):
    """What a client sends: just these fields, of just these types."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _like(example: JsonObject) -> ConfigDict:
    """An example, for the description."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class AddressBody(Body):
    """An address; its country in two letters, small or large."""

    first_name: Detail | None = None
    last_name: Detail | None = None
    company: Detail | None = None
    address_1: Detail | None = None
    address_2: Detail | None = None
    city: Detail | None = None
    province: Detail | None = None
    postal_code: Detail | None = None
    country_code: str | None = Field(default=None, pattern="^[A-Za-z]{2}$")
    phone: Detail | None = None

    def address(self) -> Address:
        """As the engine has it."""
        country = None if self.country_code is None else self.country_code.upper()
        return Address.model_validate(self.model_dump() | {"country_code": country})


class CreateLineItem(Body):
    """So many of a variant."""

    model_config = _like({"variant_id": "tea-set", "quantity": 2})

    variant_id: VariantId
    quantity: Whole = Field(ge=1, le=LARGEST_QUANTITY)


class UpdateLineItem(Body):
    """So many of a line."""

    model_config = _like({"quantity": 3})

    quantity: Whole = Field(ge=0, le=LARGEST_QUANTITY)


class CartOfShopper(Body):
    """What is known of the shopper."""

    email: Annotated[str, Field(max_length=320, pattern=PRINTABLE)] | None = None
    shipping_address: AddressBody | None = None
    billing_address: AddressBody | None = None
    metadata: Object | None = None

    def shopper(self) -> Shopper:
        """As the engine has them."""
        return Shopper(
            customer=Customer(email=self.email),
            shipping_address=None if self.shipping_address is None else self.shipping_address.address(),
            billing_address=None if self.billing_address is None else self.billing_address.address(),
        )


class UpdateCart(CartOfShopper):
    """What is known of the shopper, and where.  Fields that are not given stay as they are."""

    model_config = _like(
        {"email": "ada@example.org", "shipping_address": {"first_name": "Ada", "city": "Berlin", "country_code": "de"}}
    )

    region_id: str | None = Field(default=None, max_length=255)

    def changes(self) -> CartChanges:
        """As the engine has them."""
        given: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if given.get("region_id", "") is None:
            del given["region_id"]
        for name in {"shipping_address", "billing_address"} & given.keys():
            given[name] = None if given[name] is None else given[name].address()
        if "metadata" in given:
            given["metadata"] = given["metadata"] or {}
        return CartChanges(**given)


class CreateCart(CartOfShopper):
    """A cart, with what is in it already."""

    model_config = _like({"region_id": "eu", "items": [{"variant_id": "tea-set", "quantity": 2}]})

    region_id: str | None = Field(default=None, max_length=255)
    items: list[CreateLineItem] = Field(default=[], max_length=100)


class AnswerAction(Body):
    """What the shopper answered, as the provider's own script gives it."""

    model_config = _like({"answer": {"redirect_status": "succeeded"}})

    answer: Object = {}


class CreatePaymentCollection(Body):
    """For which cart."""

    model_config = _like({"cart_id": "cart_01a21c43cdaa73ac84a1b3f54bb20ed6"})

    cart_id: CartId


class CreatePaymentSession(Body):
    """With which provider; ``data`` goes to it as it is."""

    model_config = _like({"provider_id": "pp_stripe_stripe", "data": {"return_url": "https://shop.example.org/back"}})

    provider_id: str = Field(max_length=128)
    data: Object = {}


def _without_default(schema: JsonObject) -> None:
    del schema["default"]


class MoveMoney(Body):
    """How much, in major units; without it, all that is left."""

    model_config = _like({"amount": 49.99})

    # Absent, but never null: what a program writes for a number that it does not have must not mean all of it.
    amount: Amount = Field(default=0, json_schema_extra=_without_default)


class RefundPayment(MoveMoney):
    """How much to give back, and why."""

    model_config = _like({"amount": 10, "note": "the blue cup was chipped"})

    refund_reason_id: str | None = Field(default=None, max_length=64)
    note: Text | None = None


class CreateRefundReason(Body):
    """A reason for refunds."""

    model_config = _like({"label": "Chipped", "code": "chipped"})

    label: Words
    code: Code
    description: Text | None = None


class UpdateRefundReason(Body):
    """What changes in a reason."""

    model_config = _like({"label": "Chipped or cracked"})

    label: Words | None = None
    code: Code | None = None
    description: Text | None = None

    def changes(self) -> ReasonChanges:
        """As the engine has them."""
        given = self.model_dump(exclude_unset=True)
        return ReasonChanges(
            **{name: value for name, value in given.items() if name == "description" or value is not None}
        )


class CreateOrderCollection(Body):
    """What is owed for an order beyond what paid it."""

    model_config = _like({"order_id": "order_01a21c43cdaa73ac84a1b3f54bb20ed6", "amount": 7.5})

    order_id: str = Field(max_length=255)
    amount: Amount


class MarkAsPaid(Body):
    """Money that came another way: in cash, by a transfer that the shop saw itself."""

    model_config = _like({"order_id": "order_01a21c43cdaa73ac84a1b3f54bb20ed6"})

    order_id: str = Field(max_length=255)
    provider_id: str = Field(default="pp_system_default", max_length=128)


class PricedItem(Body):
    """A line of a cart, as the shop's backend prices it."""

    title: Title
    quantity: Whole = Field(ge=1, le=LARGEST_QUANTITY)
    unit_price: Amount
    variant_id: VariantId | None = None

    def priced(self, field: str, currency: str) -> NewItem:
        """As the engine has it.  Raises InvalidData, which names the field."""
        price = exact.amount(f"{field}.unit_price", self.unit_price, currency)
        return NewItem(title=self.title, quantity=self.quantity, unit_price=price, variant_id=self.variant_id)


class CreatePricedCart(CartOfShopper):
    """A cart of the shop's backend, for its storefront to pay."""

    model_config = _like({"region_id": "eu", "items": [{"title": "Tea set", "quantity": 1, "unit_price": 24.99}]})

    region_id: str = Field(max_length=255)
    items: list[PricedItem] = Field(min_length=1, max_length=1000)


class Decision(Body):
    """What a person decides, kept with who and why."""

    model_config = _like({"who": "Ada", "why": "the bank has confirmed it"})

    who: Name
    why: Words


class ResolveOperation(Decision):
    """What became of an operation, and what the provider calls the capture or refund."""

    model_config = _like({"has_succeeded": True, "who": "Ada", "why": "it stands in the dashboard"})

    has_succeeded: bool
    provider_reference: Annotated[str, Field(max_length=LONGEST_TEXT, pattern=TEXT)] = ""


class Switch(Decision):
    """In one region, or everywhere."""

    model_config = _like({"region_id": "eu", "who": "Ada", "why": "the bank is down"})

    region_id: str | None = Field(default=None, max_length=255)
