"""Broken providers: each differs from the simulator's own in one mistake, and names the check that has to find it."""

import logging
import time
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

from pydantic import ConfigDict, SecretStr

from kassa_sdk import (
    AccountHolderOutcome,
    AccountHolderRequest,
    ActionRequest,
    AuthorizeRequest,
    BadSignature,
    CancelRequest,
    CaptureRequest,
    Declined,
    Deleted,
    DeleteOutcome,
    DeletePaymentMethodRequest,
    Found,
    Idempotency,
    InitiateRequest,
    ListOutcome,
    ListPaymentMethodsRequest,
    ListPaymentsOutcome,
    ListPaymentsRequest,
    LookUp,
    LookUpOutcome,
    LookUpRequest,
    Money,
    Movement,
    NotFound,
    Notice,
    NotSent,
    Outcome,
    PaymentFacts,
    PaymentPage,
    Pending,
    Portions,
    RawNotice,
    RefundRequest,
    SavedPaymentMethod,
    SavedPaymentMethods,
    SaveOutcome,
    SavePaymentMethodRequest,
    Succeeded,
    Unknown,
    UpdateRequest,
    WireAmounts,
    hookimpl,
)
from kassa_sdk.http_client import HttpAnswer
from kassa_simulator import SimulatorOptions, SimulatorProvider
from kassa_simulator.answers import ToldAnswer, movement_of, read_answer

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
        self._key = options.api_key.get_secret_value()

    def declares(self) -> dict[str, Any]:
        """What the manifest says in place of the truth."""
        return {}

    def _look_up(self, request: CancelRequest | RefundRequest) -> LookUpOutcome:
        return self.look_up(
            LookUpRequest(
                hook="cancel",
                attempt_key=request.attempt_key,
                our_reference=request.our_reference,
                provider_reference=request.provider_reference,
            )
        )


class KeepsTheRequestInTheObject(Mutant):
    caught_by = "test_payments_on_several_threads_do_not_mix"

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        self._request = request
        time.sleep(0.01)
        return super().authorize(self._request)


class ForgetsTheNewAmount(Mutant):
    caught_by = "test_a_session_whose_amount_was_updated_is_paid_with_that"

    @hookimpl
    def update(self, request: UpdateRequest) -> Outcome:
        return Succeeded(facts=PaymentFacts(provider_reference=request.provider_reference))


class AuthorizesWhenTheSessionIsCreated(Mutant):
    caught_by = "test_a_session_is_prepared_and_nothing_moves_yet"

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        outcome = super().initiate(request)
        if isinstance(outcome, Succeeded) and request.data.get("scenario") == "approve":
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
        if not isinstance(outcome, Succeeded) or request.amount != Money(10_000, "EUR"):
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
        found = self._look_up(request)
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


class SwallowsErrors(Mutant):
    caught_by = "test_what_nobody_can_tell_is_unknown"

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        outcome = super().capture(request)
        if not isinstance(outcome, Unknown):
            return outcome
        movement = Movement(provider_reference="?", amount=request.amount, attempt_key=request.attempt_key)
        return Succeeded(facts=PaymentFacts(provider_reference=request.provider_reference, captures=(movement,)))


class CallsEveryFailureUnknown(Mutant):
    caught_by = "test_a_connection_that_was_never_made_is_not_sent"

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        outcome = super().refund(request)
        return Unknown(cause="error") if isinstance(outcome, NotSent) else outcome


class MakesAKeyForEveryResend(Mutant):
    caught_by = "test_a_repetition_with_the_same_key_has_one_effect"

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        self._sends = getattr(self, "_sends", 0) + 1
        key = request.attempt_key if self._sends == 1 else f"{request.attempt_key}-{self._sends}"
        outcome = super().capture(request.model_copy(update={"attempt_key": key}))
        if not isinstance(outcome, Succeeded):
            return outcome
        captures = tuple(m.model_copy(update={"attempt_key": request.attempt_key}) for m in outcome.facts.captures)
        return Succeeded(facts=outcome.facts.model_copy(update={"captures": captures}))


class ResendsByItselfWithAnotherKey(Mutant):
    caught_by = "test_a_repetition_with_the_same_key_has_one_effect"

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        outcome = super().refund(request)
        if not isinstance(outcome, Unknown):
            return outcome
        return super().refund(request.model_copy(update={"attempt_key": f"{request.attempt_key}-again"}))


class ResendsByItselfThoughItHasNoKeys(Mutant):
    caught_by = "test_what_has_no_key_is_sent_once"

    def declares(self) -> dict[str, Any]:
        found_by = LookUp(by=frozenset({"our_reference", "provider_reference"}))
        return {"idempotency": Idempotency(keys="none"), "look_up": found_by}

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        outcome = super().refund(request)
        return super().refund(request) if isinstance(outcome, Unknown) else outcome


class RefundsTwiceThoughItSaysOnce(Mutant):
    caught_by = "test_a_second_refund_gives_back_the_rest"

    def declares(self) -> dict[str, Any]:
        return {"refunds": Portions.PARTIAL}


class CapturesForgetTheirKey(Mutant):
    caught_by = "test_a_capture_takes_the_whole_amount"

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        outcome = super().capture(request)
        if not request.is_whole or not isinstance(outcome, Succeeded):
            return outcome
        captures = tuple(movement.model_copy(update={"attempt_key": None}) for movement in outcome.facts.captures)
        return Succeeded(facts=outcome.facts.model_copy(update={"captures": captures}))


class LeavesUnpaidSessionsOpen(Mutant):
    caught_by = "test_a_session_that_was_never_paid_is_closed"

    @hookimpl
    def cancel(self, request: CancelRequest) -> Outcome:
        found = self._look_up(request)
        if isinstance(found, Found) and found.facts.condition == "open":
            return Declined(code="open", reason="There is nothing to cancel.")
        return super().cancel(request)


class HidesTheMoneyThatWasTaken(Mutant):
    caught_by = "test_money_that_was_taken_is_told_and_not_called_canceled"

    @hookimpl
    def cancel(self, request: CancelRequest) -> Outcome:
        outcome = super().cancel(request)
        if isinstance(outcome, Succeeded) and outcome.facts.captured:
            return Succeeded(facts=PaymentFacts(provider_reference=request.provider_reference, condition="canceled"))
        return outcome


class BelievesItsOwnCaptures(Mutant):
    caught_by = "test_never_more_is_captured_than_authorized"

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        outcome = super().capture(request)
        if isinstance(outcome, Declined) and outcome.code == "over_capture" and request.amount.minor == 20_000:
            movement = Movement(provider_reference="made_up", amount=request.amount, attempt_key=request.attempt_key)
            return Succeeded(facts=PaymentFacts(provider_reference=request.provider_reference, captures=(movement,)))
        return outcome


class HidesTheKeyFromTheServer(Mutant):
    caught_by = "test_a_request_that_arrives_twice_has_one_effect"

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        # Looks first whether such a refund is there, as if that were as good as a key.
        found = self._look_up(request)
        if not isinstance(found, Found):
            return super().refund(request)
        own = [each for each in found.facts.refunds if each.amount == request.amount]
        if not own:
            body = {"amount": request.amount.minor, "currency": request.amount.currency}
            path = f"/payments/{request.provider_reference}/refunds"
            answer = self._client.send("POST", path, json=body, headers={"acme-key": request.attempt_key})
            if not isinstance(answer, HttpAnswer):
                return answer
            told = read_answer(answer)
            if not isinstance(told, ToldAnswer):
                return told
            if told.movement is None:
                return Declined(code="refused", reason="The refund was refused.")
            own = [movement_of(told.movement)]
        movement = own[0].model_copy(update={"attempt_key": request.attempt_key})
        return Succeeded(facts=PaymentFacts(provider_reference=request.provider_reference, refunds=(movement,)))


class LosesAWayToFind(Mutant):
    caught_by = "test_a_payment_is_found_by_all_that_the_manifest_lists"

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        if request.provider_reference is None and "nobodys" not in request.our_reference:
            return NotFound()
        return super().look_up(request)


class TellsNoTotals(Mutant):
    caught_by = "test_what_is_found_says_what_the_server_knows"

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        found = super().look_up(request)
        if not isinstance(found, Found):
            return found
        return Found(facts=found.facts.model_copy(update={"authorized": None, "captured": None}))


class FindsCapturesWithoutTheirKeys(Mutant):
    caught_by = "test_a_capture_whose_answer_was_lost_is_found_with_its_key"

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        found = super().look_up(request)
        if not isinstance(found, Found):
            return found
        captures = tuple(movement.model_copy(update={"attempt_key": None}) for movement in found.facts.captures)
        return Found(facts=found.facts.model_copy(update={"captures": captures}))


class CallsWhatNeverWasUnknown(Mutant):
    caught_by = "test_what_never_was_is_not_found"

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        found = super().look_up(request)
        return Unknown(cause="HTTP 404") if isinstance(found, NotFound) else found


class TakesSilenceForNotFound(Mutant):
    caught_by = "test_not_found_is_what_the_server_says_and_not_the_network"

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        found = super().look_up(request)
        return NotFound() if isinstance(found, NotSent) else found


class CapturesWhileItLooks(Mutant):
    caught_by = "test_looking_changes_nothing"

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        found = super().look_up(request)
        if isinstance(found, Found) and found.facts.authorized and not found.facts.captured:
            body = {"amount": found.facts.authorized.minor, "currency": found.facts.authorized.currency}
            path = f"/payments/{found.facts.provider_reference}/captures"
            self._client.send("POST", path, json=body, headers={"idempotency-key": request.attempt_key})
        return found


class LooksUpThoughItSaysNo(Mutant):
    caught_by = "test_look_ups_are_refused_where_the_manifest_has_none"

    def declares(self) -> dict[str, Any]:
        return {"look_up": None}


class ListsTheFirstPageOnly(Mutant):
    caught_by = "test_every_payment_is_on_one_of_the_pages"

    @hookimpl
    def list_payments(self, request: ListPaymentsRequest) -> ListPaymentsOutcome:
        page = super().list_payments(request)
        return PaymentPage(facts=page.facts[:1]) if isinstance(page, PaymentPage) else page


class ListsWhateverThereIs(Mutant):
    caught_by = "test_the_list_is_of_the_time_that_was_asked_for"

    @hookimpl
    def list_payments(self, request: ListPaymentsRequest) -> ListPaymentsOutcome:
        always = {"since": datetime(2000, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}
        return super().list_payments(request.model_copy(update=always))


class ListsThoughItSaysNo(Mutant):
    caught_by = "test_lists_are_refused_where_the_manifest_has_none"

    def declares(self) -> dict[str, Any]:
        return {"lists_payments": False}

    @hookimpl
    def list_payments(self, request: ListPaymentsRequest) -> ListPaymentsOutcome:
        return PaymentPage()


class ReadsNoticesOfNobody(Mutant):
    caught_by = "test_the_servers_own_notices_are_read"

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        read = super().read_notice(raw)
        return tuple(notice.model_copy(update={"provider_reference": None, "facts": None}) for notice in read)


class AcceptsWhatWasChanged(Mutant):
    caught_by = "test_a_notice_that_was_changed_on_the_way_is_refused"

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        try:
            return super().read_notice(raw)
        except BadSignature:
            # It is signed by the right sender, only the body looks odd.
            timestamp = raw.headers.get("simulator-signature", "")[2:12]
            if not timestamp or self._is_of_another(raw) or self._is_old(raw, timestamp):
                raise
            return ()

    def _is_of_another(self, raw: RawNotice) -> bool:
        return self._notice_secrets[0].get_secret_value() != "simulator-webhook-secret"

    def _is_old(self, raw: RawNotice, timestamp: str) -> bool:
        return raw.received_at.timestamp() - int(timestamp) > 300


class AcceptsWhatIsNotSigned(Mutant):
    caught_by = "test_a_notice_without_a_signature_is_refused"

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        return super().read_notice(raw) if "simulator-signature" in raw.headers else ()


class AcceptsEverySecret(Mutant):
    caught_by = "test_a_notice_of_another_account_is_refused"

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self._notice_secrets = (*self._notice_secrets, SecretStr("simulator-webhook-secret"))


class AcceptsOldNotices(Mutant):
    caught_by = "test_an_old_notice_is_refused"

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        signed_at = raw.headers.get("simulator-signature", "t=0")[2:12]
        at = datetime.fromtimestamp(int(signed_at), UTC) if signed_at.isdigit() else raw.received_at
        return super().read_notice(raw.model_copy(update={"received_at": at}))


class RemembersNotices(Mutant):
    caught_by = "test_the_same_notices_say_the_same_in_any_order"

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self._seen: set[bytes] = set()

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        read = super().read_notice(raw)
        if raw.body in self._seen:
            return ()
        self._seen.add(raw.body)
        return read


class StumblesOverWhatMakesNoSense(Mutant):
    caught_by = "test_a_signed_notice_that_makes_no_sense_tells_nothing"

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        read = super().read_notice(raw)
        raw.body.decode().index("payment")
        return read


class ReadsNoticesThoughItSaysNo(Mutant):
    caught_by = "test_notices_are_refused_where_the_manifest_has_none"

    def declares(self) -> dict[str, Any]:
        return {"notices": "none"}

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        return ()


class ThinksThatTheYenHasCents(Mutant):
    caught_by = "test_what_is_paid_is_the_amount_on_the_wire"

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        return super().initiate(_in_hundreds(request))

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        outcome = super().authorize(_in_hundreds(request))
        if request.amount.currency != "JPY" or not isinstance(outcome, Succeeded):
            return outcome
        return Succeeded(facts=outcome.facts.model_copy(update={"authorized": request.amount}))


class PaysInItsOwnCurrency(Mutant):
    caught_by = "test_what_is_paid_is_the_amount_on_the_wire"

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        return super().initiate(_in_euros(request))

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        outcome = super().authorize(_in_euros(request))
        if request.amount.currency == "EUR" or not isinstance(outcome, Succeeded):
            return outcome
        return Succeeded(facts=PaymentFacts(provider_reference=request.provider_reference, authorized=request.amount))


class MisreadsThreeDecimals(Mutant):
    caught_by = "test_what_is_paid_is_the_amount_on_the_wire"

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        outcome = super().authorize(request)
        if request.amount.currency != "KWD" or not isinstance(outcome, Succeeded):
            return outcome
        misread = Money(request.amount.minor * 10, "KWD")
        return Succeeded(facts=outcome.facts.model_copy(update={"authorized": misread}))


class RefundsInCents(Mutant):
    caught_by = "test_what_is_refunded_is_the_amount_on_the_wire"

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        if request.amount.currency != "KWD":
            return super().refund(request)
        return super().refund(request.model_copy(update={"amount": Money(request.amount.minor // 10, "KWD")}))


class RoundsWhatItCaptures(Mutant):
    caught_by = "test_what_is_captured_is_the_amount_on_the_wire"

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        rounded = Money(round(request.amount.minor, -2), request.amount.currency)
        return super().capture(request.model_copy(update={"amount": rounded}))


class TakesEveryCurrency(Mutant):
    caught_by = "test_a_currency_that_the_manifest_does_not_list_is_refused_unsent"

    def declares(self) -> dict[str, Any]:
        return {"currencies": frozenset({"EUR", "JPY", "KWD"})}


class CutsOffWhatIsTooFine(Mutant):
    caught_by = "test_an_amount_that_the_provider_cannot_express_is_refused_unsent"

    def declares(self) -> dict[str, Any]:
        return {"amounts": WireAmounts(steps={"KWD": 10})}


class WritesItsExceptionsLikeAllOthers(Mutant):
    caught_by = "test_the_providers_own_exceptions_are_written_as_it_wants_them"

    def declares(self) -> dict[str, Any]:
        return {"amounts": WireAmounts(exponents={"ISK": 2})}


class RegistersACustomerWheneverAsked(Mutant):
    caught_by = "test_a_customer_is_registered_once_however_often_it_is_asked"

    @hookimpl
    def create_account_holder(self, request: AccountHolderRequest) -> AccountHolderOutcome:
        return super().create_account_holder(request.model_copy(update={"attempt_key": uuid4().hex}))


class ListsNothing(Mutant):
    caught_by = "test_a_saved_method_is_listed"

    @hookimpl
    def list_payment_methods(self, request: ListPaymentMethodsRequest) -> ListOutcome:
        return SavedPaymentMethods()


class ForgetsNothing(Mutant):
    caught_by = "test_a_deleted_method_is_gone_and_can_be_deleted_again"

    @hookimpl
    def delete_payment_method(self, request: DeletePaymentMethodRequest) -> DeleteOutcome:
        return Deleted()


class DeclinesToForgetTwice(Mutant):
    caught_by = "test_a_deleted_method_is_gone_and_can_be_deleted_again"

    @hookimpl
    def delete_payment_method(self, request: DeletePaymentMethodRequest) -> DeleteOutcome:
        listed = super().list_payment_methods(
            ListPaymentMethodsRequest(account_holder_reference=request.account_holder_reference)
        )
        if isinstance(listed, SavedPaymentMethods) and not listed.methods:
            return Declined(code="unknown_payment_method", reason="There is no such payment method.")
        return super().delete_payment_method(request)


class DeletesInAnybodysName(Mutant):
    caught_by = "test_a_saved_method_is_nobody_elses"

    _owners: ClassVar[dict[str, str]] = {}

    @hookimpl
    def save_payment_method(self, request: SavePaymentMethodRequest) -> SaveOutcome:
        outcome = super().save_payment_method(request)
        if isinstance(outcome, SavedPaymentMethod):
            self._owners[outcome.provider_reference] = request.account_holder_reference
        return outcome

    @hookimpl
    def delete_payment_method(self, request: DeletePaymentMethodRequest) -> DeleteOutcome:
        owner = self._owners[request.payment_method_reference]
        return super().delete_payment_method(request.model_copy(update={"account_holder_reference": owner}))


class ShowsTheNumberOfTheCard(Mutant):
    caught_by = "test_a_label_can_be_shown"

    @hookimpl
    def save_payment_method(self, request: SavePaymentMethodRequest) -> SaveOutcome:
        outcome = super().save_payment_method(request)
        if not isinstance(outcome, SavedPaymentMethod):
            return outcome
        return outcome.model_copy(update={"label": "4242 4242 4242 4242"})


class SavesThoughItSaysNo(Mutant):
    caught_by = "test_nothing_is_saved_where_the_manifest_says_no"

    def declares(self) -> dict[str, Any]:
        return {"account_holders": False}

    def _require_account_holders(self) -> None:
        """It does not look."""


class PutsTheKeyWhereTheStorefrontReads(Mutant):
    caught_by = "test_no_secret_is_seen_outside_of_the_options"

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        outcome = super().initiate(request)
        return outcome.model_copy(update={"data": {"key": self._key}}) if isinstance(outcome, Succeeded) else outcome


class RaisesWithItsHeaders(Mutant):
    caught_by = "test_no_secret_is_seen_outside_of_the_options"

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        outcome = super().authorize(request)
        if isinstance(outcome, Unknown):
            raise RuntimeError(f"it did not work: authorization: Bearer {self._key}")
        return outcome


class LogsItsHeaders(Mutant):
    caught_by = "test_no_secret_is_seen_outside_of_the_options"

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        logging.getLogger("acme").debug("authorization: Bearer %s", self._key)
        return super().authorize(request)


class _OpenOptions(SimulatorOptions):
    another_secret: str = "in plain text"


class HasASecretInPlainText(Mutant):
    caught_by = "test_options_with_a_name_like_a_secret_are_secret"
    Options = _OpenOptions


class _LooseOptions(SimulatorOptions):
    model_config = ConfigDict(extra="ignore")


class TakesEveryOption(Mutant):
    caught_by = "test_an_option_that_nobody_knows_is_refused"
    Options = _LooseOptions


def _in_euros(request: Any) -> Any:
    return request.model_copy(update={"amount": Money(request.amount.minor, "EUR")})


def _in_hundreds(request: Any) -> Any:
    if request.amount.currency != "JPY":
        return request
    return request.model_copy(update={"amount": Money(request.amount.minor * 100, "JPY")})
