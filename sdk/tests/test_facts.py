"""Facts about one payment are cumulative totals in one currency, and never negative."""

import pytest
from pydantic import ValidationError

from kassa_sdk import Dispute, Money, Movement, PaymentFacts

TOTALS = ["authorized", "captured", "refunded", "returned"]
MOVEMENTS = ["captures", "refunds"]


@pytest.mark.parametrize("total", TOTALS)
def test_a_negative_total_is_refused(total: str) -> None:
    with pytest.raises(ValidationError, match="never negative"):
        PaymentFacts(provider_reference="pi_1", **{total: Money(-1, "EUR")})  # type: ignore[arg-type]


@pytest.mark.parametrize("movements", MOVEMENTS)
def test_a_negative_movement_is_refused(movements: str) -> None:
    movement = Movement(provider_reference="re_1", amount=Money(-1, "EUR"))
    with pytest.raises(ValidationError, match="never negative"):
        PaymentFacts(provider_reference="pi_1", **{movements: (movement,)})  # type: ignore[arg-type]


def test_a_negative_dispute_is_refused() -> None:
    dispute = Dispute(provider_reference="dp_1", amount=Money(-1, "EUR"), status="open")
    with pytest.raises(ValidationError, match="never negative"):
        PaymentFacts(provider_reference="pi_1", disputes=(dispute,))


def test_a_dispute_in_another_currency_than_its_payment_is_refused() -> None:
    dispute = Dispute(provider_reference="dp_1", amount=Money(1, "USD"), status="lost")
    with pytest.raises(ValidationError, match="one currency"):
        PaymentFacts(provider_reference="pi_1", captured=Money(1, "EUR"), disputes=(dispute,))


@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("movements", MOVEMENTS)
def test_two_currencies_in_one_payment_are_refused(total: str, movements: str) -> None:
    movement = Movement(provider_reference="re_1", amount=Money(1, "USD"))
    with pytest.raises(ValidationError, match=r"one currency.*\['EUR', 'USD'\]"):
        PaymentFacts(provider_reference="pi_1", **{total: Money(1, "EUR"), movements: (movement,)})  # type: ignore[arg-type]


def test_a_total_that_was_not_told_is_none_and_not_zero() -> None:
    facts = PaymentFacts(provider_reference="pi_1")
    assert [getattr(facts, total) for total in TOTALS] == [None] * len(TOTALS)
    assert PaymentFacts(provider_reference="pi_1", captured=Money.zero("EUR")).captured == Money.zero("EUR")


def test_amounts_are_all_totals_all_movements_and_all_disputes() -> None:
    facts = PaymentFacts(
        provider_reference="pi_1",
        authorized=Money(5, "EUR"),
        captured=Money(4, "EUR"),
        captures=(Movement(provider_reference="ch_1", amount=Money(4, "EUR")),),
        refunds=(Movement(provider_reference="re_1", amount=Money(2, "EUR")),),
        disputes=(Dispute(provider_reference="dp_1", amount=Money(1, "EUR"), status="open"),),
    )
    assert [amount.minor for amount in facts.amounts()] == [5, 4, 4, 2, 1]


@pytest.mark.parametrize("reference", ["", None])
def test_facts_movements_and_disputes_name_what_they_are_about(reference: object) -> None:
    with pytest.raises(ValidationError):
        PaymentFacts(provider_reference=reference)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Movement(provider_reference=reference, amount=Money(1, "EUR"))  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Dispute(provider_reference=reference, amount=Money(1, "EUR"), status="open")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "amount", [{"minor": "12", "currency": "EUR"}, {"minor": 1.0, "currency": "EUR"}, {"minor": 1}, 12, "12.00 EUR"]
)
def test_an_amount_that_only_looks_like_money_is_refused(amount: object) -> None:
    with pytest.raises(ValidationError):
        Movement(provider_reference="re_1", amount=amount)  # type: ignore[arg-type]


def test_an_amount_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        Movement.model_validate_json(
            '{"provider_reference": "re_1", "amount": {"minor": 1, "currency": "EUR", "exponent": 2}}'
        )
