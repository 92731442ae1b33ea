"""``kassa capture``, ``kassa refund`` and ``kassa cancel``: what happens to a payment after its order."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kassa.cli.engines import opened
from kassa.cli.exits import ExitCode, says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, Amount, AsJson, ConfigPath, Key, PaymentId
from kassa.cli.output import GOOD, WAITING, print_document, record_document, say
from kassa.cli.payments import payment_document, show_payment

if TYPE_CHECKING:
    from kassa.engine import Engine
    from kassa.model import Operation, Payment
    from kassa_sdk import Money


@says_mistakes
def capture(
    payment_id: PaymentId,
    amount: Amount = None,
    key: Key = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Take money that is authorized: an amount, or all that is left."""
    with opened(config) as engine:
        payment = engine.capture_payment(payment_id, _money(engine, payment_id, amount), idempotency_key=key)
        operation = _operation(engine, payment, "capture", key)
    _tell(payment, operation, "Captured", as_json=as_json)


@says_mistakes
def refund(
    payment_id: PaymentId,
    amount: Amount = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept with the refund.")] = None,
    key: Key = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Give captured money back: an amount, or all that is left.

    A refund that the provider takes its time for ends with exit code 4, and stays reserved until it is settled.
    """
    with opened(config) as engine:
        payment = engine.refund_payment(payment_id, _money(engine, payment_id, amount), reason, idempotency_key=key)
        operation = _operation(engine, payment, "refund", key)
    _tell(payment, operation, "Refunded", as_json=as_json)


@says_mistakes
def cancel(
    payment_id: PaymentId, key: Key = None, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """Give up what was not captured; refused while a capture is in doubt."""
    with opened(config) as engine:
        payment = engine.cancel_payment(payment_id, idempotency_key=key)
        operation = _operation(engine, payment, "cancel", key)
    _tell(payment, operation, "Canceled", as_json=as_json)


def _money(engine: "Engine", payment_id: str, amount: str | None) -> "Money | None":
    """The amount in the payment's own currency: nobody has to name it, so nobody can name another."""
    from kassa_sdk import Money

    if amount is None:
        return None
    return Money.parse(amount, engine.retrieve_payment(payment_id).payment.amount.currency)


def _operation(engine: "Engine", payment: "Payment", kind: str, key: str | None) -> "Operation":
    """The operation that was asked for: the one of the key, else the newest of its kind."""
    operations = engine.list_operations(payment.payment_collection_id)
    own = [each for each in operations if each.payment_id == payment.id and each.kind.value == kind]
    return [each for each in own if key is None or each.client_key == key][-1]


def _tell(payment: "Payment", operation: "Operation", done: str, *, as_json: bool) -> None:
    is_done = operation.status.value == "succeeded"
    if as_json:
        document = {"payment": payment_document(payment), "operation": record_document(operation, without=("request",))}
        print_document(document)
    else:
        amount = "" if operation.amount is None else f" {operation.amount}"
        under_way = f"The provider has it and will tell: {operation.kind.value}{amount} is {operation.status.value}."
        say(Text(f"{done}{amount}.", GOOD) if is_done else Text(under_way, WAITING))
        show_payment(payment)
    if not is_done:
        raise typer.Exit(ExitCode.UNFINISHED)
