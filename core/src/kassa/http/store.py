"""What a storefront asks, with a publishable key.  It answers as Medusa's store routes do."""

from functools import partial
from typing import Any

from fastapi import APIRouter

from kassa.carts import Wanted
from kassa.checkout import ActionNeeded, OrderPlaced, Processing, Refused
from kassa.engine import Engine
from kassa.errors import InvalidData, NotAllowed
from kassa.http import answers, bodies, documents
from kassa.http.access import Storefront
from kassa.http.exact import ExactResponse, ExactRoute
from kassa.http.idempotency import NoKey, StorefrontKey, replayed
from kassa.http.limits import Allowed
from kassa.http.origins import require_storefront
from kassa.http.pages import page_of
from kassa.http.queries import (
    ListedRegions,
    OfferedProviders,
    SelectedCart,
    SelectedCollection,
    SelectedOrder,
    SelectedRegion,
    SelectedSession,
)
from kassa.http.responses import cart_document, cart_response, collection_response, order_document
from kassa.regions import Circumstances
from kassa_sdk import Shopper

RETURN_URL = "return_url"
"""In the data of a new session: where the provider is to send the shopper back to."""

router = APIRouter(prefix="/store", tags=["store"], route_class=ExactRoute, default_response_class=ExactResponse)


@router.get("/regions", response_model=answers.RegionsPage)
def list_regions(shop: Storefront, query: ListedRegions) -> Any:
    """List the regions of the configuration."""
    found = [query.fields.of(documents.region(each)) for each in shop.regions]
    return ExactResponse(page_of("regions", found, query))


@router.get("/regions/{region_id}", response_model=answers.RegionAnswer)
def retrieve_region(shop: Storefront, region_id: str, query: SelectedRegion) -> Any:
    """One region."""
    return ExactResponse({"region": query.fields.of(documents.region(shop.retrieve_region(region_id)))})


@router.get("/payment-providers", response_model=answers.ProvidersPage)
def list_payment_providers(shop: Storefront, query: OfferedProviders) -> Any:
    """List the providers that a region offers, in the order of the configuration."""
    offered = shop.list_payment_providers(query.region_id, Circumstances())
    found = [query.fields.of(each) for each in documents.providers(offered)]
    return ExactResponse(page_of("payment_providers", found, query))


@router.post("/carts", response_model=answers.CartAnswer)
def create_cart(shop: Storefront, body: bodies.CreateCart, query: SelectedCart, key: StorefrontKey) -> Any:
    """Create a cart.  Prices come from the shop's catalogue, never from the shopper."""
    region_id = _region_id(shop, body.region_id)
    wanted = [Wanted(variant_id=each.variant_id, quantity=each.quantity) for each in body.items]
    headers = replayed(shop, key)
    cart = shop.create_catalogue_cart(region_id, wanted, body.shopper(), body.metadata, idempotency_key=key)
    return cart_response(shop, cart.id, query.fields, headers)


@router.get("/carts/{cart_id}", response_model=answers.CartAnswer)
def retrieve_cart(shop: Storefront, cart_id: str, query: SelectedCart) -> Any:
    """One cart."""
    return cart_response(shop, cart_id, query.fields)


@router.post("/carts/{cart_id}", response_model=answers.CartAnswer)
def update_cart(shop: Storefront, cart_id: str, body: bodies.UpdateCart, query: SelectedCart) -> Any:
    """Note who buys, and where: just the fields that are given."""
    if "metadata" in body.model_fields_set and not shop.retrieve_cart(cart_id).is_of_catalogue:
        raise NotAllowed(f"metadata: the shop has filled cart {cart_id}, and notes there what it wants to know of it")
    shop.update_cart(cart_id, body.changes())
    return cart_response(shop, cart_id, query.fields)


@router.post("/carts/{cart_id}/line-items", dependencies=[NoKey], response_model=answers.CartAnswer)
def create_line_item(shop: Storefront, cart_id: str, body: bodies.CreateLineItem, query: SelectedCart) -> Any:
    """Put so many more of a variant into a cart."""
    shop.add_to_cart(cart_id, Wanted(variant_id=body.variant_id, quantity=body.quantity))
    return cart_response(shop, cart_id, query.fields)


@router.post("/carts/{cart_id}/line-items/{line_item_id}", dependencies=[NoKey], response_model=answers.CartAnswer)
def update_line_item(
    shop: Storefront, cart_id: str, line_item_id: str, body: bodies.UpdateLineItem, query: SelectedCart
) -> Any:
    """Have so many of one line, 0 for none."""
    shop.set_cart_quantity(cart_id, line_item_id, body.quantity)
    return cart_response(shop, cart_id, query.fields)


@router.delete("/carts/{cart_id}/line-items/{line_item_id}", response_model=answers.LineItemDeleted)
def delete_line_item(shop: Storefront, cart_id: str, line_item_id: str, query: SelectedCart) -> Any:
    """Take one line out of a cart."""
    shop.set_cart_quantity(cart_id, line_item_id, 0)
    deleted = {"id": line_item_id, "object": "line-item", "deleted": True}
    return ExactResponse({**deleted, "parent": query.fields.of(cart_document(shop, cart_id, query.fields))})


@router.post("/payment-collections", response_model=answers.CollectionAnswer)
def create_payment_collection(shop: Storefront, body: bodies.CreatePaymentCollection, query: SelectedCollection) -> Any:
    """Get or create the payment collection of a cart."""
    return collection_response(shop, shop.create_payment_collection(body.cart_id), query.fields)


@router.post("/payment-collections/{payment_collection_id}/payment-sessions", response_model=answers.CollectionAnswer)
def create_payment_session(
    shop: Storefront,
    allowance: Allowed,
    payment_collection_id: str,
    body: bodies.CreatePaymentSession,
    query: SelectedCollection,
    key: StorefrontKey,
) -> Any:
    """Create the session that the shopper pays with; another one takes the place of the one before."""
    headers = replayed(shop, key)
    if not headers:
        allowance.begins_session(payment_collection_id)
    data = dict(body.data)
    leads_to = require_storefront(shop, f"data.{RETURN_URL}", data.pop(RETURN_URL)) if RETURN_URL in data else None
    with allowance.trying(payment_collection_id, partial(_names, shop, collection_id=payment_collection_id)):
        shop.create_payment_session(
            payment_collection_id, body.provider_id, data, Shopper(return_url=leads_to), idempotency_key=key
        )
    return collection_response(shop, shop.retrieve_payment_collection(payment_collection_id), query.fields, headers)


@router.post("/carts/{cart_id}/complete", response_model=answers.Completed | answers.NotCompleted)
def complete_cart(shop: Storefront, allowance: Allowed, cart_id: str, query: SelectedOrder) -> Any:
    """Pay a cart and place its order: once, however often it is asked.

    Where there is no order yet, ``error.type`` says why: ``payment_requires_more_error`` (the shopper must act; the action
    stands in the session's data), or ``payment_authorization_error`` (declined).
    """
    allowance.completes(cart_id)
    with allowance.trying(cart_id, partial(_names, shop, cart_id=cart_id)) as attempt:
        completion = shop.complete_cart(cart_id)
        attempt.is_declined = isinstance(completion, Refused)
    if isinstance(completion, OrderPlaced):
        return ExactResponse({"type": "order", "order": query.fields.of(order_document(shop, cart_id, completion))})
    usual = documents.CART.chosen("")
    cart = usual.of(cart_document(shop, cart_id, usual))
    return ExactResponse({"type": "cart", "cart": cart, "error": _why_not(completion)})


@router.get("/payment-sessions/{payment_session_id}", response_model=answers.SessionAnswer)
def retrieve_payment_session(shop: Storefront, payment_session_id: str, query: SelectedSession) -> Any:
    """One payment session: how it stands, and what the shopper must do."""
    return ExactResponse(
        {"payment_session": query.fields.of(documents.session(shop.retrieve_payment_session(payment_session_id)))}
    )


@router.post("/payment-sessions/{payment_session_id}/action", response_model=answers.SessionAnswer)
def answer_action(
    shop: Storefront, allowance: Allowed, payment_session_id: str, body: bodies.AnswerAction, query: SelectedSession
) -> Any:
    """The shopper did what was asked, or came back from it: find out how it went.  Then complete the cart."""
    collection_id = shop.retrieve_payment_session(payment_session_id).payment_collection_id
    with allowance.trying(collection_id, partial(_names, shop, collection_id=collection_id)):
        session = shop.answer_action(payment_session_id, body.answer)
    return ExactResponse({"payment_session": query.fields.of(documents.session(session))})


def _names(shop: Engine, *, cart_id: str = "", collection_id: str = "") -> set[str]:
    """The cart and its payment collection: under either, what was declined counts."""
    found = shop.retrieve_payment_collection(collection_id) if collection_id else shop.find_payment_collection(cart_id)
    return {cart_id} if found is None else {found.id, found.cart_id or found.id}


def _why_not(completion: ActionNeeded | Refused | Processing) -> answers.CompletionError:
    match completion:
        case Refused():
            type_, message = "payment_authorization_error", f"declined: {completion.reason}"
        case ActionNeeded():
            type_, message = "payment_requires_more_error", "the shopper must act first; see the session's action"
        case Processing():
            type_, message = "payment_requires_more_error", "the payment is being processed; ask again in a moment"
    return {"type": type_, "name": "Error", "message": message}


def _region_id(shop: Engine, asked: str | None) -> str:
    """The region that was asked for; the only one, where there is no other."""
    if asked is not None:
        return asked
    if len(shop.regions) != 1:
        raise InvalidData("region_id", "expected one of the regions; see GET /store/regions")
    return shop.regions[0].id
