"""Checks of amounts: what goes over the wire is the amount that was meant, in currencies with 0, 2 and 3 decimals."""

import re
from collections.abc import Callable, Iterable

import pytest

from kassa_sdk.conformance.exam import Exam, ExamPayment, described
from kassa_sdk.conformance.fault_proxy import SentRequest
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, not_reached, proves, violation
from kassa_sdk.currencies import EXPONENTS
from kassa_sdk.errors import MoneyError
from kassa_sdk.manifest import Manifest, Portions
from kassa_sdk.money import Money
from kassa_sdk.outcomes import Outcome, Pending, Succeeded

_TELLING_DIGITS = 1_237
"""An amount that does not come about by accident, and is wrong by a factor of ten when a decimal is lost."""

_EACH_CURRENCY = pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD"])


@proves("amounts")
class AmountChecks:
    """Money on the wire."""

    @_EACH_CURRENCY
    def test_what_is_paid_is_the_amount_on_the_wire(self, exam: Exam, currency: str) -> None:
        _paid_as_meant(exam, _telling(exam.manifest, currency))

    @_EACH_CURRENCY
    def test_what_is_captured_is_the_amount_on_the_wire(self, exam: Exam, currency: str) -> None:
        _moved_as_meant(exam, currency, exam.manifest.captures, exam.held, exam.capture)

    @_EACH_CURRENCY
    def test_what_is_refunded_is_the_amount_on_the_wire(self, exam: Exam, currency: str) -> None:
        _moved_as_meant(exam, currency, exam.manifest.refunds, exam.captured, exam.refund)

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
            _refused_unsent(exam, amount, f"{amount}, which is finer than the manifest's amounts,")

    def test_a_currency_that_the_manifest_does_not_list_is_refused_unsent(self, exam: Exam) -> None:
        if exam.manifest.currencies is None:
            does_not_apply("the manifest lists all currencies")
        others = sorted(set(EXPONENTS) - exam.manifest.currencies)
        for currency in others[:3]:
            _refused_unsent(
                exam, Money(100_000, currency), f"a payment in {currency}, which the manifest does not list,"
            )


def _paid_as_meant(exam: Exam, amount: Money) -> None:
    with exam.network().recording() as sent:
        exam.paid(exam.initiated(amount=amount))
    _is_on_the_wire(exam.manifest, "a payment", amount, sent)


def _moved_as_meant(
    exam: Exam,
    currency: str,
    portions: Portions,
    prepare: Callable[[Money], ExamPayment],
    ask: Callable[[ExamPayment, Money], Outcome],
) -> None:
    if portions in {Portions.NONE, Portions.FULL}:
        # What is always all of it need not name its amount.
        does_not_apply("the manifest lists none of a part")
    network, part = exam.network(), _telling(exam.manifest, currency)
    payment = prepare(part + part)
    with network.recording() as sent:
        outcome = ask(payment, part)
    if not isinstance(outcome, Succeeded | Pending):
        not_reached(ask.__name__, described(outcome))
    _is_on_the_wire(exam.manifest, f"a {ask.__name__}", part, sent)


def _telling(manifest: Manifest, currency: str) -> Money:
    if manifest.currencies is not None and currency not in manifest.currencies:
        does_not_apply(f"the manifest does not list {currency}")
    limits = manifest.amount_limits.get(currency)
    for zeros in range(8):
        amount = Money(_TELLING_DIGITS * 10**zeros, currency)
        if _is_written(manifest, amount) and (limits is None or limits.minimum is None or amount >= limits.minimum):
            return amount
    not_proven(f"no amount of {currency} fits into the limits of the manifest")


def _is_written(manifest: Manifest, amount: Money) -> bool:
    try:
        manifest.amounts.write(amount)
    except MoneyError:
        return False
    return True


def _too_fine(manifest: Manifest, currency: str) -> Money | None:
    if manifest.currencies is not None and currency not in manifest.currencies:
        return None
    amount = Money(_TELLING_DIGITS * 1_000 + 1, currency)
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


def _refused_unsent(exam: Exam, amount: Money, what: str) -> None:
    with exam.network().recording() as sent:
        outcome = exam.initiate(exam.candidate.scenarios.approve, amount)
    if any(request.has_effect for request in sent) or isinstance(outcome, Succeeded | Pending):
        violation(
            f"{what} led to {len(sent)} requests and {described(outcome)}",
            "what cannot be is refused with Unsupported before anything is sent",
        )
