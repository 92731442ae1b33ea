"""Checks of what follows a payment: capture, refund, cancel; a declared *no* is proven to be refused."""

from collections.abc import Callable
from functools import partial

from kassa_sdk.conformance.exam import Exam, ExamPayment, described
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, not_reached, proves, violation
from kassa_sdk.facts import Movement
from kassa_sdk.manifest import Portions
from kassa_sdk.money import Money
from kassa_sdk.outcomes import Outcome, Pending, Succeeded


@proves("captures")
class CaptureChecks:
    """Taking what was authorized."""

    def test_a_capture_takes_the_whole_amount(self, exam: Exam) -> None:
        _requires(exam.manifest.captures)
        payment = _held(exam)
        key = exam.key()
        outcome = exam.capture(payment, key=key)
        _moved("capture", outcome, payment.amount, key)
        _books_say(exam, payment, captured=payment.amount)

    def test_a_capture_of_a_part_takes_that_part(self, exam: Exam) -> None:
        _requires(exam.manifest.captures)
        payment = _held(exam)
        part = _share(exam, payment, 40)
        key = exam.key()
        if exam.manifest.captures is Portions.FULL:
            ask = partial(exam.capture, payment, part, key)
            return _refused(exam, payment, "a capture of a part", ask, "captures=Portions.PARTIAL")
        _moved("capture", exam.capture(payment, part, key), part, key)
        _books_say(exam, payment, captured=part)

    def test_a_second_capture_takes_the_rest(self, exam: Exam) -> None:
        _requires(exam.manifest.captures)
        if exam.manifest.captures is Portions.FULL:
            does_not_apply("the manifest says that a capture takes all")
        payment = _held(exam)
        part = _share(exam, payment, 40)
        _done("capture", exam.capture(payment, part))
        key, rest = exam.key(), payment.amount - part
        if exam.manifest.captures is Portions.PARTIAL:
            ask = partial(exam.capture, payment, rest, key)
            return _refused(exam, payment, "a second capture", ask, "captures=Portions.MULTIPLE")
        _moved("capture", exam.capture(payment, rest, key), rest, key)
        _books_say(exam, payment, captured=payment.amount)

    def test_captures_are_refused_where_the_manifest_has_none(self, exam: Exam) -> None:
        if exam.manifest.captures is not Portions.NONE:
            does_not_apply("the manifest lists captures")
        payment = exam.authorized()
        _refused(exam, payment, "a capture", partial(exam.capture, payment), "captures=Portions.FULL")

    def test_never_more_is_captured_than_authorized(self, exam: Exam) -> None:
        _requires(exam.manifest.captures)
        exam.network()
        payment = _held(exam)
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
        _requires(exam.manifest.refunds)
        payment = exam.captured()
        key = exam.key()
        outcome = exam.refund(payment, key=key)
        _moved("refund", outcome, payment.amount, key)
        _books_say(exam, payment, refunded=payment.amount)

    def test_a_refund_of_a_part_gives_back_that_part(self, exam: Exam) -> None:
        _requires(exam.manifest.refunds)
        payment = exam.captured()
        part = _share(exam, payment, 30)
        key = exam.key()
        if exam.manifest.refunds is Portions.FULL:
            ask = partial(exam.refund, payment, part, key)
            return _refused(exam, payment, "a refund of a part", ask, "refunds=Portions.PARTIAL")
        _moved("refund", exam.refund(payment, part, key), part, key)
        _books_say(exam, payment, refunded=part)

    def test_a_second_refund_gives_back_the_rest(self, exam: Exam) -> None:
        _requires(exam.manifest.refunds)
        if exam.manifest.refunds is Portions.FULL:
            does_not_apply("the manifest says that a refund gives back all")
        payment = exam.captured()
        part = _share(exam, payment, 30)
        _done("refund", exam.refund(payment, part))
        key, rest = exam.key(), payment.amount - part
        if exam.manifest.refunds is Portions.PARTIAL:
            ask = partial(exam.refund, payment, rest, key)
            return _refused(exam, payment, "a second refund", ask, "refunds=Portions.MULTIPLE")
        _moved("refund", exam.refund(payment, rest, key), rest, key)
        _books_say(exam, payment, refunded=payment.amount)

    def test_refunds_are_refused_where_the_manifest_has_none(self, exam: Exam) -> None:
        if exam.manifest.refunds is not Portions.NONE:
            does_not_apply("the manifest lists refunds")
        payment = exam.captured()
        _refused(exam, payment, "a refund", partial(exam.refund, payment), "refunds=Portions.FULL")


@proves("cancel")
class CancelChecks:
    """Giving up what was not taken."""

    def test_a_cancelled_payment_can_not_be_taken_any_more(self, exam: Exam) -> None:
        if not exam.manifest.cancel:
            does_not_apply("the manifest says cancel=False")
        payment = _held(exam)
        outcome = exam.cancel(payment)
        if not isinstance(outcome, Succeeded) or outcome.facts.condition != "canceled":
            violation(
                f"cancel of an authorized payment ended in {described(outcome)}",
                'it returns Succeeded with the condition "canceled", once nothing can be taken any more',
            )
        if exam.candidate.books is not None and not exam.books(payment).is_canceled:
            violation("cancel succeeded, and the server still holds the money", "cancel releases what was not captured")

    def test_a_session_that_was_never_paid_is_closed(self, exam: Exam) -> None:
        if not exam.manifest.cancel:
            does_not_apply("the manifest says cancel=False")
        outcome = exam.cancel(exam.initiated())
        if not isinstance(outcome, Succeeded):
            violation(
                f"cancel of a session that was never paid ended in {described(outcome)}",
                "cancel closes an open session, so that nobody can pay what the shop has given up",
            )

    def test_money_that_was_taken_is_told_and_not_called_canceled(self, exam: Exam) -> None:
        if not exam.manifest.cancel:
            does_not_apply("the manifest says cancel=False")
        payment = exam.captured()
        outcome = exam.cancel(payment)
        if isinstance(outcome, Succeeded) and outcome.facts.condition == "canceled" and not outcome.facts.captured:
            if exam.candidate.books is None:
                not_proven("the exam was given no books of the server")
            if exam.books(payment).captured:
                violation(
                    "cancel of a payment that was captured says that it is canceled, and tells nothing of the money",
                    "when it turns out that money was taken, return Succeeded with facts that say so",
                )

    def test_cancel_is_refused_where_the_manifest_says_no(self, exam: Exam) -> None:
        if exam.manifest.cancel:
            does_not_apply("the manifest says cancel=True")
        payment = exam.authorized()
        _refused(exam, payment, "a cancellation", partial(exam.cancel, payment), "cancel=True")


def _requires(portions: Portions) -> None:
    if portions is Portions.NONE:
        does_not_apply("the manifest lists none")


def _held(exam: Exam) -> ExamPayment:
    payment = exam.authorized()
    if payment.is_captured:
        does_not_apply("this provider takes the money when it authorizes")
    return payment


def _share(exam: Exam, payment: ExamPayment, percent: int) -> Money:
    step = exam.manifest.amounts.steps.get(payment.amount.currency, 1)
    return Money(payment.amount.minor * percent // 100 // step * step, payment.amount.currency)


def _done(step: str, outcome: Outcome) -> None:
    if not isinstance(outcome, Succeeded | Pending):
        not_reached(step, described(outcome))


def _moved(hook: str, outcome: Outcome, amount: Money, key: str) -> None:
    if not isinstance(outcome, Succeeded | Pending):
        violation(f"{hook} of {amount} ended in {described(outcome)}", "what the manifest lists is done")
    movements = outcome.facts.captures if hook == "capture" else outcome.facts.refunds
    told = [(movement.amount, movement.attempt_key) for movement in _of(movements)]
    if told != [(amount, key)]:
        said = ", ".join(f"{each} with key {own}" for each, own in told) or "none"
        violation(
            f"{hook} of {amount} with key {key} told of these movements: {said}",
            "exactly one movement, of the amount of the request and with its attempt_key",
        )


def _of(movements: tuple[Movement, ...]) -> tuple[Movement, ...]:
    return tuple(movement for movement in movements if movement.status != "failed")


def _books_say(exam: Exam, payment: ExamPayment, captured: Money | None = None, refunded: Money | None = None) -> None:
    if exam.candidate.books is None:
        return
    books = exam.books(payment)
    for word, expected, found in (("captured", captured, books.captured), ("refunded", refunded, books.refunded)):
        if expected is not None and found != expected:
            violation(
                f"{expected} was to be {word}, and the server's books say {found}",
                "exactly the amount of the request moves, and nothing else",
            )


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
