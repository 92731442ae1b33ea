"""``kassa providers``, ``kassa regions`` and ``kassa explain``: who is offered where, and why not."""

from pathlib import Path
from typing import Any

import pytest

from .conftest import RISK, SHOP, Kassa


def test_providers_are_listed_with_what_they_can_do(kassa: Kassa, shop: Path) -> None:
    (provider,) = kassa("providers", "--json").document["providers"]
    assert provider["id"] == "pp_system_default"
    assert provider["distribution"] == "kassa-system"
    assert provider["manifest"]["captures"] == "multiple"
    assert "in parts, any number of times" in kassa("providers").stdout


def test_listing_needs_no_database(kassa: Kassa, shop: Path) -> None:
    for arguments in (["providers"], ["regions"], ["explain", "eu"]):
        assert kassa(*arguments).exit_code == 0
    assert not (shop / "kassa.db").exists()


def test_the_matrix_shows_the_order_and_the_rules(kassa: Kassa, card_shop: Path) -> None:
    lines = kassa("regions").stdout.splitlines()
    (cards,) = [line.split() for line in lines if line.startswith("pp_simulator_cards")]
    (cash,) = [line.split() for line in lines if line.startswith("pp_system_default")]
    assert cards == ["pp_simulator_cards", "1", "✓", "1", "✓"]
    assert cash == ["pp_system_default", "2", "✓", "–"]


def test_regions_in_json_carry_their_rules(kassa: Kassa, shop: Path) -> None:
    (region,) = kassa("regions", "--json").document["regions"]
    (rule,) = region["providers"][0]["rules"]
    assert rule["amount_max"] == {"amount": "150.00", "currency": "EUR", "minor": 15000}
    assert rule["reason"] == "Cash on delivery only up to 150 EUR"


def test_explain_gives_the_reason_of_the_rule(kassa: Kassa, shop: Path) -> None:
    explained = kassa("explain", "eu", "--amount", "150.01", "--json").document
    assert explained["amount"] == {"amount": "150.01", "currency": "EUR", "minor": 15001}
    assert explained["providers"] == [
        {"id": "pp_system_default", "is_offered": False, "reasons": ["Cash on delivery only up to 150 EUR"]}
    ]
    assert kassa("explain", "eu", "--amount", "150", "--json").document["providers"][0]["is_offered"]


def test_explain_gives_the_reason_of_an_extension(kassa: Kassa, shop: Path, install: Any) -> None:
    install("kassa-risk", RISK, plugin="risk", target="Risk", group="kassa.extensions")
    (shop / "kassa.toml").write_text(SHOP + '\n[extensions.risk]\nplugin = "risk"\n', encoding="utf-8")
    (default,) = kassa("explain", "eu", "--json").document["providers"]
    assert (default["is_offered"], default["reasons"]) == (False, ["the risk department says no"])


def test_explain_says_what_it_was_not_told(kassa: Kassa, shop: Path) -> None:
    assert "amount, country, customer groups: excludes nothing" in kassa("explain", "eu").stdout


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--amount", "1.005", "1.005 EUR has 3 decimals; EUR has 2, and amounts are never rounded"),
        ("--amount", "1,00", "'1,00' is not a decimal amount; expected digits such as '49.99'"),
        ("--country", "Germany", "--country: expected an ISO 3166 code such as DE, not 'Germany'"),
    ],
)
def test_explain_refuses_what_it_cannot_read(option: str, value: str, sentence: str, kassa: Kassa, shop: Path) -> None:
    ended = kassa("explain", "eu", option, value)
    assert (ended.exit_code, ended.stderr) == (1, sentence + "\n")
