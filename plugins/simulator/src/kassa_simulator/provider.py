"""``SimulatorProvider``: kassa's side of the simulated payment provider."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import ClassVar, TypeVar, assert_never
from urllib.parse import quote

from pydantic import ValidationError

from kassa_sdk import (
    AccountHolderOutcome,
    AccountHolderRequest,
    ActionRequest,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    Declined,
    DeleteOutcome,
    DeletePaymentMethodRequest,
    Found,
    InitiateRequest,
    ListOutcome,
    ListPaymentMethodsRequest,
    ListPaymentsOutcome,
    ListPaymentsRequest,
    LookUpOutcome,
    LookUpRequest,
    Manifest,
    Money,
    MoneyError,
    NotFound,
    Notice,
    NotSent,
    Outcome,
    PaymentFacts,
    PaymentPage,
    PaymentRequest,
    Pending,
    RawNotice,
    RefundRequest,
    SaveOutcome,
    SavePaymentMethodRequest,
    Succeeded,
    Unknown,
    Unsupported,
    UpdateRequest,
    hookimpl,
)
from kassa_sdk.http_client import HttpAnswer, HttpClient, Method, unreadable
from kassa_simulator import notices, saved_methods
from kassa_simulator.answers import (
    SERVER,
    ToldAnswer,
    ToldPayment,
    action_of,
    data_of,
    declined,
    facts_of,
    movement_of,
    outcome_of,
    read_answer,
    reference_facts,
)
from kassa_simulator.options import BASE_MANIFEST, SimulatorOptions, checked_base_url, manifest_for

__all__ = ["SimulatorOptions", "SimulatorProvider"]

_Translated = TypeVar("_Translated")


class SimulatorProvider:
    """A payment provider whose server is ``python -m kassa_simulator``.

    What a payment goes through is chosen by ``{"scenario": …}`` in the data that the storefront sends when the session is
    created; without it the payment is approved.
    """

    Options: ClassVar[type[SimulatorOptions]] = SimulatorOptions
    # The class says what the simulator can do by default, an instance what it can do with its options.
    manifest: Manifest = BASE_MANIFEST

    def __init__(self, options: SimulatorOptions) -> None:
        self.manifest = manifest_for(options)
        self._client = HttpClient(
            checked_base_url(options),
            server=SERVER,
            timeout_seconds=options.timeout_seconds,
            headers={"authorization": f"Bearer {options.api_key.get_secret_value()}"},
            # The simulator runs on this machine: the environment's proxies have no business with it.
            trust_env=False,
        )
        self._payments_per_page = options.payments_per_page
        self._notice_secrets = (options.webhook_secret, options.previous_webhook_secret)
        self.close = weakref.finalize(self, self._client.close)
        """Closes the connections; happens by itself when the provider is no longer used."""

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        """Prepare the payment; the scenario is chosen here."""
        body = _money_body(request.amount) | {"our_reference": request.our_reference}
        scenario = request.data.get("scenario")
        if scenario is not None:
            body["scenario"] = scenario if isinstance(scenario, str) else repr(scenario)
        if request.shopper.return_url is not None:
            body["return_url"] = request.shopper.return_url
        return self._call("POST", "/payments", request.attempt_key, body, _prepared)

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        """Hold the amount, take it, be declined, or be told what the shopper must do: as the scenario says."""
        return self._call_about(request, "authorize", request.amount, _authorized)

    @hookimpl
    def action(self, request: ActionRequest) -> Outcome:
        """Ask how the shopper has decided; the answer that came along proves nothing and is not looked at."""
        return self._call_about(request, "action", None, _authorized)

    @hookimpl
    def update(self, request: UpdateRequest) -> Outcome:
        """The payment is about another amount."""
        path = f"/payments/{quote(request.provider_reference, safe='')}"
        return self._call("PATCH", path, request.attempt_key, _money_body(request.amount), _prepared)

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        """Take this amount."""
        return self._call_about(request, "captures", request.amount, partial(_captured, request.attempt_key))

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        """Give this amount back."""
        return self._call_about(request, "refunds", request.amount, partial(_refunded, request.attempt_key))

    @hookimpl
    def cancel(self, request: CancelRequest) -> Outcome:
        """Close the payment; when everything was captured already, the facts say so."""
        return self._call_about(request, "cancel", None, _canceled)

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        """Find the payment: by the simulator's id, else by our key (where it keeps keys), else by our reference."""
        if request.provider_reference is not None:
            path = f"/payments/{quote(request.provider_reference, safe='')}"
            return _read(self._client.send("GET", path), _found_by_id)
        if self.manifest.idempotency.keys != "none":
            outcome = self._search({"attempt_key": request.attempt_key})
            if not isinstance(outcome, NotFound):
                return outcome
        return self._search({"our_reference": request.our_reference})

    @hookimpl
    def list_payments(self, request: ListPaymentsRequest) -> ListPaymentsOutcome:
        """One page of the payments that were created in that time, by the simulator's own clock."""
        if not self.manifest.lists_payments:
            raise Unsupported("this simulator is configured with lists_payments = false; it has no list")
        query = {
            "created_from": str(request.since.timestamp()),
            "created_until": str(request.until.timestamp()),
            "limit": str(self._payments_per_page),
        }
        if request.cursor is not None:
            query["cursor"] = request.cursor
        return _read(self._client.send("GET", "/payments", query=query), _page)

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        """Verify the signature over the raw bytes, then say what they mean."""
        if self.manifest.notices == "none":
            raise Unsupported("this simulator is configured with notices = 'none'; it takes no webhooks")
        return notices.read(raw, self._notice_secrets, id_only=self.manifest.notices == "id_only")

    @hookimpl
    def create_account_holder(self, request: AccountHolderRequest) -> AccountHolderOutcome:
        """Register a customer; the simulator wants to know nothing about them."""
        self._require_account_holders()
        return self._call("POST", "/account_holders", request.attempt_key, {}, saved_methods.registered)

    @hookimpl
    def save_payment_method(self, request: SavePaymentMethodRequest) -> SaveOutcome:
        """Keep ``data.payment_method``, by its name: "visa", "mastercard", "sepa_debit", or a decline code."""
        self._require_account_holders()
        name = request.data.get("payment_method")
        body: dict[str, str | int] = {"payment_method": name if isinstance(name, str) else repr(name)}
        path = _methods_of(request.account_holder_reference)
        return self._call("POST", path, request.attempt_key, body, saved_methods.saved)

    @hookimpl
    def list_payment_methods(self, request: ListPaymentMethodsRequest) -> ListOutcome:
        """All that is kept for a customer."""
        self._require_account_holders()
        path = _methods_of(request.account_holder_reference)
        return _read(self._client.send("GET", path), saved_methods.listed)

    @hookimpl
    def delete_payment_method(self, request: DeletePaymentMethodRequest) -> DeleteOutcome:
        """Forget a payment method; what another customer keeps is not found, and stays."""
        self._require_account_holders()
        path = f"{_methods_of(request.account_holder_reference)}/{quote(request.payment_method_reference, safe='')}"
        return self._call("DELETE", path, request.attempt_key, {}, saved_methods.deleted)

    def _require_account_holders(self) -> None:
        if not self.manifest.account_holders:
            raise Unsupported("this simulator is configured with account_holders = false; it keeps no payment methods")

    def _search(self, query: dict[str, str]) -> LookUpOutcome:
        return _read(self._client.send("GET", "/payments", query=query), _found_by_search)

    def _call_about(
        self, request: PaymentRequest, verb: str, amount: Money | None, translate: Callable[[ToldAnswer], Outcome]
    ) -> Outcome:
        path = f"/payments/{quote(request.provider_reference, safe='')}/{verb}"
        body = {} if amount is None else _money_body(amount)
        return self._call("POST", path, request.attempt_key, body, translate)

    def _call(
        self,
        method: Method,
        path: str,
        attempt_key: str,
        body: dict[str, str | int],
        translate: Callable[[ToldAnswer], _Translated],
    ) -> _Translated | NotSent | Unknown:
        # The key is sent in every mode, because the books keep it for the tests. Whether it means anything is the server's
        # business.
        return _read(self._client.send(method, path, json=body, headers={"idempotency-key": attempt_key}), translate)


def _methods_of(holder: str) -> str:
    return f"/account_holders/{quote(holder, safe='')}/payment_methods"


def _read(
    answer: HttpAnswer | NotSent | Unknown, translate: Callable[[ToldAnswer], _Translated]
) -> _Translated | NotSent | Unknown:
    """An answer that cannot be read, or read and not translated (amounts that are none), is Unknown."""
    if not isinstance(answer, HttpAnswer):
        return answer
    told = read_answer(answer)
    if not isinstance(told, ToldAnswer):
        return told
    try:
        return translate(told)
    except (ValidationError, MoneyError) as error:
        return unreadable(error, server=SERVER)


def _refused(told: ToldAnswer) -> Declined | Unknown | None:
    if told.error is None:
        return None
    if told.error.code == "key_reused":
        return Unknown(cause="the simulator knows this attempt key from another request")
    return declined(told.error, told.payment)


def _prepared(told: ToldAnswer) -> Outcome:
    refused, payment = _refused(told), told.payment
    if refused is not None or payment is None:
        return refused or _NO_PAYMENT_TOLD
    facts = PaymentFacts(provider_reference=payment.id, our_reference=payment.our_reference)
    return Succeeded(facts=facts, data=data_of(payment))


def _authorized(told: ToldAnswer) -> Outcome:
    if told.payment is not None and (told.error is None or told.error.code == "already_authorized"):
        return outcome_of(told.payment)
    return _refused(told) or _NO_PAYMENT_TOLD


def _captured(attempt_key: str, told: ToldAnswer) -> Outcome:
    refused, payment, movement = _refused(told), told.payment, told.movement
    if refused is not None or payment is None or movement is None:
        return refused or _NO_PAYMENT_TOLD
    return _moved(reference_facts(payment, captures=(movement_of(movement, attempt_key),)))


def _refunded(attempt_key: str, told: ToldAnswer) -> Outcome:
    refused, payment, movement = _refused(told), told.payment, told.movement
    if refused is not None or payment is None or movement is None:
        return refused or _NO_PAYMENT_TOLD
    return _moved(reference_facts(payment, refunds=(movement_of(movement, attempt_key),)))


def _moved(facts: PaymentFacts) -> Outcome:
    (movement,) = (*facts.captures, *facts.refunds)
    match movement.status:
        case "succeeded":
            return Succeeded(facts=facts)
        case "pending":
            return Pending(facts=facts)
        case "failed":
            return Declined(code="failed", reason="The bank refused it.", provider_reference=facts.provider_reference)
        case _:
            assert_never(movement.status)


def _canceled(told: ToldAnswer) -> Outcome:
    if told.payment is not None and (told.error is None or told.error.code == "already_captured"):
        return Succeeded(facts=facts_of(told.payment))
    return _refused(told) or _NO_PAYMENT_TOLD


def _found_by_id(told: ToldAnswer) -> LookUpOutcome:
    if told.error is not None and told.error.code == "unknown_payment":
        return NotFound()
    return _NO_PAYMENT_TOLD if told.payment is None else _found(told.payment)


def _found_by_search(told: ToldAnswer) -> LookUpOutcome:
    if told.payments is None:
        return _NO_PAYMENT_TOLD
    if len(told.payments) > 1:
        # To pick one would hide the other, and the other is money too.
        return Unknown(cause=f"{len(told.payments)} payments at the simulator carry this reference; a person must look")
    return _found(told.payments[0]) if told.payments else NotFound()


def _page(told: ToldAnswer) -> ListPaymentsOutcome:
    if told.payments is None:
        return _NO_PAYMENT_TOLD
    return PaymentPage(facts=tuple(map(facts_of, told.payments)), next_cursor=told.next_cursor)


def _found(payment: ToldPayment) -> LookUpOutcome:
    return Found(facts=facts_of(payment), action=action_of(payment), data=data_of(payment))


def _money_body(amount: Money) -> dict[str, str | int]:
    return {"amount": BASE_MANIFEST.amounts.write_minor(amount), "currency": amount.currency}


_NO_PAYMENT_TOLD = Unknown(cause="the simulator's answer does not say how the payment stands")
