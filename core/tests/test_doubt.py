"""What facts say about an operation in doubt; without a database."""

from datetime import UTC, datetime

import pytest

from kassa import doubt, intents
from kassa.model import Operation, OperationKind, Payment, PaymentSession
from kassa.transitions import OperationStatus, SessionStatus
from kassa_sdk import CancelRequest, Idempotency, LookUp, Manifest, Money, PaymentFacts, Shopper

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZERO = Money(0, "EUR")
FORTY = Money(4000, "EUR")
SESSION = PaymentSession(
    id="payses_1",
    store_id="default",
    payment_collection_id="pay_col_1",
    place=0,
    provider_id="pp_acme_acme",
    region_id="eu",
    amount=Money(10000, "EUR"),
    status=SessionStatus.AUTHORIZED,
    provider_reference="theirs",
    data={},
    shopper=Shopper(),
    action=None,
    failure=None,
    created_at=NOW,
    updated_at=NOW,
)
PAYMENT = Payment(
    id="pay_1",
    store_id="default",
    payment_collection_id="pay_col_1",
    payment_session_id="payses_1",
    provider_id="pp_acme_acme",
    provider_reference="theirs",
    amount=Money(10000, "EUR"),
    captured=FORTY,
    capturing=ZERO,
    refunded=ZERO,
    refunding=ZERO,
    canceled=ZERO,
    returned=ZERO,
    created_at=NOW,
    updated_at=NOW,
    captured_at=NOW,
    canceled_at=None,
)


def operation(kind: OperationKind) -> Operation:
    """An operation of this kind, whose fate is not known; what it asks for does not matter here."""
    return intents.intent(
        SESSION, kind, lambda key: CancelRequest(**intents.about(SESSION, key)), NOW, amount=FORTY, payment=PAYMENT
    )


@pytest.mark.parametrize(
    ("kind", "facts", "expected"),
    [
        (OperationKind.CAPTURE, {"captured": Money(8000, "EUR")}, True),
        (OperationKind.CAPTURE, {"captured": FORTY}, False),
        (OperationKind.CAPTURE, {}, False),
        (OperationKind.REFUND, {"refunded": FORTY}, True),
        (OperationKind.REFUND, {"refunded": ZERO}, False),
        (OperationKind.CANCEL, {"captured": Money(8000, "EUR")}, False),
    ],
)
def test_what_is_not_listed_may_be_there_while_the_total_is_more_than_we_know_of(
    kind: OperationKind, facts: dict[str, Money], expected: bool
) -> None:
    told = PaymentFacts.model_validate({"provider_reference": "theirs"} | facts)
    assert doubt.may_be_unlisted(operation(kind), PAYMENT, told) is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"authorized": FORTY, "condition": "authorized"}, True),
        ({"captured": FORTY}, True),
        ({"authorized": FORTY, "condition": "expired"}, False),
        ({"authorized": FORTY, "captured": FORTY, "condition": "canceled"}, True),
        ({"authorized": ZERO, "condition": "authorized"}, False),
    ],
)
def test_a_hold_that_is_over_promises_nothing(facts: dict[str, object], expected: bool) -> None:
    assert doubt.is_promised(PaymentFacts.model_validate({"provider_reference": "theirs"} | facts)) is expected


@pytest.mark.parametrize(
    ("kind", "by", "expected"),
    [
        (OperationKind.INITIATE, {"provider_reference"}, doubt.Wait),
        (OperationKind.INITIATE, {"our_reference", "provider_reference"}, doubt.LookItUp),
        (OperationKind.CAPTURE, {"provider_reference"}, doubt.LookItUp),
    ],
)
def test_a_payment_is_looked_up_by_what_is_known_of_it(kind: OperationKind, by: set[str], expected: type) -> None:
    manifest = Manifest(
        name="acme",
        display_name="Acme",
        contract_version=1,
        idempotency=Idempotency(keys="none"),
        look_up=LookUp.model_validate({"by": by}),
        notices="signed",
    )
    unknown = operation(kind).model_copy(update={"status": OperationStatus.UNKNOWN})
    assert isinstance(doubt.next_step(unknown, manifest, NOW), expected)
