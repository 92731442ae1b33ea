"""``kassa demo``: two checkouts and what follows them, told as they happen, on this machine and with no real money."""

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kassa.cli.demo_shop import DATABASE, SIMULATED, running_shop
from kassa.cli.exits import says_mistakes
from kassa.cli.narration import Narration
from kassa.cli.options import AsJson
from kassa.cli.output import (
    BAD,
    GOOD,
    LOUD,
    QUIET,
    Document,
    facts,
    indented,
    moment,
    money_document,
    print_document,
    table,
)
from kassa.cli.payments import order_document, payment_document

if TYPE_CHECKING:
    from kassa.engine import Engine
    from kassa.model import Order, PaymentLedger

CONFIGURATION = (
    f"{DATABASE}[providers.card]\n{SIMULATED}[providers.wallet]\n{SIMULATED}"
    + """
[providers.invoice]
plugin = "system"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE", "FR", "NL"]
providers = ["card", "invoice"]

[[regions.eu.rules]]
provider = "invoice"
amount_max = "150.00"
reason = "An invoice only up to 150 EUR"

[regions.jp]
name = "Japan"
currency = "JPY"
countries = ["JP"]
providers = ["wallet"]
"""
)


@says_mistakes
def demo(as_json: AsJson = False) -> None:
    """Watch two checkouts, and what follows: on this machine, without a real provider or real money.

    Needs the plugins kassa-system and kassa-simulator. The simulated provider runs beside, in a process with books of
    its own, and ends with the demo; the database is a file in a temporary folder.
    """
    from kassa.cli import demo_scenes as scenes

    tell = Narration(silent=as_json)
    with running_shop(CONFIGURATION) as (engine, simulator):
        _begin(tell)
        stage = scenes.Stage(engine, tell, simulator)
        scenes.who_is_offered(stage)
        card = scenes.straight_through(stage)
        wallet = scenes.with_an_action(stage)
        scenes.after_the_order(stage, card, wallet)
        _end(tell, engine, simulator.books(), as_json=as_json)


def _begin(tell: Narration) -> None:
    tell.say(Text("kassa: payments through any provider, region by region", LOUD))
    tell.say(Text("A demo on this machine. The provider is simulated, in a process with books of its own.", QUIET))
    tell.step("shop", "opens the engine that its configuration describes.", code='engine = kassa.open("kassa.toml")')


def _end(tell: Narration, engine: "Engine", books: list[dict[str, Any]], *, as_json: bool) -> None:
    orders = tuple(reversed(engine.list_orders()))
    ledgers = tuple(engine.retrieve_payment(payment.id) for payment in reversed(engine.list_payments()))
    theirs = {effect["movement_id"] for effect in books if effect.get("movement_id")}
    if as_json:
        print_document(_document(tell, orders, ledgers, theirs))
        return
    tell.scene("What there is now")
    tell.say(indented(_orders_table(orders, ledgers)))
    tell.say()
    tell.say(indented(_ledger_table(ledgers, theirs)))
    tell.scene("Where to go next")
    tell.say(
        facts(
            [
                ("kassa init", "write a configuration of your own, commented"),
                ("kassa check", "validate it: every mistake with its line"),
                ("kassa pay --help", "pay a cart from a file"),
                ("kassa doctor", "which plugins are installed, and whether they work"),
            ]
        )
    )


def _orders_table(orders: "tuple[Order, ...]", ledgers: "tuple[PaymentLedger, ...]") -> Table:
    paid = {ledger.payment.payment_collection_id: ledger.payment for ledger in ledgers}
    drawn = table("order", "who", "total", "captured", "refunded", numbers=("total", "captured", "refunded"))
    for order in orders:
        payment = paid[order.payment_collection_id or ""]
        who = (order.shopper.customer.email or "").partition("@")[0].capitalize()
        drawn.add_row(order.id, who, str(order.total), str(payment.captured), str(payment.refunded))
    return drawn


def _movements(ledger: "PaymentLedger") -> list[tuple[str, Any]]:
    movements = [("capture", each) for each in ledger.captures] + [("refund", each) for each in ledger.refunds]
    return sorted(movements, key=lambda each: each[1].created_at)


def _ledger_table(ledgers: "tuple[PaymentLedger, ...]", theirs: set[str]) -> Table:
    drawn = table("our ledger", "", "amount", "provider", "in their books", numbers=("amount",))
    for ledger in ledgers:
        for verb, movement in _movements(ledger):
            found = movement.provider_reference in theirs
            sign = "" if verb == "capture" else "−"
            in_books = Text(f"✓ {movement.provider_reference}", GOOD) if found else Text("✗ missing", BAD)
            amount = f"{sign}{movement.amount}"
            drawn.add_row(moment(movement.created_at), verb, amount, ledger.payment.provider_id, in_books)
        payment = ledger.payment
        if payment.canceled and payment.canceled_at:
            drawn.add_row(moment(payment.canceled_at), "cancel", str(payment.canceled), payment.provider_id, "")
    return drawn


def _document(
    tell: Narration, orders: "tuple[Order, ...]", ledgers: "tuple[PaymentLedger, ...]", theirs: set[str]
) -> Document:
    return {
        "steps": tell.steps,
        "orders": [order_document(order) for order in orders],
        "payments": [payment_document(ledger.payment) for ledger in ledgers],
        "ledger": [
            {
                "payment_id": ledger.payment.id,
                "type": verb,
                "amount": money_document(movement.amount),
                "provider_reference": movement.provider_reference,
                "in_provider_books": movement.provider_reference in theirs,
            }
            for ledger in ledgers
            for verb, movement in _movements(ledger)
        ],
    }
