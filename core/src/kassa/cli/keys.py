"""``kassa keys``: who may ask the HTTP server."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kassa.cli.engines import opened
from kassa.cli.exits import refuse_usage, says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, Limit, Offset
from kassa.cli.output import BAD, GOOD, LOUD, Document, moment, print_document, record_document, say, table

if TYPE_CHECKING:
    from kassa.model import ApiKey

Store = Annotated[str, typer.Option(metavar="NAME", help="Of which store (tenant).")]


@says_mistakes
def create(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="Whose key it is, in your words.", show_default=False)],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help="A secret key, for this: read, capture, refund or admin; may be repeated. Without one: a publishable key.",
            show_default=False,
        ),
    ] = None,
    store: Store = "default",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Create a key: publishable, for the pages of a storefront, or secret, for a backend.

    A secret is shown now, and never again: only its hash is kept.
    """
    from kassa.model import Scope

    unknown = [each for each in scope or [] if each not in set(Scope)]
    if unknown:
        refuse_usage(f"--scope: expected {', '.join(Scope)}, not {unknown[0]!r}")
    with opened(config) as opened_engine:
        engine = opened_engine.for_store(store)
        issued = (
            engine.create_secret_key(title, [Scope(each) for each in scope])
            if scope
            else engine.create_publishable_key(title)
        )
    if as_json:
        print_document({"key": document(issued.key), "token": issued.token})
        return
    say(Text.assemble((issued.token, LOUD)))
    if scope:
        say("It is shown this once; keep it where your backend keeps its secrets.")


@says_mistakes
def list_keys(
    store: Store = "default",
    limit: Limit = 50,
    offset: Offset = 0,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List the keys of a store: those in force first."""
    with opened(config) as engine:
        found = engine.for_store(store).list_api_keys(limit=limit, offset=offset)
    if as_json:
        print_document({"keys": [document(each) for each in found]})
        return
    if not found:
        say(f"Store {store} has no keys; see `kassa keys create --help`.")
        return
    drawn = table("id", "title", "key", "opens", "created", "")
    for each in found:
        opens = ", ".join(each.scopes) or "the storefront"
        standing = (
            Text("in force", GOOD) if each.revoked_at is None else Text(f"revoked {moment(each.revoked_at)}", BAD)
        )
        drawn.add_row(each.id, each.title, each.shown, opens, moment(each.created_at), standing)
    say(drawn)


@says_mistakes
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="The key, such as apk_0190…", show_default=False)],
    store: Store = "default",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Revoke a key: from the next request on it opens nothing."""
    with opened(config) as engine:
        revoked = engine.for_store(store).revoke_api_key(key_id)
    if as_json:
        print_document({"key": document(revoked)})
        return
    say(f"{revoked.id} ({revoked.title}) opens nothing any more.", GOOD)


def document(key: "ApiKey") -> Document:
    """A key in JSON, without what opens anything."""
    return record_document(key)
