"""Disputes: what the shopper's bank has taken back, or is about to."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from kassa.ids import Kind, new_id
from kassa.model import Payment
from kassa.store import events
from kassa.store.tables import disputes as table
from kassa_sdk import Dispute

_STRENGTH = {"open": 0, "won": 1, "lost": 2}
"""Merging takes no timestamps: a message that comes late does not reopen what was decided."""

_INSERT = insert(table)
_LOAD = select(table).where(
    table.c.store_id == bindparam("store"),
    table.c.payment_id == bindparam("payment"),
    table.c.provider_reference == bindparam("reference"),
)
_DECIDE = (
    update(table)
    .where(table.c.id == bindparam("key"))
    .values(status=bindparam("following"), amount_minor=bindparam("minor"), updated_at=bindparam("now"))
)


def note(connection: Connection, payment: Payment, dispute: Dispute, now: datetime) -> bool:
    """Keep where a dispute of this payment stands.  Returns whether that is news."""
    about = {"store": payment.store_id, "payment": payment.id, "reference": dispute.provider_reference}
    known = connection.execute(_LOAD, about).first()
    if known is not None and _STRENGTH[known.status] >= _STRENGTH[dispute.status]:
        return False
    if known is None:
        connection.execute(_INSERT, _row(payment, dispute, now))
    else:
        change = {"following": dispute.status, "minor": dispute.amount.minor, "now": now}
        connection.execute(_DECIDE, {"key": known.id} | change)
    name = f"payment.dispute.{dispute.status}"
    data = {"dispute": dispute.provider_reference}
    events.append(connection, payment.store_id, payment.payment_collection_id, name, payment.id, now, dict(data))
    return True


def _row(payment: Payment, dispute: Dispute, now: datetime) -> dict[str, object]:
    return {
        "id": new_id(Kind.DISPUTE),
        "store_id": payment.store_id,
        "payment_collection_id": payment.payment_collection_id,
        "payment_id": payment.id,
        "provider_reference": dispute.provider_reference,
        "currency": dispute.amount.currency,
        "amount_minor": dispute.amount.minor,
        "status": dispute.status,
        "created_at": now,
        "updated_at": now,
    }
