"""``kassa pay``: one cart through the whole flow, and on again after the shopper has acted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, assert_never

import typer
from rich.text import Text

from kassa.cli.actions import action_rows
from kassa.cli.engines import opened
from kassa.cli.exits import ExitCode, refuse_usage, says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath
from kassa.cli.output import BAD, GOOD, LOUD, WAITING, Document, facts, indented, money_document, print_document, say
from kassa.errors import KassaError, NotAllowed, NotFound, PaymentDeclined, StillProcessing

if TYPE_CHECKING:
    from kassa.checkout import Completion, OrderPlaced
    from kassa.engine import Engine
    from kassa_sdk import JsonObject, Money


@says_mistakes
def pay(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command line
    cart_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="CART.json", help="The cart, as a JSON file; - reads it from stdin.", show_default=False
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", "-r", metavar="REGION", help="The region in which the cart is paid.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", "-p", metavar="ID", help="The provider to pay with, such as pp_system_default."),
    ] = None,
    continue_cart: Annotated[
        str | None, typer.Option("--continue", metavar="CART_ID", help="Go on with a cart that was begun earlier.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option(metavar="JSON", help="What the shopper answered to the action, as a JSON object.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="JSON", help="What goes to the provider with the session, as a JSON object.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Pay a cart from a file: create it, open a session with a provider, and complete it.

    The file holds {"email": "…", "items": \\[{"title": "Tea", "quantity": 2, "unit_price": "24.99"}]}, and may also have
    billing_address, shipping_address, customer_id, customer_groups, return_url and locale. Prices are decimal text, or
    numbers whose digits are taken exactly, in the currency of the region.

    Where the shopper must act first, the action is shown and the exit code is 4: go on with --continue CART_ID, or pay
    with another --provider.
    """
    from kassa.cli import cart_file as cart_files

    given_answer = cart_files.read_object(answer, "--answer")
    given_data = cart_files.read_object(data, "--data")
    if (cart_file is None) == (continue_cart is None):
        refuse_usage("give either a cart file, or --continue with a cart")
    if continue_cart is not None and (region is not None or (data is not None and provider is None)):
        refuse_usage("--continue keeps the cart's region, and --data goes with a --provider")
    with opened(config) as engine:
        if cart_file is None:
            cart_id = continue_cart or ""
        else:
            cart_id = _create_cart(engine, cart_file, region, provider)
        try:
            completion = _complete(engine, cart_id, provider, given_data, given_answer)
        except KassaError as error:
            if cart_file is not None:
                error.add_note(f"The cart is kept; go on with: kassa pay --continue {cart_id} --provider ID")
            raise
        total = engine.retrieve_cart(cart_id).total
    if as_json:
        print_document(_document(cart_id, total, completion))
    else:
        _show(cart_id, total, completion)
    raise typer.Exit(_exit_code(completion))


def _create_cart(engine: "Engine", path: Path, region_id: str | None, provider_id: str | None) -> str:
    from kassa.cli import cart_file as cart_files

    if region_id is None or provider_id is None:
        refuse_usage("a new cart needs --region and --provider; see `kassa regions`")
    engine.providers.find(provider_id)  # a cart that nobody can pay is not worth keeping
    region = next((region for region in engine.regions if region.id == region_id), None)
    if region is None:
        known = ", ".join(sorted(each.id for each in engine.regions)) or "none"
        raise NotFound(f"region {region_id!r} is not configured; there are {known}")
    cart = cart_files.read(path, region.currency)
    return engine.create_cart(region_id, cart.items, cart.shopper).id


def _complete(
    engine: "Engine", cart_id: str, provider_id: str | None, data: "JsonObject | None", answer: "JsonObject | None"
) -> "Completion":
    """Open a session where a provider is named, complete the cart, and answer the action where there is an answer."""
    from kassa.checkout import ActionNeeded

    if provider_id is not None:
        collection = engine.create_payment_collection(cart_id)
        engine.create_payment_session(collection.id, engine.providers.find(provider_id).id, data)
        completion = engine.complete_cart(cart_id)
        if answer is None or not isinstance(completion, ActionNeeded):
            return completion
    elif answer is None:
        return engine.complete_cart(cart_id)
    return _answer(engine, cart_id, answer)


def _answer(engine: "Engine", cart_id: str, answer: "JsonObject") -> "Completion":
    from kassa.checkout import Processing, Refused

    live = engine.create_payment_collection(cart_id).live_sessions
    if not live:
        raise NotAllowed(f"cart {cart_id} has no payment session to answer; open one with --provider")
    session = next((each for each in live if each.action is not None), live[0])
    try:
        engine.answer_action(session.id, answer)
    except PaymentDeclined as declined:
        return Refused(
            payment_session_id=session.id, code=declined.code, reason=str(declined), retryable=declined.retryable
        )
    except StillProcessing as unknown:
        return Processing(payment_session_id=session.id, operation_id=unknown.operation_id)
    return engine.complete_cart(cart_id)


def _exit_code(completion: "Completion") -> ExitCode:
    return {
        "order_placed": ExitCode.DONE,
        "action_needed": ExitCode.UNFINISHED,
        "processing": ExitCode.UNFINISHED,
        "refused": ExitCode.PROVIDER_FAILURE,
    }[completion.type]


def _show(cart_id: str, total: "Money", completion: "Completion") -> None:
    from kassa.checkout import ActionNeeded, OrderPlaced, Processing, Refused

    go_on = f"kassa pay --continue {cart_id}"
    rows = [("cart", cart_id), ("total", str(total))]
    match completion:
        case OrderPlaced():
            _show_order(rows, completion)
        case ActionNeeded():
            rows += [("session", completion.payment_session.id), *action_rows(completion.action)]
            _say_with_next_step(Text("The shopper must act first.", WAITING), rows, "Afterwards", go_on)
        case Refused():
            rows += [("session", completion.payment_session_id), ("retryable", "yes" if completion.retryable else "no")]
            next_step = go_on if completion.retryable else f"{go_on} --provider ANOTHER"
            _say_with_next_step(Text(_as_sentence(completion.reason), BAD), rows, "Go on", next_step)
        case Processing():
            rows += [("operation", completion.operation_id or "")]
            rows += action_rows(completion.action) if completion.action is not None else []
            _say_with_next_step(
                Text("Nobody knows yet: not failed, not paid.", WAITING), rows, "Ask again later", go_on
            )
        case _:
            assert_never(completion)


def _say_with_next_step(headline: Text, rows: list[tuple[str, str]], when: str, command: str) -> None:
    say(headline)
    say(facts(rows))
    say(f"{when}:")
    say(indented(Text(command, LOUD)))


def _as_sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:]


def _show_order(rows: list[tuple[str, str]], placed: "OrderPlaced") -> None:
    payments = () if placed.payment_collection is None else placed.payment_collection.payments
    rows = [("order", placed.order_id), *rows, *(("payment", payment.id) for payment in payments)]
    headline = Text("The order is placed.", GOOD) if placed.is_paid else Text("The order waits for its money.", WAITING)
    if payments and not payments[-1].captured:
        _say_with_next_step(headline, rows, "Take the money", f"kassa capture {payments[-1].id}")
        return
    say(headline)
    say(facts(rows))


def _document(cart_id: str, total: "Money", completion: "Completion") -> Document:
    document: Document = {"result": completion.type, "cart_id": cart_id, "total": money_document(total)}
    match completion.type:
        case "order_placed":
            collection = completion.payment_collection
            payments = () if collection is None else collection.payments
            document |= {
                "order_id": completion.order_id,
                "is_paid": completion.is_paid,
                "payment_collection_id": None if collection is None else collection.id,
                "payment_ids": [payment.id for payment in payments],
            }
        case "action_needed":
            session = completion.payment_session
            document |= {
                "payment_session_id": session.id,
                "data": session.data,
                "action": completion.action.model_dump(mode="json"),
            }
        case "refused":
            document |= {
                "payment_session_id": completion.payment_session_id,
                "code": completion.code,
                "reason": completion.reason,
                "retryable": completion.retryable,
            }
        case "processing":
            action = completion.action
            document |= {
                "payment_session_id": completion.payment_session_id,
                "operation_id": completion.operation_id,
                "action": None if action is None else action.model_dump(mode="json"),
            }
        case _:
            assert_never(completion.type)
    return document
