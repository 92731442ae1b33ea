"""``kassa notices`` and ``kassa replay``: the inbox of what providers told."""

from typing import TYPE_CHECKING, Annotated, Literal

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
    facts,
    moment,
    print_document,
    record_document,
    say,
)

if TYPE_CHECKING:
    from kassa.model import ReceivedNotice

STYLES = {"applied": GOOD, "ignored": QUIET, "error": WAITING, "unmatched": WAITING, "expired": BAD, "dead": BAD}


@says_mistakes
def list_notices(
    notice_id: Annotated[
        str | None,
        typer.Argument(metavar="NOTICE_ID", help="One notice; without it, the newest are listed.", show_default=False),
    ] = None,
    status: Annotated[
        Literal["received", "applied", "ignored", "unmatched", "error", "expired", "dead"] | None,
        typer.Option(help="Only those that stand so.", show_default=False),
    ] = None,
    limit: Limit = 20,
    offset: Offset = 0,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List the notices that providers sent, newest first, with what became of them; or show one with its body."""
    from kassa.transitions import NoticeStatus

    with opened(config) as engine:
        if notice_id is None:
            wanted = None if status is None else NoticeStatus(status)
            notices = engine.list_notices(status=wanted, limit=limit, offset=offset)
        else:
            notices = (engine.retrieve_notice(notice_id),)
    if as_json:
        print_document({"notices": [notice_document(each, with_body=notice_id is not None) for each in notices]})
        return
    if not notices:
        say("No notices yet." if status is None else f"No notices are {status}.")
    for notice in notices:
        _show(notice)
        if notice_id is not None:
            say(Text(notice.body))


@says_mistakes
def replay(
    notice_id: Annotated[str, typer.Argument(metavar="NOTICE_ID", help="As `kassa notices` shows it.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Apply a notice again, also one that was given up; what is known already changes nothing."""
    with opened(config) as engine:
        notice = engine.replay_notice(notice_id)
    if as_json:
        print_document({"notice": notice_document(notice)})
        return
    _show(notice)


def notice_document(notice: "ReceivedNotice", *, with_body: bool = False) -> Document:
    """A notice in JSON."""
    return record_document(notice, without=() if with_body else ("body",)) | {"next_step": next_step(notice)}


def notice_line(notice: "ReceivedNotice") -> Text:
    """One notice in one line: what it is, and how it stands."""
    status = notice.status.value
    return Text.assemble((notice.id, LOUD), f"  {notice.type}: ", (status, STYLES.get(status, WAITING)))


def next_step(notice: "ReceivedNotice") -> str:
    """What will happen to a notice, or what a person should do about it."""
    match notice.status.value:
        case "applied" | "ignored":
            return "none"
        case "expired" | "dead":
            return f"look at the provider's side, then: kassa replay {notice.id}"
        case _:
            due = "" if notice.due_at is None else f" at {moment(notice.due_at)}"
            return f"`kassa worker` takes it up{due}"


def _show(notice: "ReceivedNotice") -> None:
    say(notice_line(notice))
    rows = [
        ("provider", notice.provider_id),
        ("received", moment(notice.received_at)),
        ("about", notice.payment_session_id or notice.provider_reference or "nothing that it names"),
        ("why", notice.cause or ""),
        ("tries", str(notice.attempts or "")),
        ("next", next_step(notice)),
    ]
    say(facts([(name, Text(value)) for name, value in rows if value]))
    say()
