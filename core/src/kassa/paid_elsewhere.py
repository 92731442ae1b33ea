"""Mark as paid: the shop has the money already, and what is owed becomes a payment that is captured whole."""

from kassa import authorization, idempotency, sessions, settlement
from kassa.errors import NotAllowed
from kassa.model import Payment, PaymentCollection
from kassa.store import collections
from kassa.world import World
from kassa_sdk import Shopper


def mark_as_paid(world: World, collection_id: str, provider_id: str) -> Payment:
    """Take all of what a collection without a cart owes, through a provider that asks nobody.

    Once, whoever asks and however often: each step is one that has one effect.  Raises as those steps do.
    """
    collection = _load(world, collection_id)
    if collection.cart_id is not None:
        raise NotAllowed(f"payment collection {collection.id} is that of a cart; complete the cart instead")
    provider = world.providers.find(provider_id)
    promised = [each.provider_id for each in collection.live_sessions if collection.is_promised(each)]
    if any(each != provider.id for each in promised):
        raise NotAllowed(
            f"payment collection {collection.id} is authorized with {', '.join(promised)}; capture that, or give it up first"
        )
    if not collection.has_promise:
        session = sessions.create(world, collection.id, sessions.Wish(provider, {}, Shopper()))
        authorization.authorize(world, session.id)
        collection = _load(world, collection_id)
    if not collection.is_covered:
        raise NotAllowed(f"payment collection {collection.id} is not authorized whole; see how its sessions stand")
    (session,) = collection.live_sessions
    payment = collection.payment_of(session.id)
    assert payment is not None, "what is covered has a payment"
    asked = idempotency.client_request(f"mark-as-paid/{collection.id}", "mark_as_paid", payment_id=payment.id)
    return settlement.capture(world, payment.id, None, asked)


def _load(world: World, collection_id: str) -> PaymentCollection:
    return world.database.read(lambda connection: collections.load(connection, world.store_id, collection_id))
