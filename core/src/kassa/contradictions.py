"""What in the words of a provider is not what was asked.  Pure.

Evidence about another payment, amount or currency is never "paid": a person looks at it.
"""

from collections.abc import Mapping
from typing import assert_never

from kassa.model import Operation, OperationKind, Payment, PaymentSession
from kassa_sdk import Movement, PaymentFacts

Booked = Mapping[str, str | None]
"""The captures and refunds in our books: the provider's reference, and the operation behind it (None: made elsewhere)."""


def mistaken_identity(session: PaymentSession, facts: PaymentFacts) -> str | None:
    """Whether these facts are about another payment; None when they are about this one."""
    if facts.our_reference not in (None, session.id):
        return f"the answer is about {facts.our_reference}, not about {session.id}"
    if session.provider_reference not in (None, facts.provider_reference):
        return f"the answer is about {facts.provider_reference}, not about {session.provider_reference}"
    foreign = {amount.currency for amount in facts.amounts()} - {session.amount.currency}
    if foreign:
        return f"the answer is in {', '.join(sorted(foreign))}, not in {session.amount.currency}"
    return None


def in_answer(operation: Operation, session: PaymentSession, facts: PaymentFacts, booked: Booked) -> str | None:
    """What in the answer to an operation is not what was asked; None when all of it is."""
    mistaken = mistaken_identity(session, facts)
    if mistaken is not None:
        return mistaken
    match operation.kind:
        case OperationKind.AUTHORIZE:
            return _in_authorization(operation, facts)
        case OperationKind.CAPTURE:
            return _in_movement(operation, facts.captures, booked)
        case OperationKind.REFUND:
            return _in_movement(operation, facts.refunds, booked)
        case OperationKind.INITIATE | OperationKind.UPDATE:
            taken = facts.captured or facts.authorized
            return f"{taken} was taken when nothing was to be" if taken else None
        case OperationKind.CANCEL:
            return None
        case _:
            assert_never(operation.kind)


def about_payment(session: PaymentSession, payment: Payment | None, facts: PaymentFacts) -> str | None:
    """What in facts that nobody asked for cannot be about this session; None when all of it can."""
    mistaken = mistaken_identity(session, facts)
    if mistaken is not None:
        return mistaken
    if payment is not None and facts.authorized and facts.authorized != payment.amount:
        return f"{facts.authorized} is authorized, but the payment is about {payment.amount}"
    return None


def _in_authorization(operation: Operation, facts: PaymentFacts) -> str | None:
    promised = facts.authorized if facts.authorized is not None else facts.captured
    if promised is None:
        return "the answer does not say how much is authorized"
    if promised != operation.amount:
        return f"{promised} is authorized, {operation.amount} was asked for"
    if facts.captured is not None and facts.captured > promised:
        return f"{facts.captured} is captured, only {promised} is authorized"
    if facts.condition not in (None, "open", "pending", "authorized"):
        return f"{promised} is authorized, and yet it is {facts.condition}"
    if facts.refunded or facts.returned or any(dispute.status != "won" for dispute in facts.disputes):
        return f"{promised} is authorized, and some of it is given back or disputed already"
    return _in_sale(facts)


def _in_sale(facts: PaymentFacts) -> str | None:
    taken = [movement for movement in facts.captures if movement.status == "succeeded"]
    if not facts.captures or (len(taken) == len(facts.captures) == 1 and facts.captured == taken[0].amount):
        return None
    return "an immediate sale is one capture of what is captured in total"


def _in_movement(operation: Operation, movements: tuple[Movement, ...], booked: Booked) -> str | None:
    own = [movement for movement in movements if movement.attempt_key == operation.attempt_key]
    if len(own) != 1:
        return f"the answer has {len(own)} movements with the key {operation.attempt_key}, expected one"
    if own[0].amount != operation.amount:
        return f"{own[0].amount} was moved, {operation.amount} was asked for"
    if booked.get(own[0].provider_reference) is not None:
        return f"{own[0].provider_reference} is in our books already, for another capture or refund"
    return None
