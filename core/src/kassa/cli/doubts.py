"""``kassa doubts``, ``kassa resolve`` and ``kassa worker``: what is not settled, and what settles it."""

import getpass
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from kassa.cli import reconciling
from kassa.cli.cases import case_line
from kassa.cli.deliveries import delivery_line
from kassa.cli.engines import opened
from kassa.cli.exits import says_mistakes
from kassa.cli.notices import notice_document, notice_line
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, Limit, LogFormat, LogStyle, Metrics, Traces
from kassa.cli.output import BAD, GOOD, LOUD, WAITING, Document, facts, moment, print_document, record_document, say
from kassa.cli.reloading import HangUp, hang_ups_noted, reload_where_asked
from kassa.cli.telemetry import telemetry
from kassa.errors import StoreUnavailable

if TYPE_CHECKING:
    from kassa.engine import Engine
    from kassa.model import Operation
    from kassa.worker import Worked

PAUSE_SECONDS = 1.0
"""How long an idle worker waits before it asks the database again."""

STYLES = {"succeeded": GOOD, "failed": BAD, "review": BAD}


@says_mistakes
def list_doubts(limit: Limit = 50, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List every operation that is not settled, oldest first, with what is known and the next step."""
    with opened(config) as engine:
        operations = engine.list_operations_in_doubt(limit=limit)
    if as_json:
        print_document({"operations": [operation_document(each) for each in operations]})
        return
    if not operations:
        say("Nothing is in doubt.", GOOD)
        return
    for operation in operations:
        _show(operation)


@says_mistakes
def resolve(
    operation_id: Annotated[str, typer.Argument(metavar="OPERATION_ID", help="As `kassa doubts` shows it.")],
    outcome: Annotated[
        Literal["succeeded", "failed"],
        typer.Argument(metavar="succeeded|failed", help="What the provider's side shows."),
    ],
    why: Annotated[str, typer.Option(metavar="TEXT", help="The evidence; kept with the decision.")],
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who decides; without it, who is logged in.", show_default=False)
    ] = None,
    reference: Annotated[
        str, typer.Option(metavar="TEXT", help="What the provider calls the capture or refund.", show_default=False)
    ] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Decide what became of an operation in doubt, after looking at the provider's own books.

    The decision goes the same way as the provider's answer would have gone, and is kept with who made it, and why.
    """
    with opened(config) as engine:
        settled = engine.resolve_operation(
            operation_id,
            has_succeeded=outcome == "succeeded",
            who=who or getpass.getuser(),
            why=why,
            provider_reference=reference,
        )
    if as_json:
        print_document({"operation": operation_document(settled)})
        return
    _show(settled)


@says_mistakes
def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end.")] = False,
    metrics: Metrics = None,
    traces: Traces = False,
    log: LogFormat = LogStyle.TEXT,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Settle what is in doubt, apply notices, tell events, and place the orders of carts whose shopper paid and did not come
    back.

    Runs until it is stopped, and may be stopped at any moment. With PostgreSQL, run it on as many machines as you like.
    SIGHUP and `kassa reload` make it read its configuration again; an invalid one changes nothing.
    """
    watched = telemetry(metrics, traces, log)
    with hang_ups_noted() as hang_up, opened(config, watched.watchers) as engine, watched.told(engine):
        if not (once or as_json):
            say("Working; stop with Ctrl-C at any moment.")
        try:
            while True:
                goes_on = _work(engine, hang_up, as_json=as_json, once=once)
                if once and not goes_on and not _is_anything_due(engine):
                    return
                time.sleep(0 if once or goes_on else PAUSE_SECONDS)
        except KeyboardInterrupt:
            return


def operation_document(operation: "Operation") -> Document:
    """An operation in JSON, without the request: that holds the shopper's data."""
    return record_document(operation, without=("request",)) | {"next_step": next_step(operation)}


def next_step(operation: "Operation") -> str:
    """What will happen to an operation, or what a person should do about it."""
    match operation.status.value:
        case "review":
            return f"look at the provider's side, then: kassa resolve {operation.id} succeeded|failed --why …"
        case "requires_more":
            return "the shopper must act; afterwards, complete the cart again"
        case "succeeded" | "failed" | "canceled":
            return "none; it is settled"
        case _:
            due = "" if operation.due_at is None else f" at {moment(operation.due_at)}"
            return f"`kassa worker` takes it up{due}"


def _is_anything_due(engine: "Engine") -> bool:
    now = datetime.now().astimezone()
    waiting = ("planned", "in_flight", "unknown", "pending")
    return any(
        operation.due_at is not None and operation.due_at <= now and operation.status.value in waiting
        for operation in engine.list_operations_in_doubt(limit=1000)
    )


def _work(engine: "Engine", hang_up: HangUp, *, as_json: bool, once: bool) -> bool:
    """One pass, and whether there may be more to do at once.

    A database that is away for a while ends a worker only where it was to run once.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        if not once:
            reload_where_asked(engine, hang_up, as_json=as_json)
        worked = engine.work()
    except (StoreUnavailable, DBAPIError) as error:
        if once:
            raise
        print(f"the database does not answer ({type(error).__name__}); trying again", file=sys.stderr)
        return False
    _tell(worked, as_json=as_json)
    return worked.leaves_more


def _tell(worked: "Worked", *, as_json: bool) -> None:
    if not worked:
        return
    if as_json:
        print_document(_worked_document(worked))
        return
    for notice in worked.notices:
        say(notice_line(notice))
    for operation in worked.operations:
        amount = "" if operation.amount is None else f" {operation.amount}"
        status = operation.status.value
        say(Text(f"{operation.id}  {operation.kind.value}{amount}: {status}", STYLES.get(status, WAITING)))
    for case in worked.cases:
        say(case_line(case))
    for cart in worked.carts:
        say(f"{cart}  taken up, because it is paid and was not ordered")
    for each in worked.reconciliations:
        counts = f"{each.listed} listed, {each.adopted} adopted, {each.reported} new cases"
        say(f"{each.provider_id}  compared with its own list: {counts}")
    for delivery in worked.deliveries:
        say(delivery_line(delivery))


def _worked_document(worked: "Worked") -> Document:
    return {
        "notices": [notice_document(notice) for notice in worked.notices],
        "operations": [operation_document(operation) for operation in worked.operations],
        "cases": [record_document(case) for case in worked.cases],
        "carts": list(worked.carts),
        "reconciliations": [reconciling.document(each) for each in worked.reconciliations],
        "deliveries": [record_document(delivery) for delivery in worked.deliveries],
    }


def _show(operation: "Operation") -> None:
    status = operation.status.value
    amount = "" if operation.amount is None else f" {operation.amount}"
    say(
        Text.assemble(
            (operation.id, LOUD), f"  {operation.kind.value}{amount}: ", (status, STYLES.get(status, WAITING))
        )
    )
    rows = [
        ("provider", operation.provider_id),
        ("since", moment(operation.created_at)),
        ("their side", f"search for {operation.attempt_key}"),
        ("why", operation.cause or "–"),
        ("next", next_step(operation)),
    ]
    say(facts([(name, Text(value)) for name, value in rows]))
    say()
