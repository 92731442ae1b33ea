"""``kassa regions`` and ``kassa explain``: which provider is offered where, in which order, and why not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath
from kassa.cli.output import (
    BAD,
    GOOD,
    LOUD,
    QUIET,
    WAITING,
    Document,
    facts,
    indented,
    money_document,
    print_document,
    say,
    table,
)
from kassa.errors import InvalidData, NotFound

if TYPE_CHECKING:
    from kassa.config import Configuration
    from kassa.extensions import Extensions
    from kassa.providers import Providers
    from kassa.regions import Circumstances, Region, Rule, Verdict


@says_mistakes
def list_regions(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show which region offers which provider, in which order, under which rules."""
    _, loaded, regions, _ = _read(config)
    if as_json:
        print_document({"regions": [_region_document(region, loaded) for region in regions.values()]})
        return
    if not regions:
        say(f"{config} configures no region; add a block [regions.NAME].")
        return
    _show_regions(regions)
    say()
    _show_matrix(loaded, regions)
    _show_conditions(loaded, regions)


@says_mistakes
def explain(
    region_id: Annotated[str, typer.Argument(metavar="REGION", help="A region of the configuration.")],
    amount: Annotated[
        str | None, typer.Option(metavar="DECIMAL", help="What is to be paid, in the region's currency, such as 49.99.")
    ] = None,
    country: Annotated[str | None, typer.Option(metavar="CODE", help="Where the bill goes, such as DE.")] = None,
    customer_group: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A group that the shopper is in; may be given several times."),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say why each provider of a region is offered for a payment, or is not.

    What is not given excludes nothing. A provider that an operator has switched off is not offered, for that reason.
    """
    from kassa.cli import switching
    from kassa.extensions import with_reasons
    from kassa.regions import judge

    configuration, loaded, regions, listening = _read(config)
    region = _region(region_id, regions)
    circumstances = _circumstances(region, amount, country, customer_group)
    switches = switching.in_force(configuration)
    verdicts = [
        judge(region, provider_id, loaded[provider_id].manifest, circumstances, switches)
        for provider_id in region.provider_ids
    ]
    verdicts = [with_reasons(listening, "default", region, verdict, circumstances) for verdict in verdicts]
    if as_json:
        print_document(_explanation_document(region, circumstances, verdicts))
        return
    _show_explanation(region, circumstances, verdicts)


def _read(config: Path) -> "tuple[Configuration, Providers, dict[str, Region], Extensions]":
    from kassa import config as settings
    from kassa import extensions, opening, providers

    configuration = settings.read(config)
    loaded = providers.load(configuration)
    return configuration, loaded, opening.regions(configuration, loaded), extensions.load(configuration)


def _region(region_id: str, regions: "dict[str, Region]") -> "Region":
    if region_id not in regions:
        raise NotFound(f"region {region_id!r} is not configured; there are {', '.join(sorted(regions)) or 'none'}")
    return regions[region_id]


def _judge(region: "Region", provider_id: str, loaded: "Providers") -> "Verdict":
    """The verdict of the configuration alone."""
    from kassa.regions import Circumstances, judge

    return judge(region, provider_id, loaded[provider_id].manifest, Circumstances())


def _circumstances(
    region: "Region", amount: str | None, country: str | None, customer_groups: list[str] | None
) -> "Circumstances":
    from kassa.regions import Circumstances
    from kassa_sdk import Money

    if country is not None and not (len(country) == len("DE") and country.isascii() and country.isalpha()):
        raise InvalidData("--country", f"expected an ISO 3166 code such as DE, not {country!r}")
    return Circumstances(
        amount=None if amount is None else Money.parse(amount, region.currency),
        country=None if country is None else country.upper(),
        customer_groups=tuple(customer_groups) if customer_groups else None,
    )


def _show_regions(regions: "dict[str, Region]") -> None:
    drawn = table("region", "name", "currency", "countries")
    for region in regions.values():
        drawn.add_row(Text(region.id, LOUD), region.name, region.currency, ", ".join(region.countries))
    say(drawn)


def _show_matrix(loaded: "Providers", regions: "dict[str, Region]") -> None:
    drawn = table("provider", *regions)
    for provider_id in loaded:
        drawn.add_row(provider_id, *(_cell(region, provider_id, loaded) for region in regions.values()))
    say(drawn)
    say()
    say("The number is the place in which a region offers it; – where it does not.", QUIET)


def _cell(region: "Region", provider_id: str, loaded: "Providers") -> Text:
    if provider_id not in region.provider_ids:
        return Text("–", QUIET)
    place = region.provider_ids.index(provider_id) + 1
    if not _judge(region, provider_id, loaded).is_offered:
        return Text(f"{place} ✗", BAD)
    ruled = any(rule.provider_id == provider_id for rule in region.rules)
    return Text(f"{place} ✓", GOOD).append(" with a rule" if ruled else "", QUIET)


def _show_conditions(loaded: "Providers", regions: "dict[str, Region]") -> None:
    for region in regions.values():
        rows = [
            (provider_id, text)
            for provider_id in region.provider_ids
            for text in _conditions(region, provider_id, loaded)
        ]
        if rows:
            say()
            say(Text(region.id, LOUD))
            say(facts(rows))


def _conditions(region: "Region", provider_id: str, loaded: "Providers") -> list[Text]:
    never = _judge(region, provider_id, loaded).reasons
    rules = [rule for rule in region.rules if rule.provider_id == provider_id]
    pending = provider_id in region.orders_while_pending
    return [
        *(Text(f"never: {reason}", BAD) for reason in never),
        *(Text(f"{_bounds(rule)}, else: ").append(rule.reason, QUIET) for rule in rules),
        *([Text("orders are placed before the money is there")] if pending else []),
    ]


def _bounds(rule: "Rule") -> str:
    bounds = [
        f"{rule.amount_min} or more" if rule.amount_min else "",
        f"at most {rule.amount_max}" if rule.amount_max else "",
        f"in {', '.join(sorted(rule.countries))}" if rule.countries else "",
        f"for {', '.join(sorted(rule.customer_groups))}" if rule.customer_groups else "",
    ]
    return ", ".join(filter(None, bounds)) or "always"


def _show_explanation(region: "Region", circumstances: "Circumstances", verdicts: "list[Verdict]") -> None:
    say(Text(region.name, LOUD).append(f"  {region.id} · {region.currency} · {', '.join(region.countries)}", QUIET))
    say(facts(_known(circumstances)))
    say()
    offered = 0
    for verdict in verdicts:
        offered += verdict.is_offered
        line = Text(f"{offered} ✓ ", GOOD) if verdict.is_offered else Text("  ✗ ", BAD)
        say(indented(line.append(verdict.provider_id, LOUD if verdict.is_offered else "")))
        for reason in verdict.reasons:
            say(indented(reason, 6))
    if circumstances.country is not None and circumstances.country not in region.countries:
        say()
        say(indented(f"Mind: {circumstances.country} is not among this region's countries."), WAITING)


def _known(circumstances: "Circumstances") -> list[tuple[str, str]]:
    groups = circumstances.customer_groups
    given = {
        "amount": None if circumstances.amount is None else str(circumstances.amount),
        "country": circumstances.country,
        "customer groups": None if groups is None else ", ".join(groups),
    }
    unknown = [name for name, value in given.items() if value is None]
    known = [(name, value) for name, value in given.items() if value is not None]
    return known + ([("not given", f"{', '.join(unknown)}: excludes nothing")] if unknown else [])


def _region_document(region: "Region", loaded: "Providers") -> Document:
    return {
        "id": region.id,
        "name": region.name,
        "currency": region.currency,
        "countries": region.countries,
        "providers": [
            {
                "id": provider_id,
                "never_offered_because": _judge(region, provider_id, loaded).reasons,
                "places_order_while_pending": provider_id in region.orders_while_pending,
                "rules": [_rule_document(rule) for rule in region.rules if rule.provider_id == provider_id],
            }
            for provider_id in region.provider_ids
        ],
    }


def _rule_document(rule: "Rule") -> Document:
    return {
        "amount_min": money_document(rule.amount_min),
        "amount_max": money_document(rule.amount_max),
        "countries": rule.countries,
        "customer_groups": rule.customer_groups,
        "reason": rule.reason,
    }


def _explanation_document(region: "Region", circumstances: "Circumstances", verdicts: "list[Verdict]") -> Document:
    return {
        "region": region.id,
        "amount": money_document(circumstances.amount),
        "country": circumstances.country,
        "customer_groups": circumstances.customer_groups,
        "providers": [
            {"id": verdict.provider_id, "is_offered": verdict.is_offered, "reasons": verdict.reasons}
            for verdict in verdicts
        ],
    }
