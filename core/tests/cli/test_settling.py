"""``kassa payments``, ``capture``, ``refund`` and ``cancel``: what happens to a payment after its order."""

import json
from pathlib import Path

import pytest

from .conftest import Kassa


def test_a_capture_takes_the_amount_and_says_so(kassa: Kassa, paid: str) -> None:
    ended = kassa("capture", paid, "--amount", "20.00", "--json")
    assert ended.exit_code == 0
    assert ended.document["payment"]["captured"] == {"amount": "20.00", "currency": "EUR", "minor": 2000}
    assert ended.document["operation"]["status"] == "succeeded"
    assert kassa("capture", paid).stdout.startswith("Captured 29.98 EUR.\n")


def test_a_refund_keeps_its_reason(kassa: Kassa, paid: str) -> None:
    kassa("capture", paid)
    assert kassa("refund", paid, "--amount", "5.00", "--reason", "a chipped cup").exit_code == 0
    ledger = kassa("payments", paid, "--json").document
    assert [(each["amount"]["amount"], each["reason"]) for each in ledger["refunds"]] == [("5.00", "a chipped cup")]


def test_a_cancellation_gives_up_what_was_not_captured(kassa: Kassa, paid: str) -> None:
    kassa("capture", paid, "--amount", "20.00")
    ended = kassa("cancel", paid, "--json")
    assert ended.exit_code == 0
    assert ended.document["payment"]["canceled"]["amount"] == "29.98"


def test_too_much_is_refused_and_changes_nothing(kassa: Kassa, paid: str) -> None:
    ended = kassa("capture", paid, "--amount", "49.99")
    assert ended.exit_code == 1
    assert ended.stderr == f"payment {paid} has 49.98 EUR left to capture, so 49.99 EUR is too much\n"
    assert kassa("payments", paid, "--json").document["captures"] == []


def test_an_amount_finer_than_the_currency_is_refused(kassa: Kassa, paid: str) -> None:
    ended = kassa("capture", paid, "--amount", "1.005", "--json")
    assert ended.exit_code == 1
    assert ended.document["error"] == {
        "type": "ExcessPrecision",
        "message": "1.005 EUR has 3 decimals; EUR has 2, and amounts are never rounded",
    }


@pytest.mark.parametrize("amount", ["0", "0.00", "-1", "1e2", "ten", ""])
def test_what_is_no_amount_is_refused(amount: str, kassa: Kassa, paid: str) -> None:
    ended = kassa("capture", paid, f"--amount={amount}")
    assert ended.exit_code == 1
    assert "Traceback" not in ended.stderr
    assert kassa("payments", paid, "--json").document["captures"] == []


@pytest.mark.parametrize("verb", ["capture", "refund", "cancel", "payments"])
def test_an_id_of_another_kind_is_refused(verb: str, kassa: Kassa, shop: Path) -> None:
    ended = kassa(verb, "order_" + "0" * 32)
    assert ended.exit_code == 1
    assert ended.stderr.startswith("payment_id: expected an id that starts with pay_, not 'order_")


def test_an_id_that_nobody_has_is_said_so(kassa: Kassa, shop: Path) -> None:
    ended = kassa("capture", "pay_" + "0" * 32, "--json")
    assert (ended.exit_code, ended.document["error"]["type"]) == (1, "NotFound")


def test_one_payment_is_shown_with_everything_that_happened_to_it(kassa: Kassa, paid: str) -> None:
    kassa("capture", paid, "--amount", "20.00")
    document = kassa("payments", paid, "--json").document
    assert document["payment"]["id"] == paid
    assert [each["kind"] for each in document["operations"]] == ["initiate", "authorize", "capture"]
    assert "payment.captured" in [each["name"] for each in document["events"]]
    assert "request" not in document["operations"][0], "it may hold the shopper's address"
    shown = kassa("payments", paid).stdout
    assert "20.00 EUR" in shown
    assert "payment.captured" in shown


def test_payments_are_listed_a_page_at_a_time_the_newest_first(kassa: Kassa, paid: str) -> None:
    second = kassa("pay", "cart.json", "-r", "eu", "-p", "default", "--json").document["payment_ids"][0]
    assert [each["id"] for each in kassa("payments", "--json").document["payments"]] == [second, paid]
    page = kassa("payments", "--limit", "1", "--offset", "1", "--json").document["payments"]
    assert [each["id"] for each in page] == [paid]


@pytest.mark.parametrize(
    ("scenario", "verb", "exit_code"),
    [("capture_declined", "capture", 3), ("capture_pending", "capture", 4), ("refund_pending", "refund", 4)],
)
def test_the_exit_code_tells_whether_money_moved(
    scenario: str, verb: str, exit_code: int, kassa: Kassa, card_shop: Path
) -> None:
    data = json.dumps({"scenario": scenario})
    placed = kassa("pay", "cart.json", "-r", "eu", "-p", "cards", "--data", data, "--json").document
    payment_id = placed["payment_ids"][0]
    if verb == "refund":
        assert kassa("capture", payment_id).exit_code == 0
    assert kassa(verb, payment_id).exit_code == exit_code


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_a_command_that_is_repeated_with_its_key_is_done_once_and_says_the_same(
    verb: str, kassa: Kassa, paid: str
) -> None:
    if verb == "refund":
        kassa("capture", paid)
    command = (verb, paid, "--amount", "20.00", "--idempotency-key", "monday-1")
    first, kept = kassa(*command), kassa("payments", paid, "--json").document
    kassa(verb, paid, "--amount", "5.00")
    assert first.exit_code == 0
    assert kassa(*command).stdout == first.stdout
    assert kassa("payments", paid, "--json").document[f"{verb}s"][:1] == kept[f"{verb}s"][-1:]


def test_a_cancellation_that_is_repeated_with_its_key_says_the_same(kassa: Kassa, paid: str) -> None:
    first = kassa("cancel", paid, "--idempotency-key", "monday-1")
    again = kassa("cancel", paid, "--idempotency-key", "monday-1")
    assert (again.exit_code, again.stdout) == (0, first.stdout)


def test_a_key_that_stands_for_another_request_is_refused(kassa: Kassa, paid: str) -> None:
    kassa("capture", paid, "--amount", "20.00", "--idempotency-key", "monday-1")
    ended = kassa("capture", paid, "--amount", "20.01", "--idempotency-key", "monday-1", "--json")
    assert (ended.exit_code, ended.document["error"]["type"]) == (1, "KeyReused")
    assert "'monday-1' stands for another request, a capture_payment" in ended.document["error"]["message"]
    assert len(kassa("payments", paid, "--json").document["captures"]) == 1
