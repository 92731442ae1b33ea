"""How things look on the wire: with Medusa's names, amounts in major units, currencies and countries in small letters.

Each kind is declared once, with every field that it may have; which of them a client gets, ``fields`` decides.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from kassa.amounts import collection_status
from kassa.http import exact
from kassa.http.fields import Fields
from kassa.model import Cart, LineItem, Order, Payment, PaymentCollection, PaymentLedger, PaymentSession, RefundReason
from kassa.regions import Region
from kassa_sdk import Address, CartSnapshot, JsonObject, Money

Amount = Annotated[
    Decimal, WithJsonSchema({"type": "number", "description": "in major units, exact", "examples": [49.99]})
]
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Object = Annotated[JsonObject, WithJsonSchema({"type": "object"})]


class CountryDocument(TypedDict, total=False):
    """A country of a region."""

    id: str
    iso_2: str


class ProviderDocument(TypedDict, total=False):
    """A payment provider."""

    id: str
    is_enabled: bool


class RegionDocument(TypedDict, total=False):
    """Where a shop sells: one currency, some countries, and the providers that it enables there."""

    id: str
    name: str
    currency_code: str
    automatic_taxes: bool
    countries: list[CountryDocument]
    payment_providers: list[ProviderDocument]


class SessionDocument(TypedDict, total=False):
    """One try to pay.  What the shopper must do next stands in ``data``, as ``action``."""

    id: str
    amount: Amount
    currency_code: str
    provider_id: str
    data: Object
    status: str
    payment_collection_id: str
    created_at: Moment
    updated_at: Moment


class CaptureDocument(TypedDict, total=False):
    """One taking of money."""

    id: str
    amount: Amount
    created_at: Moment


class RefundReasonDocument(TypedDict, total=False):
    """Why money was given back, in the shop's own words."""

    id: str
    label: str
    code: str
    description: str | None
    created_at: Moment
    updated_at: Moment


class RefundDocument(TypedDict, total=False):
    """One giving back of money."""

    id: str
    amount: Amount
    note: str | None
    payment_id: str
    refund_reason_id: str | None
    refund_reason: RefundReasonDocument | None
    created_at: Moment


class PaymentDocument(TypedDict, total=False):
    """Promised money, and what was taken of it and given back."""

    id: str
    amount: Amount
    currency_code: str
    provider_id: str
    payment_collection_id: str
    payment_session_id: str
    captured_amount: Amount
    refunded_amount: Amount
    created_at: Moment
    updated_at: Moment
    captured_at: Moment | None
    canceled_at: Moment | None
    captures: list[CaptureDocument]
    refunds: list[RefundDocument]


class CollectionDocument(TypedDict, total=False):
    """What is owed for one purpose."""

    id: str
    currency_code: str
    amount: Amount
    status: str
    authorized_amount: Amount
    captured_amount: Amount
    refunded_amount: Amount
    completed_at: Moment | None
    created_at: Moment
    updated_at: Moment
    payment_sessions: list[SessionDocument]
    payment_providers: list[ProviderDocument]
    payments: list[PaymentDocument]


class AddressDocument(TypedDict, total=False):
    """Where the goods, or the bill, go."""

    id: str
    first_name: str | None
    last_name: str | None
    company: str | None
    address_1: str | None
    address_2: str | None
    city: str | None
    province: str | None
    postal_code: str | None
    country_code: str | None
    phone: str | None


class ItemDocument(TypedDict, total=False):
    """A line of a cart or an order."""

    id: str
    title: str
    variant_id: str | None
    quantity: int
    unit_price: Amount
    total: Amount
    subtotal: Amount
    original_total: Amount


class CartDocument(TypedDict, total=False):
    """A cart.  Taxes, discounts and shipping are never in one of kassa's own: the zeros are for pages that show them."""

    id: str
    region_id: str
    currency_code: str
    email: str | None
    completed_at: Moment | None
    created_at: Moment
    updated_at: Moment
    total: Amount
    subtotal: Amount
    item_total: Amount
    item_subtotal: Amount
    original_total: Amount
    original_item_total: Amount
    tax_total: Amount
    discount_total: Amount
    shipping_total: Amount
    items: list[ItemDocument]
    promotions: list[JsonObject]
    region: RegionDocument
    shipping_address: AddressDocument | None
    billing_address: AddressDocument | None
    payment_collection: CollectionDocument | None


class OrderDocument(TypedDict, total=False):
    """A placed order."""

    id: str
    cart_id: str
    region_id: str
    currency_code: str
    email: str | None
    status: str
    payment_status: str
    created_at: Moment
    total: Amount
    subtotal: Amount
    item_total: Amount
    items: list[ItemDocument]
    shipping_address: AddressDocument | None
    billing_address: AddressDocument | None
    payment_collections: list[CollectionDocument]


class PaymentWithOwners(PaymentDocument, total=False):
    """A payment, and what it belongs to."""

    payment_collection: CollectionDocument
    payment_session: SessionDocument


REGION = Fields(RegionDocument, "*", "*countries")
PROVIDER = Fields(ProviderDocument, "*")
SESSION = Fields(SessionDocument, "*")
COLLECTION = Fields(CollectionDocument, "id", "currency_code", "amount", "*payment_sessions")
REFUND_REASON = Fields(RefundReasonDocument, "*")
CART = Fields(
    CartDocument,
    "*",
    "*items",
    "*promotions",
    "*shipping_address",
    "*billing_address",
    "*region",
    "*region.countries",
    "payment_collection.id",
    "payment_collection.amount",
    "*payment_collection.payment_sessions",
)
ORDER = Fields(
    OrderDocument,
    "*",
    "*items",
    "*shipping_address",
    "*billing_address",
    "payment_collections.id",
    "payment_collections.status",
    "payment_collections.amount",
)
PAYMENT = Fields(
    PaymentWithOwners,
    "id",
    "currency_code",
    "amount",
    "captured_at",
    "payment_collection_id",
    "payment_session_id",
    "captures.id",
    "captures.amount",
    "refunds.id",
    "refunds.amount",
    "refunds.note",
    "refunds.payment_id",
    "refunds.refund_reason.label",
    "refunds.refund_reason.code",
)


def region(found: Region) -> RegionDocument:
    """A region.  It says which providers it enables; which of them are offered depends on the cart."""
    return {
        "id": found.id,
        "name": found.name,
        "currency_code": found.currency.lower(),
        "automatic_taxes": False,
        "countries": [{"id": code.lower(), "iso_2": code.lower()} for code in found.countries],
        "payment_providers": providers(found.provider_ids),
    }


def providers(ids: Sequence[str]) -> list[ProviderDocument]:
    """Providers that can be paid with."""
    return [{"id": provider_id, "is_enabled": True} for provider_id in ids]


def session(found: PaymentSession) -> SessionDocument:
    """A payment session, with what the shopper must do next."""
    action: JsonObject = {} if found.action is None else {"action": found.action.model_dump(mode="json")}
    return {
        "id": found.id,
        "amount": exact.major(found.amount),
        "currency_code": found.amount.currency.lower(),
        "provider_id": found.provider_id,
        "data": {**found.data, **action},
        "status": found.status.value,
        "payment_collection_id": found.payment_collection_id,
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
    }


def collection(found: PaymentCollection, enabled: Sequence[str]) -> CollectionDocument:
    """A payment collection with its live sessions; ``enabled`` are the providers of its region."""
    currency = found.amount.currency

    def total(of: str) -> Decimal:
        return exact.major(Money.total((getattr(payment, of) for payment in found.payments), currency))

    promised = Money.total((payment.amount - payment.canceled for payment in found.payments), currency)
    return {
        "id": found.id,
        "currency_code": currency.lower(),
        "amount": exact.major(found.amount),
        "status": collection_status(found).value,
        "authorized_amount": exact.major(promised),
        "captured_amount": total("captured"),
        "refunded_amount": total("refunded"),
        "completed_at": moment_or_none(found.completed_at),
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
        "payment_sessions": [session(each) for each in found.live_sessions],
        "payment_providers": providers(enabled),
        "payments": [_payment(each) for each in found.payments],
    }


def payment(ledger: PaymentLedger, reasons: Mapping[str, RefundReason]) -> PaymentWithOwners:
    """A payment with every capture and refund that counts; ``reasons`` are those that its refunds have."""
    return {
        **_payment(ledger.payment),  # type: ignore[typeddict-item]  # its own fields are all of that kind
        "captures": [
            {"id": each.id, "amount": exact.major(each.amount), "created_at": moment(each.created_at)}
            for each in ledger.captures
        ],
        "refunds": [
            {
                "id": each.id,
                "amount": exact.major(each.amount),
                "note": each.reason,
                "payment_id": each.payment_id,
                "refund_reason_id": each.refund_reason_id,
                "refund_reason": refund_reason(reasons[each.refund_reason_id]) if each.refund_reason_id else None,
                "created_at": moment(each.created_at),
            }
            for each in ledger.refunds
            if each.failed_at is None
        ],
    }


def _payment(found: Payment) -> PaymentDocument:
    return {
        "id": found.id,
        "amount": exact.major(found.amount),
        "currency_code": found.amount.currency.lower(),
        "provider_id": found.provider_id,
        "payment_collection_id": found.payment_collection_id,
        "payment_session_id": found.payment_session_id,
        "captured_amount": exact.major(found.captured),
        "refunded_amount": exact.major(found.refunded),
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
        "captured_at": moment_or_none(found.captured_at),
        "canceled_at": moment_or_none(found.canceled_at),
    }


def refund_reason(found: RefundReason) -> RefundReasonDocument:
    """A reason of the shop's own list."""
    return {
        "id": found.id,
        "label": found.label,
        "code": found.code,
        "description": found.description,
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
    }


def cart(found: Cart, where: Region, paid_by: PaymentCollection | None) -> CartDocument:
    """A cart with its payment collection, if it has one."""
    total, nothing = exact.major(found.total), Decimal(0)
    return {
        "id": found.id,
        "region_id": found.region_id,
        "currency_code": found.total.currency.lower(),
        "email": found.shopper.customer.email,
        "completed_at": moment_or_none(found.completed_at),
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
        "total": total,
        "subtotal": total,
        "item_total": total,
        "item_subtotal": total,
        "original_total": total,
        "original_item_total": total,
        "tax_total": nothing,
        "discount_total": nothing,
        "shipping_total": nothing,
        "items": [_item(each) for each in found.items],
        "promotions": [],
        "region": region(where),
        "shipping_address": _address(found.id, "shipping", found.shopper.shipping_address),
        "billing_address": _address(found.id, "billing", found.shopper.billing_address),
        "payment_collection": None if paid_by is None else collection(paid_by, where.provider_ids),
    }


def cart_of_shop(found: CartSnapshot, where: Region, paid_by: PaymentCollection | None) -> CartDocument:
    """What a shop that keeps its carts itself tells of one; what is in it, its storefront knows from the shop."""
    return {
        "id": found.id,
        "region_id": found.region_id,
        "currency_code": found.total.currency.lower(),
        "email": found.shopper.customer.email,
        "total": exact.major(found.total),
        "region": region(where),
        "shipping_address": _address(found.id, "shipping", found.shopper.shipping_address),
        "billing_address": _address(found.id, "billing", found.shopper.billing_address),
        "payment_collection": None if paid_by is None else collection(paid_by, where.provider_ids),
    }


def order_of_shop(
    order_id: str, ordered: CartSnapshot, where: Region, paid_by: PaymentCollection | None
) -> OrderDocument:
    """An order that the shop keeps itself."""
    return {
        "id": order_id,
        "cart_id": ordered.id,
        "region_id": ordered.region_id,
        "currency_code": ordered.total.currency.lower(),
        "email": ordered.shopper.customer.email,
        "status": "pending",
        "payment_status": "not_paid" if paid_by is None else collection_status(paid_by).value,
        "total": exact.major(ordered.total),
        "shipping_address": _address(order_id, "shipping", ordered.shopper.shipping_address),
        "billing_address": _address(order_id, "billing", ordered.shopper.billing_address),
        "payment_collections": [] if paid_by is None else [collection(paid_by, where.provider_ids)],
    }


def order(found: Order, where: Region, paid_by: PaymentCollection | None) -> OrderDocument:
    """An order with what pays it."""
    total = exact.major(found.total)
    return {
        "id": found.id,
        "cart_id": found.cart_id,
        "region_id": found.region_id,
        "currency_code": found.total.currency.lower(),
        "email": found.shopper.customer.email,
        "status": "pending",
        "payment_status": "not_paid" if paid_by is None else collection_status(paid_by).value,
        "created_at": moment(found.created_at),
        "total": total,
        "subtotal": total,
        "item_total": total,
        "items": [_item(each) for each in found.items],
        "shipping_address": _address(found.id, "shipping", found.shopper.shipping_address),
        "billing_address": _address(found.id, "billing", found.shopper.billing_address),
        "payment_collections": [] if paid_by is None else [collection(paid_by, where.provider_ids)],
    }


def moment(when: datetime) -> str:
    """A moment in UTC, as JavaScript writes it."""
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_or_none(when: datetime | None) -> str | None:
    """The same, where there is one."""
    return None if when is None else moment(when)


def _item(found: LineItem) -> ItemDocument:
    total = exact.major(found.total)
    return {
        "id": found.id,
        "title": found.title,
        "variant_id": found.variant_id,
        "quantity": found.quantity,
        "unit_price": exact.major(found.unit_price),
        "total": total,
        "subtotal": total,
        "original_total": total,
    }


def _address(owner: str, kind: str, found: Address | None) -> AddressDocument | None:
    if found is None:
        return None
    country = None if found.country_code is None else found.country_code.lower()
    return {
        "id": f"{owner}_{kind}",
        "first_name": found.first_name,
        "last_name": found.last_name,
        "company": found.company,
        "address_1": found.address_1,
        "address_2": found.address_2,
        "city": found.city,
        "province": found.province,
        "postal_code": found.postal_code,
        "country_code": country,
        "phone": found.phone,
    }
