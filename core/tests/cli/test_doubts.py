"""``kassa doubts``, ``kassa resolve``, ``kassa worker``: what is not settled, and what settles it."""

from pathlib import Path

import pytest

from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from .conftest import Kassa


@pytest.fixture
def lost(card_shop: Path, kassa: Kassa, simulator: SimulatorProcess) -> str:
    """The id of a payment of 49.98 EUR, of which 20.00 EUR were captured, and the answer to that was lost."""
    placed = kassa("pay", "cart.json", "--region", "eu", "--provider", "cards", "--json")
    payment_id: str = placed.document["payment_ids"][0]
    simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
    assert kassa("capture", payment_id, "--amount", "20.00").exit_code == 4
    return payment_id


def test_without_a_doubt_that_is_said(shop: Path, kassa: Kassa) -> None:
    assert kassa("doubts").stdout.strip() == "Nothing is in doubt."


def test_a_doubt_is_listed_with_its_cause_and_its_next_step(lost: str, kassa: Kassa) -> None:
    (operation,) = kassa("doubts", "--json").document["operations"]
    assert (operation["kind"], operation["status"]) == ("capture", "unknown")
    assert operation["next_step"].startswith("`kassa worker` takes it up at ")
    shown = kassa("doubts").stdout
    assert operation["attempt_key"] in shown
    assert "capture 20.00 EUR: unknown" in shown


def test_the_worker_settles_it(lost: str, kassa: Kassa) -> None:
    worked = kassa("worker", "--once", "--json")
    assert worked.exit_code == 0
    assert kassa("doubts", "--json").document == {"operations": []}
    captured = kassa("payments", lost, "--json").document["payment"]["captured"]
    assert captured == {"amount": "20.00", "currency": "EUR", "minor": 2000}


def test_a_person_decides_and_has_to_say_why(lost: str, kassa: Kassa) -> None:
    (operation,) = kassa("doubts", "--json").document["operations"]
    assert kassa("resolve", operation["id"], "succeeded").exit_code == 2
    decided = kassa(
        "resolve",
        operation["id"],
        "succeeded",
        "--why",
        "seen there",
        "--who",
        "Ada",
        "--reference",
        "simcap_1",
        "--json",
    )
    assert decided.document["operation"]["status"] == "succeeded"
    again = kassa("resolve", operation["id"], "failed", "--why", "changed my mind", "--who", "Ada")
    assert (again.exit_code, "there is nothing to decide" in again.stderr) == (1, True)


def test_a_decision_about_nothing_names_what_was_expected(shop: Path, kassa: Kassa) -> None:
    ended = kassa("resolve", "pay_1", "failed", "--why", "x")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("operation_id: expected an id that starts with op_")
