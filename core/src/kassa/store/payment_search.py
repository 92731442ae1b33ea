"""Payments as a person looks for them: by words, ids and times, a page at a time."""

import operator
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, or_, select

from kassa.model import Payment
from kassa.store.payments import from_row
from kassa.store.tables import payments as table
from kassa_sdk import Record

Order = Literal["created_at", "-created_at", "amount", "-amount", "id", "-id", "updated_at", "-updated_at"]

_WORDS = (table.c.id, table.c.provider_reference, table.c.payment_collection_id, table.c.payment_session_id)
"""What words are looked for in: each of them begins with what is looked for."""


_COMPARISONS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


class Moments(Record):
    """A time, by its bounds: later than ``gt``, not before ``gte``, before ``lt``, not later than ``lte``."""

    gt: datetime | None = None
    gte: datetime | None = None
    lt: datetime | None = None
    lte: datetime | None = None


class PaymentSearch(Record):
    """What to look for; everything that is given must fit.  ``text`` begins an id, or the provider's reference."""

    text: str | None = None
    ids: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    created: Moments = Moments()
    updated: Moments = Moments()
    order: Order = "-created_at"


def search(
    connection: Connection, store_id: str, wanted: PaymentSearch, limit: int, offset: int
) -> tuple[Sequence[Payment], int]:
    """A page of what fits, and how many fit at all."""
    fits = [table.c.store_id == store_id, *_conditions(wanted)]
    column = table.c["amount_minor" if wanted.order.lstrip("-") == "amount" else wanted.order.lstrip("-")]
    ordered = column.desc() if wanted.order.startswith("-") else column.asc()
    page = select(table).where(*fits).order_by(ordered, table.c.id).limit(limit).offset(offset)
    count = connection.execute(select(func.count()).select_from(table).where(*fits)).scalar_one()
    return [from_row(row) for row in connection.execute(page)], count


def _conditions(wanted: PaymentSearch) -> list[ColumnElement[Any]]:
    conditions: list[ColumnElement[Any]] = []
    if wanted.text is not None:
        conditions.append(or_(*(column.startswith(wanted.text, autoescape=True) for column in _WORDS)))
    if wanted.ids:
        conditions.append(table.c.id.in_(wanted.ids))
    if wanted.session_ids:
        conditions.append(table.c.payment_session_id.in_(wanted.session_ids))
    for column, moments in ((table.c.created_at, wanted.created), (table.c.updated_at, wanted.updated)):
        bounds = moments.model_dump(exclude_none=True)
        conditions += [_COMPARISONS[name](column, moment) for name, moment in bounds.items()]
    return conditions
