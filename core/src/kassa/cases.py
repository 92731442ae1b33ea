"""Cases: what a person should know about, or decide, although no operation waits for them.

A case is opened in the transaction of the evidence (``store.cases``).  Surplus money, for which nothing is owed any more, is
given back or kept, as the policy of its provider says, by the same verbs as everything else; it is never lost.  So is a part
of a split payment that did not come together, whatever the policy.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from kassa import doubt, settlement
from kassa.amounts import cancelable
from kassa.errors import CallerError, InvalidData, NotAllowed, PaymentDeclined, ProviderUnavailable, StillProcessing
from kassa.intents import LEASE
from kassa.model import Case, CaseKind, CaseStatus, Operation, OperationKind, Payment
from kassa.providers import ConfiguredProvider
from kassa.store import cases, operations, payments
from kassa.world import World

BATCH = 20

REASONS = {
    CaseKind.SURPLUS: "surplus: nothing was owed for it any more",
    CaseKind.INCOMPLETE: "the other part of the payment did not come",
}
"""What the provider, and the shopper, are told about money that is given back."""

LONG_ENOUGH_TO_TELL = timedelta(hours=1)
"""After this time a person is told, with every look, that money could not be given back yet."""

_WAYS_BACK = (OperationKind.REFUND, OperationKind.CANCEL)

_log = logging.getLogger("kassa.cases")


def settle_due(world: World) -> tuple[Case, ...]:
    """Take the next step in each case that is due.  Returns the cases as they then stand."""
    now = world.clock()
    if not world.database.read(lambda connection: cases.is_any_due(connection, now)):
        return ()
    claimed = world.database.transact(lambda connection: cases.claim_due(connection, now, now + LEASE, BATCH))
    return tuple(settle(replace(world, store_id=case.store_id), case) for case in claimed)


def close(world: World, case_id: str, who: str, why: str) -> Case:
    """A person has dealt with it.  Raises InvalidData, NotFound, NotAllowed."""
    for field, text in (("who", who), ("why", why)):
        if not text.strip():
            raise InvalidData(field, "expected some words: it is kept who closed the case, and why")

    def close_it(connection: Connection) -> Case:
        case = cases.load(connection, world.store_id, case_id, for_update=True)
        if case.status is CaseStatus.CLOSED:
            raise NotAllowed(f"case {case_id} was closed by {case.closed_by} already: {case.closed_why}")
        cases.close(connection, case, who, why, world.clock())
        return cases.load(connection, world.store_id, case_id)

    return world.database.transact(close_it)


def settle(world: World, case: Case) -> Case:
    """Take the next step in a case that the caller has claimed.  Returns it as it then stands."""
    try:
        _settle(world, case)
    except StillProcessing:
        _look_again_later(world, case)
    except ProviderUnavailable as error:
        _look_again_later(world, case)
        _alarm_when_old(world, case, str(error))
    except (CallerError, PaymentDeclined) as error:
        _leave_to_a_person(world, case, str(error))
    except Exception as error:
        _log.error("%s could not be settled, and is tried again: %s", case.id, type(error).__name__)
    return world.database.read(lambda connection: cases.load(connection, case.store_id, case.id))


def _settle(world: World, case: Case) -> None:
    payment = world.database.read(lambda connection: _payment_of(connection, case))
    provider = world.providers.find(case.provider_id)
    if case.kind is CaseKind.SURPLUS and provider.settings.surplus == "keep":
        # Its alarm was raised when it was opened.
        world.database.transact(lambda connection: cases.postpone(connection, case, None))
        return
    declined = world.database.read(lambda connection: _declined(connection, case, payment))
    if declined is not None and not _is_given_back(payment, provider):
        _leave_to_a_person(world, case, f"{declined.kind.value} {declined.id} failed: {declined.cause}")
        return
    _give_back(world, case, payment, provider)
    payment = world.database.read(lambda connection: _payment_of(connection, case))
    if not _is_given_back(payment, provider):
        _look_again_later(world, case)
        return
    why = "all of it was given back"
    world.database.transact(lambda connection: cases.close(connection, case, "kassa", why, world.clock()))


def _look_again_later(world: World, case: Case) -> None:
    due_at = doubt.next_look(case.opened_at, world.clock())
    world.database.transact(lambda connection: cases.postpone(connection, case, due_at))


def _alarm_when_old(world: World, case: Case, why: str) -> None:
    """Of surplus money a person knows from the beginning, of the rest only when it does not go by itself."""
    now = world.clock()
    if case.kind is CaseKind.INCOMPLETE and now - case.opened_at >= LONG_ENOUGH_TO_TELL:
        world.database.transact(lambda connection: cases.alarm(connection, case, why, now))


def _declined(connection: Connection, case: Case, payment: Payment) -> Operation | None:
    """A try to give it back that the provider has declined after it had taken its time."""
    tries = operations.of_payment(connection, payment)
    since = [each for each in tries if each.created_at >= case.opened_at and each.kind in _WAYS_BACK]
    return next((each for each in since if doubt.was_declined(each)), None)


def _give_back(world: World, case: Case, payment: Payment, provider: ConfiguredProvider) -> None:
    """The next step: refund what was captured, then release what was not."""
    if payment.captured > payment.refunded + payment.refunding:
        settlement.refund(world, payment.id, None, settlement.Why(REASONS[case.kind]))
    elif cancelable(payment, provider.manifest.captures):
        settlement.cancel(world, payment.id)


def _is_given_back(payment: Payment, provider: ConfiguredProvider) -> bool:
    in_doubt = payment.capturing or payment.refunding
    is_held = cancelable(payment, provider.manifest.captures)
    return not in_doubt and not is_held and payment.refunded >= payment.captured


def _payment_of(connection: Connection, case: Case) -> Payment:
    payment = payments.of_session(connection, case.store_id, case.payment_session_id or "")
    assert payment is not None, "a surplus is about a payment"
    return payment


def _leave_to_a_person(world: World, case: Case, why: str) -> None:
    _log.warning("%s case %s is left to a person: %s", case.kind.value, case.id, why)

    def leave(connection: Connection) -> None:
        cases.postpone(connection, case, None)
        cases.alarm(connection, case, why, world.clock())

    world.database.transact(leave)
