"""At a provider's edge an amount is translated exactly, in both directions, or refused."""

import decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kassa_sdk import ExcessPrecision, Money, MoneyError, UnknownCurrency, WireAmounts, exponent_of
from kassa_sdk.currencies import EXPONENTS

MINOR = WireAmounts(form="minor")
DECIMAL = WireAmounts(form="decimal")
# Stripe's deviations: two decimals for the króna and the Ugandan shilling, tens for three-decimal currencies.
STRIPE = WireAmounts(form="minor", exponents={"ISK": 2, "UGX": 2, "HUF": 2}, steps={"KWD": 10, "ISK": 100, "UGX": 100})

forms = st.sampled_from(["minor", "decimal"])
currencies = st.sampled_from(sorted(EXPONENTS))
minors = st.integers(-(10**14), 10**14)  # of a currency with four decimals, in whole units, they still fit into 64 bits


@pytest.mark.parametrize(
    ("money", "minor", "text"),
    [
        (Money(500, "JPY"), 500, "500"),
        (Money(4990, "EUR"), 4990, "49.90"),
        (Money(1234, "KWD"), 1234, "1.234"),
        (Money(1, "KWD"), 1, "0.001"),
        (Money(0, "EUR"), 0, "0.00"),
        (Money(-5, "EUR"), -5, "-0.05"),
    ],
)
def test_amounts_are_written_as_the_provider_wants_them(money: Money, minor: int, text: str) -> None:
    assert MINOR.write(money) == minor
    assert DECIMAL.write(money) == text


@pytest.mark.parametrize(("money", "written"), [(Money(500, "ISK"), 50_000), (Money(500, "UGX"), 50_000)])
def test_a_provider_with_more_decimals_than_iso_gets_its_own_minor_units(money: Money, written: int) -> None:
    assert STRIPE.write(money) == written
    assert STRIPE.read(written, money.currency) == money


def test_a_provider_with_fewer_decimals_than_iso_gets_whole_ones_only() -> None:
    amounts = WireAmounts(exponents={"HUF": 0})
    assert amounts.write(Money(500, "HUF")) == 5
    assert amounts.read(5, "HUF") == Money(500, "HUF")
    with pytest.raises(ExcessPrecision, match="finer"):
        amounts.write(Money(501, "HUF"))


@pytest.mark.parametrize("minor", [1, 1235, -1235, 9])
def test_an_amount_between_two_steps_is_refused(minor: int) -> None:
    with pytest.raises(ExcessPrecision, match="finer"):
        STRIPE.write(Money(minor, "KWD"))


def test_a_step_counts_in_the_providers_own_minor_units() -> None:
    assert STRIPE.write(Money(1230, "KWD")) == 1230
    assert STRIPE.write(Money(1, "ISK")) == 100


@pytest.mark.parametrize("amount", [1, 150, -1])
def test_an_amount_that_is_finer_at_the_provider_than_in_iso_is_refused(amount: int) -> None:
    with pytest.raises(ExcessPrecision, match="finer"):
        STRIPE.read(amount, "ISK")


@pytest.mark.parametrize("amount", ["4999", 4999.0, True, None])
def test_minor_units_of_another_type_are_refused(amount: object) -> None:
    with pytest.raises(MoneyError, match="expected minor amounts"):
        MINOR.read(amount, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [4999, 49.99, None])
def test_decimal_amounts_of_another_type_are_refused(amount: object) -> None:
    with pytest.raises(MoneyError, match="expected decimal amounts"):
        DECIMAL.read(amount, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["49.", "49.9900", "49.99 ", "", ".", "49.00000"])
def test_a_decimal_text_in_another_form_than_declared_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        DECIMAL.read(text, "EUR")


@pytest.mark.parametrize("text", ["500.", "500.000", "500.0a", "500.01"])
def test_only_the_zeros_that_the_provider_declared_are_left_out(text: str) -> None:
    with pytest.raises(MoneyError):
        WireAmounts(form="decimal", exponents={"JPY": 2}).read(text, "JPY")


@pytest.mark.parametrize(("text", "minor"), [("49.90", 4990), ("49.9", 4990), ("49", 4900)])
def test_a_decimal_text_may_leave_out_zeros_at_its_end(text: str, minor: int) -> None:
    assert DECIMAL.read(text, "EUR") == Money(minor, "EUR")


def test_a_lost_digit_in_a_decimal_text_is_refused() -> None:
    with pytest.raises(ExcessPrecision):
        DECIMAL.read("49.995", "EUR")


def test_a_decimal_text_with_the_providers_own_decimals_is_read_back() -> None:
    amounts = WireAmounts(form="decimal", exponents={"JPY": 2, "EUR": 4, "HUF": 0})
    for money, text in [(Money(500, "JPY"), "500.00"), (Money(4990, "EUR"), "49.9000"), (Money(500, "HUF"), "5")]:
        assert amounts.write(money) == text
        assert amounts.read(text, money.currency) == money


def test_a_decimal_text_that_is_finer_than_iso_is_refused_also_with_the_providers_own_decimals() -> None:
    with pytest.raises(ExcessPrecision):
        WireAmounts(form="decimal", exponents={"JPY": 2}).read("500.50", "JPY")


def test_write_minor_is_for_providers_of_minor_units_only() -> None:
    assert MINOR.write_minor(Money(4999, "EUR")) == 4999
    with pytest.raises(MoneyError, match="decimal strings"):
        DECIMAL.write_minor(Money(4999, "EUR"))


@pytest.mark.parametrize("amounts", [MINOR, DECIMAL])
def test_an_unknown_currency_is_refused_in_both_directions(amounts: WireAmounts) -> None:
    with pytest.raises(UnknownCurrency):
        amounts.read(1 if amounts is MINOR else "1", "XXX")


@given(form=forms, minor=minors, currency=currencies)
def test_what_was_written_is_read_back(form: str, minor: int, currency: str) -> None:
    amounts = WireAmounts(form=form)  # type: ignore[arg-type]
    money = Money(minor, currency)
    with decimal.localcontext(decimal.Context(prec=1, Emax=1, Emin=-1)):
        assert amounts.read(amounts.write(money), currency) == money


@given(form=forms, minor=minors, currency=currencies, exponent=st.integers(0, 8), step=st.sampled_from([1, 5, 10, 100]))
def test_with_exceptions_and_steps_an_amount_is_read_back_or_was_refused(
    form: str, minor: int, currency: str, exponent: int, step: int
) -> None:
    amounts = WireAmounts(form=form, exponents={currency: exponent}, steps={currency: step})  # type: ignore[arg-type]
    money = Money(minor, currency)
    at_the_provider = minor * 10**exponent
    is_expressible = at_the_provider % (step * 10 ** exponent_of(currency)) == 0
    try:
        written = amounts.write(money)
    except ExcessPrecision:
        assert not is_expressible
    else:
        assert is_expressible
        assert amounts.read(written, currency) == money


@given(minor=minors, currency=currencies, exponent=st.integers(0, 8))
def test_a_written_decimal_is_plain_digits_with_the_providers_decimals(
    minor: int, currency: str, exponent: int
) -> None:
    amounts = WireAmounts(form="decimal", exponents={currency: exponent})
    whole = minor * 10 ** exponent_of(currency)  # expressible whatever the provider's decimals are
    text = amounts.write(Money(whole, currency))
    assert isinstance(text, str)
    assert len(text.partition(".")[2]) == exponent
    assert set(text) <= set("-0123456789.")


@pytest.mark.parametrize(
    "fields",
    [
        {"form": "float"},
        {"exponents": {"EUR": -1}},
        {"exponents": {"EURO": 2}},
        {"steps": {"EUR": 0}},
        {"steps": {"EUR": -10}},
        {"steps": {"EURO": 10}},
    ],
    ids=str,
)
def test_a_declaration_that_cannot_work_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WireAmounts(**fields)  # type: ignore[arg-type]
