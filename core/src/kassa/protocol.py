"""How one provider call is made safe: commit the intent, call, commit the outcome.

The intent is committed by the verb (``Database.transact``) and handed to ``finish``, which calls the provider, holding no
lock and no transaction, and merges the outcome.  After a crash anywhere in between, the operation stands as in flight: it
may have been sent, and nothing forgets that.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kassa import evidence, intents
from kassa.answers import failure
from kassa.errors import StillProcessing, StoreUnavailable
from kassa.model import Operation, OperationKind, PaymentSession
from kassa.providers import ConfiguredProvider
from kassa.store import operations
from kassa.transitions import OperationStatus
from kassa.watching import ProviderCall, watched
from kassa.world import World
from kassa_sdk import LookUpOutcome, LookUpRequest, Outcome

PAUSES_SECONDS = (0.05, 0.5, 2.0)
"""Between the tries to store an outcome; afterwards recovery finds it out."""

_log = logging.getLogger("kassa.protocol")


def refuse_hindered(world: World, connection: Connection, session: PaymentSession, beginning: OperationKind) -> None:
    """Raises StillProcessing while another operation of the session must be settled before one of this kind begins."""
    refuse_hindered_by(operations.open_of_session(connection, session.store_id, session.id), beginning, world.clock())


def refuse_hindered_by(under_way: Sequence[Operation], beginning: OperationKind, now: datetime) -> None:
    """The same, of the operations of the session that are open."""
    for operation in under_way:
        if intents.hinders(operation, beginning, now):
            raise still_processing(operation)


def finish(world: World, operation: Operation) -> tuple[Operation, Outcome]:
    """Send an operation whose intent is committed, and merge what comes of it.

    An answer that comes after the provider's timeout is merged when it comes, as it would have been in time.  Raises
    StillProcessing when the answer could not be stored.
    """
    provider = world.providers.find(operation.provider_id)
    request = intents.request_of(operation)
    call = ProviderCall(provider.id, operation.hook, operation.region_id, operation.id, operation.payment_session_id)

    def ask() -> Outcome:
        # Right before the call, after the watchers: a sender that slept over its lease sends nothing, because recovery may
        # have proven meanwhile that nothing was sent.
        if operation.lease_until is None or operation.lease_until <= world.clock():
            raise still_processing(operation)
        return provider.call(operation.hook, request, late=lambda answer: _merge(world, operation, answer))

    outcome = watched(world.watchers, call, ask)
    return _merge(world, operation, outcome), outcome


def look_up(
    world: World, provider: ConfiguredProvider, session: PaymentSession, request: LookUpRequest
) -> LookUpOutcome:
    """Find out at the provider how a payment stands.  It changes nothing there; never inside a transaction."""
    call = ProviderCall(provider.id, "look_up", session.region_id, payment_session_id=session.id)
    return watched(world.watchers, call, lambda: provider.look_up(request))


def _merge(world: World, operation: Operation, outcome: Outcome) -> Operation:
    """Store what came of a call.  Merging the same outcome twice changes nothing, so a lost connection is tried again."""

    def merge(connection: Connection) -> Operation:
        return evidence.apply(connection, operation, outcome, world.clock())

    for pause_seconds in (*PAUSES_SECONDS, None):
        try:
            return world.database.transact(merge)
        except (OperationalError, InterfaceError, PoolTimeout, StoreUnavailable) as error:
            _log.error("%s of %s could not be stored: %s", operation.kind, operation.id, type(error).__name__)
            if pause_seconds is not None:
                time.sleep(pause_seconds)
        except Exception as error:
            # It must not be lost because it does not fit: a person sees it, and decides.
            _log.error("%s of %s could not be merged: %s", operation.kind, operation.id, type(error).__name__)
            return _set_aside(world, operation, outcome, type(error).__name__)
    # Without its cause: a database's own words may quote what was to be stored.
    raise still_processing(operation) from None


def _set_aside(world: World, operation: Operation, outcome: Outcome, why: str) -> Operation:
    cause = f"the provider's answer ({outcome.outcome}) could not be merged: {why}"
    try:
        return world.database.transact(
            lambda connection: evidence.set_aside(connection, operation, outcome, cause, world.clock())
        )
    except Exception as error:
        _log.error("%s of %s could not be set aside: %s", operation.kind, operation.id, type(error).__name__)
        raise still_processing(operation) from None


def still_processing(operation: Operation) -> StillProcessing:
    """The error that says: nobody knows yet, and it is not failed."""
    return StillProcessing(
        operation.id,
        f"{operation.kind.value} ({operation.id}) is {operation.status.value.replace('_', ' ')}; "
        f"nothing is lost, ask again later",
    )


def raise_failure(operation: Operation, outcome: Outcome) -> NoReturn:
    """Raise what an unsuccessful call means for the one who asked: PaymentDeclined, ProviderUnavailable, StillProcessing."""
    if operation.status is not OperationStatus.FAILED:
        raise still_processing(operation)
    raise failure(operation, outcome)
