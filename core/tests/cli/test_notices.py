"""``kassa notices``, ``replay``, ``cases``, ``close``: what providers told, and what a person must know."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import kassa as library
from kassa_simulator.control import NoticeSelection
from kassa_simulator.process import SimulatorProcess

from .conftest import Kassa


@pytest.fixture
def told(card_shop: Path, kassa: Kassa, simulator: SimulatorProcess) -> str:
    """The id of a payment of 49.98 EUR, of which the provider has told that 20.00 EUR were disputed."""
    placed = kassa("pay", "cart.json", "--region", "eu", "--provider", "cards", "--json")
    payment_id: str = placed.document["payment_ids"][0]
    assert kassa("capture", payment_id).exit_code == 0
    reference = kassa("payments", payment_id, "--json").document["payment"]["provider_reference"]
    simulator.control.do("open_dispute", reference, amount=2000)
    notice = simulator.control.notices(NoticeSelection(payment_id=reference))[-1]
    engine = library.open(card_shop / "kassa.toml")
    engine.receive_notice("cards", notice["body"].encode(), notice["headers"], received_at=datetime.now(UTC))
    engine.close()
    return payment_id


def test_an_empty_inbox_is_said(shop: Path, kassa: Kassa) -> None:
    assert kassa("notices").stdout.strip() == "No notices yet."
    assert kassa("notices", "--status", "dead").stdout.strip() == "No notices are dead."
    assert kassa("cases").stdout.strip() == "No case is open."


def test_the_worker_applies_what_was_told_and_a_person_sees_the_case(told: str, kassa: Kassa) -> None:
    (received,) = kassa("notices", "--json").document["notices"]
    assert received["status"] == "received"
    assert received["next_step"].startswith("`kassa worker` takes it up at ")
    assert kassa("worker", "--once").exit_code == 0
    (applied,) = kassa("notices", "--json").document["notices"]
    assert (applied["status"], applied["next_step"]) == ("applied", "none")
    (case,) = kassa("cases", "--json").document["cases"]
    assert (case["kind"], case["amount"]["amount"]) == ("disputed", "20.00")
    assert "answer in the provider's dashboard" in kassa("cases").stdout


def test_one_notice_is_shown_with_its_body_and_replayed(told: str, kassa: Kassa) -> None:
    (received,) = kassa("notices", "--json").document["notices"]
    shown = kassa("notices", received["id"], "--json").document["notices"][0]
    assert '"type":"payment.dispute_opened"' in shown["body"]
    assert kassa("replay", received["id"], "--json").document["notice"]["status"] == "applied"
    assert kassa("replay", received["id"], "--json").document["notice"]["cause"] == "it says nothing new"


def test_a_case_is_closed_with_who_and_why(told: str, kassa: Kassa) -> None:
    kassa("worker", "--once")
    (case,) = kassa("cases", "--json").document["cases"]
    assert kassa("close", case["id"]).exit_code == 2
    closed = kassa("close", case["id"], "--why", "answered", "--who", "Ada", "--json").document["case"]
    assert (closed["status"], closed["closed_by"], closed["closed_why"]) == ("closed", "Ada", "answered")
    assert kassa("cases").stdout.strip() == "No case is open."
    assert "answered" in kassa("cases", "--closed").stdout
