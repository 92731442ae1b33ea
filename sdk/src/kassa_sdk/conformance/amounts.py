"""Checks of amounts: what goes over the wire is the amount that was meant, in currencies with 0, 2 and 3 decimals."""

import re
from collections.abc import Iterable
from itertools import product

import pytest

from kassa_sdk.conformance.exam import Exam, agrees, described
from kassa_sdk.conformance.fault_proxy import SentRequest
from kassa_sdk.conformance.movements import CAPTURE, REFUND, Verb
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, not_reached, proves, violation
from kassa_sdk.currencies import EXPONENTS
from kassa_sdk.errors import MoneyError
from kassa_sdk.manifest import AmountLimits, Manifest, Portions
from kassa_sdk.money import Money
from kassa_sdk.outcomes import Pending, Succeeded

_TELLING_DIGITS = (1_237, 137, 17)
"""Amounts that do not come about by accident, and are wrong by a factor of ten when a decimal is lost."""

_EACH_KIND = pytest.mark.parametrize("decimals", [0, 2, 3])
_USUAL = {0: "JPY", 2: "EUR", 3: "KWD"}

_EXACTLY = "exactly the money of the request moves and is told: its amount, and its currency"


@proves("amounts")
class AmountChecks:
    """Money on the wire."""

    @_EACH_KIND
    def test_what_is_paid_is_the_amount_on_the_wire(self, exam: Exam, decimals: int) -> None:
        _paid_as_meant(exam, _telling(exam.manifest, _currency(exam, decimals)))

    @_EACH_KIND
    def test_what_is_captured_is_the_amount_on_the_wire(self, exam: Exam, decimals: int) -> None:
        _moved_as_meant(exam, CAPTURE, _currency(exam, decimals))

    @_EACH_KIND
    def test_what_is_refunded_is_the_amount_on_the_wire(self, exam: Exam, decimals: int) -> None:
        _moved_as_meant(exam, REFUND, _currency(exam, decimals))

    def test_the_providers_own_exceptions_are_written_as_it_wants_them(self, exam: Exam) -> None:
        exceptions = sorted({*exam.manifest.amounts.exponents, *exam.manifest.amounts.steps})
        if not exceptions:
            does_not_apply("the manifest lists no currency that is written otherwise than ISO 4217 says")
        for currency in exceptions:
            _paid_as_meant(exam, _telling(exam.manifest, currency))

    def test_an_amount_that_the_provider_cannot_express_is_refused_unsent(self, exam: Exam) -> None:
        finer = [amount for currency in sorted(EXPONENTS) if (amount := _too_fine(exam.manifest, currency))]
        if not finer:
            does_not_apply("the provider can express every amount of every currency")
        for amount in finer:
            what = f"{amount}, which is finer than the manifest's amounts,"
            _refused_unsent(exam, amount, what, f"amounts=WireAmounts(…) with all decimals of {amount.currency}")

    def test_a_currency_that_the_manifest_does_not_list_is_refused_unsent(self, exam: Exam) -> None:
        if exam.manifest.currencies is None:
            does_not_apply("the manifest lists all currencies")
        others = sorted(set(EXPONENTS) - exam.manifest.currencies)
        for currency in others[:3]:
            what = f"a payment in {currency}, which the manifest does not list,"
            _refused_unsent(exam, Money(100_000, currency), what, "currencies=None, which is all of them")


def _paid_as_meant(exam: Exam, amount: Money) -> None:
    with exam.network().recording() as sent:
        payment = exam.initiated(amount=amount)
        facts = exam.paid(payment)
    _is_on_the_wire(exam.manifest, "a payment", amount, sent)
    if facts.authorized != amount:
        violation(f"of a payment of {amount} the facts say authorized={facts.authorized}", _EXACTLY)
    if exam.candidate.books is not None and exam.books(payment).authorized != amount:
        violation(
            f"a payment of {amount} was asked for, and the server's books say {exam.books(payment).authorized}",
            _EXACTLY,
        )


def _moved_as_meant(exam: Exam, verb: Verb, currency: str) -> None:
    if verb.portions(exam.manifest) in {Portions.NONE, Portions.FULL}:
        # What is always all of it need not name its amount.
        does_not_apply("the manifest lists none of a part")
    network, part = exam.network(), _telling(exam.manifest, currency, of_how_many=2)
    payment = verb.prepare(exam, part + part)
    with network.recording() as sent:
        outcome = verb.ask(exam, payment, part)
    if not isinstance(outcome, Succeeded | Pending):
        not_reached(verb.name, described(outcome))
    _is_on_the_wire(exam.manifest, f"a {verb.name}", part, sent)
    told = [movement.amount for movement in verb.movements(outcome.facts) if movement.status != "failed"]
    if told and told != [part]:
        violation(f"a {verb.name} of {part} told of {' and '.join(map(str, told))}", _EXACTLY)
    if exam.candidate.books is not None and not agrees(found := verb.total(exam.books(payment)), part, outcome):
        violation(f"a {verb.name} of {part} was asked for, and the server's books say {found}", _EXACTLY)


def _currency(exam: Exam, decimals: int) -> str:
    """The usual currency with so many decimals; where it is not listed, that of the exam, or any that is."""
    listed = exam.manifest.currencies
    if listed is None:
        return _USUAL[decimals]
    for currency in (_USUAL[decimals], exam.candidate.amount.currency, *sorted(listed)):
        if currency in listed and EXPONENTS.get(currency) == decimals:
            return currency
    does_not_apply(f"the manifest lists no currency with {decimals} decimals")


def _telling(manifest: Manifest, currency: str, *, of_how_many: int = 1) -> Money:
    """An amount that may be asked for, also as one part of so many."""
    limits = manifest.amount_limits.get(currency, AmountLimits())
    for zeros, digits in product(range(8), _TELLING_DIGITS):
        part, whole = (Money(digits * many * 10**zeros, currency) for many in (1, of_how_many))
        is_large_enough = limits.minimum is None or part >= limits.minimum
        is_small_enough = limits.maximum is None or whole <= limits.maximum
        if is_large_enough and is_small_enough and _is_written(manifest, part):
            return part
    not_proven(f"no amount that would tell fits into the manifest's limits for {currency}")


def _is_written(manifest: Manifest, amount: Money) -> bool:
    try:
        manifest.amounts.write(amount)
    except MoneyError:
        return False
    return True


def _too_fine(manifest: Manifest, currency: str) -> Money | None:
    if manifest.currencies is not None and currency not in manifest.currencies:
        return None
    amount = Money(_TELLING_DIGITS[0] * 1_000 + 1, currency)
    return None if _is_written(manifest, amount) else amount


def _is_on_the_wire(manifest: Manifest, hook: str, amount: Money, sent: Iterable[SentRequest]) -> None:
    written = re.escape(str(manifest.amounts.write(amount)))
    number = re.compile(rf"(?<![0-9])(?<![0-9]\.){written}(?![0-9]|\.[0-9])")
    requests = [request for request in sent if request.has_effect]
    if not any(number.search(f"{each.target}\n{each.body.decode('utf-8', 'replace')}") for each in requests):
        violation(
            f"{hook} of {amount} sent {len(requests)} requests, and in none of them stands "
            f"{manifest.amounts.write(amount)}, which is how the manifest writes it",
            "amounts are translated with manifest.amounts, exactly, and nobody rounds",
            "the provider's own decimals of this currency in amounts=WireAmounts(…)",
        )


def _refused_unsent(exam: Exam, amount: Money, what: str, legal: str) -> None:
    with exam.network().recording() as sent:
        outcome = exam.initiate(exam.candidate.scenarios.approve, amount)
    if any(request.has_effect for request in sent) or isinstance(outcome, Succeeded | Pending):
        violation(
            f"{what} led to {len(sent)} requests and {described(outcome)}",
            "what the manifest says no to is refused by the provider, too: it raises Unsupported before anything is sent",
            legal,
        )
