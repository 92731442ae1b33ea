"""What a client is told, in a form that can be kept under its key and given again.  Pure."""

from datetime import datetime
from typing import Annotated, Literal, assert_never

from pydantic import Field, TypeAdapter

from kassa.errors import PaymentDeclined, ProviderFailure, ProviderUnavailable
from kassa.model import Operation, Payment
from kassa_sdk import ActionRequired, Declined, NotSent, Outcome, Pending, Record, Succeeded, Unknown


class PaymentStands(Record):
    """The payment as it stood when this was settled; what came afterwards is not in it."""

    answer: Literal["payment"] = "payment"
    payment: Payment


class Created(Record):
    """What was created, by its id: who asks again gets it as it stands now."""

    answer: Literal["created"] = "created"
    id: str


class SaidNo(Record):
    """The provider declined, or it is certain for another reason that nothing was moved."""

    answer: Literal["declined"] = "declined"
    code: str
    reason: str
    retryable: bool


class NotReached(Record):
    """The provider was certainly never reached: who asks again makes a new try."""

    answer: Literal["not_reached"] = "not_reached"
    message: str


Answer = Annotated[PaymentStands | Created | SaidNo | NotReached, Field(discriminator="answer")]

ANSWER: TypeAdapter[PaymentStands | Created | SaidNo | NotReached] = TypeAdapter(Answer)
"""To and from JSON."""


class IdempotencyKey(Record):
    """A client's key: for what it was used, and what the client is told.

    ``operation_id`` is None where no provider had to be asked; ``answer`` is None while nobody knows yet.
    """

    store_id: str
    client_key: str
    verb: str
    fingerprint: str
    operation_id: str | None
    answer: Answer | None
    created_at: datetime

    @property
    def is_answered(self) -> bool:
        """Whether asking again gets the kept answer, and has no effect."""
        return self.answer is not None and not self.may_be_tried_again

    @property
    def may_be_tried_again(self) -> bool:
        """Whether asking again makes a new try, because the last one certainly never reached the provider."""
        return isinstance(self.answer, NotReached)


def failure(operation: Operation, outcome: Outcome | None) -> ProviderFailure:
    """What an operation that failed means for the one who asked for it."""
    match outcome:
        case Declined():
            return PaymentDeclined(outcome.code, outcome.reason, retryable=outcome.retryable)
        case NotSent():
            return ProviderUnavailable(f"{operation.provider_id} was not reached ({outcome.cause}); try again")
        case Succeeded() | ActionRequired() | Pending() | Unknown() | None:
            return PaymentDeclined("failed", operation.cause or "the provider did not do it", retryable=True)
        case _:
            assert_never(outcome)


def refusal(error: ProviderFailure) -> SaidNo | NotReached:
    """The answer that gives this error again."""
    if isinstance(error, PaymentDeclined):
        return SaidNo(code=error.code, reason=error.reason, retryable=error.retryable)
    return NotReached(message=str(error))


def give(answer: Answer) -> Payment | str:
    """What the verb returned: the payment, or the id of what was created.  Raises the error that the answer was."""
    match answer:
        case PaymentStands():
            return answer.payment
        case Created():
            return answer.id
        case SaidNo():
            raise PaymentDeclined(answer.code, answer.reason, retryable=answer.retryable)
        case NotReached():
            raise ProviderUnavailable(answer.message)
        case _:
            assert_never(answer)
