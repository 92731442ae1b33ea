"""``kassa providers``: the configured providers, and what the manifest of each says it can do."""

from datetime import timedelta
from typing import TYPE_CHECKING

from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath
from kassa.cli.output import LOUD, Document, facts, print_document, say

if TYPE_CHECKING:
    from kassa.providers import ConfiguredProvider
    from kassa_sdk import Manifest

PORTIONS = {
    "none": "not at all",
    "full": "once, all of it",
    "partial": "once, also less than all",
    "multiple": "in parts, any number of times",
}
NOTICES = {"signed": "signed", "id_only": "name the payment only, the rest is looked up", "none": "none"}


@says_mistakes
def list_providers(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List the configured providers, and what each can do.

    Imports only the plugins that the configuration names; calls no provider and needs no database.
    """
    from kassa import config as settings
    from kassa import providers

    loaded = tuple(providers.load(settings.read(config)).values())
    if as_json:
        print_document({"providers": [_document(provider) for provider in loaded]})
        return
    if not loaded:
        say(f"{config} configures no provider; add a block [providers.NAME].")
    for number, provider in enumerate(loaded):
        if number:
            say()
        _show(provider)


def _show(provider: "ConfiguredProvider") -> None:
    manifest = provider.manifest
    say(provider.id, LOUD)
    candidate = f"{provider.candidate}, plugin {provider.settings.plugin!r}, contract {manifest.contract_version}"
    rows = [
        ("name", manifest.display_name),
        ("from", candidate),
        ("currencies", _codes(manifest.currencies, "all")),
        ("countries", _codes(manifest.countries, "")),
        ("amounts", _limits(manifest)),
        ("captures", PORTIONS[manifest.captures.value]),
        ("refunds", PORTIONS[manifest.refunds.value]),
        ("cancels", "yes" if manifest.cancel else "no"),
        ("actions", ", ".join(sorted(manifest.actions)) or "none"),
        ("settles later", "yes" if manifest.settles_later else "no"),
        ("look-up", _look_up(manifest)),
        ("lists payments", "yes" if manifest.lists_payments else "no"),
        ("notices", NOTICES[manifest.notices]),
        ("repeats", _repeats(manifest)),
    ]
    say(facts(rows))


def _codes(codes: frozenset[str] | None, unrestricted: str) -> str:
    return unrestricted if codes is None else ", ".join(sorted(codes))


def _limits(manifest: "Manifest") -> str:
    limits = manifest.amount_limits.values()
    lower = [f"{limit.minimum} or more" for limit in limits if limit.minimum is not None]
    upper = [f"at most {limit.maximum}" for limit in limits if limit.maximum is not None]
    return ", ".join(lower + upper)


def _look_up(manifest: "Manifest") -> str:
    if manifest.look_up is None:
        return "no"
    ways = ", ".join(sorted(way.replace("_", " ") for way in manifest.look_up.by))
    proof = manifest.look_up.proves_absence_after
    return f"by {ways}" + ("" if proof is None else f"; finding nothing is proof after {_duration(proof)}")


def _repeats(manifest: "Manifest") -> str:
    """How safe it is to send a request again; only native keys make it so."""
    idempotency = manifest.idempotency
    if idempotency.keys == "native" and idempotency.window is not None:
        return f"recognised by key, for {_duration(idempotency.window)}"
    return "found by key, never sent twice" if idempotency.keys == "reference" else "not recognised, never sent twice"


def _duration(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    for unit, length in (("years", 31_557_600), ("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"


def _document(provider: "ConfiguredProvider") -> Document:
    candidate = provider.candidate
    return {
        "id": provider.id,
        "name": provider.instance,
        "plugin": provider.settings.plugin,
        "distribution": candidate.distribution,
        "version": candidate.version,
        "manifest": provider.manifest.model_dump(mode="json"),
    }
