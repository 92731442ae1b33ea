"""Verdicts: who is offered, and every reason why not."""

from datetime import UTC, datetime

import pytest

from kassa.model import ProviderSwitch
from kassa.regions import Circumstances, Region, Rule, judge
from kassa_sdk import AmountLimits, Idempotency, Manifest, Money

REGION = Region(id="eu", name="Europe", currency="EUR", countries=("DE", "FR"), provider_ids=("pp_acme_acme",))


def manifest(**declared: object) -> Manifest:
    """A manifest that declares this."""
    return Manifest.model_validate(
        {
            "name": "acme",
            "display_name": "Acme",
            "contract_version": 1,
            "idempotency": Idempotency(keys="none"),
            **declared,
        }
    )


def reasons(region: Region, declared: Manifest, **circumstances: object) -> tuple[str, ...]:
    """Why Acme is not offered."""
    return judge(region, "pp_acme_acme", declared, Circumstances.model_validate(circumstances)).reasons


def test_a_provider_without_restrictions_is_offered() -> None:
    assert judge(REGION, "pp_acme_acme", manifest(), Circumstances(amount=Money(1, "EUR"))).is_offered


def test_a_currency_that_the_provider_cannot_is_a_reason() -> None:
    assert reasons(REGION, manifest(currencies=frozenset({"USD"}))) == ("Acme does not take EUR",)


def test_a_country_that_the_provider_does_not_serve_is_a_reason() -> None:
    assert reasons(REGION, manifest(countries=frozenset({"FR"})), country="DE") == ("Acme does not serve DE",)


def test_an_unknown_country_excludes_nobody() -> None:
    assert reasons(REGION, manifest(countries=frozenset({"FR"}))) == ()


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(99, ("Acme takes 1.00 EUR or more",)), (100, ()), (500, ()), (501, ("Acme takes at most 5.00 EUR",))],
)
def test_amount_limits_are_inclusive(amount: int, expected: tuple[str, ...]) -> None:
    limits = {"EUR": AmountLimits(minimum=Money(100, "EUR"), maximum=Money(500, "EUR"))}
    assert reasons(REGION, manifest(amount_limits=limits), amount=Money(amount, "EUR")) == expected


@pytest.mark.parametrize(
    ("rule", "outside", "inside"),
    [
        ({"amount_max": Money(150, "EUR")}, {"amount": Money(151, "EUR")}, {"amount": Money(150, "EUR")}),
        ({"amount_min": Money(150, "EUR")}, {"amount": Money(149, "EUR")}, {"amount": Money(150, "EUR")}),
        ({"countries": frozenset({"DE"})}, {"country": "FR"}, {"country": "DE"}),
        ({"customer_groups": frozenset({"vip"})}, {"customer_groups": ("new",)}, {"customer_groups": ("vip", "old")}),
    ],
)
def test_a_rule_hides_the_provider_outside_of_its_bounds_with_its_own_reason(
    rule: dict[str, object], outside: dict[str, object], inside: dict[str, object]
) -> None:
    ruled = Rule.model_validate({"provider_id": "pp_acme_acme", "reason": "because we say so", **rule})
    region = REGION.model_copy(update={"rules": (ruled,)})
    assert reasons(region, manifest(), **outside) == ("because we say so",)
    assert reasons(region, manifest(), **inside) == ()
    assert reasons(region, manifest()) == ()


def test_every_reason_is_told_at_once() -> None:
    ruled = Rule(provider_id="pp_acme_acme", amount_max=Money(1, "EUR"), reason="too much")
    region = REGION.model_copy(update={"rules": (ruled,)})
    declared = manifest(currencies=frozenset({"USD"}), countries=frozenset({"FR"}))
    assert len(reasons(region, declared, amount=Money(2, "EUR"), country="DE")) == 3


@pytest.mark.parametrize(
    ("provider_id", "region_id", "is_on_again", "reasons"),
    [
        ("pp_acme_acme", None, False, ("switched off everywhere: an outage",)),
        ("pp_acme_acme", "eu", False, ("switched off in region eu: an outage",)),
        ("pp_acme_acme", "jp", False, ()),
        ("pp_other_other", None, False, ()),
        ("pp_acme_acme", None, True, ()),
    ],
)
def test_a_switch_speaks_against_its_provider_where_it_is_off(
    provider_id: str, region_id: str | None, is_on_again: bool, reasons: tuple[str, ...]
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    switch = ProviderSwitch(
        id="switch_1",
        provider_id=provider_id,
        region_id=region_id,
        reason="an outage",
        off_by="Ada",
        off_at=now,
        on_at=now if is_on_again else None,
    )
    assert judge(REGION, "pp_acme_acme", manifest(), Circumstances(), [switch]).reasons == reasons
