"""Checks of what follows a payment: capture, refund, cancel; a declared *no* is proven to be refused."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from kassa_sdk.conformance.candidate import ServerBooks
from kassa_sdk.conformance.exam import Exam, ExamPayment, agrees, described
from kassa_sdk.conformance.verdicts import does_not_apply, not_reached, proves, violation
from kassa_sdk.facts import Movement, PaymentFacts
from kassa_sdk.manifest import Manifest, Portions
from kassa_sdk.money import Money
from kassa_sdk.outcomes import Outcome, Pending, Succeeded


@dataclass(frozen=True, slots=True)
class Verb:
    """Capture or refund: the same promises, about money in one direction or the other."""

    name: Literal["capture", "refund"]
    portions: Callable[[Manifest], Portions]
    prepare: Callable[[Exam, Money | None], ExamPayment]
    ask: Callable[..., Outcome]
    total: Callable[[ServerBooks], Money]
    movements: Callable[[PaymentFacts], tuple[Movement, ...]]

    def takes_the_whole(self, exam: Exam) -> None:
        payment = self._payment(exam)
        self._moves(exam, payment, payment.amount, payment.amount)

    def takes_a_part(self, exam: Exam) -> None:
        payment = self._payment(exam)
        part = exam.share(payment, 40)
        if self.portions(exam.manifest) is Portions.FULL:
            ask = partial(self.ask, exam, payment, part)
            return _refused(exam, payment, f"a {self.name} of a part", ask, f"{self.name}s=Portions.PARTIAL")
        self._moves(exam, payment, part, part)

    def takes_the_rest(self, exam: Exam) -> None:
        if self.portions(exam.manifest) is Portions.FULL:
            does_not_apply(f"the manifest says that a {self.name} is always of all")
        payment = self._payment(exam)
        part = exam.share(payment, 40)
        if not isinstance(outcome := self.ask(exam, payment, part), Succeeded | Pending):
            not_reached(self.name, described(outcome))
        rest = payment.amount - part
        if self.portions(exam.manifest) is Portions.PARTIAL:
            ask = partial(self.ask, exam, payment, rest)
            return _refused(exam, payment, f"a second {self.name}", ask, f"{self.name}s=Portions.MULTIPLE")
        self._moves(exam, payment, rest, payment.amount)

    def is_refused_where_there_is_none(self, exam: Exam) -> None:
        if self.portions(exam.manifest) is not Portions.NONE:
            does_not_apply(f"the manifest lists {self.name}s")
        payment = self.prepare(exam, None)
        _refused(exam, payment, f"a {self.name}", partial(self.ask, exam, payment), f"{self.name}s=Portions.FULL")

    def _payment(self, exam: Exam) -> ExamPayment:
        if self.portions(exam.manifest) is Portions.NONE:
            does_not_apply(f"the manifest lists no {self.name}s")
        return self.prepare(exam, None)

    def _moves(self, exam: Exam, payment: ExamPayment, amount: Money, total: Money) -> None:
        key = exam.key()
        outcome = self.ask(exam, payment, amount, key)
        if not isinstance(outcome, Succeeded | Pending):
            violation(f"{self.name} of {amount} ended in {described(outcome)}", "what the manifest lists is done")
        movements = [movement for movement in self.movements(outcome.facts) if movement.status != "failed"]
        told = [(movement.amount, movement.attempt_key) for movement in movements]
        # What is under way may not have a name yet.
        if told != [(amount, key)] and (told or isinstance(outcome, Succeeded)):
            said = ", ".join(f"{each} with key {own}" for each, own in told) or "none"
            violation(
                f"{self.name} of {amount} with key {key} told of these movements: {said}",
                "exactly one movement, of the amount of the request and with its attempt_key",
            )
        if exam.candidate.books is None:
            return
        found = self.total(exam.books(payment))
        if not agrees(found, total, outcome):
            violation(
                f"after a {self.name} of {amount} the server's books should say {total} in all, and say {found}",
                "exactly the amount of the request moves, and nothing else",
            )


CAPTURE = Verb(
    "capture",
    lambda manifest: manifest.captures,
    Exam.held,
    Exam.capture,
    lambda books: books.captured,
    lambda facts: facts.captures,
)
REFUND = Verb(
    "refund",
    lambda manifest: manifest.refunds,
    Exam.captured,
    Exam.refund,
    lambda books: books.refunded,
    lambda facts: facts.refunds,
)


@proves("captures")
class CaptureChecks:
    """Taking what was authorized."""

    def test_a_capture_takes_the_whole_amount(self, exam: Exam) -> None:
        CAPTURE.takes_the_whole(exam)

    def test_a_capture_of_a_part_takes_that_part(self, exam: Exam) -> None:
        CAPTURE.takes_a_part(exam)

    def test_a_second_capture_takes_the_rest(self, exam: Exam) -> None:
        CAPTURE.takes_the_rest(exam)

    def test_captures_are_refused_where_the_manifest_has_none(self, exam: Exam) -> None:
        CAPTURE.is_refused_where_there_is_none(exam)

    def test_never_more_is_captured_than_authorized(self, exam: Exam) -> None:
        if exam.manifest.captures is Portions.NONE:
            does_not_apply("the manifest lists no captures")
        exam.network()
        payment = exam.held()
        outcome = exam.capture(payment, payment.amount + payment.amount)
        if isinstance(outcome, Succeeded | Pending):
            violation(
                f"of {payment.amount} authorized, {payment.amount + payment.amount} was captured",
                "what goes beyond the authorization is refused",
            )


@proves("refunds")
class RefundChecks:
    """Giving back what was taken."""

    def test_a_refund_gives_back_the_whole_amount(self, exam: Exam) -> None:
        REFUND.takes_the_whole(exam)

    def test_a_refund_of_a_part_gives_back_that_part(self, exam: Exam) -> None:
        REFUND.takes_a_part(exam)

    def test_a_second_refund_gives_back_the_rest(self, exam: Exam) -> None:
        REFUND.takes_the_rest(exam)

    def test_refunds_are_refused_where_the_manifest_has_none(self, exam: Exam) -> None:
        REFUND.is_refused_where_there_is_none(exam)


@proves("cancel")
class CancelChecks:
    """Giving up what was not taken."""

    def test_a_cancelled_payment_can_not_be_taken_any_more(self, exam: Exam) -> None:
        _requires_cancel(exam)
        payment = exam.held()
        outcome = exam.cancel(payment)
        if not isinstance(outcome, Succeeded) or outcome.facts.condition != "canceled":
            violation(
                f"cancel of an authorized payment ended in {described(outcome)}",
                'it returns Succeeded with the condition "canceled", once nothing can be taken any more',
            )
        if exam.candidate.books is not None and not exam.books(payment).is_canceled:
            violation("cancel succeeded, and the server still holds the money", "cancel releases what was not captured")

    def test_a_session_that_was_never_paid_is_closed(self, exam: Exam) -> None:
        _requires_cancel(exam)
        outcome = exam.cancel(exam.initiated())
        if not isinstance(outcome, Succeeded):
            violation(
                f"cancel of a session that was never paid ended in {described(outcome)}",
                "cancel closes an open session, so that nobody can pay what the shop has given up",
            )

    def test_money_that_was_taken_is_told_and_not_called_canceled(self, exam: Exam) -> None:
        _requires_cancel(exam)
        payment = exam.captured()
        taken = exam.books(payment).captured
        outcome = exam.cancel(payment)
        is_hidden = isinstance(outcome, Succeeded) and not outcome.facts.captured
        if taken and is_hidden:
            violation(
                f"{taken} was taken, and cancel ended in {described(outcome)} without a word of the money",
                "when it turns out that money was taken, return Succeeded with facts that say so",
            )

    def test_cancel_is_refused_where_the_manifest_says_no(self, exam: Exam) -> None:
        if exam.manifest.cancel:
            does_not_apply("the manifest says cancel=True")
        payment = exam.authorized()
        _refused(exam, payment, "a cancellation", partial(exam.cancel, payment), "cancel=True")


def _requires_cancel(exam: Exam) -> None:
    if not exam.manifest.cancel:
        does_not_apply("the manifest says cancel=False")


def _refused(exam: Exam, payment: ExamPayment, what: str, ask: Callable[[], Outcome], legal: str) -> None:
    before = None if exam.candidate.books is None else exam.books(payment)
    outcome = ask()
    if isinstance(outcome, Succeeded | Pending):
        violation(
            f"{what}, which the manifest does not list, ended in {described(outcome)}",
            "what is declared as no is refused: the engine and the shops believe the manifest",
            legal,
        )
    if before is not None and exam.books(payment) != before:
        violation(
            f"{what}, which the manifest does not list, ended in {described(outcome)}, and the server's books have changed",
            "what is refused has no effect",
        )
