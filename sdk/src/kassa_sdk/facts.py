"""Facts: what a provider says about one payment, in cumulative totals.

An answer, a look-up and a notice all speak this one language, so that one merge serves them all.  Totals, never deltas:
the same facts five times, or out of order, change nothing the second time.
"""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import model_validator

from kassa_sdk.money import Money
from kassa_sdk.records import Record, Reference

MovementStatus = Literal["pending", "succeeded", "failed"]
"""Where one capture or refund stands at the provider."""

DisputeStatus = Literal["open", "won", "lost"]
"""Where one dispute stands: undecided, decided for the merchant, decided for the shopper."""

PaymentCondition = Literal["open", "pending", "authorized", "declined", "canceled", "expired"]
"""Where the payment as a whole stands at the provider; how much was captured or refunded is an amount, never a word.

``pending``: it was asked to authorize and does not know yet; ``open``: it was not asked, or the shopper has to act.
"""


class Movement(Record):
    """One capture or one refund, as the provider knows it.

    ``attempt_key`` is our key, where the provider echoes it (or where this is the answer to the request that carried
    it).  A movement without our key was made elsewhere, such as in the provider's dashboard; only the capture of an
    immediate sale, which comes with its authorization, needs no key.
    """

    provider_reference: Reference
    amount: Money
    status: MovementStatus = "succeeded"
    attempt_key: str | None = None


class Dispute(Record):
    """One dispute of the shopper with their bank (a chargeback), as the provider knows it.

    ``amount`` is what is in dispute, whoever wins; ``provider_reference`` is of the dispute, so that a second one of the
    same payment is another.  While it is open, and once it is lost, the amount is not the merchant's.  A mere question of
    the bank, which takes nothing from anybody, is no dispute.
    """

    provider_reference: Reference
    amount: Money
    status: DisputeStatus


class PaymentFacts(Record):
    """Everything that one message of a provider says about one payment.

    ``provider_reference`` is theirs; ``our_reference`` is ours, where they echo it.  A total that the message does not
    tell is None, which is not the same as zero.  The captures, refunds and disputes are those that the message names; that
    one is not among them says nothing about it.  All amounts are in one currency (checked).
    """

    provider_reference: Reference
    our_reference: Reference | None = None
    condition: PaymentCondition | None = None
    authorized: Money | None = None
    captured: Money | None = None
    refunded: Money | None = None
    returned: Money | None = None
    captures: tuple[Movement, ...] = ()
    refunds: tuple[Movement, ...] = ()
    disputes: tuple[Dispute, ...] = ()

    @model_validator(mode="after")
    def _one_currency_and_nothing_negative(self) -> Self:
        amounts = tuple(self.amounts())
        currencies = {amount.currency for amount in amounts}
        if len(currencies) > 1:
            raise ValueError(f"all amounts of one payment are in one currency, these are in {sorted(currencies)}")
        if any(amount.minor < 0 for amount in amounts):
            raise ValueError("amounts are never negative; a refund is a positive amount refunded")
        return self

    def amounts(self) -> Iterator[Money]:
        """Every amount in these facts."""
        totals = (self.authorized, self.captured, self.refunded, self.returned)
        yield from (total for total in totals if total is not None)
        yield from (movement.amount for movement in (*self.captures, *self.refunds))
        yield from (dispute.amount for dispute in self.disputes)
