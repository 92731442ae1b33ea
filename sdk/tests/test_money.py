"""Money is a whole number of minor units: read exactly, or refused with the reason."""

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa_sdk import (
    AmountOutOfRange,
    CurrencyMismatch,
    ExcessPrecision,
    Money,
    MoneyError,
    UnknownCurrency,
    exponent_of,
)
from kassa_sdk.currencies import EXPONENTS
from kassa_sdk.money import LARGEST_MINOR

minors = st.integers(-LARGEST_MINOR, LARGEST_MINOR)
currencies = st.sampled_from(sorted(EXPONENTS))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("500", "JPY", 500),
        ("49.99", "EUR", 4999),
        ("49.9", "EUR", 4990),
        ("49", "EUR", 4900),
        ("0.01", "EUR", 1),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        ("-49.99", "EUR", -4999),
        ("-0.01", "EUR", -1),
        ("+1.00", "EUR", 100),
        ("007.00", "EUR", 700),
        ("-0", "EUR", 0),
        ("92233720368547758.07", "EUR", LARGEST_MINOR),
        ("-92233720368547758.07", "EUR", -LARGEST_MINOR),
    ],
)
def test_major_units_are_read_exactly(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("0.5", "JPY"),
        ("500.0", "JPY"),
        ("1.005", "EUR"),
        ("1.000", "EUR"),
        ("1.2345", "KWD"),
        (Decimal("1.005"), "EUR"),
        (Decimal("1E-30"), "EUR"),
    ],
)
def test_more_decimals_than_the_currency_has_are_refused_and_not_rounded(text: str | Decimal, currency: str) -> None:
    with pytest.raises(ExcessPrecision, match="never rounded"):
        Money.parse(text, currency)


@pytest.mark.parametrize("amount", [49.99, 49.0, float("nan"), float("inf"), True, False, None, b"49.99", ["49.99"]])
def test_what_is_neither_text_nor_int_nor_decimal_is_refused(amount: object) -> None:
    with pytest.raises(MoneyError, match=type(amount).__name__):
        Money.parse(amount, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "-",
        "+",
        "49.",
        ".49",
        "4 9",
        " 49.99",
        "49.99 ",
        "49.99\n",
        "49,99",
        "1,000.00",
        "1_000",
        "1e2",
        "1E2",
        "0x10",
        "--1",
        "+-1",
        "1.2.3",
        "NaN",
        "nan",
        "sNaN",
        "inf",
        "Infinity",
        "-Infinity",
        "٤٩",
        "४९.९९",
        "49.9９",
        "²",
        "€49.99",
        "49.99 EUR",
        "9" * 41,
        "1." + "0" * 41,
    ],
)
def test_text_that_is_not_plain_digits_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text, "EUR")


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_not_a_number_is_refused(number: str) -> None:
    with pytest.raises(MoneyError, match="not a decimal amount"):
        Money.parse(Decimal(number), "EUR")


def test_a_decimal_with_an_exponent_is_the_number_that_it_means() -> None:
    assert Money.parse(Decimal("1E+2"), "EUR") == Money(10_000, "EUR")


def test_an_int_is_read_as_major_units() -> None:
    assert Money.parse(49, "EUR") == Money(4900, "EUR")


@given(minors, currencies)
def test_reading_what_was_written_gives_the_same_money_whatever_the_decimal_context(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    with decimal.localcontext(decimal.Context(prec=1, Emax=1, Emin=-1)):
        assert Money.parse(str(money.major), currency) == money
        assert Money.parse(money.major, currency) == money


@given(minors, currencies)
def test_the_major_amount_has_all_decimals_of_its_currency(minor: int, currency: str) -> None:
    _, _, fraction = f"{Money(minor, currency).major:f}".partition(".")
    assert len(fraction) == exponent_of(currency)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(4990, "EUR"), "49.90 EUR"),
        (Money(-1, "EUR"), "-0.01 EUR"),
        (Money(500, "JPY"), "500 JPY"),
        (Money(1, "KWD"), "0.001 KWD"),
        (Money(0, "EUR"), "0.00 EUR"),
    ],
)
def test_money_reads_as_people_write_it(money: Money, text: str) -> None:
    assert str(money) == text


@pytest.mark.parametrize("minor", [4999.0, "4999", True, None, Decimal(4999)])
def test_minor_units_are_an_int_and_nothing_that_looks_like_one(minor: object) -> None:
    with pytest.raises(MoneyError, match="must be an int"):
        Money(minor, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("currency", ["eur", "EURO", "", "XXX", "XAU", "€", None, 978, ["EUR"]])
def test_a_currency_that_nobody_can_pay_with_is_refused_by_name(currency: object) -> None:
    with pytest.raises(UnknownCurrency, match="ISO 4217"):
        Money(1, currency)  # type: ignore[arg-type]


@pytest.mark.parametrize("minor", [LARGEST_MINOR + 1, -LARGEST_MINOR - 1, 10**30])
def test_amounts_beyond_64_bits_are_refused(minor: int) -> None:
    with pytest.raises(AmountOutOfRange, match="64 bits"):
        Money(minor, "EUR")


def test_a_text_beyond_64_bits_is_refused() -> None:
    with pytest.raises(AmountOutOfRange):
        Money.parse("92233720368547758.08", "EUR")


def test_a_sum_beyond_64_bits_is_refused() -> None:
    with pytest.raises(AmountOutOfRange):
        Money(LARGEST_MINOR, "EUR") + Money(1, "EUR")


@given(st.lists(st.integers(-(10**12), 10**12)), currencies)
def test_the_total_is_the_sum_of_the_minor_units(minors: list[int], currency: str) -> None:
    assert Money.total((Money(minor, currency) for minor in minors), currency) == Money(sum(minors), currency)


def test_the_total_of_nothing_is_zero_of_the_currency() -> None:
    assert Money.total([], "JPY") == Money.zero("JPY") == Money(0, "JPY")


def test_a_total_over_two_currencies_is_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        Money.total([Money(1, "EUR"), Money(1, "USD")], "EUR")


@given(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
def test_taking_away_what_was_added_gives_back_the_beginning(one: int, other: int) -> None:
    assert Money(one, "EUR") + Money(other, "EUR") - Money(other, "EUR") == Money(one, "EUR")


def test_negation_and_whole_quantities() -> None:
    assert -Money(3, "EUR") * 4 == Money(-12, "EUR")


@pytest.mark.parametrize("quantity", [1.5, 2.0, Decimal(2), True, "2"])
def test_money_is_multiplied_by_whole_quantities_only(quantity: object) -> None:
    with pytest.raises(MoneyError, match="whole quantities"):
        Money(1, "EUR") * quantity  # type: ignore[operator]


@pytest.mark.parametrize(
    "operation", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"], ids=lambda name: name.strip("_")
)
def test_two_currencies_are_neither_added_nor_compared(operation: str) -> None:
    with pytest.raises(CurrencyMismatch, match=r"1\.00 EUR and 1\.00 USD"):
        getattr(Money(100, "EUR"), operation)(Money(100, "USD"))


@pytest.mark.parametrize("operation", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
@pytest.mark.parametrize("other", [1, 1.0, "1", None])
def test_money_and_a_bare_number_are_neither_added_nor_compared(operation: str, other: object) -> None:
    with pytest.raises(MoneyError, match="expected Money in EUR"):
        getattr(Money(1, "EUR"), operation)(other)


def test_money_of_two_currencies_is_not_equal() -> None:
    assert Money(100, "EUR") != Money(100, "USD")
    assert Money(100, "EUR") != 100


@given(minors, minors)
def test_the_order_of_money_is_that_of_its_minor_units(one: int, other: int) -> None:
    first, second = Money(one, "EUR"), Money(other, "EUR")
    assert (first < second, first <= second, first > second, first >= second) == (
        one < other,
        one <= other,
        one > other,
        one >= other,
    )


def test_only_zero_is_false() -> None:
    assert not Money.zero("EUR")
    assert Money(-1, "EUR")


def test_money_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Money(1, "EUR").minor = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("currency", "exponent"), [("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4), ("IQD", 3), ("HRK", 2)]
)
def test_exponents_are_those_of_iso_4217(currency: str, exponent: int) -> None:
    assert exponent_of(currency) == exponent


@pytest.mark.parametrize("amount", ["1E+600000000", "-1E+41", "1E-600000000"])
def test_an_amount_that_would_fill_the_memory_is_refused_before_it_is_written_out(amount: str) -> None:
    with pytest.raises(MoneyError, match="expected at most 40 digits"):
        Money.parse(Decimal(amount), "EUR")
