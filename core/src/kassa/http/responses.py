"""What several routes answer with."""

from collections.abc import Mapping

from kassa.engine import Engine
from kassa.http import documents
from kassa.http.documents import CartDocument
from kassa.http.exact import ExactResponse
from kassa.http.fields import Choice
from kassa.model import Cart, PaymentCollection

Headers = Mapping[str, str]


def collection_response(
    shop: Engine, found: PaymentCollection, choice: Choice, headers: Headers | None = None
) -> ExactResponse:
    """A payment collection under its name."""
    enabled = shop.retrieve_region(found.region_id).provider_ids
    document = choice.of(documents.collection(found, enabled))
    return ExactResponse({"payment_collection": document}, headers=headers)


def cart_response(shop: Engine, found: Cart, choice: Choice, headers: Headers | None = None) -> ExactResponse:
    """A cart under its name."""
    return ExactResponse({"cart": choice.of(cart_document(shop, found, choice))}, headers=headers)


def cart_document(shop: Engine, found: Cart, choice: Choice) -> CartDocument:
    """A cart, with its payment collection where that is wanted."""
    paid_by = shop.find_payment_collection(found.id) if choice.wants("payment_collection") else None
    return documents.cart(found, shop.retrieve_region(found.region_id), paid_by)
