"""``kassa pay``: a cart from a file, through the whole flow."""

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .conftest import CART, Ended, Kassa


def test_a_cart_that_is_paid_becomes_an_order(kassa: Kassa, shop: Path) -> None:
    ended = kassa("pay", "cart.json", "--region", "eu", "--provider", "default", "--json")
    assert ended.exit_code == 0
    assert ended.document["result"] == "order_placed"
    assert ended.document["total"] == {"amount": "49.98", "currency": "EUR", "minor": 4998}
    (order,) = kassa("orders", "--json").document["orders"]
    assert (order["id"], order["is_paid"]) == (ended.document["order_id"], True)
    assert order["items"][0]["unit_price"] == {"amount": "24.99", "currency": "EUR", "minor": 2499}


def test_completing_again_gives_the_same_order(kassa: Kassa, shop: Path) -> None:
    first = kassa("pay", "cart.json", "-r", "eu", "-p", "default", "--json").document
    again = kassa("pay", "--continue", first["cart_id"], "--json").document
    assert again["order_id"] == first["order_id"]
    assert len(kassa("payments", "--json").document["payments"]) == 1


def test_the_cart_may_come_from_stdin(kassa: Kassa, shop: Path) -> None:
    ended = kassa("pay", "-", "-r", "eu", "-p", "default", stdin=json.dumps(CART))
    assert ended.exit_code == 0
    assert "The order is placed." in ended.stdout


def test_a_json_number_is_read_digit_by_digit(kassa: Kassa, shop: Path) -> None:
    # As a float this is 90071992547409.921875, and two digits of the price would be gone.
    cart = '{"items": [{"title": "Gold", "quantity": 1, "unit_price": 90071992547409.93}]}'
    (shop / "kassa.toml").write_text((shop / "kassa.toml").read_text().partition("[[")[0])
    ended = kassa("pay", "-", "-r", "eu", "-p", "default", "--json", stdin=cart)
    assert ended.document["total"]["minor"] == 9007199254740993


@pytest.mark.parametrize(
    ("cart", "sentences"),
    [
        (
            '{"items": [{"title": "Tea", "quantity": 1, "unit_price": "1.005"}, '
            '{"title": "Cup", "quantity": 1, "unit_price": -1}]}',
            [
                "stdin: items[0].unit_price: 1.005 EUR has 3 decimals; EUR has 2, and amounts are never rounded",
                "stdin: items[1].unit_price: expected zero or more, not -1.00 EUR",
            ],
        ),
        (
            '{"items": [{"title": "", "quantity": 1.5, "unit_price": true, "size": 3}], "email": 7}',
            [
                "stdin: email: expected text",
                "stdin: items[0].title: is empty; put something there",
                "stdin: items[0].quantity: expected a whole number",
                'stdin: items[0].unit_price: expected a price in major units, such as "24.99"',
                "stdin: items[0].size: unknown key; remove it",
            ],
        ),
        ('{"items": []}', ["stdin: items: is empty; put something there"]),
        ("{}", ["stdin: items: is missing; add it"]),
        ("[]", ["stdin: expected a JSON object"]),
        ('{\n"items": [', ["stdin:2: is not JSON: Expecting value"]),
        ('{"email": "a", "email": "b"}', ["stdin: is not JSON: the key 'email' stands twice in one object"]),
        (
            '{"items": [{"title": "Tea", "quantity": 1, "unit_price": NaN}]}',
            ["stdin: is not JSON: NaN is no number that JSON has"],
        ),
        (
            '{"items": [{"title": "Tea", "quantity": 1, "unit_price": "1"}], "billing_address": {"country_code": "de"}}',
            ["stdin: billing_address.country_code: expected an ISO 3166 code in capitals, such as DE"],
        ),
    ],
)
def test_every_mistake_in_a_cart_is_named_with_its_field(
    cart: str, sentences: list[str], kassa: Kassa, shop: Path
) -> None:
    ended = kassa("pay", "-", "-r", "eu", "-p", "default", stdin=cart)
    assert ended.exit_code == 1
    assert ended.stderr.splitlines() == sentences
    assert kassa("orders", "--json").document["orders"] == []


def test_a_cart_file_that_is_not_there_is_said(kassa: Kassa, shop: Path) -> None:
    ended = kassa("pay", "nowhere.json", "-r", "eu", "-p", "default")
    assert (ended.exit_code, ended.stderr) == (1, "nowhere.json: cannot be read (No such file or directory)\n")


def test_a_new_cart_needs_its_region_and_provider(kassa: Kassa, shop: Path) -> None:
    assert kassa("pay", "cart.json").exit_code == 2
    assert kassa("pay").exit_code == 2


def test_nothing_that_was_given_is_passed_over(kassa: Kassa, shop: Path) -> None:
    assert kassa("pay", "--continue", "cart_1", "--region", "eu").exit_code == 2
    assert kassa("pay", "--continue", "cart_1", "--data", "{}").exit_code == 2
    assert kassa("pay", "cart.json", "--continue", "cart_1").exit_code == 2


def test_an_unknown_provider_leaves_no_cart_behind(kassa: Kassa, shop: Path) -> None:
    ended = kassa("pay", "cart.json", "-r", "eu", "-p", "nobody")
    assert ended.exit_code == 1
    assert ended.stderr == "provider_id: 'nobody' is not configured; there are pp_system_default\n"


def test_a_provider_that_is_not_offered_is_refused_with_the_reason_and_the_next_step(kassa: Kassa, shop: Path) -> None:
    cart = '{"items": [{"title": "Gold", "quantity": 1, "unit_price": "150.01"}]}'
    ended = kassa("pay", "-", "-r", "eu", "-p", "default", stdin=cart)
    assert ended.exit_code == 1
    refusal, next_step = ended.stderr.splitlines()
    assert "Cash on delivery only up to 150 EUR" in refusal
    assert "kassa pay --continue cart_" in next_step


def test_an_answer_must_be_a_json_object(kassa: Kassa, shop: Path) -> None:
    ended = kassa("pay", "cart.json", "-r", "eu", "-p", "default", "--answer", "yes")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("--answer: is not JSON")


def test_an_action_is_shown_and_the_cart_goes_on_once_the_shopper_has_acted(kassa: Kassa, card_shop: Path) -> None:
    waiting = pay_with(kassa, "redirect")
    assert waiting.exit_code == 4
    assert waiting.document["result"] == "action_needed"
    assert waiting.document["action"]["type"] == "redirect"
    cart_id = waiting.document["cart_id"]
    assert kassa("pay", "--continue", cart_id).exit_code == 4, "the shopper has not answered yet"
    approve(waiting.document["action"]["url"])
    placed = kassa("pay", "--continue", cart_id, "--answer", "{}", "--json")
    assert (placed.exit_code, placed.document["result"]) == (0, "order_placed")


def test_an_action_is_shown_to_people_with_the_command_that_goes_on(kassa: Kassa, card_shop: Path) -> None:
    ended = kassa("pay", "cart.json", "-r", "eu", "-p", "cards", "--data", '{"scenario": "redirect"}')
    assert "The shopper must act first." in ended.stdout
    assert "/challenge/" in ended.stdout
    assert "  kassa pay --continue cart_" in ended.stdout


@pytest.mark.parametrize(
    ("scenario", "exit_code", "result"),
    [
        ("approve", 0, "order_placed"),
        ("qr_code", 4, "action_needed"),
        ("challenge", 4, "action_needed"),
        ("pending", 4, "processing"),
        ("instructions", 4, "processing"),
        ("decline", 3, "refused"),
    ],
)
def test_the_exit_code_tells_how_paying_ended(
    scenario: str, exit_code: int, result: str, kassa: Kassa, card_shop: Path
) -> None:
    ended = pay_with(kassa, scenario)
    assert (ended.exit_code, ended.document["result"]) == (exit_code, result)


def test_a_declined_session_is_an_error_with_its_code(kassa: Kassa, card_shop: Path) -> None:
    ended = pay_with(kassa, "initiate_declined")
    assert ended.exit_code == 3
    error = ended.document["error"]
    assert (error["type"], error["code"], error["retryable"]) == ("PaymentDeclined", "account_blocked", False)
    assert "kassa pay --continue cart_" in error["next_steps"][0]


def test_after_a_decline_the_cart_can_be_paid_another_way(kassa: Kassa, card_shop: Path) -> None:
    declined = pay_with(kassa, "decline").document
    placed = kassa("pay", "--continue", declined["cart_id"], "--provider", "default", "--json")
    assert (placed.exit_code, placed.document["result"]) == (0, "order_placed")


def test_a_price_finer_than_the_currency_of_the_region_is_refused(kassa: Kassa, card_shop: Path) -> None:
    ended = kassa("pay", "cart.json", "-r", "jp", "-p", "cards")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("cart.json: items[0].unit_price: 24.99 JPY has 2 decimals; JPY has 0")


def pay_with(kassa: Kassa, scenario: str) -> Ended:
    data = json.dumps({"scenario": scenario})
    return kassa("pay", "cart.json", "-r", "eu", "-p", "cards", "--data", data, "--json")


def approve(page: str) -> None:
    parts = urlsplit(page)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request("POST", parts.path, "answer=approve")
    connection.getresponse().read()
    connection.close()
