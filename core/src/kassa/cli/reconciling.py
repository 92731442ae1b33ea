"""``kassa reconcile`` and ``kassa reconciliations``: our books beside the provider's own."""

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from kassa.cli.engines import opened
from kassa.cli.exits import ExitCode, says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, Limit, Offset
from kassa.cli.output import (
    BAD,
    GOOD,
    LOUD,
    WAITING,
    Document,
    facts,
    moment,
    print_document,
    record_document,
    say,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kassa.engine import Engine
    from kassa.model import Reconciliation

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@says_mistakes
def reconcile(
    provider: Annotated[
        str | None,
        typer.Argument(metavar="PROVIDER", help="Without it, every provider that has a list.", show_default=False),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=FORMATS,
            metavar="MOMENT",
            help="Payments created from this moment on (UTC); without it, since the last daily comparison.",
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Compare the books with the provider's own list of payments, in both directions.

    What the provider knows of our payments is adopted, what one side does not have is laid before you as a case. The last
    hour is left alone. `kassa worker` does the same once a day by itself.
    """
    with opened(config) as engine:
        if provider is not None:
            compared = [_compare(engine, provider, since, as_json=as_json)]
        else:
            compared = list(_compare_all(engine, since, as_json=as_json))
    if as_json:
        print_document({"reconciliations": [document(each) for each in compared]})
    else:
        for each in compared:
            _show(each)
    if any(each.finished_at is None for each in compared):
        raise typer.Exit(ExitCode.UNFINISHED)


@says_mistakes
def list_reconciliations(
    limit: Limit = 50, offset: Offset = 0, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """List the comparisons with the providers' own lists, newest first."""
    with opened(config) as engine:
        compared = engine.list_reconciliations(limit=limit, offset=offset)
    if as_json:
        print_document({"reconciliations": [document(each) for each in compared]})
        return
    if not compared:
        say("Nothing was compared yet.")
        return
    drawn = table("provider", "from", "until", "listed", "adopted", "cases", "", numbers=("listed", "adopted", "cases"))
    for each in compared:
        counts = [str(count) for count in (each.listed, each.adopted, each.reported)]
        drawn.add_row(each.provider_id, moment(each.since), moment(each.until), *counts, _standing(each))
    say(drawn)


def document(reconciliation: "Reconciliation") -> Document:
    """A comparison in JSON, without what only the worker needs."""
    return record_document(reconciliation, without=("cursor", "lease_until"))


def _compare_all(engine: "Engine", since: datetime | None, *, as_json: bool) -> "Iterator[Reconciliation]":
    """Every provider that has a list; one of which there is nothing to compare yet keeps nobody from the others."""
    from kassa.errors import NotAllowed

    listing = [each.id for each in engine.providers.values() if each.manifest.lists_payments]
    if not listing:
        print("no configured provider has a list of its payments", file=sys.stderr)
    for name in listing:
        try:
            yield _compare(engine, name, since, as_json=as_json)
        except NotAllowed as nothing:
            print(nothing, file=sys.stderr)


def _compare(engine: "Engine", name: str, since: datetime | None, *, as_json: bool) -> "Reconciliation":
    """Compare one provider, saying on a terminal how far it is."""
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    progress = Console(stderr=True, highlight=False)
    with nullcontext() if as_json else progress.status(f"{name}: asking for the list") as status:
        return engine.reconcile(
            name,
            since=since,
            on_progress=lambda each: None if status is None else status.update(f"{name}: {each.listed} compared"),
        )


def _show(reconciliation: "Reconciliation") -> None:
    say(Text.assemble((reconciliation.provider_id, LOUD), "  ", _standing(reconciliation)))
    cases = f"{reconciliation.reported}; see `kassa cases`" if reconciliation.reported else "none"
    rows = [
        ("created", f"from {moment(reconciliation.since)} until {moment(reconciliation.until)}"),
        ("listed", f"{reconciliation.listed}"),
        ("adopted", f"{reconciliation.adopted}"),
        ("new cases", cases),
    ]
    say(facts(rows))


def _standing(reconciliation: "Reconciliation") -> Text:
    if reconciliation.finished_at is not None:
        return Text("compared", GOOD)
    if reconciliation.cause is not None:
        return Text(f"not finished: {reconciliation.cause}; `kassa worker` goes on with it", BAD)
    return Text("under way", WAITING)
