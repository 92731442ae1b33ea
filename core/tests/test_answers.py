"""What a client was told is kept for years: every release must be able to give it again."""

import pytest

from kassa.answers import ANSWER, Created, NotReached, PaymentStands, SaidNo, give
from kassa.errors import PaymentDeclined, ProviderUnavailable
from kassa_sdk import Money

AS_FIRST_KEPT = {
    "answer": "payment",
    "payment": {
        "id": "pay_" + "0" * 32,
        "store_id": "default",
        "payment_collection_id": "pay_col_" + "0" * 32,
        "payment_session_id": "payses_" + "0" * 32,
        "provider_id": "pp_system_default",
        "provider_reference": "cash_1",
        "amount": {"minor": 10000, "currency": "EUR"},
        "captured": {"minor": 4000, "currency": "EUR"},
        "capturing": {"minor": 0, "currency": "EUR"},
        "refunded": {"minor": 0, "currency": "EUR"},
        "refunding": {"minor": 0, "currency": "EUR"},
        "canceled": {"minor": 0, "currency": "EUR"},
        "returned": {"minor": 0, "currency": "EUR"},
        "created_at": "2026-11-22T12:30:15.123456Z",
        "captured_at": "2026-11-22T12:30:16Z",
        "canceled_at": None,
    },
}
"""Never change this: a field that Payment gets later needs a default, or a migration of the answers that are kept."""


def test_a_payment_that_an_earlier_release_kept_is_given_as_it_stood() -> None:
    answer = ANSWER.validate_python(AS_FIRST_KEPT)
    assert isinstance(answer, PaymentStands)
    assert answer.payment.captured == Money.parse("40.00", "EUR")
    assert answer.payment.updated_at == answer.payment.captured_at, "it was not kept then"
    kept = {**AS_FIRST_KEPT["payment"], "updated_at": AS_FIRST_KEPT["payment"]["captured_at"]}
    assert ANSWER.dump_python(answer, mode="json") == {**AS_FIRST_KEPT, "payment": kept}


@pytest.mark.parametrize(
    ("kept", "answer"),
    [
        ({"answer": "created", "id": "cart_1"}, Created(id="cart_1")),
        (
            {"answer": "declined", "code": "card_declined", "reason": "No.", "retryable": False},
            SaidNo(code="card_declined", reason="No.", retryable=False),
        ),
        ({"answer": "not_reached", "message": "try again"}, NotReached(message="try again")),
    ],
)
def test_every_other_answer_comes_back_as_it_was_kept(
    kept: dict[str, object], answer: Created | SaidNo | NotReached
) -> None:
    assert ANSWER.validate_python(kept) == answer
    assert ANSWER.dump_python(answer, mode="json") == kept


def test_an_answer_that_was_an_error_is_that_error_again() -> None:
    with pytest.raises(PaymentDeclined, match=r"declined \(card_declined\): No\.") as caught:
        give(SaidNo(code="card_declined", reason="No.", retryable=True))
    assert (caught.value.code, caught.value.reason, caught.value.retryable) == ("card_declined", "No.", True)
    with pytest.raises(ProviderUnavailable, match="was not reached"):
        give(NotReached(message="pp_system_default was not reached; try again"))
