"""How a provider writes amounts, and where it deviates from ISO 4217."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from kassa_sdk.errors import ExcessPrecision, MoneyError
from kassa_sdk.money import CurrencyCode, Money, exponent_of
from kassa_sdk.records import Record


class WireAmounts(Record):
    """The two translations at a provider's edge: ``write`` and ``read``, exact or refused.

    ``form`` is "minor" (an int: 4999) or "decimal" (a string: "49.99").  ``exponents`` lists the currencies for which the
    provider has another number of decimals than ISO 4217 (Stripe's ISK has 2, ISO's has 0).  ``steps`` lists the
    currencies whose smallest amount at the provider is several of its minor units (Stripe's KWD: 10).
    """

    form: Literal["minor", "decimal"] = "minor"
    exponents: dict[CurrencyCode, Annotated[int, Field(ge=0, le=18)]] = {}
    steps: dict[CurrencyCode, Annotated[int, Field(ge=1, description="minor units of the provider")]] = {}

    def write(self, money: Money) -> int | str:
        """This amount as the provider wants it.  Raises ExcessPrecision where the provider cannot express it."""
        exponent = self._exponent(money.currency)
        shift = exponent - exponent_of(money.currency)
        minor, rest = (money.minor * 10**shift, 0) if shift >= 0 else divmod(money.minor, 10**-shift)
        step = self.steps.get(money.currency, 1)
        if rest or minor % step:
            raise ExcessPrecision(f"{money} is finer than this provider takes in {money.currency}")
        return minor if self.form == "minor" else f"{_decimal(minor, exponent):f}"

    def write_minor(self, money: Money) -> int:
        """``write`` for providers of the form "minor", with the type that their SDKs expect."""
        written = self.write(money)
        if not isinstance(written, int):
            raise MoneyError("this provider writes decimal strings; use write()")
        return written

    def read(self, amount: int | str, currency: str) -> Money:
        """The provider's amount as Money.  Raises MoneyError for another form, ExcessPrecision for a lost digit."""
        expected = int if self.form == "minor" else str
        if type(amount) is not expected:
            raise MoneyError(f"expected {self.form} amounts ({expected.__name__}), got {amount!r}")
        if isinstance(amount, str):
            return Money.parse(self._without_surplus_zeros(amount, currency), currency)
        shift = exponent_of(currency) - self._exponent(currency)
        minor, rest = (amount * 10**shift, 0) if shift >= 0 else divmod(amount, 10**-shift)
        if rest:
            raise ExcessPrecision(f"{amount} at this provider is finer than {currency} is")
        return Money(minor, currency)

    def _exponent(self, currency: str) -> int:
        return self.exponents.get(currency, exponent_of(currency))

    def _without_surplus_zeros(self, text: str, currency: str) -> str:
        # A provider with two decimals for the yen writes "500.00".  Any other digit that ISO 4217 has no place for stays
        # in the text, and is refused with it.
        whole, _, decimals = text.partition(".")
        iso = exponent_of(currency)
        if len(decimals) <= iso or len(decimals) > self._exponent(currency) or decimals[iso:].strip("0"):
            return text
        return f"{whole}.{decimals[:iso]}" if iso else whole


def _decimal(minor: int, exponent: int) -> Decimal:
    digits = tuple(map(int, str(abs(minor))))
    return Decimal((int(minor < 0), digits, -exponent))
