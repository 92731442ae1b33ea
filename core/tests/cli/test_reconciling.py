"""``kassa reconcile``, ``kassa reconciliations``: our books beside the provider's own."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from .conftest import Kassa

YESTERDAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%S}"


@pytest.fixture
def captured_elsewhere(card_shop: Path, kassa: Kassa, simulator: SimulatorProcess) -> str:
    """The id of a payment of three hours ago, of which 20.00 EUR were captured in the provider's dashboard."""
    simulator.control.clear_faults()
    placed = kassa("pay", "cart.json", "--region", "eu", "--provider", "cards", "--json")
    payment_id: str = placed.document["payment_ids"][0]
    with sqlite3.connect(card_shop / "kassa.db") as database:
        database.execute("UPDATE payment_sessions SET created_at = datetime(created_at, '-3 hours') || '.000000'")
        (reference,) = database.execute("SELECT provider_reference FROM payments").fetchone()
    database.close()
    simulator.control.do("capture", reference, amount=2000, currency="EUR")
    return payment_id


def test_what_was_captured_elsewhere_is_adopted_and_counted(captured_elsewhere: str, kassa: Kassa) -> None:
    shown = kassa("reconcile").stdout
    assert "pp_simulator_cards  compared" in shown
    assert "adopted    1" in shown
    payment = kassa("payments", captured_elsewhere, "--json").document["payment"]
    assert payment["captured"]["minor"] == 2000


def test_the_comparison_in_json_tells_its_time_and_its_counts(captured_elsewhere: str, kassa: Kassa) -> None:
    (compared,) = kassa("reconcile", "cards", "--since", YESTERDAY, "--json").document["reconciliations"]
    assert (compared["provider_id"], compared["adopted"], compared["reported"]) == ("pp_simulator_cards", 1, 0)
    assert compared["since"] == f"{YESTERDAY}+00:00"
    assert compared["finished_at"] is not None
    assert not {"cursor", "lease_until"} & set(compared)


def test_comparisons_are_listed_newest_first(captured_elsewhere: str, kassa: Kassa) -> None:
    assert kassa("reconciliations").stdout.strip() == "Nothing was compared yet."
    kassa("reconcile")
    kassa("reconcile", "--since", YESTERDAY)
    newest, first = kassa("reconciliations", "--json").document["reconciliations"]
    assert (newest["is_daily"], first["is_daily"]) == (False, True)
    assert kassa("reconciliations").stdout.count("compared") == 2


def test_a_list_that_cannot_be_read_is_not_finished_and_says_who_goes_on(
    captured_elsewhere: str, kassa: Kassa, simulator: SimulatorProcess
) -> None:
    simulator.control.add_fault(Fault.SERVER_ERROR_BEFORE_ACTING, "list_payments")
    ended = kassa("reconcile")
    assert ended.exit_code == 4
    assert "not finished: the list could not be read" in ended.stdout
    assert kassa("reconcile").exit_code == 0


def test_the_worker_compares_by_itself_once_a_day(captured_elsewhere: str, kassa: Kassa) -> None:
    worked = kassa("worker", "--once").stdout
    assert "pp_simulator_cards  compared with its own list: 0 listed, 1 adopted, 0 new cases" in worked
    assert "compared" not in kassa("worker", "--once").stdout


def test_a_provider_without_a_list_is_said_to_have_none(shop: Path, kassa: Kassa) -> None:
    ended = kassa("reconcile", "default")
    assert (ended.exit_code, "has no list of its payments" in ended.stderr) == (1, True)
    assert kassa("reconcile").stderr.strip() == "no configured provider has a list of its payments"


def test_a_provider_of_which_there_is_nothing_to_compare_yet_keeps_nobody_from_the_others(
    captured_elsewhere: str, kassa: Kassa
) -> None:
    with Path("kassa.toml").open("a", encoding="utf-8") as config:
        config.write("""
        [providers.unused]
        plugin = "simulator"
        options = { base_url = "env:SIMULATOR_URL", api_key = "env:SIMULATOR_KEY", webhook_secret = "env:SIMULATOR_SECRET" }
        """)
    compared = kassa("reconcile", "--json")
    assert [each["provider_id"] for each in compared.document["reconciliations"]] == ["pp_simulator_cards"]
    assert "there is nothing of pp_simulator_unused to compare yet" in compared.stderr
