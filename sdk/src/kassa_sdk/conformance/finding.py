"""Checks of finding out: look-ups and lists, by which the engine learns what became of a call."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from kassa_sdk.conformance.exam import Exam, described, reached
from kassa_sdk.conformance.fault_proxy import Fault, address_where_nobody_listens
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, not_reached, proves, violation
from kassa_sdk.manifest import Portions
from kassa_sdk.outcomes import Found, NotFound, PaymentPage
from kassa_sdk.requests import ListPaymentsRequest, LookUpRequest

MOST_PAGES = 1_000
_A_DAY, _LONG = timedelta(days=1), timedelta(days=3_650)


@proves("look-up")
class LookUpChecks:
    """Finding one payment."""

    @pytest.mark.parametrize("by", ["provider_reference", "our_reference", "attempt_key"])
    def test_a_payment_is_found_by_all_that_the_manifest_lists(self, exam: Exam, by: str) -> None:
        if exam.manifest.look_up is None or by not in exam.manifest.look_up.by:
            does_not_apply(f"the manifest lists no look-up by {by}")
        if f"look_up_by_{by}" in exam.candidate.not_proven:
            not_proven(exam.candidate.not_proven[f"look_up_by_{by}"])
        payment = exam.authorized()
        request = LookUpRequest(
            hook="initiate",
            attempt_key=payment.initiate_key if by == "attempt_key" else _nobodys(),
            our_reference=payment.our_reference if by == "our_reference" else _nobodys(),
            provider_reference=payment.provider_reference if by == "provider_reference" else None,
        )
        outcome = exam.ask("look_up", request)
        if not isinstance(outcome, Found) or outcome.facts.provider_reference != payment.provider_reference:
            violation(
                f"a look-up by {by} of a payment that is there ended in {described(outcome)}",
                "what the manifest lists under look_up.by finds the payment",
                f"look_up=LookUp(by=…) without {by!r}",
            )

    def test_what_is_found_says_what_the_server_knows(self, exam: Exam) -> None:
        _requires_look_up(exam)
        payment = exam.captured()
        outcome = reached(Found, "look_up", exam.look_up(payment))
        if outcome.facts.captured is None or outcome.facts.authorized is None:
            violation(
                "a look-up found the payment, and told no totals",
                "a look-up tells all that is known: authorized and captured, as cumulative totals",
            )
        books = exam.books(payment)
        told = (outcome.facts.authorized, outcome.facts.captured)
        if told != (books.authorized, books.captured):
            violation(
                f"a look-up says authorized={told[0]}, captured={told[1]}; the server's books say "
                f"authorized={books.authorized}, captured={books.captured}",
                "facts are the provider's own totals",
            )

    def test_a_capture_whose_answer_was_lost_is_found_with_its_key(self, exam: Exam) -> None:
        _requires_look_up(exam)
        if exam.manifest.captures is Portions.NONE or exam.manifest.idempotency.keys == "none":
            does_not_apply("the provider keeps no key of a capture")
        network, payment, key = exam.network(), exam.held(), exam.key()
        with network.going_wrong(Fault.CUT_AFTER):
            exam.capture(payment, key=key)
        outcome = reached(Found, "look_up", exam.look_up(payment, "capture", key))
        keys = [movement.attempt_key for movement in outcome.facts.captures]
        if keys != [key]:
            violation(
                f"after a capture whose answer was lost, a look-up tells of captures with the keys {keys}",
                "each movement is told with our key, so that the engine sees which of its calls went through",
                'idempotency=Idempotency(keys="none")',
            )

    def test_what_never_was_is_not_found(self, exam: Exam) -> None:
        _requires_look_up(exam)
        if exam.manifest.look_up is not None and exam.manifest.look_up.by == {"provider_reference"}:
            does_not_apply("what is found by the provider's own reference alone has been there once")
        request = LookUpRequest(hook="initiate", attempt_key=_nobodys(), our_reference=_nobodys())
        outcome = exam.ask("look_up", request)
        if not isinstance(outcome, NotFound):
            violation(
                f"a look-up of what never was ended in {described(outcome)}",
                "what the server does not know is NotFound",
            )

    def test_not_found_is_what_the_server_says_and_not_the_network(self, exam: Exam) -> None:
        _requires_look_up(exam)
        exam.network()
        outcome = exam.at(address_where_nobody_listens()).look_up(exam.authorized())
        if isinstance(outcome, Found | NotFound):
            violation(
                f"no connection could be made, and a look-up ended in {described(outcome)}",
                "a look-up that asked nobody is NotSent; what is called not found is paid again",
            )

    def test_looking_changes_nothing(self, exam: Exam) -> None:
        _requires_look_up(exam)
        payment = exam.authorized()
        before = exam.books(payment)
        exam.look_up(payment)
        if exam.books(payment) != before:
            violation(
                f"a look-up changed the server's books from {before} to {exam.books(payment)}",
                "a look-up has no effect at the provider, and may be asked at any time",
            )

    def test_look_ups_are_refused_where_the_manifest_has_none(self, exam: Exam) -> None:
        if exam.manifest.look_up is not None:
            does_not_apply("the manifest lists look-ups")
        outcome = exam.look_up(exam.authorized())
        if isinstance(outcome, Found | NotFound):
            violation(
                f"a look-up, which the manifest does not list, ended in {described(outcome)}",
                "what is declared as no is refused",
                "look_up=LookUp(by=…)",
            )


@proves("list")
class ListChecks:
    """The provider's own list of payments."""

    def test_every_payment_is_on_one_of_the_pages(self, exam: Exam) -> None:
        _requires_list(exam)
        payments = [exam.initiated() for _ in range(3)]
        now = datetime.now(UTC)
        listed = _listed(exam, now - _A_DAY, now + _LONG)
        missing = [each.provider_reference for each in payments if each.provider_reference not in listed]
        if missing:
            violation(
                f"of three payments that were just created, the list does not have {missing}",
                "every payment that was created in that time is on one of the pages",
                "lists_payments=False",
            )

    def test_the_list_is_of_the_time_that_was_asked_for(self, exam: Exam) -> None:
        _requires_list(exam)
        payment = exam.initiated()
        now = datetime.now(UTC)
        if payment.provider_reference in _listed(exam, now - 2 * _LONG, now - _LONG):
            violation(
                "a payment of today is on a list of payments of ten years ago",
                "the list has the payments that were created from since on and before until",
            )

    def test_lists_are_refused_where_the_manifest_has_none(self, exam: Exam) -> None:
        if exam.manifest.lists_payments:
            does_not_apply("the manifest lists payments")
        now = datetime.now(UTC)
        outcome = exam.ask("list_payments", ListPaymentsRequest(since=now - _A_DAY, until=now))
        if isinstance(outcome, PaymentPage):
            violation(
                "a list, which the manifest does not have, was given",
                "what is declared as no is refused",
                "lists_payments=True",
            )


def _nobodys() -> str:
    return f"exam-nobodys-{uuid4().hex[:12]}"


def _listed(exam: Exam, since: datetime, until: datetime) -> set[str]:
    found, cursor = set[str](), None
    for _ in range(MOST_PAGES):
        page = exam.ask("list_payments", ListPaymentsRequest(since=since, until=until, cursor=cursor))
        if not isinstance(page, PaymentPage):
            not_reached("list_payments", described(page))
        found |= {facts.provider_reference for facts in page.facts}
        cursor = page.next_cursor
        if cursor is None:
            return found
    violation(f"after {MOST_PAGES} pages the list has not ended", "the last page has no next_cursor")


def _requires_look_up(exam: Exam) -> None:
    if exam.manifest.look_up is None:
        does_not_apply("the manifest lists no look-up")


def _requires_list(exam: Exam) -> None:
    if not exam.manifest.lists_payments:
        does_not_apply("the manifest lists no payments")
