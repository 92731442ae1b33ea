"""Money: a whole number of minor units, and a currency.  Nobody rounds, nobody guesses.

Source of the exponents: ISO 4217 (``currencies.py``).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, ConfigDict, Strict

from kassa_sdk.currencies import EXPONENTS
from kassa_sdk.errors import AmountOutOfRange, CurrencyMismatch, ExcessPrecision, MoneyError, UnknownCurrency

LARGEST_MINOR = 2**63 - 1
"""The largest amount in minor units: what a BIGINT column holds."""

_MOST_DIGITS = 40
_DECIMAL_NUMBER = re.compile(rf"[+-]?[0-9]{{1,{_MOST_DIGITS}}}(\.[0-9]{{1,{_MOST_DIGITS}}})?", re.ASCII)


def exponent_of(currency: str) -> int:
    """How many decimals ISO 4217 gives this currency: JPY 0, EUR 2, KWD 3.

    Raises UnknownCurrency, which names the code and what was expected.
    """
    try:
        return EXPONENTS[currency]
    except (KeyError, TypeError):
        raise UnknownCurrency(
            f"{currency!r} is not a currency that can be paid with; expected an ISO 4217 code in capitals, such as 'EUR'"
        ) from None


def _known(currency: str) -> str:
    exponent_of(currency)
    return currency


CurrencyCode = Annotated[str, AfterValidator(_known)]
"""A field for a currency; a misspelt one is refused, because a rule about it would silently apply to nothing."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency in its minor units: ``Money(4999, "EUR")`` is 49.99 EUR.

    Negative amounts exist (a difference may be one); the engine refuses them where they make no sense.
    Raises MoneyError (UnknownCurrency, AmountOutOfRange) when it is made from something else.
    """

    # Strict, so that pydantic takes no "12" for 12 where a Money stands inside a request or an outcome.
    minor: Annotated[int, Strict()]
    currency: Annotated[str, Strict()]

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        exponent_of(self.currency)
        if type(self.minor) is not int:
            raise MoneyError(
                f"minor units must be an int, not {type(self.minor).__name__}; use Money.parse for decimal text"
            )
        if abs(self.minor) > LARGEST_MINOR:
            raise AmountOutOfRange(f"{self.minor} minor units of {self.currency} do not fit into 64 bits")

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Nothing, of this currency."""
        return cls(0, currency)

    @classmethod
    def parse(cls, amount: str | int | Decimal, currency: str) -> Self:
        """Read an amount in *major* units, exactly: ``Money.parse("49.99", "EUR")``.

        Refuses a float (its digits are not the ones that were written), more decimals than the currency has
        (ExcessPrecision: JPY 0.5, EUR 1.005, EUR 1.000), exponents, NaN and infinity (MoneyError).
        """
        exponent = exponent_of(currency)
        text = _as_plain_text(amount)
        decimals = len(text.partition(".")[2])
        if decimals > exponent:
            raise ExcessPrecision(
                f"{text} {currency} has {decimals} decimals; {currency} has {exponent}, and amounts are never rounded"
            )
        # Joining digits instead of scaling a Decimal: exact whatever the context's precision is.
        return cls(int(text.replace(".", "") + "0" * (exponent - decimals)), currency)

    @classmethod
    def total(cls, amounts: Iterable["Money"], currency: str) -> Self:
        """The sum of these amounts; zero of this currency when there are none.  Raises CurrencyMismatch."""
        total = cls.zero(currency)
        for amount in amounts:
            total += amount
        return total

    @property
    def major(self) -> Decimal:
        """The amount in major units, exactly, with all decimals of the currency: ``Decimal("49.90")``."""
        # From digits, because scaling a Decimal would round to the precision of the caller's context.
        digits = tuple(map(int, str(abs(self.minor))))
        return Decimal((int(self.minor < 0), digits, -EXPONENTS[self.currency]))

    def __add__(self, other: "Money") -> Self:
        return type(self)(self.minor + self._same_currency(other), self.currency)

    def __sub__(self, other: "Money") -> Self:
        return type(self)(self.minor - self._same_currency(other), self.currency)

    def __mul__(self, quantity: int) -> Self:
        if type(quantity) is not int:
            raise MoneyError(f"money is multiplied by whole quantities, not by {type(quantity).__name__}")
        return type(self)(self.minor * quantity, self.currency)

    def __neg__(self) -> Self:
        return type(self)(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same_currency(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same_currency(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._same_currency(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._same_currency(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.major:f} {self.currency}"

    def _same_currency(self, other: "Money") -> int:
        if not isinstance(other, Money):
            raise MoneyError(f"expected Money in {self.currency}, not {type(other).__name__}")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self} and {other} are different currencies; convert before you compare or add")
        return other.minor


def _as_plain_text(amount: str | int | Decimal) -> str:
    if isinstance(amount, bool | float) or not isinstance(amount, str | int | Decimal):
        raise MoneyError(f"an amount is text, an int or a Decimal in major units, not {type(amount).__name__}")
    if isinstance(amount, Decimal) and amount.is_finite() and abs(amount.adjusted()) > _MOST_DIGITS:
        # To write it out could take all of the memory.
        raise MoneyError(f"{str(amount)[:60]} is not a decimal amount; expected at most {_MOST_DIGITS} digits")
    try:
        text = amount if isinstance(amount, str) else f"{Decimal(amount):f}"
    except InvalidOperation:
        text = str(amount)
    if not _DECIMAL_NUMBER.fullmatch(text):
        raise MoneyError(f"{str(amount)[:60]!r} is not a decimal amount; expected digits such as '49.99'")
    return text
