"""A person who decides about what is in doubt, with the provider's own books before them."""

from dataclasses import dataclass

from databases import Row
from invariants import CLOSED_AT_PROVIDER
from story import Story, provider_of


@dataclass(frozen=True)
class Verdict:
    """What the books say became of an operation."""

    has_succeeded: bool
    provider_reference: str = ""


def decide_by_the_books(story: Story, operation: Row) -> None:
    """Resolve an operation as the books have it; leave it alone while they do not tell how it ends."""
    provider = provider_of(operation)
    if provider == "default":
        return
    # Nobody looks into the books while a call may still be on its way.
    story.ground.simulators[provider].control.act_late_calls()
    verdict = _verdict(story, operation)
    if verdict is not None:
        story.ask(
            "resolve_operation",
            operation_id=operation["id"],
            has_succeeded=verdict.has_succeeded,
            who="Ada",
            why="seen in the provider's books",
            provider_reference=verdict.provider_reference,
        )


def _verdict(story: Story, operation: Row) -> Verdict | None:
    match operation["kind"]:
        case "capture" | "refund":
            return _of_movement(story, operation)
        case "authorize":
            return _of_authorization(story, operation)
        case "initiate":
            references = _references(story, operation)
            return Verdict(bool(references), *references[-1:])
        case "cancel":
            there = story.look().provider_payments.get(_reference(story, operation))
            return Verdict(there is not None and there.status in CLOSED_AT_PROVIDER)
        case "update":
            there = story.look().provider_payments.get(_reference(story, operation))
            return Verdict(there is not None and there.amount == operation["amount_minor"])
    raise AssertionError(f"nobody knows how to decide about a {operation['kind']}")


def _of_movement(story: Story, operation: Row) -> Verdict | None:
    now = story.look()
    booked = {row["provider_reference"] for row in now.tables[f"{operation['kind']}s"]}
    for effect in now.effects_of[operation["id"]]:
        # A provider without keys does not say for whom it moved money: it may be booked for another of this amount.
        if effect.movement_id is not None and effect.movement_id not in booked:
            status = now.provider_payments[effect.payment_id or ""].movements[effect.movement_id][2]
            return None if status == "pending" else Verdict(status == "succeeded", effect.movement_id)
    return Verdict(False)


def _of_authorization(story: Story, operation: Row) -> Verdict | None:
    reference = _reference(story, operation)
    there = story.look().provider_payments.get(reference)
    if there is None:
        return Verdict(False)
    if there.status in ("pending", "action_required"):
        return None
    captured, refunded = there.total("capture"), there.total("refund")
    is_promised = there.status == "authorized" or captured > 0
    if is_promised and there.authorized != operation["amount_minor"]:
        # It is not what was asked for, so it is given back in the dashboard.
        control = story.ground.simulators[there.provider].control
        if captured > refunded:
            control.do("refund", reference, amount=captured - refunded, currency=there.currency)
        if there.status == "authorized" and there.authorized > captured:
            control.do("cancel", reference)
        return Verdict(False)
    return Verdict(is_promised, reference)


def _reference(story: Story, operation: Row) -> str:
    known: str | None = story.now.sessions[operation["payment_session_id"]]["provider_reference"]
    references = _references(story, operation)
    return known or (references[-1] if references else "")


def _references(story: Story, operation: Row) -> list[str]:
    """What the provider calls the payments of the operation's session."""
    session_id = operation["payment_session_id"]
    return [
        reference for reference, there in story.look().provider_payments.items() if there.our_reference == session_id
    ]
