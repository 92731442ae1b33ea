"""What several routes answer with."""

from collections.abc import Mapping

from kassa.checkout import OrderPlaced
from kassa.engine import Engine
from kassa.http import documents
from kassa.http.documents import CartDocument, OrderDocument
from kassa.http.exact import ExactResponse
from kassa.http.fields import Choice
from kassa.model import PaymentCollection

Headers = Mapping[str, str]


def collection_response(
    shop: Engine, found: PaymentCollection, choice: Choice, headers: Headers | None = None
) -> ExactResponse:
    """A payment collection under its name."""
    enabled = shop.retrieve_region(found.region_id).provider_ids
    document = choice.of(documents.collection(found, enabled))
    return ExactResponse({"payment_collection": document}, headers=headers)


def cart_response(shop: Engine, cart_id: str, choice: Choice, headers: Headers | None = None) -> ExactResponse:
    """A cart under its name."""
    return ExactResponse({"cart": choice.of(cart_document(shop, cart_id, choice))}, headers=headers)


def cart_document(shop: Engine, cart_id: str, choice: Choice) -> CartDocument:
    """A cart, whoever keeps it, with its payment collection where that is wanted."""
    paid_by = shop.find_payment_collection(cart_id) if choice.wants("payment_collection") else None
    if shop.keeps_carts:
        found = shop.retrieve_cart(cart_id)
        return documents.cart(found, shop.retrieve_region(found.region_id), paid_by)
    told = shop.snapshot_cart(cart_id)
    return documents.cart_of_shop(told, shop.retrieve_region(told.region_id), paid_by)


def order_document(shop: Engine, cart_id: str, placed: OrderPlaced) -> OrderDocument:
    """A placed order, whoever keeps it."""
    if shop.keeps_carts:
        found = shop.retrieve_order(placed.order_id)
        return documents.order(found, shop.retrieve_region(found.region_id), placed.payment_collection)
    told = shop.snapshot_cart(cart_id)
    return documents.order_of_shop(
        placed.order_id, told, shop.retrieve_region(told.region_id), placed.payment_collection
    )
