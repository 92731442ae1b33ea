"""JSON as the server reads it: exact, and never at the cost of the whole server."""

import pytest

pytest.importorskip("fastapi", reason="the HTTP server is not installed: pip install 'kassa[http]'")

from decimal import Decimal  # after the check

from pydantic import ValidationError

from kassa.errors import InvalidData
from kassa.http import exact
from kassa.http.bodies import CreatePaymentSession, MoveMoney


@pytest.mark.parametrize("number", ["1e1000000", "-1E+10000000", "1e-1000000", "0e999999999", "1." + "0" * 60])
def test_a_number_that_would_fill_the_memory_is_refused(number: str) -> None:
    with pytest.raises(InvalidData, match="body: expected JSON in UTF-8"):
        exact.read(f'{{"quantity": {number}}}'.encode())


def test_numbers_are_read_as_they_are_written() -> None:
    assert exact.read(b'{"a": 49.99, "b": 1e2, "c": -0.10, "d": 7}') == {
        "a": Decimal("49.99"),
        "b": Decimal("1E+2"),
        "c": Decimal("-0.10"),
        "d": 7,
    }


def test_a_name_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(InvalidData, match="the key 'a' stands there twice"):
        exact.read(b'{"a": 1, "b": 2, "a": 1}')


def test_an_amount_that_a_program_does_not_have_is_not_all_of_it() -> None:
    with pytest.raises(ValidationError):
        MoveMoney.model_validate({"amount": None})
    assert MoveMoney.model_validate({}).model_fields_set == set()


def test_a_decimal_that_another_reader_of_json_would_change_is_refused() -> None:
    with pytest.raises(ValidationError, match="write it as text"):
        CreatePaymentSession.model_validate({"provider_id": "x", "data": {"n": Decimal("0.1000000000000000055")}})
