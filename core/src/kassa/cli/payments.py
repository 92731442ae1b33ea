"""``kassa payments`` and ``kassa orders``: what was paid, and everything that happened to it."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kassa.cli.engines import opened
from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, Limit, Offset
from kassa.cli.output import (
    BAD,
    GOOD,
    LOUD,
    QUIET,
    WAITING,
    Document,
    console,
    facts,
    indented,
    moment,
    print_document,
    record_document,
    say,
    table,
)

if TYPE_CHECKING:
    from kassa.model import Capture, Event, Operation, Order, Payment, PaymentLedger, Refund


ROOM_FOR_EVENTS_OF = 100
"""Columns that a terminal must have before the events say what each is about; in JSON they always do."""


@says_mistakes
def show_payments(
    payment_id: Annotated[
        str | None,
        typer.Argument(
            metavar="PAYMENT_ID", help="One payment; without it, the newest are listed.", show_default=False
        ),
    ] = None,
    limit: Limit = 20,
    offset: Offset = 0,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List the payments, newest first, or show one with its captures and refunds, its operations and its history."""
    with opened(config) as engine:
        if payment_id is None:
            payments = engine.list_payments(limit=limit, offset=offset)
        else:
            ledger = engine.retrieve_payment(payment_id)
            collection_id = ledger.payment.payment_collection_id
            operations, events = engine.list_operations(collection_id), engine.list_events(collection_id)
    if payment_id is None:
        if as_json:
            print_document({"payments": [payment_document(payment) for payment in payments]})
        else:
            show_list(payments)
    elif as_json:
        print_document(_ledger_document(ledger, operations, events))
    else:
        show_payment(ledger.payment)
        show_ledger(ledger)
        _show_operations(operations)
        _show_events(events)


@says_mistakes
def show_orders(
    limit: Limit = 20, offset: Offset = 0, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """List the orders of kassa's own carts, newest first."""
    with opened(config) as engine:
        orders = engine.list_orders(limit=limit, offset=offset)
    if as_json:
        print_document({"orders": [order_document(order) for order in orders]})
        return
    show_order_list(orders)


def show_list(payments: "tuple[Payment, ...]") -> None:
    """The payments as a table that fits on 80 columns: the second line of each row says who, when and how it stands."""
    if not payments:
        say("No payments yet.")
        return
    drawn = table("payment", "amount", "captured", "refunded", numbers=("amount", "captured", "refunded"))
    for payment in payments:
        about = Text(payment.id).append(f"\n{payment.provider_id}, {moment(payment.created_at)}", QUIET)
        drawn.add_row(
            about,
            Text(str(payment.amount)).append(f"\n{payment.status.value}", QUIET),
            _with_doubt(str(payment.captured), payment.capturing),
            _with_doubt(str(payment.refunded), payment.refunding),
        )
    say(drawn)


def show_order_list(orders: "tuple[Order, ...]") -> None:
    """The orders as a table."""
    if not orders:
        say("No orders yet.")
        return
    drawn = table("order", "region", "total", "", numbers=("total",))
    for order in orders:
        about = Text(order.id).append(
            f"\n{order.shopper.customer.email or 'no e-mail'}, {moment(order.created_at)}", QUIET
        )
        paid = Text("paid", GOOD) if order.is_paid else Text("waits for its money", WAITING)
        drawn.add_row(about, order.region_id, str(order.total), paid)
    say(drawn)


def show_payment(payment: "Payment") -> None:
    """One payment with its amounts; those that are zero are left out."""
    amounts = {
        "captured": payment.captured,
        "being captured": payment.capturing,
        "refunded": payment.refunded,
        "being refunded": payment.refunding,
        "canceled": payment.canceled,
    }
    say(Text(payment.id, LOUD))
    rows = [("status", payment.status.value), ("amount", str(payment.amount))]
    rows += [(name, str(amount)) for name, amount in amounts.items() if amount]
    rows += [
        ("provider", payment.provider_id),
        ("their reference", payment.provider_reference),
        ("session", payment.payment_session_id),
        ("collection", payment.payment_collection_id),
        ("since", moment(payment.created_at)),
    ]
    say(facts(rows))


def show_ledger(ledger: "PaymentLedger", *, indent: int = 2) -> None:
    """Every capture and refund, oldest first."""
    movements: list[tuple[str, Capture | Refund, str]] = [
        *(("capture", each, "") for each in ledger.captures),
        *(("refund", each, each.reason or "") for each in ledger.refunds),
    ]
    if not movements:
        return
    drawn = table("when", "", "amount", "id", numbers=("amount",))
    for verb, movement, reason in sorted(movements, key=lambda each: each[1].created_at):
        about = Text(movement.id).append(f"\n{reason}" if reason else "", QUIET)
        sign = "" if verb == "capture" else "−"
        drawn.add_row(moment(movement.created_at), verb, f"{sign}{movement.amount}", about)
    say()
    say(indented(drawn, indent))


def payment_document(payment: "Payment") -> Document:
    """A payment for programs."""
    return {"status": payment.status.value, **record_document(payment)}


def order_document(order: "Order") -> Document:
    """An order for programs."""
    return record_document(order)


def _with_doubt(settled: str, in_doubt: object) -> Text:
    return Text(settled).append(f"\n+ {in_doubt}?" if in_doubt else "", WAITING)


def _show_operations(operations: "tuple[Operation, ...]") -> None:
    say()
    drawn = table("when", "operation", "amount", "", numbers=("amount",))
    for operation in operations:
        about = Text(operation.status.value.replace("_", " "), _style_of(operation.status.value))
        about.append(f"\n{operation.cause}" if operation.cause else "", QUIET)
        amount = "" if operation.amount is None else str(operation.amount)
        drawn.add_row(moment(operation.created_at), operation.kind.value, amount, about)
    say(indented(drawn))


def _style_of(status: str) -> str:
    return {"succeeded": GOOD, "failed": BAD, "canceled": QUIET}.get(status, WAITING)


def _show_events(events: "tuple[Event, ...]") -> None:
    say()
    has_room = console().width >= ROOM_FOR_EVENTS_OF
    drawn = table("when", "event", *(["of"] if has_room else []))
    for event in events:
        drawn.add_row(moment(event.created_at), event.name, *([Text(event.entity_id, QUIET)] if has_room else []))
    say(indented(drawn))


def _ledger_document(
    ledger: "PaymentLedger", operations: "tuple[Operation, ...]", events: "tuple[Event, ...]"
) -> Document:
    return {
        "payment": payment_document(ledger.payment),
        "captures": ledger.captures,
        "refunds": ledger.refunds,
        # The request is what was sent: it may hold the shopper's address, and belongs to recovery.
        "operations": [record_document(operation, without=("request",)) for operation in operations],
        "events": events,
    }
