"""The verbs of refund reasons: a shop's own list of why money is given back."""

from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from kassa.errors import InvalidData
from kassa.ids import Kind, new_id
from kassa.model import RefundReason
from kassa.store import refund_reasons
from kassa.store.database import is_unique_violation
from kassa.world import World
from kassa_sdk import Record

LONGEST_CODE = 255


class ReasonChanges(Record):
    """What changes in a reason: just the fields that are given."""

    code: str = ""
    label: str = ""
    description: str | None = None


def create(world: World, code: str, label: str, description: str | None) -> RefundReason:
    """Add a reason to the shop's list.  Raises InvalidData."""
    now = world.clock()
    reason = RefundReason(
        id=new_id(Kind.REFUND_REASON),
        store_id=world.store_id,
        code=_code(code),
        label=_label(label),
        description=description,
        created_at=now,
        updated_at=now,
    )

    def add(connection: Connection) -> RefundReason:
        refund_reasons.add(connection, reason)
        return reason

    return _with_code_of_its_own(world, reason.code, add)


def update(world: World, reason_id: str, changes: ReasonChanges) -> RefundReason:
    """Change a reason, for the refunds that have it as well.  Raises InvalidData, NotFound."""
    given = changes.model_dump(exclude_unset=True)
    if "code" in given:
        given["code"] = _code(given["code"])
    if "label" in given:
        given["label"] = _label(given["label"])

    def change(connection: Connection) -> RefundReason:
        before = refund_reasons.load(connection, world.store_id, reason_id)
        after = before.model_copy(update={**given, "updated_at": world.clock()})
        refund_reasons.save(connection, after)
        return after

    return _with_code_of_its_own(world, given.get("code", ""), change)


def delete(world: World, reason_id: str) -> None:
    """Take a reason from the list; refunds that have it go on saying it.  Raises InvalidData, NotFound."""

    def take_away(connection: Connection) -> None:
        reason = refund_reasons.load(connection, world.store_id, reason_id)
        refund_reasons.delete(connection, reason, world.clock())

    world.database.transact(take_away)


def _code(code: str) -> str:
    if not code.strip() or len(code) > LONGEST_CODE:
        raise InvalidData("code", f"expected 1 to {LONGEST_CODE} characters")
    return code.strip()


def _label(label: str) -> str:
    if not label.strip():
        raise InvalidData("label", "expected some words")
    return label.strip()


def _with_code_of_its_own(world: World, code: str, work: Callable[[Connection], RefundReason]) -> RefundReason:
    try:
        return world.database.transact(work)
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
        raise InvalidData("code", f"{code!r} is the code of another reason already") from None
