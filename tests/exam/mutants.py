"""Broken providers: each differs from the simulator's own in one mistake, and names the check that has to find it."""

from typing import Any, ClassVar

from kassa_sdk import (
    ActionRequest,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    Declined,
    Found,
    InitiateRequest,
    LookUpRequest,
    Money,
    NotSent,
    Outcome,
    PaymentFacts,
    Pending,
    Portions,
    RefundRequest,
    Succeeded,
    Unknown,
    hookimpl,
)
from kassa_simulator import SimulatorOptions, SimulatorProvider

MUTANTS: dict[str, type["Mutant"]] = {}


class Mutant(SimulatorProvider):
    """A provider with one mistake."""

    caught_by: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        MUTANTS[cls.__name__] = cls

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.manifest = self.manifest.model_copy(update=self.declares())

    def declares(self) -> dict[str, Any]:
        """What the manifest says in place of the truth."""
        return {}


class AuthorizesWhenTheSessionIsCreated(Mutant):
    caught_by = "test_a_session_is_prepared_and_nothing_moves_yet"

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        outcome = super().initiate(request)
        if isinstance(outcome, Succeeded) and "scenario" not in request.data:
            body = {"amount": request.amount.minor, "currency": request.amount.currency}
            reference = outcome.facts.provider_reference
            headers = {"idempotency-key": f"early-{request.attempt_key}"}
            self._client.send("POST", f"/payments/{reference}/authorize", json=body, headers=headers)
        return outcome


class TellsAnotherAmountThanItAuthorized(Mutant):
    caught_by = "test_an_approved_payment_is_authorized_for_just_its_amount"

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        outcome = super().authorize(request)
        if not isinstance(outcome, Succeeded):
            return outcome
        more = outcome.facts.model_copy(update={"authorized": request.amount + Money(1, request.amount.currency)})
        return outcome.model_copy(update={"facts": more})


class RemembersInItsProcess(Mutant):
    caught_by = "test_another_process_goes_on_where_one_has_stopped"

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self._mine: set[str] = set()

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        outcome = super().initiate(request)
        if isinstance(outcome, Succeeded):
            self._mine.add(outcome.facts.provider_reference)
        return outcome

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        outcome = super().authorize(request)
        if isinstance(outcome, Succeeded) and request.provider_reference not in self._mine:
            return Declined(code="unknown", reason="There is no such session.")
        return outcome


class CallsADeclineUnknown(Mutant):
    caught_by = "test_a_declined_payment_says_why_and_nothing_moves"

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        outcome = super().authorize(request)
        return Unknown(cause="HTTP 402") if isinstance(outcome, Declined) else outcome


class HidesItsActions(Mutant):
    caught_by = "test_an_action_is_required_and_one_that_the_manifest_lists"

    def declares(self) -> dict[str, Any]:
        return {"actions": frozenset({"redirect"})}


class BelievesTheStorefront(Mutant):
    caught_by = "test_an_answer_of_the_storefront_proves_nothing"

    @hookimpl
    def action(self, request: ActionRequest) -> Outcome:
        if request.answer.get("status") == "succeeded":
            facts = PaymentFacts(provider_reference=request.provider_reference, authorized=request.amount)
            return Succeeded(facts=facts)
        return super().action(request)


class ForgetsWhatTheShopperApproved(Mutant):
    caught_by = "test_an_approved_action_leads_to_the_payment"

    @hookimpl
    def action(self, request: ActionRequest) -> Outcome:
        outcome = super().action(request)
        return Unknown(cause="?") if isinstance(outcome, Succeeded) else outcome


class CallsARefusalOfTheShopperPending(Mutant):
    caught_by = "test_a_refused_action_is_declined"

    @hookimpl
    def action(self, request: ActionRequest) -> Outcome:
        outcome = super().action(request)
        facts = PaymentFacts(provider_reference=request.provider_reference)
        return Pending(facts=facts) if isinstance(outcome, Declined) else outcome


class CallsPendingSucceeded(Mutant):
    caught_by = "test_what_nobody_knows_yet_is_pending"

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        outcome = super().authorize(request)
        if isinstance(outcome, Pending):
            return Succeeded(facts=outcome.facts.model_copy(update={"authorized": request.amount}))
        return outcome


class CapturesTheWholeWhateverItIsAsked(Mutant):
    caught_by = "test_a_capture_of_a_part_takes_that_part"

    def declares(self) -> dict[str, Any]:
        return {"captures": Portions.PARTIAL}

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        outcome = super().capture(request)
        if request.amount.minor != 4_000 or not isinstance(outcome, Succeeded):
            return outcome
        rest = request.model_copy(update={"amount": Money(6_000, "EUR"), "attempt_key": f"{request.attempt_key}-rest"})
        super().capture(rest)
        return outcome


class CapturesInPartsThoughItSaysOnce(Mutant):
    caught_by = "test_a_second_capture_takes_the_rest"

    def declares(self) -> dict[str, Any]:
        return {"captures": Portions.PARTIAL}


class RefundsInPartsThoughItSaysWhole(Mutant):
    caught_by = "test_a_refund_of_a_part_gives_back_that_part"

    def declares(self) -> dict[str, Any]:
        return {"refunds": Portions.FULL}


class RefundsThoughItSaysNo(Mutant):
    caught_by = "test_refunds_are_refused_where_the_manifest_has_none"

    def declares(self) -> dict[str, Any]:
        return {"refunds": Portions.NONE}


class CapturesThoughItSaysNo(Mutant):
    caught_by = "test_captures_are_refused_where_the_manifest_has_none"

    def declares(self) -> dict[str, Any]:
        return {"captures": Portions.NONE}


class CancelsThoughItSaysNo(Mutant):
    caught_by = "test_cancel_is_refused_where_the_manifest_says_no"

    def declares(self) -> dict[str, Any]:
        return {"cancel": False}


class SaysCanceledAndKeepsTheHold(Mutant):
    caught_by = "test_a_cancelled_payment_can_not_be_taken_any_more"

    @hookimpl
    def cancel(self, request: CancelRequest) -> Outcome:
        found = self.look_up(
            LookUpRequest(
                hook="cancel",
                attempt_key=request.attempt_key,
                our_reference=request.our_reference,
                provider_reference=request.provider_reference,
            )
        )
        if isinstance(found, Found) and found.facts.condition == "authorized" and not found.facts.captured:
            return Succeeded(facts=PaymentFacts(provider_reference=request.provider_reference, condition="canceled"))
        return super().cancel(request)


class ForgetsTheKeyOfARefund(Mutant):
    caught_by = "test_a_refund_gives_back_the_whole_amount"

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        outcome = super().refund(request)
        if request.amount.minor != 10_000 or not isinstance(outcome, Succeeded):
            return outcome
        refunds = tuple(movement.model_copy(update={"attempt_key": None}) for movement in outcome.facts.refunds)
        return Succeeded(facts=outcome.facts.model_copy(update={"refunds": refunds}))


class CallsALostAnswerDeclined(Mutant):
    caught_by = "test_what_nobody_can_tell_is_unknown"

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        outcome = super().capture(request)
        return Declined(code="error", reason="It did not work.") if isinstance(outcome, Unknown) else outcome


class CallsEveryFailureUnknown(Mutant):
    caught_by = "test_a_connection_that_was_never_made_is_not_sent"

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        outcome = super().refund(request)
        return Unknown(cause="error") if isinstance(outcome, NotSent) else outcome


class MakesAKeyForEverySend(Mutant):
    caught_by = "test_a_repetition_with_the_same_key_has_one_effect"

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        self._sends = getattr(self, "_sends", 0) + 1
        outcome = super().capture(request.model_copy(update={"attempt_key": f"{request.attempt_key}-{self._sends}"}))
        if not isinstance(outcome, Succeeded):
            return outcome
        captures = tuple(m.model_copy(update={"attempt_key": request.attempt_key}) for m in outcome.facts.captures)
        return Succeeded(facts=outcome.facts.model_copy(update={"captures": captures}))
