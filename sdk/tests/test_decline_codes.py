"""Decline codes: one table, complete, and honest about what it does not know."""

import pytest

from kassa_sdk import Declined
from kassa_sdk.decline_codes import Decline, DeclineCodes

CODES = DeclineCodes(
    {"no_funds": Decline("There is not enough money."), "stolen": Decline("The card was declined.", retryable=False)},
    otherwise=Decline("The payment was declined."),
)


def test_a_known_code_is_told_as_the_table_says() -> None:
    assert CODES.declined("stolen", provider_reference="pay_1") == Declined(
        code="stolen", reason="The card was declined.", retryable=False, provider_reference="pay_1"
    )


def test_an_unknown_code_is_kept_and_told_in_general_words() -> None:
    assert CODES.declined("brand_new") == Declined(code="brand_new", reason="The payment was declined.")


def test_a_table_tells_which_codes_it_has() -> None:
    assert ("stolen" in CODES, "brand_new" in CODES) == (True, False)


def test_a_decline_without_a_code_is_a_decline() -> None:
    assert CODES.declined("").code == "declined"


def test_a_complete_table_is_accepted() -> None:
    CODES.compare(["stolen", "no_funds"])


@pytest.mark.parametrize(
    ("documented", "sentence"),
    [
        (["stolen", "no_funds", "expired"], r"missing \['expired'\], left over none"),
        (["stolen"], r"missing none, left over \['no_funds'\]"),
    ],
)
def test_a_table_that_differs_from_the_documentation_is_told_where(documented: list[str], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        CODES.compare(documented)
