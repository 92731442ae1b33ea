"""What is the number of a card, and what only looks long."""

import pytest

from kassa import card_numbers


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "36227206271667",
        "6011111111111117",
        "3566002020360505",
        "6205500000000000004",
    ],
)
def test_the_number_of_a_card_is_known_with_and_without_gaps(text: str) -> None:
    assert card_numbers.is_one(text)
    assert card_numbers.holds_one(f"please take {text}, thank you")


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",  # a wrong check digit
        "1764230000007",  # a moment in milliseconds, whose check digit happens to be true
        "0000000000000000",
        "42424242",
        "x4242424242424242",
        "pi_4242424242424242",
        "",
    ],
)
def test_what_is_only_long_is_no_number_of_a_card(text: str) -> None:
    assert not card_numbers.is_one(text)


def test_the_number_of_a_card_is_found_beside_other_digits_and_not_within_an_id() -> None:
    for text in ("4242424242424242 12/27", "12 4242 4242 4242 4242 123", "card 4242424242424242, cvc 123"):
        assert card_numbers.holds_one(text), text
    for text in ("pi_4242424242424242", "4242424242424242abc", "4242 4242", "12.12.2026 14:15"):
        assert not card_numbers.holds_one(text), text


def test_a_text_of_nothing_but_digits_and_gaps_is_masked_at_once() -> None:
    assert card_numbers.masked("1-" * 200_000, "***") == "1-" * 200_000
    assert card_numbers.masked("4242424242424242 " * 10_000, "***") == "*** " * 10_000
