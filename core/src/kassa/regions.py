"""Which providers a region offers for a payment: a verdict for each, with its reasons.  Pure, no I/O."""

from collections.abc import Sequence

from kassa.model import ProviderSwitch
from kassa_sdk import Manifest, Money, Record


class Rule(Record):
    """The region offers this provider only inside these bounds; ``reason`` is what a person is told otherwise."""

    provider_id: str
    amount_min: Money | None = None
    amount_max: Money | None = None
    countries: frozenset[str] | None = None
    customer_groups: frozenset[str] | None = None
    reason: str


class Region(Record):
    """A region of the configuration: one currency, its countries, and the providers it enables, in order.

    ``orders_while_pending`` has the providers for which an order may be placed before its money is there.
    """

    id: str
    name: str
    currency: str
    countries: tuple[str, ...]
    provider_ids: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    orders_while_pending: frozenset[str] = frozenset()


class Circumstances(Record):
    """What a verdict depends on; what is not known yet (None) excludes nothing."""

    amount: Money | None = None
    country: str | None = None
    customer_groups: tuple[str, ...] | None = None


class Verdict(Record):
    """Whether a provider is offered, and if not, every reason why."""

    provider_id: str
    reasons: tuple[str, ...] = ()

    @property
    def is_offered(self) -> bool:
        """Offered when nothing speaks against it."""
        return not self.reasons


def judge(
    region: Region,
    provider_id: str,
    manifest: Manifest,
    circumstances: Circumstances,
    switches: Sequence[ProviderSwitch] = (),
) -> Verdict:
    """The verdict on one provider that the region enables; ``switches`` are those that operators have turned."""
    reasons = [
        f"switched off {switch.where}: {switch.reason}"
        for switch in switches
        if switch.concerns(provider_id, region.id)
    ]
    reasons += _manifest_reasons(region, manifest, circumstances)
    for rule in region.rules:
        if rule.provider_id == provider_id and not _inside(rule, circumstances):
            reasons.append(rule.reason)
    return Verdict(provider_id=provider_id, reasons=tuple(reasons))


def _manifest_reasons(region: Region, manifest: Manifest, circumstances: Circumstances) -> list[str]:
    reasons = []
    if manifest.currencies is not None and region.currency not in manifest.currencies:
        reasons.append(f"{manifest.display_name} does not take {region.currency}")
    country = circumstances.country
    if manifest.countries is not None and country is not None and country not in manifest.countries:
        reasons.append(f"{manifest.display_name} does not serve {country}")
    return reasons + _limit_reasons(manifest, circumstances.amount)


def _limit_reasons(manifest: Manifest, amount: Money | None) -> list[str]:
    limits = manifest.amount_limits.get(amount.currency) if amount is not None else None
    if limits is None or amount is None:
        return []
    reasons = []
    if limits.minimum is not None and amount < limits.minimum:
        reasons.append(f"{manifest.display_name} takes {limits.minimum} or more")
    if limits.maximum is not None and amount > limits.maximum:
        reasons.append(f"{manifest.display_name} takes at most {limits.maximum}")
    return reasons


def _inside(rule: Rule, circumstances: Circumstances) -> bool:
    amount, country, groups = circumstances.amount, circumstances.country, circumstances.customer_groups
    too_small = rule.amount_min is not None and amount is not None and amount < rule.amount_min
    too_large = rule.amount_max is not None and amount is not None and amount > rule.amount_max
    elsewhere = rule.countries is not None and country is not None and country not in rule.countries
    stranger = rule.customer_groups is not None and groups is not None and not rule.customer_groups & set(groups)
    return not (too_small or too_large or elsewhere or stranger)
