"""``kassa cases`` and ``kassa close``: what a person should know about, or decide."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kassa.cli.engines import opened
from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, Limit, Offset
from kassa.cli.output import BAD, GOOD, LOUD, facts, moment, print_document, record_document, say

if TYPE_CHECKING:
    from kassa.model import Case


@says_mistakes
def list_cases(
    closed: Annotated[bool, typer.Option("--closed", metavar="", help="Those that were dealt with.")] = False,
    limit: Limit = 20,
    offset: Offset = 0,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List what wants a person's attention: surplus money, disputes, returned debits, contradictions, strange payments."""
    from kassa.model import CaseStatus

    with opened(config) as engine:
        cases = engine.list_cases(status=CaseStatus.CLOSED if closed else CaseStatus.OPEN, limit=limit, offset=offset)
    if as_json:
        print_document({"cases": [record_document(each) for each in cases]})
        return
    if not cases:
        say("No case was closed yet." if closed else "No case is open.", "" if closed else GOOD)
    for case in cases:
        _show(case)


@says_mistakes
def close(
    case_id: Annotated[str, typer.Argument(metavar="CASE_ID", help="As `kassa cases` shows it.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="What was done about it; kept with the case.")],
    who: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who closes it; without it, who is logged in.", show_default=False),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Close a case that was dealt with. It moves no money: `kassa refund`, `kassa capture` and `kassa cancel` do."""
    with opened(config) as engine:
        case = engine.close_case(case_id, who=who or getpass.getuser(), why=why)
    if as_json:
        print_document({"case": record_document(case)})
        return
    _show(case)


def case_line(case: "Case") -> Text:
    """One case in one line: what it is about, and whether it is open."""
    amount = "" if case.amount is None else f" {case.amount}"
    style = GOOD if case.status.value == "closed" else BAD
    return Text.assemble((case.id, LOUD), f"  {case.kind.value}{amount}: ", (case.status.value, style))


def _show(case: "Case") -> None:
    say(case_line(case))
    rows = [
        ("provider", case.provider_id),
        ("since", moment(case.opened_at)),
        ("what", case.cause),
        ("collection", case.payment_collection_id or ""),
        ("session", case.payment_session_id or ""),
        ("closed by", case.closed_by or ""),
        ("because", case.closed_why or ""),
        ("next", "" if case.closed_by else f"deal with it, then: kassa close {case.id} --why …"),
    ]
    say(facts([(name, Text(value)) for name, value in rows if value]))
    say()
