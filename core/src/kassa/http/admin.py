"""What the shop's own backend asks, with a secret key.  It answers as Medusa's admin routes do, where Medusa has them."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from kassa.engine import Engine
from kassa.errors import NotFound
from kassa.http import answers, bodies, documents, exact
from kassa.http.access import Administrator, Capturer, Reader, Refunder
from kassa.http.exact import ExactResponse, ExactRoute
from kassa.http.fields import Choice
from kassa.http.idempotency import Key, replayed
from kassa.http.pages import page_of
from kassa.http.queries import (
    ListedProviders,
    ListedRefundReasons,
    SelectedCart,
    SelectedCollection,
    SelectedPayment,
    SelectedRefundReason,
    WantedPayments,
)
from kassa.http.responses import cart_response, collection_response
from kassa.model import PaymentLedger, RefundReason
from kassa_sdk import Money

router = APIRouter(prefix="/admin", tags=["admin"], route_class=ExactRoute, default_response_class=ExactResponse)


@router.get("/payments", response_model=answers.PaymentsPage)
def list_payments(shop: Reader, query: WantedPayments) -> Any:
    """List the payments that fit, newest first unless told otherwise."""
    found, count = shop.search_payments(query.search(), limit=query.limit, offset=query.offset)
    reasons = shop.refund_reasons_of(found)
    page = [_payment(shop, each, query.fields, reasons) for each in found]
    return ExactResponse({"payments": page, "count": count, "offset": query.offset, "limit": query.limit})


@router.get("/payments/payment-providers", response_model=answers.ProvidersPage)
def list_payment_providers(shop: Reader, query: ListedProviders) -> Any:
    """List every configured provider, whichever regions enable it."""
    found = [query.fields.of(each) for each in documents.providers([each.id for each in shop.providers.values()])]
    return ExactResponse(page_of("payment_providers", found, query))


@router.get("/payments/{payment_id}", response_model=answers.PaymentAnswer)
def retrieve_payment(shop: Reader, payment_id: str, query: SelectedPayment) -> Any:
    """One payment with its captures and refunds."""
    return _payment_answer(shop, payment_id, query.fields)


@router.post("/payments/{payment_id}/capture", response_model=answers.PaymentAnswer)
def capture_payment(shop: Capturer, payment_id: str, body: bodies.MoveMoney, query: SelectedPayment, key: Key) -> Any:
    """Take an amount that is authorized, or all that is left of it."""
    amount = _amount(shop, payment_id, body)
    headers = replayed(shop, key)
    shop.capture_payment(payment_id, amount, idempotency_key=key)
    return _payment_answer(shop, payment_id, query.fields, headers)


@router.post("/payments/{payment_id}/refund", response_model=answers.PaymentAnswer)
def refund_payment(
    shop: Refunder, payment_id: str, body: bodies.RefundPayment, query: SelectedPayment, key: Key
) -> Any:
    """Give back an amount that was captured, or all that is left of it."""
    amount = _amount(shop, payment_id, body)
    headers = replayed(shop, key)
    shop.refund_payment(payment_id, amount, body.note, refund_reason_id=body.refund_reason_id, idempotency_key=key)
    return _payment_answer(shop, payment_id, query.fields, headers)


@router.post("/payments/{payment_id}/cancel", response_model=answers.PaymentAnswer)
def cancel_payment(shop: Capturer, payment_id: str, query: SelectedPayment, key: Key) -> Any:
    """Give up what was not captured."""
    headers = replayed(shop, key)
    shop.cancel_payment(payment_id, idempotency_key=key)
    return _payment_answer(shop, payment_id, query.fields, headers)


@router.post("/carts", response_model=answers.CartAnswer)
def create_cart(shop: Administrator, body: bodies.CreatePricedCart, query: SelectedCart, key: Key) -> Any:
    """Create a cart whose titles and prices the shop's own backend knows, for its storefront to pay."""
    region = shop.retrieve_region(body.region_id)
    items = [item.priced(f"items[{index}]", region.currency) for index, item in enumerate(body.items)]
    headers = replayed(shop, key)
    cart = shop.create_cart(region.id, items, body.shopper(), body.metadata, idempotency_key=key)
    return cart_response(shop, cart.id, query.fields, headers)


@router.post("/payment-collections", response_model=answers.CollectionAnswer)
def create_payment_collection(
    shop: Administrator, body: bodies.CreateOrderCollection, query: SelectedCollection, key: Key
) -> Any:
    """Say what is owed for an order beyond what has paid it."""
    currency = shop.payment_collection_of_order(body.order_id).amount.currency
    amount = exact.amount("amount", body.amount, currency)
    headers = replayed(shop, key)
    created = shop.create_payment_collection_for_order(body.order_id, amount, idempotency_key=key)
    return collection_response(shop, created, query.fields, headers)


@router.delete("/payment-collections/{payment_collection_id}", response_model=answers.CollectionDeleted)
def delete_payment_collection(shop: Administrator, payment_collection_id: str) -> Any:
    """Give up what nothing was paid of."""
    shop.delete_payment_collection(payment_collection_id)
    return ExactResponse({"id": payment_collection_id, "object": "payment-collection", "deleted": True})


@router.post("/payment-collections/{payment_collection_id}/mark-as-paid", response_model=answers.CollectionAnswer)
def mark_as_paid(
    shop: Administrator, payment_collection_id: str, body: bodies.MarkAsPaid, query: SelectedCollection
) -> Any:
    """Note that all of it was paid another way; once, however often it is asked."""
    found = shop.retrieve_payment_collection(payment_collection_id)
    if body.order_id not in (found.order_id, found.for_order_id):
        raise NotFound(f"payment collection {found.id} is not one of order {body.order_id}")
    shop.mark_as_paid(payment_collection_id, body.provider_id)
    return collection_response(shop, shop.retrieve_payment_collection(payment_collection_id), query.fields)


@router.post("/payment-collections/{payment_collection_id}/payment-sessions", response_model=answers.CollectionAnswer)
def create_payment_session(
    shop: Administrator,
    payment_collection_id: str,
    body: bodies.CreatePaymentSession,
    query: SelectedCollection,
    key: Key,
) -> Any:
    """Create the session that this is paid with."""
    headers = replayed(shop, key)
    shop.create_payment_session(payment_collection_id, body.provider_id, body.data, idempotency_key=key)
    return collection_response(shop, shop.retrieve_payment_collection(payment_collection_id), query.fields, headers)


@router.get("/refund-reasons", response_model=answers.RefundReasonsPage)
def list_refund_reasons(shop: Reader, query: ListedRefundReasons) -> Any:
    """List the shop's reasons for refunds, newest first."""
    found, count = shop.list_refund_reasons(limit=query.limit, offset=query.offset)
    page = [query.fields.of(documents.refund_reason(each)) for each in found]
    return ExactResponse({"refund_reasons": page, "count": count, "offset": query.offset, "limit": query.limit})


@router.post("/refund-reasons", response_model=answers.RefundReasonAnswer)
def create_refund_reason(shop: Administrator, body: bodies.CreateRefundReason, query: SelectedRefundReason) -> Any:
    """Add a reason to the list."""
    return _reason_answer(shop.create_refund_reason(body.code, body.label, body.description), query.fields)


@router.get("/refund-reasons/{refund_reason_id}", response_model=answers.RefundReasonAnswer)
def retrieve_refund_reason(shop: Reader, refund_reason_id: str, query: SelectedRefundReason) -> Any:
    """One reason."""
    return _reason_answer(shop.retrieve_refund_reason(refund_reason_id), query.fields)


@router.post("/refund-reasons/{refund_reason_id}", response_model=answers.RefundReasonAnswer)
def update_refund_reason(
    shop: Administrator, refund_reason_id: str, body: bodies.UpdateRefundReason, query: SelectedRefundReason
) -> Any:
    """Change a reason: just the fields that are given."""
    return _reason_answer(shop.update_refund_reason(refund_reason_id, body.changes()), query.fields)


@router.delete("/refund-reasons/{refund_reason_id}", response_model=answers.RefundReasonDeleted)
def delete_refund_reason(shop: Administrator, refund_reason_id: str) -> Any:
    """Take a reason from the list; refunds that have it go on saying it."""
    shop.delete_refund_reason(refund_reason_id)
    return ExactResponse({"id": refund_reason_id, "object": "refund_reason", "deleted": True})


def _amount(shop: Engine, payment_id: str, body: bodies.MoveMoney) -> Money | None:
    if "amount" not in body.model_fields_set:
        return None
    return exact.amount("amount", body.amount, shop.retrieve_payment(payment_id).payment.amount.currency)


def _reason_answer(found: RefundReason, choice: Choice) -> ExactResponse:
    return ExactResponse({"refund_reason": choice.of(documents.refund_reason(found))})


def _payment_answer(
    shop: Engine, payment_id: str, choice: Choice, headers: Mapping[str, str] | None = None
) -> ExactResponse:
    ledger = shop.retrieve_payment(payment_id)
    document = _payment(shop, ledger, choice, shop.refund_reasons_of([ledger]))
    return ExactResponse({"payment": document}, headers=headers)


def _payment(
    shop: Engine, ledger: PaymentLedger, choice: Choice, reasons: Mapping[str, RefundReason]
) -> dict[str, Any]:
    document = documents.payment(ledger, reasons)
    found = ledger.payment
    if choice.wants("payment_collection"):
        collection = shop.retrieve_payment_collection(found.payment_collection_id)
        enabled = shop.retrieve_region(collection.region_id).provider_ids
        document["payment_collection"] = documents.collection(collection, enabled)
    if choice.wants("payment_session"):
        document["payment_session"] = documents.session(shop.retrieve_payment_session(found.payment_session_id))
    return choice.of(document)
