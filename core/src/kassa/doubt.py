"""What to do about an operation whose fate is not known, and what facts say about it.  Pure.

In this order: resend with the same key where the provider recognises it; look up; wait for a notice; let a person decide.
Time is no evidence: nothing fails because it is old.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from pydantic import ValidationError

from kassa.intents import LEASE
from kassa.model import Operation, OperationKind, Payment
from kassa.transitions import OperationStatus
from kassa_sdk import (
    Declined,
    Found,
    Manifest,
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

NEVER_HAPPENED = "never_happened"
"""The code under which an operation ends of which it is proven that it never arrived: it may be tried again."""

_SAID_NO = '{"outcome":"declined"'

PENDING_PAUSE = timedelta(hours=24)
MOST_PENDING_CHECKS = 90
"""A bank transfer may take weeks; after three months a person decides."""

CLOSED = ("canceled", "expired")
"""The conditions in which nothing can be taken any more."""

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
    if _can_be_found(operation, manifest):
        return LookItUp()
    if manifest.notices != "none":
        return Wait()
    return Review(f"{manifest.display_name} takes no keys, cannot be asked and sends no notices")


def _can_be_found(operation: Operation, manifest: Manifest) -> bool:
    """Whether the provider can be asked for it by something that is known."""
    if manifest.look_up is None or operation.kind is OperationKind.UPDATE:
        return False
    # The provider's own reference is the answer of initiate: as long as that is not known, it is not either.
    return operation.kind is not OperationKind.INITIATE or manifest.look_up.by != {"provider_reference"}


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


def next_look(since: datetime, now: datetime) -> datetime:
    """When to look again at what waits for something else: soon at first, then ever more rarely."""
    return now + min(max(LEASE, now - since), LONGEST_PAUSE)


def was_declined(operation: Operation) -> bool:
    """Whether it failed because the provider, or a person, said no; not because the call never arrived."""
    # What is kept may be cut off at its end; which outcome it is, and its code, stand first.
    said = operation.answer or ""
    is_no = said.startswith(_SAID_NO) and not said.startswith(f'{_SAID_NO},"code":"{NEVER_HAPPENED}"')
    return operation.status is OperationStatus.FAILED and is_no


def awaited_movement(operation: Operation) -> str | None:
    """What the provider calls the capture or refund of which it has said that it is pending; None: it did not say."""
    if operation.status is not OperationStatus.PENDING or operation.answer is None:
        return None
    try:
        facts = Pending.model_validate_json(operation.answer).facts
    except ValidationError:
        return None  # kept, but cut off at its end
    movements = (*facts.captures, *facts.refunds)
    return next((each.provider_reference for each in movements if each.attempt_key == operation.attempt_key), None)


def is_proven_absent(operation: Operation, manifest: Manifest, now: datetime) -> bool:
    """Whether "not there" proves that the last send never had an effect, and never will have."""
    if manifest.look_up is None or manifest.look_up.proves_absence_after is None or operation.last_sent_at is None:
        return False
    if operation.status is OperationStatus.PENDING:
        # The provider has said that it has it; that it does not show it any more is a riddle, not a proof.
        return False
    # A sender holds its lease and may use it to the end.
    return now >= operation.last_sent_at + LEASE + manifest.look_up.proves_absence_after


def verdict(operation: Operation, found: Found) -> Outcome | None:
    """What the payment as a whole says about this operation, in the words of an answer; None when it does not tell.

    Captures and refunds are told one by one beside it.
    """
    facts = found.facts
    match operation.kind:
        case OperationKind.INITIATE:
            return Succeeded(facts=_without_totals(facts), data=found.data)
        case OperationKind.AUTHORIZE:
            return _authorization(found)
        case OperationKind.CANCEL:
            return Succeeded(facts=facts) if facts.condition in ("declined", *CLOSED) else None
        case OperationKind.CAPTURE | OperationKind.REFUND | OperationKind.UPDATE:
            return None
        case _:
            assert_never(operation.kind)


def _without_totals(facts: PaymentFacts) -> PaymentFacts:
    return PaymentFacts(provider_reference=facts.provider_reference, our_reference=facts.our_reference)


def _authorization(found: Found) -> Outcome | None:
    facts = found.facts
    if is_promised(facts):
        return Succeeded(facts=promise_in(facts), data=found.data)
    if facts.condition in ("declined", *CLOSED):
        return Declined(code=facts.condition, reason=f"the provider says that it is {facts.condition}")
    if facts.condition == "pending":
        return Pending(facts=facts, action=found.action)
    if found.action is not None:
        return ActionRequired(action=found.action, provider_reference=facts.provider_reference, data=found.data)
    return None


def is_promised(facts: PaymentFacts) -> bool:
    """Whether money is held or taken.  A hold that is over, with nothing taken, promises nothing any more."""
    return bool(facts.captured or (facts.authorized and facts.condition not in CLOSED))


def may_be_unlisted(operation: Operation, payment: Payment | None, facts: PaymentFacts) -> bool:
    """Whether the provider's total is more than we know of, so that the effect may be in it although it is not listed."""
    if payment is None:
        return False
    match operation.kind:
        case OperationKind.CAPTURE:
            return facts.captured is not None and facts.captured > payment.captured
        case OperationKind.REFUND:
            return facts.refunded is not None and facts.refunded > payment.refunded
        case OperationKind.INITIATE | OperationKind.AUTHORIZE | OperationKind.UPDATE | OperationKind.CANCEL:
            return False
        case _:
            assert_never(operation.kind)


def promise_in(facts: PaymentFacts) -> PaymentFacts:
    """What these facts say about the authorization alone: whatever came after it is merged after it.

    A single capture of all without a key is the other half of an immediate sale.
    """
    taken = [movement for movement in facts.captures if movement.status == "succeeded"]
    is_sale = len(taken) == len(facts.captures) == 1 and taken[0].attempt_key is None
    promised = facts.authorized or facts.captured
    sale = {"captured": facts.captured, "captures": facts.captures} if is_sale and taken[0].amount == promised else {}
    return PaymentFacts(
        provider_reference=facts.provider_reference,
        our_reference=facts.our_reference,
        condition="authorized",
        authorized=promised,
        **sale,
    )


def outcome_of(movement: Movement, facts: PaymentFacts) -> Outcome:
    """What is said about one capture or refund of ours, in the words of an answer to it alone."""
    alone = {"captures": (), "refunds": ()}
    kind = "captures" if movement in facts.captures else "refunds"
    return _movement(movement, facts.model_copy(update=alone | {kind: (movement,)}))


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
