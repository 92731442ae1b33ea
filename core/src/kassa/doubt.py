"""What to do about an operation whose fate is not known, and what facts say about it.  Pure.

In this order: resend with the same key where the provider recognises it; look up; wait for a notice; let a person decide.
Time is no evidence: nothing fails because it is old.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from kassa.intents import LEASE
from kassa.model import Operation, OperationKind
from kassa.transitions import OperationStatus
from kassa_sdk import (
    Declined,
    Found,
    Manifest,
    Money,
    Movement,
    Outcome,
    PaymentFacts,
    Pending,
    Succeeded,
)
from kassa_sdk.outcomes import ActionRequired

FIRST_CHECK = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=6)
MOST_CHECKS = 24
"""After these checks, about four days, a person decides."""

PENDING_PAUSE = timedelta(hours=24)
MOST_PENDING_CHECKS = 90
"""A bank transfer may take weeks; after three months a person decides."""

KEY_WINDOW_MARGIN = 0.1
"""The part of a provider's key window that is left unused, because its clock is not ours."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send it: for the first time, or exactly as before with the same key."""


@dataclass(frozen=True, slots=True)
class LookItUp:
    """Ask the provider what became of it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Only a notice can tell."""


@dataclass(frozen=True, slots=True)
class Review:
    """Nothing that kassa may do will tell; a person decides."""

    cause: str


Step = Send | LookItUp | Wait | Review


def next_step(operation: Operation, manifest: Manifest, now: datetime) -> Step:
    """What to do now about an operation that is planned, pending or unknown."""
    if operation.status is OperationStatus.PLANNED:
        return Send()
    if operation.status is OperationStatus.UNKNOWN and may_resend(operation, manifest, now):
        return Send()
    if operation.checks > most_checks(operation):
        return Review(f"{operation.checks} checks did not tell what became of it")
    if manifest.look_up is not None and operation.kind is not OperationKind.UPDATE:
        return LookItUp()
    if manifest.notices != "none":
        return Wait()
    return Review(f"{manifest.display_name} takes no keys, cannot be asked and sends no notices")


def may_resend(operation: Operation, manifest: Manifest, now: datetime) -> bool:
    """Whether the provider still recognises the key, so that a repetition cannot have a second effect."""
    window = manifest.idempotency.window
    if window is None or operation.first_sent_at is None:
        return False
    return now < operation.first_sent_at + window * (1 - KEY_WINDOW_MARGIN)


def most_checks(operation: Operation) -> int:
    """After how many checks a person is asked."""
    return MOST_PENDING_CHECKS if operation.status is OperationStatus.PENDING else MOST_CHECKS


def next_check(operation: Operation, now: datetime) -> datetime:
    """When to look for an operation's fate again: soon at first, then ever more rarely."""
    longest = PENDING_PAUSE if operation.status is OperationStatus.PENDING else LONGEST_PAUSE
    # The exponent is bounded, because a power of a large number of checks does not fit into any clock.
    pause: timedelta = FIRST_CHECK * 2 ** min(operation.checks, 15)
    return now + min(pause, longest)


def is_proven_absent(operation: Operation, manifest: Manifest, now: datetime) -> bool:
    """Whether "not there" proves that the last send never had an effect, and never will have."""
    if manifest.look_up is None or manifest.look_up.proves_absence_after is None or operation.last_sent_at is None:
        return False
    # A sender holds its lease and may use it to the end.
    return now >= operation.last_sent_at + LEASE + manifest.look_up.proves_absence_after


def verdict(operation: Operation, found: Found, manifest: Manifest, booked: Money) -> Outcome | None:
    """What these facts say about this operation, in the words of an answer; None when its effect is not there.

    ``booked`` is the total of this kind that our books hold already.
    """
    facts = found.facts
    match operation.kind:
        case OperationKind.INITIATE:
            return Succeeded(facts=_without_totals(facts), data=found.data)
        case OperationKind.AUTHORIZE:
            return _authorization(found)
        case OperationKind.CAPTURE:
            own = _own_movement(operation, facts.captures, (facts.captured, booked), manifest)
            return None if own is None else _movement(own, facts.model_copy(update={"captures": (own,)}))
        case OperationKind.REFUND:
            own = _own_movement(operation, facts.refunds, (facts.refunded, booked), manifest)
            return None if own is None else _movement(own, facts.model_copy(update={"refunds": (own,)}))
        case OperationKind.CANCEL:
            return Succeeded(facts=facts) if facts.condition in ("canceled", "expired", "declined") else None
        case OperationKind.UPDATE:
            return None
        case _:
            assert_never(operation.kind)


def _without_totals(facts: PaymentFacts) -> PaymentFacts:
    return PaymentFacts(provider_reference=facts.provider_reference, our_reference=facts.our_reference)


def _authorization(found: Found) -> Outcome | None:
    facts = found.facts
    if facts.authorized or facts.captured:
        return Succeeded(facts=facts, data=found.data)
    if facts.condition in ("declined", "canceled", "expired"):
        return Declined(code=facts.condition, reason=f"the provider says that it is {facts.condition}")
    if found.action is not None:
        return ActionRequired(action=found.action, provider_reference=facts.provider_reference, data=found.data)
    return None


def _movement(own: Movement, facts: PaymentFacts) -> Outcome:
    match own.status:
        case "succeeded":
            return Succeeded(facts=facts)
        case "pending":
            return Pending(facts=facts)
        case "failed":
            return Declined(code="failed", reason="the provider says that it failed")
        case _:
            assert_never(own.status)


def _own_movement(
    operation: Operation, movements: tuple[Movement, ...], totals: tuple[Money | None, Money], manifest: Manifest
) -> Movement | None:
    for movement in movements:
        if movement.attempt_key == operation.attempt_key:
            return movement
    if manifest.idempotency.keys != "none":
        return None
    # A provider without keys: it must be ours when exactly our amount is there and not in our books.
    total, booked = totals
    if total is None or operation.amount is None or total != booked + operation.amount:
        return None
    keyless = [each for each in movements if each.attempt_key is None and each.amount == operation.amount]
    return keyless[-1].model_copy(update={"attempt_key": operation.attempt_key}) if keyless else None
