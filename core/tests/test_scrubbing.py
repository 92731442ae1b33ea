"""Texts of plugins: no secret and no number of a card gets out of them, and they can be kept."""

import pytest

from kassa.scrubbing import Scrubber
from kassa_sdk import Declined, NotSent, Unknown


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("4242424242424242 was refused", "*** was refused"),
        ("4242 4242 4242 4242 was refused", "*** was refused"),
        ("4242-4242-4242-4242 was refused", "*** was refused"),
        ("4242  4242 - 4242 4242", "***"),
        ("card 4242 4242 4242 4242 12/29", "card *** 12/29"),
        ("attempt 2 4242 4242 4242 4242 100", "attempt 2 *** 100"),
        ("378282246310005", "***"),
        ("4222222222222", "***"),
        ("4242424242424242,5555555555554444", "***,***"),
    ],
)
def test_the_number_of_a_card_is_masked(written: str, kept: str) -> None:
    assert Scrubber(()).text(written) == kept


@pytest.mark.parametrize(
    "text", ["4242424242424241", "order 123456789012", "42424242424242424242", "2026-11-22", "49.90 EUR"]
)
def test_other_digits_are_kept(text: str) -> None:
    assert Scrubber(()).text(text) == text


def test_a_secret_that_begins_with_another_is_masked_whole() -> None:
    assert Scrubber(["sk", "sk_live"]).text("cannot use sk_live") == "cannot use ***"


def test_a_text_is_cut_to_2000_characters_after_the_secrets_are_out() -> None:
    text = Scrubber(["canary"]).text("x" * 1_996 + "canary" + "y" * 1_000)
    assert (len(text), text[1_996:]) == (2_000, "***…")


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_what_a_database_cannot_keep_is_replaced(text: str) -> None:
    kept = Scrubber(()).text(text)
    assert kept.encode() == kept.replace("\x00", "").encode()
    assert (kept[0], kept[-1]) == ("a", "b")


def test_an_error_that_fails_at_telling_its_text_is_told_by_its_name() -> None:
    class Shy(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not today")

    assert Scrubber(()).error(Shy()) == "Shy"


@pytest.mark.parametrize(
    ("outcome", "kept"),
    [
        (Declined(code="sk", reason="no sk", retryable=False), Declined(code="***", reason="no ***", retryable=False)),
        (NotSent(cause="no sk"), NotSent(cause="no ***")),
        (Unknown(cause="no sk"), Unknown(cause="no ***")),
        (Unknown.model_construct(), Unknown(cause="not given")),
    ],
)
def test_the_sentences_of_an_outcome_are_scrubbed(outcome: object, kept: object) -> None:
    assert Scrubber(["sk"]).outcome(outcome) == kept
