"""The scenes of the demo.  Each one does what it shows: the calls beside the steps are the calls that are made."""

from dataclasses import dataclass

from rich.text import Text

from kassa.carts import NewItem
from kassa.checkout import ActionNeeded, OrderPlaced
from kassa.cli.actions import action_rows
from kassa.cli.narration import Narration
from kassa.cli.output import BAD, GOOD, facts, table
from kassa.cli.simulator_process import SimulatorProcess
from kassa.engine import Engine
from kassa.errors import InternalError, NotAllowed
from kassa.model import Payment
from kassa.regions import Circumstances
from kassa_sdk import Address, Customer, Money, Redirect, Shopper

CARD, INVOICE, WALLET = "pp_simulator_card", "pp_system_invoice", "pp_simulator_wallet"
BACK_TO_SHOP = "https://shop.example/checkout"


@dataclass(frozen=True, slots=True)
class Stage:
    """What every scene works with."""

    engine: Engine
    narration: Narration
    simulator: SimulatorProcess


def who_is_offered(stage: Stage) -> None:
    """Two regions, and a provider that is left out with a reason."""
    tell = stage.narration
    tell.scene("1. Two regions, three providers, one rule")
    for region in stage.engine.regions:
        offered = ", ".join(stage.engine.list_payment_providers(region.id))
        tell.step("shop", f"In {region.name}, in {region.currency}, it offers {offered}.")
    amount = Money.parse("249.00", "EUR")
    tell.step(
        "shop",
        f"Who is offered for {amount} to Germany, and why not?",
        code='engine.explain_providers(\n    "eu", Circumstances(amount=amount, country="DE"))',
    )
    verdicts = table("", "", "")
    verdicts.show_header = False
    for verdict in stage.engine.explain_providers("eu", Circumstances(amount=amount, country="DE")):
        mark = Text("✓", GOOD) if verdict.is_offered else Text("✗", BAD)
        verdicts.add_row(mark, verdict.provider_id, "; ".join(verdict.reasons))
    tell.show(verdicts)


def straight_through(stage: Stage) -> Payment:
    """A checkout with nothing in its way."""
    engine, tell = stage.engine, stage.narration
    tell.scene("2. A checkout that goes straight through")
    price = Money.parse("24.99", "EUR")
    ada = Shopper(customer=Customer(email="ada@example.org"), billing_address=Address(country_code="DE"))
    cart = engine.create_cart("eu", [NewItem(title="Tea set", quantity=2, unit_price=price)], ada)
    tell.step(
        "shopper",
        f"Ada in Germany puts two tea sets into the cart: {cart.total}.",
        code='item = NewItem(title="Tea set", quantity=2,\n               unit_price=Money.parse("24.99", "EUR"))\n'
        'cart = engine.create_cart("eu", [item], ada)',
    )
    collection = engine.create_payment_collection(cart.id)
    tell.step(
        "shop",
        "begins to take the money: everything about paying this cart is one collection.",
        code="collection = engine.create_payment_collection(cart.id)",
    )
    session = engine.create_payment_session(collection.id, CARD)
    tell.step(
        "shopper",
        "chooses to pay by card.",
        code=f'session = engine.create_payment_session(\n    collection.id, "{CARD}")',
    )
    tell.step("provider", f"has prepared it, and calls it {session.provider_reference}.")
    completion = engine.complete_cart(cart.id)
    assert isinstance(completion, OrderPlaced) and completion.payment_collection, "the simulator approves this one"
    (payment,) = completion.payment_collection.payments
    tell.step("shop", "completes the cart.", code="completion = engine.complete_cart(cart.id)   # OrderPlaced")
    tell.step("provider", f"holds {payment.amount} on Ada's card.")
    tell.step("kassa", f"places the order {completion.order_id}.")
    return payment


def with_an_action(stage: Stage) -> Payment:
    """A checkout in which the shopper must act first."""
    engine, tell = stage.engine, stage.narration
    tell.scene("3. A checkout that needs the shopper")
    cart_id = _begin_in_japan(stage)
    waiting = engine.complete_cart(cart_id)
    assert isinstance(waiting, ActionNeeded) and isinstance(waiting.action, Redirect), (
        "the scenario asks for a redirect"
    )
    tell.step(
        "shop",
        "completes the cart, and is told to send Ken to the wallet first. No order yet.",
        code="completion = engine.complete_cart(cart.id)   # ActionNeeded",
    )
    tell.show(facts(action_rows(waiting.action), indent=0))
    way_back = stage.simulator.answer_challenge(waiting.action.url, "approve")
    tell.step("shopper", f"opens that page, approves, and is sent back to {way_back or 'the shop'}.")
    completion = engine.complete_cart(cart_id)
    assert isinstance(completion, OrderPlaced) and completion.payment_collection, "it was approved"
    (payment,) = completion.payment_collection.payments
    tell.step(
        "shop",
        "tries again. Asking is always safe: the same cart never becomes two orders.",
        code="completion = engine.complete_cart(cart.id)   # OrderPlaced",
    )
    tell.step("provider", f"confirms that Ken approved, and holds {payment.amount}.")
    tell.step("kassa", f"places the order {completion.order_id}.")
    return payment


def _begin_in_japan(stage: Stage) -> str:
    engine, tell = stage.engine, stage.narration
    price = Money.parse("4500", "JPY")
    ken = Shopper(
        customer=Customer(email="ken@example.org"),
        billing_address=Address(country_code="JP"),
        return_url=BACK_TO_SHOP,
    )
    cart = engine.create_cart("jp", [NewItem(title="Tea bowl", quantity=1, unit_price=price)], ken)
    tell.step(
        "shopper",
        f"Ken in Japan buys a tea bowl for {cart.total}; the yen has no decimals.",
        code='cart = engine.create_cart("jp", [item], ken)',
    )
    collection = engine.create_payment_collection(cart.id)
    engine.create_payment_session(collection.id, WALLET, {"scenario": "redirect"})
    tell.step(
        "shopper",
        "chooses a wallet that asks back.",
        code="collection = engine.create_payment_collection(cart.id)\n"
        f'session = engine.create_payment_session(\n    collection.id, "{WALLET}",\n    {{"scenario": "redirect"}})',
    )
    return cart.id


def after_the_order(stage: Stage, card: Payment, wallet: Payment) -> None:
    """Captures, a refund, a cancellation, and an amount that is refused."""
    engine, tell = stage.engine, stage.narration
    tell.scene("4. After the order")
    part = Money.parse("24.99", "EUR")
    captured = engine.capture_payment(card.id, part)
    tell.step(
        "shop",
        f"sends one of Ada's tea sets, and takes {captured.captured} of the {card.amount}.",
        code='engine.capture_payment(payment.id, Money.parse("24.99", "EUR"))',
    )
    tell.step(
        "shop",
        f"by mistake asks for all of the {card.amount} once more.",
        code="engine.capture_payment(payment.id, payment.amount)",
    )
    tell.step("kassa", f"asks nobody, and refuses: {_refusal(engine, card)}.")
    engine.refund_payment(card.id, Money.parse("5.00", "EUR"), "a chipped cup")
    tell.step(
        "shop",
        "gives 5.00 EUR back for a chipped cup.",
        code='engine.refund_payment(payment.id, Money.parse("5.00", "EUR"),\n                      "a chipped cup")',
    )
    engine.capture_payment(card.id)
    tell.step(
        "shop",
        "sends the second tea set, and takes what is left.",
        code="engine.capture_payment(payment.id)",
    )
    canceled = engine.cancel_payment(wallet.id)
    tell.step(
        "shop",
        f"finds that Ken's tea bowl is sold out, and gives up the {canceled.canceled}.",
        code="engine.cancel_payment(payment.id)",
    )
    tell.step("provider", "releases the hold; nothing was ever taken from Ken.")


def _refusal(engine: Engine, payment: Payment) -> str:
    try:
        engine.capture_payment(payment.id, payment.amount)
    except NotAllowed as refusal:
        return str(refusal).replace(f"payment {payment.id}", "this payment")
    raise InternalError("more was captured than was authorized")
