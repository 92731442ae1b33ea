"""``kassa deliveries`` and ``kassa redeliver``: who was told which event, and who was not."""

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
    facts,
    indented,
    moment,
    print_document,
    record_document,
    say,
)

if TYPE_CHECKING:
    from kassa.model import Delivery

STYLES = {"new": QUIET, "retry": WAITING, "sent": GOOD, "dead": BAD}


@says_mistakes
def list_deliveries(
    dead: Annotated[
        bool, typer.Option("--dead", metavar="", help="Only those that nobody tries any more: every try failed.")
    ] = False,
    limit: Limit = 20,
    offset: Offset = 0,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List the deliveries of events to subscribers and extensions, newest first, with what stands in the way."""
    from kassa.transitions import DeliveryStatus

    with opened(config) as engine:
        status = DeliveryStatus.DEAD if dead else None
        deliveries = engine.list_deliveries(status=status, limit=limit, offset=offset)
    if as_json:
        print_document({"deliveries": [record_document(each) for each in deliveries]})
        return
    if not deliveries:
        say("No dead deliveries." if dead else "No deliveries yet.")
    for delivery in deliveries:
        _show(delivery)


@says_mistakes
def redeliver(
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY_ID", help="As `kassa deliveries` shows it.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Have the worker tell an event once more to a subscriber that took it, or for which every try failed.

    The request has the same webhook-id as before, by which the subscriber can tell that it knows it.
    """
    with opened(config) as engine:
        delivery = engine.replay_delivery(delivery_id)
    if as_json:
        print_document({"delivery": record_document(delivery)})
        return
    _show(delivery)


def delivery_line(delivery: "Delivery") -> Text:
    """One delivery in one line: what, to whom, and how it stands."""
    status = delivery.status.value
    return Text.assemble(
        (delivery.id, LOUD), f"  {delivery.event.name} to {delivery.subscriber}: ", (status, STYLES[status])
    )


def _show(delivery: "Delivery") -> None:
    say(delivery_line(delivery))
    rows = [
        ("about", delivery.event.entity_id),
        ("happened", moment(delivery.event.created_at)),
        ("tries", str(delivery.attempts)),
        ("why", delivery.cause or ""),
        ("next", _next_step(delivery)),
    ]
    say(indented(facts([(name, Text(value)) for name, value in rows if value], indent=0)))
    say()


def _next_step(delivery: "Delivery") -> str:
    if delivery.due_at is not None:
        return f"`kassa worker` tries it at {moment(delivery.due_at)}"
    return (
        f"mend what stands in the way, then: kassa redeliver {delivery.id}" if delivery.status.value == "dead" else ""
    )
