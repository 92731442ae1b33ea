"""The verbs of payment collections and sessions: create, replace, update, delete, authorize, answer an action."""

from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from kassa import intents
from kassa.errors import Conflict, NotAllowed
from kassa.ids import Kind, new_id
from kassa.model import Operation, OperationKind, PaymentCollection, PaymentSession
from kassa.protocol import finish, raise_failure, still_processing
from kassa.providers import ConfiguredProvider
from kassa.regions import Circumstances
from kassa.store import collections, operations, sessions
from kassa.store.database import is_unique_violation
from kassa.transitions import OperationStatus, SessionStatus
from kassa.world import World
from kassa_sdk import (
    ActionRequest,
    AuthorizeRequest,
    CartSnapshot,
    InitiateRequest,
    JsonObject,
    Shopper,
    UpdateRequest,
)


def create_collection(world: World, cart_id: str) -> PaymentCollection:
    """Get or create the payment collection of a cart."""
    try:
        return world.database.transact(lambda connection: _get_or_add_collection(world, connection, cart_id))
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
        # Another request was first; its collection is there now.
        return world.database.transact(lambda connection: _get_or_add_collection(world, connection, cart_id))


def create(world: World, collection_id: str, provider_id: str, data: JsonObject) -> PaymentSession:
    """Create the collection's session with this provider; one that stands in its place is closed first."""
    provider = world.providers.find(provider_id)
    while True:
        step = world.database.transact(
            lambda connection: _plan_session(world, connection, collection_id, provider, data)
        )
        if isinstance(step, _Ready):
            return step.session
        operation, outcome = finish(world, step.operation)
        if operation.status is not OperationStatus.SUCCEEDED:
            _after_unsuccessful(world, operation, step)
            raise_failure(operation, outcome)


def update(world: World, session_id: str) -> PaymentSession:
    """Bring an open session to the amount that its collection has now."""
    session = _load(world, session_id)
    provider = world.providers.find(session.provider_id)
    if "update" not in provider.hooks:
        return create(world, session.payment_collection_id, provider.id, {})
    operation = world.database.transact(lambda connection: _plan_update(world, connection, session))
    if operation is not None:
        settled, outcome = finish(world, operation)
        if settled.status is not OperationStatus.SUCCEEDED:
            raise_failure(settled, outcome)
    return _load(world, session_id)


def delete(world: World, session_id: str) -> None:
    """Close a session and free its place.  Does nothing when it is closed already."""
    session = _load(world, session_id)
    while True:
        closing = world.database.transact(lambda connection: _plan_deletion(world, connection, session))
        if closing is None:
            return
        operation, outcome = finish(world, closing)
        if operation.status is not OperationStatus.SUCCEEDED:
            raise_failure(operation, outcome)


def authorize(world: World, session_id: str, answer: JsonObject | None = None) -> PaymentSession:
    """Authorize a session, or go on where it waits for the shopper, with their answer.

    Returns the session as it then stands: authorized, requiring more, or pending authorization.
    """
    session = _load(world, session_id)
    operation = world.database.transact(lambda connection: _plan_authorization(world, connection, session, answer))
    if operation is not None:
        settled, outcome = finish(world, operation)
        if settled.status in (OperationStatus.FAILED, OperationStatus.UNKNOWN, OperationStatus.REVIEW):
            raise_failure(settled, outcome)
    return _load(world, session_id)


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


def _load(world: World, session_id: str) -> PaymentSession:
    return world.database.read(lambda connection: sessions.load(connection, world.store_id, session_id))


def _get_or_add_collection(world: World, connection: Connection, cart_id: str) -> PaymentCollection:
    cart = world.cart(cart_id, connection)
    existing = collections.find_by_cart(connection, world.store_id, cart_id)
    if existing is not None:
        return _with_amount_of(world, connection, existing, cart)
    if cart.total.minor <= 0:
        raise NotAllowed(f"cart {cart_id} comes to {cart.total}; there is nothing to pay")
    now = world.clock()
    collection = PaymentCollection(
        id=new_id(Kind.PAYMENT_COLLECTION),
        store_id=world.store_id,
        region_id=world.region(cart.region_id).id,
        cart_id=cart_id,
        order_id=None,
        amount=cart.total,
        created_at=now,
        updated_at=now,
        completed_at=None,
    )
    collections.add(connection, collection)
    return collection


def _with_amount_of(
    world: World, connection: Connection, collection: PaymentCollection, cart: CartSnapshot
) -> PaymentCollection:
    """The collection with the cart's total of now, unless money is promised already: then the amount stays."""
    untouchable = collection.completed_at is not None or any(not payment.canceled for payment in collection.payments)
    if untouchable or cart.total == collection.amount or cart.total.minor <= 0:
        return collection
    if cart.total.currency != collection.amount.currency:
        raise NotAllowed(
            f"cart {cart.id} is in {cart.total.currency} now, its payment is in {collection.amount.currency}"
        )
    collections.set_amount(connection, collection, cart.total, world.clock())
    return collections.load(connection, world.store_id, collection.id)


def _plan_session(
    world: World, connection: Connection, collection_id: str, provider: ConfiguredProvider, data: JsonObject
) -> _Ready | _Initiate | _CloseFirst:
    collection = collections.lock(connection, world.store_id, collection_id)
    _refuse_completed(collection)
    shopper = Shopper()
    if collection.cart_id is not None:
        cart = world.cart(collection.cart_id, connection)
        collection, shopper = _with_amount_of(world, connection, collection, cart), cart.shopper
    _refuse_not_offered(world, collection, provider, shopper)
    live = collection.live_session
    if live is not None:
        if _is_same_again(connection, live, provider, collection, data):
            return _Ready(live)
        closing = _make_way(world, connection, live)
        if closing is not None:
            return _CloseFirst(closing)
    return _Initiate(_add_session(world, connection, collection, provider, shopper, data))


def _add_session(  # what a session is made of
    world: World,
    connection: Connection,
    collection: PaymentCollection,
    provider: ConfiguredProvider,
    shopper: Shopper,
    data: JsonObject,
) -> Operation:
    now = world.clock()
    session = PaymentSession(
        id=new_id(Kind.PAYMENT_SESSION),
        store_id=world.store_id,
        payment_collection_id=collection.id,
        provider_id=provider.id,
        amount=collection.amount,
        status=SessionStatus.PENDING,
        provider_reference=None,
        data={},
        shopper=shopper,
        action=None,
        failure=None,
        created_at=now,
        updated_at=now,
    )
    sessions.add(connection, session)

    def request(key: str) -> InitiateRequest:
        return InitiateRequest(
            attempt_key=key, our_reference=session.id, data=data, amount=session.amount, shopper=shopper
        )

    operation = intents.intent(session, OperationKind.INITIATE, request, now, amount=session.amount)
    operations.add(connection, operation)
    return operation


def _refuse_completed(collection: PaymentCollection) -> None:
    if collection.completed_at is not None:
        raise NotAllowed(f"payment collection {collection.id} is completed; its order is {collection.order_id}")


def _refuse_not_offered(
    world: World, collection: PaymentCollection, provider: ConfiguredProvider, shopper: Shopper
) -> None:
    region = world.region(collection.region_id)
    if provider.id not in region.provider_ids:
        raise NotAllowed(
            f"provider_id: {provider.id} is not enabled in region {region.id}; "
            f"it enables {', '.join(region.provider_ids)}"
        )
    circumstances = Circumstances(
        amount=collection.amount, country=country_of(shopper), customer_groups=shopper.customer.groups
    )
    verdict = next(each for each in world.verdicts(region, circumstances) if each.provider_id == provider.id)
    if not verdict.is_offered:
        raise NotAllowed(f"provider_id: {provider.id} is not offered here: {'; '.join(verdict.reasons)}")


def country_of(shopper: Shopper) -> str | None:
    """The country that decides which providers are offered: where the bill goes, else where the goods go."""
    address = shopper.billing_address or shopper.shipping_address
    return None if address is None else address.country_code


def _is_same_again(
    connection: Connection,
    live: PaymentSession,
    provider: ConfiguredProvider,
    collection: PaymentCollection,
    data: JsonObject,
) -> bool:
    """Whether the session that was asked for stands there already: a second click gets the same one."""
    if (live.provider_id, live.amount, live.status) != (provider.id, collection.amount, SessionStatus.PENDING):
        return False
    first = operations.latest(connection, live.store_id, live.id, OperationKind.INITIATE)
    asked = InitiateRequest.model_validate_json(first.request).data
    return live.provider_reference is not None and asked == data


def _make_way(world: World, connection: Connection, live: PaymentSession) -> Operation | None:
    """Free the place that this session holds.  Returns what must be sent first, or None when the place is free."""
    if live.status is SessionStatus.AUTHORIZED:
        raise NotAllowed(f"payment session {live.id} is authorized; complete the cart, or cancel its payment first")
    now = world.clock()
    _refuse_under_way(world, connection, live)
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
    if provider.settings.if_close_unconfirmed == "wait":
        raise NotAllowed(
            f"payment session {live.id} may still be paid, and {provider.id} cannot close it; wait until it expires, or "
            f"set if_close_unconfirmed = 'allow' for [providers.{provider.instance}] to risk that both are paid"
        )
    sessions.move(connection, live, SessionStatus.CANCELED, world.clock())


def _after_unsuccessful(world: World, operation: Operation, step: _Initiate | _CloseFirst) -> None:
    """An older session that could not be closed is given up where the configuration allows that."""
    provider = world.providers.find(operation.provider_id)
    if not isinstance(step, _CloseFirst) or provider.settings.if_close_unconfirmed != "allow":
        return

    def give_up(connection: Connection) -> None:
        collections.lock(connection, operation.store_id, operation.payment_collection_id)
        session = sessions.load(connection, operation.store_id, operation.payment_session_id)
        if session.is_live and session.status is not SessionStatus.AUTHORIZED:
            sessions.move(connection, session, SessionStatus.CANCELED, world.clock())

    world.database.transact(give_up)


def _refuse_under_way(world: World, connection: Connection, session: PaymentSession) -> None:
    """Raises StillProcessing while a call about this session may be on its way or its fate is not known."""
    for operation in operations.open_of_session(connection, session.store_id, session.id):
        if operation.kind is OperationKind.INITIATE and not _is_leased(world, operation):
            continue
        if operation.status not in (OperationStatus.REQUIRES_MORE, OperationStatus.PENDING):
            raise still_processing(operation)


def _is_leased(world: World, operation: Operation) -> bool:
    return operation.lease_until is not None and operation.lease_until > world.clock()


def _plan_update(world: World, connection: Connection, session: PaymentSession) -> Operation | None:
    collection = collections.lock(connection, world.store_id, session.payment_collection_id)
    _refuse_completed(collection)
    if collection.cart_id is not None:
        collection = _with_amount_of(world, connection, collection, world.cart(collection.cart_id, connection))
    session = sessions.load(connection, world.store_id, session.id)
    if session.amount == collection.amount:
        return None
    if session.status is not SessionStatus.PENDING or session.provider_reference is None:
        raise NotAllowed(f"payment session {session.id} is {session.status.value}; create another session instead")
    _refuse_under_way(world, connection, session)
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
    _refuse_completed(collection)
    return _make_way(world, connection, session)


def _plan_authorization(
    world: World, connection: Connection, session: PaymentSession, answer: JsonObject | None
) -> Operation | None:
    collection = collections.lock(connection, world.store_id, session.payment_collection_id)
    session = sessions.load(connection, world.store_id, session.id)
    if session.status in (SessionStatus.AUTHORIZED, SessionStatus.PENDING_AUTHORIZATION):
        return None
    _refuse_completed(collection)
    _refuse_unauthorizable(session, collection, answer)
    waiting = _waiting_authorization(connection, session)
    if waiting is not None:
        return _plan_answer(world, connection, session, waiting, answer or {})
    now = world.clock()
    if session.status is SessionStatus.ERROR:
        session = sessions.move(connection, session, SessionStatus.PENDING, now)

    def request(key: str) -> AuthorizeRequest:
        return AuthorizeRequest(**intents.about(session, key), amount=session.amount, shopper=session.shopper)

    operation = intents.intent(session, OperationKind.AUTHORIZE, request, now, amount=session.amount)
    operations.add(connection, operation)
    return operation


def _refuse_unauthorizable(session: PaymentSession, collection: PaymentCollection, answer: JsonObject | None) -> None:
    if not session.is_live:
        raise NotAllowed(f"payment session {session.id} was given up; create another one")
    if session.amount != collection.amount:
        raise Conflict(
            f"payment session {session.id} is for {session.amount}, but {collection.amount} is owed now; update it"
        )
    if answer is not None and session.status is not SessionStatus.REQUIRES_MORE:
        raise NotAllowed(f"payment session {session.id} does not wait for an action; it is {session.status.value}")


def _waiting_authorization(connection: Connection, session: PaymentSession) -> Operation | None:
    """The authorization that waits for the shopper, if there is one.  Raises StillProcessing for any other open call."""
    waiting = None
    for operation in operations.open_of_session(connection, session.store_id, session.id):
        if operation.status is not OperationStatus.REQUIRES_MORE:
            raise still_processing(operation)
        waiting = operation
    if waiting is None and session.provider_reference is None:
        raise NotAllowed(f"payment session {session.id} was never prepared at the provider; create another one")
    return waiting


def _plan_answer(
    world: World, connection: Connection, session: PaymentSession, waiting: Operation, answer: JsonObject
) -> Operation:
    def request(key: str) -> ActionRequest:
        return ActionRequest(**intents.about(session, key), amount=session.amount, answer=answer)

    send = intents.continuation(waiting, "action", request, world.clock())
    return operations.send_again(connection, waiting, send)
