"""How one provider call is made safe: commit the intent, call, commit the outcome.

The intent is committed by the verb (``Database.transact``) and handed to ``finish``, which calls the provider, holding no
lock and no transaction, and merges the outcome.  After a crash anywhere in between, the operation stands as in flight: it
may have been sent, and nothing forgets that.
"""

from typing import NoReturn, assert_never

from sqlalchemy.exc import DBAPIError

from kassa import evidence, intents
from kassa.errors import PaymentDeclined, ProviderUnavailable, StillProcessing, StoreUnavailable
from kassa.model import Operation
from kassa.transitions import OperationStatus
from kassa.world import World
from kassa_sdk import ActionRequired, Declined, NotSent, Outcome, Pending, Succeeded, Unknown


def finish(world: World, operation: Operation) -> tuple[Operation, Outcome]:
    """Send an operation whose intent is committed, and merge what comes of it.

    Raises StillProcessing when the answer could not be stored.
    """
    provider = world.providers.find(operation.provider_id)
    if operation.lease_until is None or operation.lease_until <= world.clock():
        # This sender slept over its lease: recovery may have proven meanwhile that nothing was sent.
        raise still_processing(operation)
    outcome = provider.call(operation.hook, intents.request_of(operation))
    try:
        settled = world.database.transact(
            lambda connection: evidence.apply(connection, operation, outcome, world.clock())
        )
    except (DBAPIError, StoreUnavailable) as error:
        raise still_processing(operation) from error
    return settled, outcome


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
    match outcome:
        case Declined():
            raise PaymentDeclined(outcome.code, outcome.reason, retryable=outcome.retryable)
        case NotSent():
            raise ProviderUnavailable(f"{operation.provider_id} was not reached ({outcome.cause}); try again")
        case Succeeded() | ActionRequired() | Pending() | Unknown():
            raise PaymentDeclined("failed", operation.cause or "the provider did not do it", retryable=True)
        case _:
            assert_never(outcome)
