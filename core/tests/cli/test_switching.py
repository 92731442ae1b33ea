"""``kassa switch`` and ``kassa switches``: a provider is taken out of what is offered, and put back."""

from pathlib import Path

import pytest

from .conftest import Kassa

OFF = ("switch", "off", "default", "--why", "no couriers today", "--who", "Ada")
ON = ("switch", "on", "default", "--why", "they are back", "--who", "Grace")


def test_a_provider_is_switched_off_and_explain_tells_why(kassa: Kassa, shop: Path) -> None:
    ended = kassa(*OFF)
    assert ended.exit_code == 0
    assert ended.stdout.startswith("pp_system_default everywhere: off\n")
    (provider,) = kassa("explain", "eu", "--json").document["providers"]
    assert provider == {
        "id": "pp_system_default",
        "is_offered": False,
        "reasons": ["switched off everywhere: no couriers today"],
    }
    assert "switched off everywhere: no couriers today" in kassa("explain", "eu").stdout
    refused = kassa("pay", "cart.json", "--region", "eu", "--provider", "default")
    assert (refused.exit_code, "no couriers today" in refused.stderr) == (1, True)


def test_a_payment_under_way_is_captured_as_before(kassa: Kassa, paid: str) -> None:
    kassa(*OFF)
    assert kassa("capture", paid).exit_code == 0


def test_it_is_switched_on_again_and_the_switch_is_kept(kassa: Kassa, shop: Path) -> None:
    kassa(*OFF)
    assert kassa(*ON).stdout.startswith("pp_system_default everywhere: on again\n")
    (switch,) = kassa("switches", "--json").document["switches"]
    assert (switch["is_off"], switch["reason"], switch["off_by"]) == (False, "no couriers today", "Ada")
    assert (switch["on_why"], switch["on_by"]) == ("they are back", "Grace")
    assert kassa("explain", "eu", "--json").document["providers"][0]["is_offered"]
    listed = kassa("switches").stdout
    assert listed.startswith("No provider is switched off.\n")
    assert "no couriers today" in listed


def test_it_may_be_off_in_one_region_only(kassa: Kassa, shop: Path) -> None:
    switch = kassa(*OFF, "--region", "eu", "--json").document["switch"]
    assert (switch["provider_id"], switch["region_id"], switch["is_off"]) == ("pp_system_default", "eu", True)
    wrong = kassa(*ON)
    assert (wrong.exit_code, wrong.stderr) == (
        1,
        "pp_system_default is not switched off everywhere; it is switched off in region eu\n",
    )


def test_without_a_name_it_was_who_is_logged_in(kassa: Kassa, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert kassa(*OFF[:-2], "--json").document["switch"]["off_by"] == "ada"


def test_a_reason_must_be_given(kassa: Kassa, shop: Path) -> None:
    assert kassa("switch", "off", "default").exit_code == 2
    assert kassa("switch", "of", "default", "--why", "x").exit_code == 2
    empty = kassa("switch", "off", "default", "--why", "")
    assert (empty.exit_code, empty.stderr) == (
        1,
        "why: expected some words: a switch is kept with who turned it, and why\n",
    )


def test_without_a_database_nothing_is_off(kassa: Kassa, shop: Path) -> None:
    assert kassa("explain", "eu", "--json").document["providers"][0]["is_offered"]
    assert not (shop / "kassa.db").exists()
