"""The verbs of payment sessions: create, replace, update, delete."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from sqlalchemy import Connection

from kassa import idempotency, intents
from kassa.errors import NotAllowed
from kassa.idempotency import ClientRequest
from kassa.ids import Kind, new_id
from kassa.model import Operation, OperationKind, PaymentCollection, PaymentSession, ProviderSwitch
from kassa.payment_collections import refuse_completed, refuse_nothing_to_pay, with_amount_of
from kassa.protocol import finish, raise_failure, refuse_hindered, still_processing
from kassa.providers import ConfiguredProvider
from kassa.regions import Circumstances
from kassa.store import collections, operations, sessions, switches
from kassa.transitions import OperationStatus, SessionStatus
from kassa.world import World
from kassa_sdk import (
    Declined,
    InitiateRequest,
    JsonObject,
    Shopper,
    UpdateRequest,
)

FIRST_PLACE = 0
"""The one place of a collection, until payments are split over several sessions."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The session that somebody asks for: with which provider, what goes to it as it is, and who pays.

    ``shopper`` is for collections without a cart; a cart knows its own.  ``asked`` is set where a client asks under a key.
    """

    provider: ConfiguredProvider
    data: JsonObject
    shopper: Shopper
    asked: ClientRequest | None = None


def create(world: World, collection_id: str, wish: Wish) -> PaymentSession:
    """Create the collection's session with this provider; one that stands in its place is closed first."""
    while True:
        step = idempotency.transact(
            world, wish.asked, lambda connection: _plan_session(world, connection, collection_id, wish)
        )
        match step:
            case _Ready():
                return step.session
            case _Initiate():
                return _initiated(world, step.operation, wish.asked)
            case _CloseFirst():
                _close(world, step.operation)
            case _:
                assert_never(step)


def _initiated(world: World, planned: Operation, asked: ClientRequest | None) -> PaymentSession:
    operation, outcome = finish(world, planned)
    if asked is not None:
        idempotency.answered(world, asked)
    elif operation.status is not OperationStatus.SUCCEEDED:
        raise_failure(operation, outcome)
    return load(world, operation.payment_session_id)


def update(world: World, session_id: str) -> PaymentSession:
    """Bring an open session to the amount that its collection has now."""
    session = load(world, session_id)
    provider = world.providers.find(session.provider_id)
    if "update" not in provider.hooks:
        return create(world, session.payment_collection_id, _same_wish(world, session, provider))
    operation = world.database.transact(lambda connection: _plan_update(world, connection, session))
    if operation is not None:
        settled, outcome = finish(world, operation)
        if settled.status is not OperationStatus.SUCCEEDED:
            raise_failure(settled, outcome)
    return load(world, session_id)


def delete(world: World, session_id: str) -> None:
    """Close a session and free its place.  Does nothing when it is closed already."""
    session = load(world, session_id)
    while True:
        closing = world.database.transact(lambda connection: _plan_deletion(world, connection, session))
        if closing is None:
            return
        _close(world, closing)


@dataclass(frozen=True, slots=True)
class _Ready:
    """The session is there, and nothing is to be sent."""

    session: PaymentSession


@dataclass(frozen=True, slots=True)
class _Initiate:
    """A new session is stored; its initiation is to be sent."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class _CloseFirst:
    """The shopper holds an older session; closing it is to be sent."""

    operation: Operation


def load(world: World, session_id: str) -> PaymentSession:
    """The session.  Raises InvalidData, NotFound."""
    return world.database.read(lambda connection: sessions.load(connection, world.store_id, session_id))


def _plan_session(
    world: World, connection: Connection, collection_id: str, wish: Wish
) -> _Ready | _Initiate | _CloseFirst:
    collection = collections.lock(connection, world.store_id, collection_id)
    known = idempotency.repeated(connection, world.store_id, wish.asked)
    if known is not None:
        return _Ready(sessions.load(connection, world.store_id, str(known)))
    refuse_completed(collection)
    if collection.cart_id is not None:
        cart = world.cart(collection.cart_id, connection)
        refuse_nothing_to_pay(cart)
        collection = with_amount_of(world, connection, collection, cart)
        wish = replace(wish, shopper=cart.shopper)
    live = collection.live_session
    is_there = live is not None and _is_same_again(connection, live, collection, wish)
    # A switch speaks against new sessions only.
    _refuse_not_offered(world, collection, wish, () if is_there else switches.in_force(connection, until_commit=True))
    if live is not None:
        if is_there:
            refuse_hindered(world, connection, live, OperationKind.UPDATE)
            idempotency.created(connection, world.store_id, wish.asked, live.id, world.clock())
            return _Ready(live)
        closing = _make_way(world, connection, live)
        if closing is not None:
            return _CloseFirst(closing)
    return _Initiate(_add_session(world, connection, collection, wish))


def _add_session(world: World, connection: Connection, collection: PaymentCollection, wish: Wish) -> Operation:
    now = world.clock()
    session = PaymentSession(
        id=new_id(Kind.PAYMENT_SESSION),
        store_id=world.store_id,
        payment_collection_id=collection.id,
        place=FIRST_PLACE,
        provider_id=wish.provider.id,
        amount=collection.amount,
        status=SessionStatus.PENDING,
        provider_reference=None,
        data={},
        shopper=wish.shopper,
        action=None,
        failure=None,
        created_at=now,
        updated_at=now,
    )
    sessions.add(connection, session)

    def request(key: str) -> InitiateRequest:
        return InitiateRequest(
            attempt_key=key, our_reference=session.id, data=wish.data, amount=session.amount, shopper=wish.shopper
        )

    operation = intents.intent(session, OperationKind.INITIATE, request, now, amount=session.amount)
    return idempotency.add(connection, operation, wish.asked)


def _refuse_not_offered(
    world: World, collection: PaymentCollection, wish: Wish, in_force: Sequence[ProviderSwitch]
) -> None:
    region, wanted = world.region(collection.region_id), wish.provider.id
    if wanted not in region.provider_ids:
        raise NotAllowed(
            f"provider_id: {wanted} is not enabled in region {region.id}; it enables {', '.join(region.provider_ids)}"
        )
    circumstances = Circumstances(
        amount=collection.amount,
        country=country_of(wish.shopper),
        customer_groups=wish.shopper.customer.groups,
    )
    verdict = next(each for each in world.verdicts(region, circumstances, in_force) if each.provider_id == wanted)
    if not verdict.is_offered:
        raise NotAllowed(f"provider_id: {wanted} is not offered here: {'; '.join(verdict.reasons)}")


def country_of(shopper: Shopper) -> str | None:
    """The country that decides which providers are offered: where the bill goes, else where the goods go."""
    address = shopper.billing_address or shopper.shipping_address
    return None if address is None else address.country_code


def _is_same_again(connection: Connection, live: PaymentSession, collection: PaymentCollection, wish: Wish) -> bool:
    """Whether the session that was asked for stands there already: a second click gets the same one."""
    wanted = (wish.provider.id, collection.amount, SessionStatus.PENDING)
    if (live.provider_id, live.amount, live.status) != wanted or live.provider_reference is None:
        return False
    return _initial_request(connection, live).data == wish.data


def _initial_request(connection: Connection, session: PaymentSession) -> InitiateRequest:
    first = operations.latest(connection, session.store_id, session.id, OperationKind.INITIATE)
    return InitiateRequest.model_validate_json(first.request)


def _same_wish(world: World, session: PaymentSession, provider: ConfiguredProvider) -> Wish:
    first = world.database.read(lambda connection: _initial_request(connection, session))
    return Wish(provider, first.data, first.shopper)


def _make_way(world: World, connection: Connection, live: PaymentSession) -> Operation | None:
    """Free the place that this session holds.  Returns what must be sent first, or None when the place is free."""
    if live.status is SessionStatus.AUTHORIZED:
        raise NotAllowed(f"payment session {live.id} is authorized; complete the cart, or cancel its payment first")
    now = world.clock()
    refuse_hindered(world, connection, live, OperationKind.CANCEL)
    if live.provider_reference is None:
        # The shopper never got it, so nobody can pay it; should it have begun after all, recovery closes it.
        sessions.move(connection, live, SessionStatus.CANCELED, now)
        return None
    provider = world.providers.find(live.provider_id)
    if not provider.manifest.cancel:
        _give_up_unclosed(connection, live, provider, world)
        return None
    closing = intents.close(live, now)
    operations.add(connection, closing)
    return closing


def _give_up_unclosed(connection: Connection, live: PaymentSession, provider: ConfiguredProvider, world: World) -> None:
    # A declined one is not expected to be paid; should it be after all, that raises an alarm.
    if provider.settings.if_close_unconfirmed == "wait" and live.status is not SessionStatus.ERROR:
        raise NotAllowed(
            f"payment session {live.id} may still be paid, and {provider.id} cannot close it; wait until it expires, or "
            f"set if_close_unconfirmed = 'allow' for [providers.{provider.instance}] to risk that both are paid"
        )
    sessions.move(connection, live, SessionStatus.CANCELED, world.clock())


def _close(world: World, operation: Operation) -> None:
    """Close a session at its provider.  Where that is not confirmed, the configuration decides.

    Returns when the place is free.  Raises NotAllowed, ProviderUnavailable, StillProcessing.
    """
    settled, outcome = finish(world, operation)
    if settled.status is OperationStatus.SUCCEEDED:
        return
    provider = world.providers.find(operation.provider_id)
    if provider.settings.if_close_unconfirmed == "allow":
        world.database.transact(lambda connection: _give_up(world, connection, operation))
    elif isinstance(outcome, Declined):
        raise NotAllowed(f"payment session {operation.payment_session_id} cannot be closed: {outcome.reason}")
    else:
        raise_failure(settled, outcome)


def _give_up(world: World, connection: Connection, operation: Operation) -> None:
    collections.lock(connection, operation.store_id, operation.payment_collection_id)
    session = sessions.load(connection, operation.store_id, operation.payment_session_id)
    if session.status is SessionStatus.AUTHORIZED:
        raise NotAllowed(f"payment session {session.id} is authorized meanwhile; complete the cart")
    for other in operations.open_of_session(connection, session.store_id, session.id):
        if other.id != operation.id and intents.hinders(other, OperationKind.CANCEL, world.clock()):
            raise still_processing(other)
    if session.is_live:
        sessions.move(connection, session, SessionStatus.CANCELED, world.clock())


def _plan_update(world: World, connection: Connection, session: PaymentSession) -> Operation | None:
    collection = collections.lock(connection, world.store_id, session.payment_collection_id)
    refuse_completed(collection)
    if collection.cart_id is not None:
        collection = with_amount_of(world, connection, collection, world.cart(collection.cart_id, connection))
    session = sessions.load(connection, world.store_id, session.id)
    if session.amount == collection.amount:
        return None
    if session.status is not SessionStatus.PENDING or session.provider_reference is None:
        raise NotAllowed(f"payment session {session.id} is {session.status.value}; create another session instead")
    refuse_hindered(world, connection, session, OperationKind.UPDATE)
    amount = collection.amount

    def request(key: str) -> UpdateRequest:
        return UpdateRequest(**intents.about(session, key), amount=amount)

    operation = intents.intent(session, OperationKind.UPDATE, request, world.clock(), amount=amount)
    operations.add(connection, operation)
    return operation


def _plan_deletion(world: World, connection: Connection, session: PaymentSession) -> Operation | None:
    collection = collections.lock(connection, world.store_id, session.payment_collection_id)
    session = sessions.load(connection, world.store_id, session.id)
    if not session.is_live:
        return None
    refuse_completed(collection)
    return _make_way(world, connection, session)
