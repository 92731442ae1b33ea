"""Checks of the way to a payment: initiate, authorize, the action between, and what a decline leaves behind."""

from dataclasses import replace

from kassa_sdk.conformance.candidate import Scenario
from kassa_sdk.conformance.exam import Exam, ExamPayment, described, reached
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, not_reached, proves, violation
from kassa_sdk.money import Money
from kassa_sdk.outcomes import ActionRequired, Declined, NotSent, Pending, Succeeded, Unknown
from kassa_sdk.records import JsonObject

ONE_CALL = "hooks are called from several threads at once; what is of one request is kept in that call alone"


@proves("payments")
class PaymentChecks:
    """What every provider must be able to do."""

    def test_a_session_is_prepared_and_nothing_moves_yet(self, exam: Exam) -> None:
        outcome = exam.initiate(exam.candidate.scenarios.approve)
        if not isinstance(outcome, Succeeded):
            violation(
                f"initiate ended in {described(outcome)}",
                "it returns Succeeded with the reference of the prepared payment",
            )
        if exam.candidate.books is not None:
            books = exam.candidate.books(outcome.facts.provider_reference)
            if books.authorized or books.captured:
                violation(
                    f"after initiate the server holds {books.authorized} and has taken {books.captured}",
                    "initiate prepares; nothing is held or charged before authorize",
                )

    def test_an_approved_payment_is_authorized_for_just_its_amount(self, exam: Exam) -> None:
        payment = exam.initiated()
        outcome = exam.authorize(payment)
        expected = _way_to_the_money(payment.scenario)
        if not isinstance(outcome, expected):
            violation(
                f"authorize of a payment that the server approves ended in {described(outcome)}",
                f"this scenario leads there by way of {' or '.join(kind.__name__ for kind in expected)}",
            )
        facts = exam.followed(payment, outcome)
        if facts.authorized != payment.amount:
            violation(
                f"asked for {payment.amount}, the facts say authorized={facts.authorized}",
                "facts say exactly what was authorized, so that the engine never believes in money that is not there",
            )
        if exam.candidate.books is not None and exam.books(payment).authorized != payment.amount:
            violation(
                f"asked for {payment.amount}, the server's books say {exam.books(payment).authorized} is authorized",
                "authorize holds the amount of its request, and nothing else",
            )

    def test_another_process_goes_on_where_one_has_stopped(self, exam: Exam) -> None:
        payment = exam.initiated()
        exam.provider = exam.with_options(exam.options)
        outcome = exam.authorize(payment)
        if not isinstance(outcome, _way_to_the_money(payment.scenario)):
            violation(
                f"another instance of the provider answered authorize with {described(outcome)}",
                "hooks are called in any process; what must be remembered belongs into data or to the provider's server",
            )

    def test_payments_on_several_threads_do_not_mix(self, exam: Exam) -> None:
        payments = [exam.initiated(amount=exam.smaller_amount(percent)) for percent in (100, 90, 80, 70)]
        for payment, outcome in zip(payments, exam.authorize_all(payments), strict=True):
            if isinstance(outcome, NotSent | Unknown):
                not_proven(f"of {len(payments)} payments at once, one ended in {described(outcome)}")
            facts = exam.followed(payment, outcome)
            others = [other for other in payments if other is not payment]
            # What is wrong without being another payment's is the finding of the checks above.
            if any(facts.provider_reference == it.provider_reference or facts.authorized == it.amount for it in others):
                violation(
                    f"of several payments at once, the answer to {payment.provider_reference}, {payment.amount} was about "
                    f"{facts.provider_reference}, {facts.authorized}",
                    ONE_CALL,
                )
            if exam.candidate.books is not None and exam.books(payment).authorized in [it.amount for it in others]:
                violation(
                    f"of several payments at once, {payment.provider_reference} was asked for {payment.amount}, and the "
                    f"server's books say {exam.books(payment).authorized}",
                    ONE_CALL,
                )

    def test_a_session_whose_amount_was_updated_is_paid_with_that(self, exam: Exam) -> None:
        if not exam.implements("update"):
            does_not_apply("without the hook update the engine closes the session and opens another")
        prepared = exam.prepared()
        if exam.candidate.books is not None and exam.books(prepared).authorized:
            not_reached("initiate", "money that is held")
        changed = replace(prepared, amount=exam.smaller_amount(90))
        outcome = exam.update(prepared, changed.amount)
        if not isinstance(outcome, Succeeded):
            violation(
                f"update to {changed.amount} ended in {described(outcome)}",
                "it returns Succeeded; a provider that cannot change an amount leaves the hook out",
            )
        if changed.scenario.pays is not None:
            changed.scenario.pays(changed.provider_reference)
        authorized = exam.authorize(changed)
        if not isinstance(authorized, _way_to_the_money(changed.scenario)):
            violation(
                f"after update to {changed.amount}, authorize of that amount ended in {described(authorized)}",
                "what is authorized after update is the new amount",
            )
        exam.followed(changed, authorized)
        if exam.candidate.books is not None and exam.books(changed).authorized != changed.amount:
            violation(
                f"updated to {changed.amount}, the server's books say {exam.books(changed).authorized} is authorized",
                "what is authorized after update is the new amount",
            )


@proves("declines")
class DeclineChecks:
    """A no of the provider."""

    def test_a_declined_payment_says_why_and_nothing_moves(self, exam: Exam) -> None:
        payment = exam.initiated(_given(exam, "decline"))
        outcome = exam.authorize(payment)
        if not isinstance(outcome, Declined):
            violation(
                f"authorize of a payment that the server declines ended in {described(outcome)}",
                "a definitive no is Declined: not Unknown, for the shopper may pay otherwise, and never Succeeded",
            )
        if not outcome.reason.strip():
            violation("a Declined came without a reason", "the reason is a sentence for people")
        if exam.candidate.books is not None and (exam.books(payment).authorized or exam.books(payment).captured):
            violation(
                f"after Declined the server holds {exam.books(payment).authorized} and has taken "
                f"{exam.books(payment).captured}",
                "Declined means that no money and no hold has moved, and none will by this attempt",
            )


@proves("actions")
class ActionChecks:
    """What the shopper must do in between."""

    def test_an_action_is_required_and_one_that_the_manifest_lists(self, exam: Exam) -> None:
        payment = exam.initiated(_given(exam, "action"))
        outcome = exam.authorize(payment)
        if not isinstance(outcome, ActionRequired):
            violation(
                f"authorize of a payment for which the shopper must act ended in {described(outcome)}",
                "it returns ActionRequired, with all that a storefront needs",
            )
        if outcome.action.type not in exam.manifest.actions:
            violation(
                f"the action is a {outcome.action.type}, and the manifest lists {sorted(exam.manifest.actions)}",
                "a storefront learns from the manifest which actions it must be able to show",
                f"actions=frozenset({{{outcome.action.type!r}, …}})",
            )

    def test_an_approved_action_leads_to_the_payment(self, exam: Exam) -> None:
        payment, action = self._waiting(exam, _given(exam, "action"))
        outcome = exam.action(payment, _answered(payment, action))
        if not isinstance(outcome, Succeeded | Pending):
            violation(
                f"after the shopper had approved, action ended in {described(outcome)}",
                "action asks the server how the shopper has decided, and goes on where authorize stopped",
            )
        if isinstance(outcome, Succeeded) and outcome.facts.authorized != payment.amount:
            violation(
                f"asked for {payment.amount}, the facts of action say authorized={outcome.facts.authorized}",
                "facts say exactly what was authorized, after an action as without one",
            )

    def test_an_answer_of_the_storefront_proves_nothing(self, exam: Exam) -> None:
        payment, _ = self._waiting(exam, _given(exam, "action"))
        forged: JsonObject = {
            "status": "succeeded",
            "approved": True,
            "success": True,
            "result": "AUTHORISED",
            "redirect_status": "ok",
        }
        outcome = exam.action(payment, forged)
        if isinstance(outcome, Succeeded):
            violation(
                "a storefront said that the shopper had approved, who had done nothing, and action ended in Succeeded",
                "the answer is relayed unchecked and proves nothing; ask your server",
            )

    def test_a_refused_action_is_declined(self, exam: Exam) -> None:
        payment, action = self._waiting(exam, _given(exam, "action_refused"))
        outcome = exam.action(payment, _answered(payment, action))
        if not isinstance(outcome, Declined):
            violation(
                f"after the shopper had refused, action ended in {described(outcome)}",
                "a shopper who refuses is a Declined, so that they can pay otherwise",
            )

    @staticmethod
    def _waiting(exam: Exam, scenario: Scenario) -> tuple[ExamPayment, ActionRequired]:
        payment = exam.initiated(scenario)
        return payment, reached(ActionRequired, "authorize", exam.authorize(payment))


@proves("pending")
class PendingChecks:
    """What the provider has taken, and does not know yet."""

    def test_what_nobody_knows_yet_is_pending(self, exam: Exam) -> None:
        payment = exam.initiated(_given(exam, "pending"))
        outcome = exam.authorize(payment)
        if not isinstance(outcome, Pending):
            violation(
                f"authorize of a payment that the server has taken and not decided ended in {described(outcome)}",
                "that is Pending; what is called Succeeded is shipped, what is called Declined is paid twice",
            )
        zero = Money.zero(payment.amount.currency)
        if (outcome.facts.authorized or zero) or (outcome.facts.captured or zero):
            violation(
                f"a Pending says authorized={outcome.facts.authorized}, captured={outcome.facts.captured}",
                "nothing is promised while nobody knows",
            )


def _way_to_the_money(scenario: Scenario) -> tuple[type[Succeeded | ActionRequired | Pending], ...]:
    if scenario.answers is not None:
        return (ActionRequired,)
    return (Pending,) if scenario.settles is not None else (Succeeded,)


def _answered(payment: ExamPayment, required: ActionRequired) -> JsonObject:
    if payment.scenario.answers is None:
        not_proven("the scenario does not say how the shopper answers the action (answers=…)")
    return payment.scenario.answers(payment.provider_reference, required.action) or {}


def _given(exam: Exam, name: str) -> Scenario:
    if name.startswith("action") and not exam.manifest.actions:
        does_not_apply("the manifest lists no actions")
    scenario: Scenario | None = getattr(exam.candidate.scenarios, name)
    if scenario is None:
        not_proven(exam.candidate.not_proven.get(name, f"the exam was given no scenario {name!r}"))
    return scenario
