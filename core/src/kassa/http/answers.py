"""What clients get: one document under its name, or a page of them."""

from typing import Literal

from typing_extensions import TypedDict

from kassa.http.documents import (
    CartDocument,
    CollectionDocument,
    OrderDocument,
    PaymentWithOwners,
    ProviderDocument,
    RefundReasonDocument,
    RegionDocument,
    SessionDocument,
)
from kassa.http.pages import Page


class RegionsPage(Page):
    """A page of the regions."""

    regions: list[RegionDocument]


class RegionAnswer(TypedDict):
    """One region."""

    region: RegionDocument


class ProvidersPage(Page):
    """A page of the providers."""

    payment_providers: list[ProviderDocument]


class CollectionAnswer(TypedDict):
    """One payment collection."""

    payment_collection: CollectionDocument


class PaymentsPage(Page):
    """A page of the payments."""

    payments: list[PaymentWithOwners]


class PaymentAnswer(TypedDict):
    """One payment."""

    payment: PaymentWithOwners


class RefundReasonsPage(Page):
    """A page of the reasons."""

    refund_reasons: list[RefundReasonDocument]


class RefundReasonAnswer(TypedDict):
    """One reason."""

    refund_reason: RefundReasonDocument


class RefundReasonDeleted(TypedDict):
    """A reason is not offered any more."""

    id: str
    object: Literal["refund_reason"]
    deleted: bool


class CollectionDeleted(TypedDict):
    """Nothing is owed any more."""

    id: str
    object: Literal["payment-collection"]
    deleted: bool


class NoticesTaken(TypedDict):
    """How many messages there were in it."""

    received: int


class CartAnswer(TypedDict):
    """One cart."""

    cart: CartDocument


class LineItemDeleted(TypedDict):
    """A line is gone from its cart."""

    id: str
    object: Literal["line-item"]
    deleted: bool
    parent: CartDocument


class SessionAnswer(TypedDict):
    """One payment session."""

    payment_session: SessionDocument


class CompletionError(TypedDict):
    """Why there is no order."""

    type: str
    name: str
    message: str


class NotCompleted(TypedDict):
    """There is no order yet."""

    type: Literal["cart"]
    cart: CartDocument
    error: CompletionError


class Completed(TypedDict):
    """The order is placed."""

    type: Literal["order"]
    order: OrderDocument
