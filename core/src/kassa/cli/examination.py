"""``kassa check``: everything about a configuration that can be told without touching the database or a provider."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath
from kassa.cli.output import GOOD, WAITING, Document, facts, indented, print_document, say, table

if TYPE_CHECKING:
    from kassa.opening import Loaded


@says_mistakes
def check(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Validate the configuration whole: every mistake with its file, line and field, and what was expected.

    Loads the plugins that the configuration names, and resolves its secrets. Neither the database nor a provider is
    touched. Exit code 1 where there is a mistake.
    """
    from kassa.opening import load

    loaded = load(config)
    remarks = tuple(remarks_on(loaded))
    if as_json:
        print_document(_document(config, loaded, remarks))
        return
    _show(config, loaded, remarks)


def remarks_on(loaded: "Loaded") -> Iterator[str]:
    """What is no mistake, and hardly meant: a provider that nobody is ever offered."""
    from kassa.regions import Circumstances, judge

    used = {provider_id for region in loaded.regions.values() for provider_id in region.provider_ids}
    for provider_id in sorted(set(loaded.providers) - used):
        yield f"{provider_id} is in no region, so nobody is offered it"
    for region in loaded.regions.values():
        for provider_id in region.provider_ids:
            verdict = judge(region, provider_id, loaded.providers[provider_id].manifest, Circumstances())
            if not verdict.is_offered:
                yield f"region {region.id} never offers {provider_id}: {'; '.join(verdict.reasons)}"
    if not loaded.regions:
        yield "there is no region, so nothing can be paid; add a block [regions.NAME]"


def database_in_words(loaded: "Loaded") -> str:
    """The URL of the database, without its password."""
    from sqlalchemy import make_url

    return make_url(loaded.database_url).render_as_string(hide_password=True)


def _show(config: Path, loaded: "Loaded", remarks: tuple[str, ...]) -> None:
    say(f"{config} is valid.", GOOD)
    say()
    used = table("provider", "plugin", "regions")
    for provider in loaded.providers.values():
        regions = [region.id for region in loaded.regions.values() if provider.id in region.provider_ids]
        used.add_row(provider.id, str(provider.candidate), ", ".join(regions) or "–")
    carts = loaded.configuration.settings.carts.driver
    say(facts([("database", database_in_words(loaded)), ("carts", carts), *_listeners(loaded)]))
    say()
    say(indented(used))
    for remark in remarks:
        say()
        say(indented(f"Mind: {remark}."), WAITING)


def _listeners(loaded: "Loaded") -> Iterator[tuple[str, str]]:
    """Who is told events; nothing where nobody is."""
    yield "subscribers", ", ".join(loaded.configuration.settings.subscribers)
    yield "extensions", ", ".join(f"{name} ({each.candidate})" for name, each in loaded.extensions.items())


def _document(config: Path, loaded: "Loaded", remarks: tuple[str, ...]) -> Document:
    return {
        "file": str(config),
        "valid": True,
        "database": database_in_words(loaded),
        "carts": loaded.configuration.settings.carts.driver,
        "providers": [
            {
                "id": provider.id,
                "plugin": provider.settings.plugin,
                "distribution": provider.candidate.distribution,
                "version": provider.candidate.version,
            }
            for provider in loaded.providers.values()
        ],
        "regions": list(loaded.regions),
        "subscribers": [
            {"name": name, "events": settings.events}
            for name, settings in loaded.configuration.settings.subscribers.items()
        ],
        "extensions": [
            {"name": name, "distribution": each.candidate.distribution, "version": each.candidate.version}
            for name, each in loaded.extensions.items()
        ],
        "remarks": remarks,
    }
