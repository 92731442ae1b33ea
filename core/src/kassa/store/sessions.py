"""Payment sessions: one try to pay through one provider."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from kassa.errors import Conflict, NotFound
from kassa.ids import Kind, require_kind
from kassa.model import PaymentSession
from kassa.store import events
from kassa.store.tables import payment_sessions as table
from kassa.transitions import SessionStatus, advance
from kassa_sdk import Action, JsonObject, Money, Shopper

_INSERT = insert(table)
_OWN = (table.c.store_id == bindparam("store"), table.c.id == bindparam("key"))
_LOAD = select(table).where(*_OWN)
_FIND = select(table).where(table.c.id == bindparam("key"))
_BY_REFERENCE = (
    select(table)
    .where(table.c.provider_id == bindparam("provider"), table.c.provider_reference == bindparam("reference"))
    .order_by(table.c.id.desc())
    .limit(1)
)
_FIRST_CREATED_AT = select(func.min(table.c.created_at)).where(table.c.provider_id == bindparam("provider"))
_MARK_LISTED = (
    update(table)
    .where(
        table.c.provider_id == bindparam("provider"),
        table.c.provider_reference.in_(bindparam("references", expanding=True)),
    )
    .values(listed_at=bindparam("now"))
)
_NOT_LISTED = (
    select(table)
    .where(
        table.c.provider_id == bindparam("provider"),
        table.c.created_at >= bindparam("since"),
        table.c.created_at < bindparam("until"),
        table.c.provider_reference.is_not(None),
        or_(table.c.listed_at.is_(None), table.c.listed_at < bindparam("begun")),
        table.c.id > bindparam("after"),
    )
    .order_by(table.c.id)
    .limit(bindparam("limit"))
)
_MOVE = (
    update(table)
    .where(*_OWN, table.c.status == bindparam("current"))
    .values(
        status=bindparam("following"),
        place=bindparam("next_place"),
        action=bindparam("next_action"),
        failure=bindparam("why"),
        updated_at=bindparam("now"),
    )
)
_REMEMBER = (
    update(table)
    .where(*_OWN)
    .values(provider_reference=bindparam("reference"), data=bindparam("provider_data"), updated_at=bindparam("now"))
)
_SET_AMOUNT = update(table).where(*_OWN).values(amount_minor=bindparam("minor"), updated_at=bindparam("now"))
_SET_SHOPPER = (
    update(table).where(*_OWN).values(shopper=bindparam("who", type_=table.c.shopper.type), updated_at=bindparam("now"))
)
_ACTIONS: TypeAdapter[Action] = TypeAdapter(Action)


def add(connection: Connection, session: PaymentSession) -> None:
    """Store a new session.  A second live one in the same place breaks a unique rule of the database."""
    connection.execute(
        _INSERT,
        {
            "id": session.id,
            "store_id": session.store_id,
            "payment_collection_id": session.payment_collection_id,
            "place": session.place,
            "provider_id": session.provider_id,
            "region_id": session.region_id,
            "currency": session.amount.currency,
            "amount_minor": session.amount.minor,
            "status": session.status,
            "provider_reference": session.provider_reference,
            "data": session.data,
            "shopper": session.shopper.model_dump(mode="json"),
            "action": None,
            "failure": None,
            "created_at": session.created_at,
            "updated_at": session.updated_at,
        },
    )
    _tell(connection, session, "created", session.created_at)


def load(connection: Connection, store_id: str, session_id: str) -> PaymentSession:
    """The session.  Raises InvalidData, NotFound."""
    require_kind(Kind.PAYMENT_SESSION, session_id, "payment_session_id")
    row = connection.execute(_LOAD, {"store": store_id, "key": session_id}).first()
    if row is None:
        raise NotFound(f"there is no payment session {session_id} in this store")
    return from_row(row)


def find(connection: Connection, session_id: str) -> PaymentSession | None:
    """The session of this id, of whichever store: a provider that names it knows no stores."""
    row = connection.execute(_FIND, {"key": session_id}).first()
    return None if row is None else from_row(row)


def find_by_reference(connection: Connection, provider_id: str, reference: str) -> PaymentSession | None:
    """The session that this provider calls so, of whichever store; the newest, should there be several."""
    row = connection.execute(_BY_REFERENCE, {"provider": provider_id, "reference": reference}).first()
    return None if row is None else from_row(row)


def first_created_at(connection: Connection, provider_id: str) -> datetime | None:
    """When the first session with this provider was created, in whichever store; None: there is none."""
    moment: datetime | None = connection.execute(_FIRST_CREATED_AT, {"provider": provider_id}).scalar()
    return moment


def mark_listed(connection: Connection, provider_id: str, references: Sequence[str], now: datetime) -> None:
    """These are in the provider's own list of payments."""
    connection.execute(_MARK_LISTED, {"provider": provider_id, "references": list(references), "now": now})


def not_listed_since(  # a window, and a place in it
    connection: Connection,
    provider_id: str,
    window: tuple[datetime, datetime],
    begun: datetime,
    after: str,
    limit: int,
) -> tuple[PaymentSession, ...]:
    """Sessions created in this window, with a reference that no list has told since ``begun``; by id, from ``after`` on."""
    since, until = window
    parameters = {"provider": provider_id, "since": since, "until": until, "begun": begun, "after": after}
    return tuple(map(from_row, connection.execute(_NOT_LISTED, {**parameters, "limit": limit})))


def move(  # what a move carries
    connection: Connection,
    session: PaymentSession,
    following: SessionStatus,
    now: datetime,
    *,
    action: Action | None = None,
    failure: str | None = None,
    takes_place: bool = False,
) -> PaymentSession:
    """Move the session to another status, if the table allows it.  Raises IllegalTransition, Conflict.

    Staying where it is only replaces the action.  One that was given up has lost its place, unless it ``takes_place`` again.
    """
    if following is not session.status:
        advance(session.status, following)
    has_place = takes_place or session.status is not SessionStatus.CANCELED
    place = session.place if has_place else None
    parameters = {
        "store": session.store_id,
        "key": session.id,
        "current": session.status,
        "following": following,
        "next_place": place,
        "next_action": None if action is None else _ACTIONS.dump_python(action, mode="json"),
        "why": failure,
        "now": now,
    }
    if connection.execute(_MOVE, parameters).rowcount != 1:
        raise Conflict(f"payment session {session.id} is no longer {session.status.value}; load it again")
    _tell(connection, session, following.value, now)
    return session.model_copy(
        update={
            "place": place,
            "status": following,
            "action": action,
            "failure": failure,
            "updated_at": now,
        },
    )


def remember(
    connection: Connection, session: PaymentSession, reference: str | None, data: JsonObject | None, now: datetime
) -> PaymentSession:
    """Keep what the provider calls the session, and what it returned for the storefront (None: as before)."""
    known = {
        "provider_reference": reference or session.provider_reference,
        "data": session.data if data is None else data,
        "updated_at": now,
    }
    if (known["provider_reference"], known["data"]) == (session.provider_reference, session.data):
        return session
    parameters = {"reference": known["provider_reference"], "provider_data": known["data"], "now": now}
    connection.execute(_REMEMBER, {"store": session.store_id, "key": session.id, **parameters})
    return session.model_copy(update=known)


def set_amount(connection: Connection, session: PaymentSession, amount: Money, now: datetime) -> PaymentSession:
    """The provider knows the new amount."""
    connection.execute(_SET_AMOUNT, {"store": session.store_id, "key": session.id, "minor": amount.minor, "now": now})
    _tell(connection, session, "updated", now)
    return session.model_copy(update={"amount": amount, "updated_at": now})


def set_shopper(connection: Connection, session: PaymentSession, shopper: Shopper, now: datetime) -> PaymentSession:
    """Somebody else pays, or from elsewhere."""
    told = shopper.model_dump(mode="json")
    connection.execute(_SET_SHOPPER, {"store": session.store_id, "key": session.id, "who": told, "now": now})
    _tell(connection, session, "updated", now)
    return session.model_copy(update={"shopper": shopper, "updated_at": now})


def _tell(connection: Connection, session: PaymentSession, what: str, now: datetime) -> None:
    name = f"payment.payment_session.{what}"
    events.append(connection, session.store_id, session.payment_collection_id, name, session.id, now)


def from_row(row: Any) -> PaymentSession:
    """As the engine has it; the row has the columns of the table."""
    return PaymentSession(
        id=row.id,
        store_id=row.store_id,
        payment_collection_id=row.payment_collection_id,
        place=row.place,
        provider_id=row.provider_id,
        region_id=row.region_id,
        amount=Money(row.amount_minor, row.currency),
        status=SessionStatus(row.status),
        provider_reference=row.provider_reference,
        data=row.data,
        shopper=Shopper.model_validate(row.shopper),
        action=None if row.action is None else _ACTIONS.validate_python(row.action),
        failure=row.failure,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
