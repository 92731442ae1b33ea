"""Decline codes: the provider's own list of reasons, as one table of what people are told.

A table, because the list is long, is documented by the provider, and grows: a test compares the two with ``compare``::

    DECLINE_CODES = DeclineCodes(
        {
            "insufficient_funds": Decline("There is not enough money on the account."),
            "stolen_card": Decline("The card was declined.", retryable=False),
        },
        otherwise=Decline("The payment was declined."),
    )

    return DECLINE_CODES.declined(answer.code, provider_reference=answer.id)

``otherwise`` is for a payment that the provider says is declined, with a reason that is new.  An *error* with a code that
is not in the table says nothing: it is ``Unknown``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kassa_sdk.outcomes import Declined


@dataclass(frozen=True, slots=True)
class Decline:
    """What one code means: a sentence that the shopper may read, and whether to try again (with another card) makes sense.

    Do not tell the shopper that a card was reported stolen, or that the payment looks like fraud.
    """

    reason: str
    retryable: bool = True


class DeclineCodes:
    """Every code of one provider; ``otherwise`` is said for one that the table does not know yet."""

    def __init__(self, codes: Mapping[str, Decline], *, otherwise: Decline) -> None:
        self._codes = dict(codes)
        self._otherwise = otherwise

    def __contains__(self, code: object) -> bool:
        """Whether the table has this code.  Where a call itself was refused, only such a code proves that nothing moved."""
        return code in self._codes

    def declined(self, code: str, *, provider_reference: str | None = None) -> Declined:
        """The outcome for this code; the code itself is kept for those who operate."""
        decline = self._codes.get(code, self._otherwise)
        return Declined(
            code=code or "declined",
            reason=decline.reason,
            retryable=decline.retryable,
            provider_reference=provider_reference,
        )

    def compare(self, documented: Iterable[str]) -> None:
        """Require that the table has just the codes that the provider documents; for a test of completeness.

        Raises AssertionError, which names the codes that are missing and those that are left over.
        """
        expected = set(documented)
        missing, left_over = sorted(expected - set(self._codes)), sorted(set(self._codes) - expected)
        if missing or left_over:
            raise AssertionError(
                f"the table of decline codes and the provider's documentation differ: "
                f"missing {missing or 'none'}, left over {left_over or 'none'}"
            )
