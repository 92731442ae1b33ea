"""What waits, of every store, counted."""

from typing import Any

from sqlalchemy import Connection, Label, Select, Table, func, literal, select

from kassa.model import CaseStatus, Waiting, WaitingKind
from kassa.store.tables import IS_OPEN, cases, deliveries, notices, operations


def _counted(kind: WaitingKind, table: Table, since: str, *labels: Label[Any]) -> Select[Any]:
    count, oldest = func.count().label("count"), func.min(table.c[since]).label("oldest_at")
    names = [label.element for label in labels]
    return select(literal(kind.value).label("kind"), count, oldest, *labels).select_from(table).group_by(*names)


_BACKLOG = (
    _counted(
        WaitingKind.OPERATION,
        operations,
        "created_at",
        operations.c.provider_id.label("of"),
        operations.c.region_id.label("region_id"),
        operations.c.status.label("status"),
    ).where(IS_OPEN),
    _counted(
        WaitingKind.NOTICE,
        notices,
        "received_at",
        notices.c.provider_id.label("of"),
        notices.c.status.label("status"),
    ).where(notices.c.due_at.is_not(None)),
    _counted(
        WaitingKind.DELIVERY,
        deliveries,
        "created_at",
        deliveries.c.subscriber.label("of"),
        deliveries.c.status.label("status"),
    ).where(deliveries.c.due_at.is_not(None)),
    _counted(
        WaitingKind.CASE,
        cases,
        "opened_at",
        cases.c.provider_id.label("of"),
        cases.c.kind.label("status"),
    ).where(cases.c.status == CaseStatus.OPEN.value),
)


def waiting(connection: Connection) -> tuple[Waiting, ...]:
    """How much waits of each kind, for whom, in which status, and since when."""
    return tuple(
        Waiting.model_validate(row._asdict()) for statement in _BACKLOG for row in connection.execute(statement)
    )
