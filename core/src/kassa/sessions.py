"""The verbs of payment sessions: create, plan, replace, update, delete."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import assert_never

from sqlalchemy import Connection

from kassa import arguments, idempotency, intents
from kassa.closing import close, make_way
from kassa.errors import Conflict, InvalidData, NotAllowed
from kassa.idempotency import ClientRequest
from kassa.ids import Kind, new_id
from kassa.model import Operation, OperationKind, PaymentCollection, PaymentSession, ProviderSwitch
from kassa.payment_collections import refuse_completed, refuse_nothing_to_pay, with_amount_of
from kassa.protocol import finish, raise_failure, refuse_hindered
from kassa.providers import ConfiguredProvider
from kassa.regions import Circumstances, Region
from kassa.store import collections, operations, sessions, switches
from kassa.transitions import OperationStatus, SessionStatus
from kassa.world import World
from kassa_sdk import InitiateRequest, JsonObject, Money, Record, Shopper, UpdateRequest

MOST_PLANNED = 10
"""Sessions that one payment may be split over."""


class PlannedSession(Record):
    """One session of a payment that is split over several: with which provider, for which part of what is owed.

    ``data`` goes to the provider's ``initiate`` as it is.
    """

    provider_id: str
    amount: Money
    data: JsonObject = {}


_UNDER_WAY = (SessionStatus.REQUIRES_MORE, SessionStatus.PENDING_AUTHORIZATION)
"""The shopper, or the provider, is at it: the same plan again does not disturb them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The session that somebody asks for: with which provider, what goes to it as it is, and who pays.

    ``shopper`` is for collections without a cart; a cart knows its own, but for ``return_url``.  ``amount`` is None for all
    that is owed.  ``asked`` is set where a client asks under a key.
    """

    provider: ConfiguredProvider
    data: JsonObject
    shopper: Shopper
    amount: Money | None = None
    asked: ClientRequest | None = None


def create(world: World, collection_id: str, wish: Wish) -> PaymentSession:
    """Create the collection's one session, with this provider; those that hold its places are closed first."""
    while True:
        step = idempotency.transact(
            world, wish.asked, lambda connection: _next_for_one(world, connection, collection_id, wish)
        )
        match step:
            case _Ready():
                return step.sessions[0]
            case _Initiate():
                return _initiated(world, step.operation, wish.asked)
            case _CloseFirst():
                close(world, step.operation)
            case _:
                assert_never(step)


def plan(world: World, collection_id: str, planned: Sequence[PlannedSession], shopper: Shopper) -> PaymentCollection:
    """Have just these sessions in the collection's places, in this order; what stands there already stays."""
    if not 1 <= len(planned) <= MOST_PLANNED:
        raise InvalidData("sessions", f"expected 1 to {MOST_PLANNED} sessions, not {len(planned)}")
    wishes = [_wish(world, place, each, shopper) for place, each in enumerate(planned)]
    made: set[str] = set()
    while True:
        step = world.database.transact(
            lambda connection: _next_for_several(world, connection, collection_id, wishes, made)
        )
        match step:
            case _Ready():
                return world.database.read(lambda c: collections.load(c, world.store_id, collection_id))
            case _Initiate():
                made.add(_initiated(world, step.operation, None).id)
            case _CloseFirst():
                close(world, step.operation)
            case _:
                assert_never(step)


def _initiated(world: World, planned: Operation, asked: ClientRequest | None) -> PaymentSession:
    operation, outcome = finish(world, planned)
    if asked is not None:
        idempotency.answered(world, asked)
    elif operation.status is not OperationStatus.SUCCEEDED:
        raise_failure(operation, outcome)
    return load(world, operation.payment_session_id)


def _wish(world: World, place: int, planned: PlannedSession, shopper: Shopper) -> Wish:
    data = arguments.json_object(f"sessions[{place}].data", planned.data)
    return Wish(world.providers.find(planned.provider_id), data, shopper, planned.amount)


def update(world: World, session_id: str) -> PaymentSession:
    """Bring an open session to the amount that its collection has now."""
    session = load(world, session_id)
    provider = world.providers.find(session.provider_id)
    if "update" not in provider.hooks:
        _refuse_part(world.database.read(lambda c: collections.load(c, world.store_id, session.payment_collection_id)))
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
        close(world, closing)


@dataclass(frozen=True, slots=True)
class _Ready:
    """The sessions are there, and nothing is to be sent."""

    sessions: tuple[PaymentSession, ...]


@dataclass(frozen=True, slots=True)
class _Initiate:
    """A new session is stored; its initiation is to be sent."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class _CloseFirst:
    """The shopper holds another session; closing it is to be sent."""

    operation: Operation


def load(world: World, session_id: str) -> PaymentSession:
    """The session.  Raises InvalidData, NotFound."""
    return world.database.read(lambda connection: sessions.load(connection, world.store_id, session_id))


_Step = _Ready | _Initiate | _CloseFirst


def _next_for_one(world: World, connection: Connection, collection_id: str, wish: Wish) -> _Step:
    collection = collections.lock(connection, world.store_id, collection_id)
    known = idempotency.repeated(connection, world.store_id, wish.asked)
    if known is not None:
        return _Ready((sessions.load(connection, world.store_id, str(known)),))
    collection, wishes = _brought_up_to_date(world, connection, collection, [wish])
    step = _next_step(world, connection, collection, wishes, {SessionStatus.PENDING})
    if isinstance(step, _Ready):
        idempotency.created(connection, world.store_id, wish.asked, step.sessions[0].id, world.clock())
    return step


def _next_for_several(
    world: World, connection: Connection, collection_id: str, wishes: Sequence[Wish], made: Set[str]
) -> _Step:
    collection = collections.lock(connection, world.store_id, collection_id)
    collection, wishes = _brought_up_to_date(world, connection, collection, wishes)
    _require_sum(collection, wishes)
    if not made <= {session.id for session in collection.live_sessions}:
        raise Conflict(f"payment collection {collection.id} was planned otherwise meanwhile; plan its sessions again")
    return _next_step(
        world, connection, collection, wishes, {SessionStatus.PENDING, *_UNDER_WAY, SessionStatus.AUTHORIZED}
    )


def _brought_up_to_date(
    world: World, connection: Connection, collection: PaymentCollection, wishes: Sequence[Wish]
) -> tuple[PaymentCollection, list[Wish]]:
    """With the total and the shopper of the cart as it is now.  Raises NotAllowed where nothing is to be paid any more."""
    refuse_completed(collection)
    if collection.cart_id is None:
        return collection, list(wishes)
    cart = world.cart(collection.cart_id, connection)
    refuse_nothing_to_pay(cart)
    collection = with_amount_of(world, connection, collection, cart)
    return collection, [replace(wish, shopper=_led_back(cart.shopper, wish.shopper.return_url)) for wish in wishes]


def _led_back(shopper: Shopper, return_url: str | None) -> Shopper:
    """The shopper of a cart, who is sent back to where the session says, if it does."""
    return shopper if return_url is None else shopper.model_copy(update={"return_url": return_url})


def told_of(world: World, connection: Connection, session: PaymentSession, shopper: Shopper) -> PaymentSession:
    """The session, for who is in its cart now.  Raises NotAllowed where its provider is not offered to them."""
    now_there = _led_back(shopper, session.shopper.return_url)
    if now_there == session.shopper:
        return session
    region = world.region(session.region_id)
    _refuse_not_offered(world, region, _Offer(session.provider_id, session.amount, now_there), ())
    return sessions.set_shopper(connection, session, now_there, world.clock())


def _require_sum(collection: PaymentCollection, wishes: Sequence[Wish]) -> None:
    """Raises InvalidData unless the parts are just what is owed."""
    owed = collection.amount
    for place, wish in enumerate(wishes):
        field = f"sessions[{place}].amount"
        if wish.amount is None or wish.amount.currency != owed.currency:
            raise InvalidData(field, f"expected an amount in {owed.currency}, as is owed, not {wish.amount}")
        if not 0 < wish.amount.minor <= owed.minor:
            raise InvalidData(field, f"expected more than zero, and at most the {owed} that is owed, not {wish.amount}")
    planned = sum(wish.amount.minor for wish in wishes if wish.amount is not None)
    if planned != owed.minor:
        difference = Money(abs(planned - owed.minor), owed.currency)
        word = "more" if planned > owed.minor else "less"
        raise InvalidData("sessions", f"expected parts that come to the {owed} that is owed; it is {difference} {word}")


def _next_step(
    world: World,
    connection: Connection,
    collection: PaymentCollection,
    wishes: Sequence[Wish],
    kept: Set[SessionStatus],
) -> _Step:
    """What is to be done next for just these sessions to stand in the collection's places.

    One that stands in its place as it is wished for stays there, while it is in one of the ``kept`` statuses.
    """
    there = {session.place: session for session in collection.live_sessions}
    staying = {
        place: there[place]
        for place, wish in enumerate(wishes)
        if place in there
        and there[place].status in kept
        and _is_same(connection, there[place], collection, wish)
        and _is_whole(collection, there[place])
    }
    missing = [place for place in range(len(wishes)) if place not in staying]
    # A switch speaks against new sessions only.
    in_force = switches.in_force(connection, until_commit=True) if missing else ()
    region = world.region(collection.region_id)
    for place, wish in enumerate(wishes):
        offer = _Offer(wish.provider.id, wish.amount or collection.amount, wish.shopper)
        _refuse_not_offered(world, region, offer, in_force if place in missing else ())
    for session in collection.live_sessions:
        closing = None if session in staying.values() else make_way(world, connection, session)
        if closing is not None:
            return _CloseFirst(closing)
    if missing:
        return _Initiate(_add_session(world, connection, collection, wishes[missing[0]], missing[0]))
    for session in staying.values():
        if session.status not in _UNDER_WAY:
            refuse_hindered(world, connection, session, OperationKind.UPDATE)
    return _Ready(tuple(staying.values()))


def _is_whole(collection: PaymentCollection, session: PaymentSession) -> bool:
    """Whether nothing of its payment was released or given back, where there is one."""
    return session.status is not SessionStatus.AUTHORIZED or collection.standing(session) == session.amount


def _add_session(
    world: World, connection: Connection, collection: PaymentCollection, wish: Wish, place: int
) -> Operation:
    now = world.clock()
    session = PaymentSession(
        id=new_id(Kind.PAYMENT_SESSION),
        store_id=world.store_id,
        payment_collection_id=collection.id,
        place=place,
        provider_id=wish.provider.id,
        region_id=collection.region_id,
        amount=wish.amount or collection.amount,
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


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a region is asked for: this provider, for so much, to this shopper."""

    provider_id: str
    amount: Money
    shopper: Shopper


def _refuse_not_offered(world: World, region: Region, offer: _Offer, in_force: Sequence[ProviderSwitch]) -> None:
    wanted = offer.provider_id
    if wanted not in region.provider_ids:
        raise NotAllowed(
            f"provider_id: {wanted} is not enabled in region {region.id}; it enables {', '.join(region.provider_ids)}"
        )
    circumstances = Circumstances(
        amount=offer.amount, country=country_of(offer.shopper), customer_groups=offer.shopper.customer.groups
    )
    verdict = next(each for each in world.verdicts(region, circumstances, in_force) if each.provider_id == wanted)
    if not verdict.is_offered:
        raise NotAllowed(f"provider_id: {wanted} is not offered here: {'; '.join(verdict.reasons)}")


def country_of(shopper: Shopper) -> str | None:
    """The country that decides which providers are offered: where the bill goes, else where the goods go."""
    address = shopper.billing_address or shopper.shipping_address
    return None if address is None else address.country_code


def _is_same(connection: Connection, live: PaymentSession, collection: PaymentCollection, wish: Wish) -> bool:
    """Whether the session that is wished for stands there already: a second click gets the same one."""
    if (live.provider_id, live.amount) != (wish.provider.id, wish.amount or collection.amount):
        return False
    if live.provider_reference is None:
        return False
    first, leads_to = _initial_request(connection, live), wish.shopper.return_url
    return first.data == wish.data and (leads_to is None or first.shopper.return_url == leads_to)


def _initial_request(connection: Connection, session: PaymentSession) -> InitiateRequest:
    first = operations.latest(connection, session.store_id, session.id, OperationKind.INITIATE)
    return InitiateRequest.model_validate_json(first.request)


def _same_wish(world: World, session: PaymentSession, provider: ConfiguredProvider) -> Wish:
    first = world.database.read(lambda connection: _initial_request(connection, session))
    return Wish(provider, first.data, first.shopper)


def _refuse_part(collection: PaymentCollection) -> None:
    if len(collection.live_sessions) > 1:
        raise NotAllowed(f"payment collection {collection.id} is split over several sessions; plan them again instead")


def _plan_update(world: World, connection: Connection, session: PaymentSession) -> Operation | None:
    collection = collections.lock(connection, world.store_id, session.payment_collection_id)
    refuse_completed(collection)
    _refuse_part(collection)
    if collection.cart_id is not None:
        collection = with_amount_of(world, connection, collection, world.cart(collection.cart_id, connection))
    session = collection.session(session.id)
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
    session = collection.session(session.id)
    if not session.is_live:
        return None
    refuse_completed(collection)
    return make_way(world, connection, session)
