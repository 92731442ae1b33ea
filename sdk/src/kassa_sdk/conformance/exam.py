"""The exam's own side of the contract: it asks a provider as the engine does, and keeps everything that it hears."""

import itertools
import logging
import traceback
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar, cast
from uuid import uuid4

from pydantic import BaseModel, SecretStr

from kassa_sdk.conformance.candidate import Candidate, Scenario, ServerBooks
from kassa_sdk.conformance.fault_proxy import FaultProxy
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, not_reached
from kassa_sdk.errors import Unsupported
from kassa_sdk.facts import PaymentFacts
from kassa_sdk.hooks import Provider, ProviderHooks
from kassa_sdk.manifest import AmountLimits, Manifest
from kassa_sdk.money import Money
from kassa_sdk.notices import Notice
from kassa_sdk.outcomes import (
    ActionRequired,
    Declined,
    Found,
    NotFound,
    NotSent,
    Outcome,
    PaymentPage,
    Pending,
    Succeeded,
    Unknown,
)
from kassa_sdk.records import JsonObject
from kassa_sdk.requests import (
    AccountHolderRequest,
    ActionRequest,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    Customer,
    DeletePaymentMethodRequest,
    InitiateRequest,
    ListPaymentMethodsRequest,
    LookUpRequest,
    ProviderRequest,
    RawNotice,
    RefundRequest,
    SavePaymentMethodRequest,
    Shopper,
    UpdateRequest,
)
from kassa_sdk.saved_methods import (
    AccountHolder,
    AccountHolderOutcome,
    Deleted,
    DeleteOutcome,
    ListOutcome,
    SavedPaymentMethod,
    SavedPaymentMethods,
    SaveOutcome,
)

RETURN_URL = "https://shop.example/return"
SHOPPER = Shopper(customer=Customer(id="cus_exam", email="ada@shop.example"), return_url=RETURN_URL, locale="en")

ANSWERS = (
    *(Succeeded, ActionRequired, Pending, Declined, NotSent, Unknown, Found, NotFound, PaymentPage),
    *(AccountHolder, SavedPaymentMethod, SavedPaymentMethods, Deleted),
)

OutcomeT = TypeVar("OutcomeT")

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class ExamPayment:
    """One payment under examination; ``data`` is what the provider returned last.

    ``is_captured``: the provider says that the money was taken with the authorization.
    """

    initiate_key: str
    our_reference: str
    provider_reference: str
    amount: Money
    scenario: Scenario
    data: JsonObject
    is_captured: bool = False


@dataclass
class Heard:
    """Everything that a provider let out: its outcomes as JSON, what it raised, what was logged meanwhile."""

    outcomes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    log: list[logging.LogRecord] = field(default_factory=list)


class _Listening(logging.Handler):
    def __init__(self, log: list[logging.LogRecord]) -> None:
        super().__init__(logging.DEBUG)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.append(record)


class Exam:
    """One instance of the candidate's provider, and the requests of an engine to it."""

    def __init__(self, candidate: Candidate, proxy: FaultProxy | None) -> None:
        self.candidate = candidate
        self.proxy = proxy
        self.heard = Heard()
        self.options = self._options(proxy.url if proxy is not None else candidate.server_url or "")
        self.provider: Provider = candidate.provider(self.options)
        self.manifest: Manifest = self.provider.manifest

    def at(self, url: str) -> "Exam":
        """The same exam with a provider that is configured for another address."""
        other = Exam(replace(self.candidate, server_url=url), None)
        other.heard = self.heard
        return other

    def with_options(self, options: BaseModel) -> Provider:
        """Another instance of the provider."""
        provider: Provider = self.candidate.provider(options)
        return provider

    def secrets(self) -> tuple[str, ...]:
        """Every secret in the options."""
        return tuple(secrets_in(self.options))

    def key(self) -> str:
        """An attempt key that nobody has used."""
        return f"exam-{next(_numbers)}-{uuid4().hex[:12]}-1"

    # What the engine asks.

    def initiate(self, scenario: Scenario, amount: Money | None = None) -> Outcome:
        """``initiate``, for a new session."""
        return self.call("initiate", self._new_session(scenario, amount or self.candidate.amount))

    def authorize(self, payment: ExamPayment, key: str | None = None) -> Outcome:
        """``authorize``, for the whole amount."""
        about = self._about(payment, key)
        return self.call("authorize", AuthorizeRequest(amount=payment.amount, shopper=SHOPPER, **about))

    def update(self, payment: ExamPayment, amount: Money) -> Outcome:
        """``update``: the session is about this amount now."""
        return self.call("update", UpdateRequest(amount=amount, **self._about(payment, None)))

    def authorize_all(self, payments: Sequence[ExamPayment]) -> list[Outcome]:
        """``authorize`` of all of them at once, each on a thread of its own, as an engine under load does."""
        requests = [
            AuthorizeRequest(amount=payment.amount, shopper=SHOPPER, **self._about(payment, None))
            for payment in payments
        ]
        with self._listening(), ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(partial(self._answer, "authorize"), requests))

    def action(self, payment: ExamPayment, answer: JsonObject | None = None) -> Outcome:
        """``action``, with what the storefront relays."""
        about = self._about(payment, None)
        return self.call("action", ActionRequest(amount=payment.amount, answer=answer or {}, shopper=SHOPPER, **about))

    def capture(self, payment: ExamPayment, amount: Money | None = None, key: str | None = None) -> Outcome:
        """``capture``; of the whole amount when none is given."""
        taken = amount or payment.amount
        request = CaptureRequest(amount=taken, is_whole=taken == payment.amount, **self._about(payment, key))
        return self.call("capture", request)

    def refund(self, payment: ExamPayment, amount: Money | None = None, key: str | None = None) -> Outcome:
        """``refund``; of the whole amount when none is given."""
        return self.call("refund", RefundRequest(amount=amount or payment.amount, **self._about(payment, key)))

    def cancel(self, payment: ExamPayment, key: str | None = None) -> Outcome:
        """``cancel``."""
        return self.call("cancel", CancelRequest(**self._about(payment, key)))

    def look_up(self, payment: ExamPayment, hook: str = "authorize", key: str | None = None) -> Any:
        """``look_up`` by the provider's reference."""
        request = LookUpRequest(
            hook=hook,
            attempt_key=key or self.key(),
            our_reference=payment.our_reference,
            provider_reference=payment.provider_reference,
        )
        return self.ask("look_up", request)

    def register(self, key: str | None = None) -> AccountHolderOutcome:
        """``create_account_holder``, for a customer that is new unless the key is not."""
        key = key or self.key()
        customer = Customer(id=f"cus_{key}", email=f"{key}@shop.example")
        request = AccountHolderRequest(attempt_key=key, customer=customer)
        return cast(AccountHolderOutcome, self.ask("create_account_holder", request))

    def save(self, holder: str, data: JsonObject) -> SaveOutcome:
        """``save_payment_method``, with what the provider's script gave to the storefront."""
        request = SavePaymentMethodRequest(attempt_key=self.key(), account_holder_reference=holder, data=data)
        return cast(SaveOutcome, self.ask("save_payment_method", request))

    def saved(self, holder: str) -> ListOutcome:
        """``list_payment_methods``."""
        request = ListPaymentMethodsRequest(account_holder_reference=holder)
        return cast(ListOutcome, self.ask("list_payment_methods", request))

    def forget(self, holder: str, method: str) -> DeleteOutcome:
        """``delete_payment_method``."""
        request = DeletePaymentMethodRequest(
            attempt_key=self.key(), account_holder_reference=holder, payment_method_reference=method
        )
        return cast(DeleteOutcome, self.ask("delete_payment_method", request))

    def call(self, hook: str, request: ProviderRequest) -> Outcome:
        """Any hook that ends in an outcome, as the engine takes it: what is raised leaves everybody in the dark."""
        outcome: Outcome = self.ask(hook, request)
        return outcome

    def ask(self, hook: str, request: Any) -> Any:
        """Any hook."""
        if not self.implements(hook):
            return Declined(code="no_hook", reason=f"There is no hook {hook}.")
        answer = self._heard(hook, request)
        return answer if isinstance(answer, ANSWERS) else Unknown(cause=f"returned {type(answer).__name__}")

    def implements(self, hook: str) -> bool:
        """Whether the provider has this hook, and the engine finds it."""
        return hasattr(getattr(self.provider, hook, None), "kassa_impl")

    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...] | Exception:
        """``read_notice``, or what it raised."""
        try:
            with self._listening():
                notices = cast(ProviderHooks, self.provider).read_notice(raw)
        except Exception as error:
            return error
        self.heard.outcomes.extend(notice.model_dump_json() for notice in notices)
        return notices

    # How far a check wants a payment to be.

    def prepared(self, scenario: Scenario | None = None, amount: Money | None = None) -> ExamPayment:
        """A session that was prepared; the shopper has not done anything yet."""
        scenario, amount = scenario or self.candidate.scenarios.approve, amount or self.candidate.amount
        request = self._new_session(scenario, amount)
        outcome = reached(Succeeded, "initiate", self.call("initiate", request))
        return ExamPayment(
            initiate_key=request.attempt_key,
            our_reference=request.our_reference,
            provider_reference=outcome.facts.provider_reference,
            amount=amount,
            scenario=scenario,
            data=outcome.data or {},
        )

    def initiated(self, scenario: Scenario | None = None, amount: Money | None = None) -> ExamPayment:
        """A session that was prepared; the shopper has done their part."""
        payment = self.prepared(scenario, amount)
        if payment.scenario.pays is not None:
            payment.scenario.pays(payment.provider_reference)
        return payment

    def paid(self, payment: ExamPayment) -> PaymentFacts:
        """The whole way to the money, from ``authorize`` on."""
        return self.followed(payment, self.authorize(payment))

    def followed(self, payment: ExamPayment, outcome: Outcome) -> PaymentFacts:
        """The way from an answer to the money: the action where one is required, the wait where there is one."""
        if isinstance(outcome, ActionRequired) and payment.scenario.answers is not None:
            answer = payment.scenario.answers(payment.provider_reference, outcome.action)
            outcome = self.action(payment, answer)
        if isinstance(outcome, Pending) and payment.scenario.settles is not None:
            payment.scenario.settles(payment.provider_reference)
            return self._settled(payment)
        return reached(Succeeded, "authorize", outcome).facts

    def _settled(self, payment: ExamPayment) -> PaymentFacts:
        """What became of a payment that nobody knew about: by a look-up, or else by the server's own notices."""
        if self.manifest.look_up is not None:
            return reached(Found, "look_up", self.look_up(payment)).facts
        if self.candidate.notices is None:
            not_proven("without look-ups only notices tell how a payment ends, and the exam was given none")
        read = [self.read_notice(raw) for raw in self.candidate.notices.about(payment.provider_reference)]
        told = [notice.facts for notices in read if not isinstance(notices, Exception) for notice in notices]
        mine = [facts for facts in told if facts and facts.provider_reference == payment.provider_reference]
        if not mine:
            not_reached("read_notice", "no facts about a payment that has settled")
        whole = [facts for facts in mine if facts.authorized is not None]
        if not whole:
            not_proven("the provider has no look-ups, and its notices do not tell what is authorized")
        return whole[-1]

    def authorized(self, amount: Money | None = None) -> ExamPayment:
        """A payment that is held (or paid, where the provider takes the money at once)."""
        payment = self.initiated(amount=amount)
        return replace(payment, is_captured=self.paid(payment).captured == payment.amount)

    def held(self, amount: Money | None = None) -> ExamPayment:
        """A payment that is held, and can be captured."""
        payment = self.authorized(amount)
        if payment.is_captured:
            does_not_apply("this provider takes the money when it authorizes")
        return payment

    def captured(self, amount: Money | None = None) -> ExamPayment:
        """A payment that was taken as a whole."""
        payment = self.authorized(amount)
        if not payment.is_captured and not isinstance(outcome := self.capture(payment), Succeeded | Pending):
            not_reached("capture", described(outcome))
        return payment

    def share(self, payment: ExamPayment, percent: int) -> Money:
        """A part of a payment that the provider can express."""
        return self._percent_of(payment.amount, percent)

    def smaller_amount(self, percent: int) -> Money:
        """So much of what most payments of the exam are about, to be paid in its place."""
        amount = self._percent_of(self.candidate.amount, percent)
        minimum = self.manifest.amount_limits.get(amount.currency, AmountLimits()).minimum
        if minimum is not None and amount < minimum:
            not_proven(f"{amount} is below the manifest's minimum; give the exam a larger Candidate.amount")
        return amount

    def books(self, payment: ExamPayment) -> ServerBooks:
        """What the server says about a payment; a check that needs it is not proven without."""
        if self.candidate.books is None:
            not_proven("the exam was given no books of the server")
        return self.candidate.books(payment.provider_reference)

    def native_keys(self) -> None:
        """A check that needs keys says nothing about a provider that takes none."""
        if self.manifest.idempotency.keys != "native":
            does_not_apply("the provider takes no keys")
        if "keys" in self.candidate.not_proven:
            not_proven(self.candidate.not_proven["keys"])

    def network(self) -> FaultProxy:
        """The proxy; a check that needs it says nothing about a provider without a server."""
        if self.proxy is None:
            does_not_apply("this provider has no server")
        return self.proxy

    def _percent_of(self, amount: Money, percent: int) -> Money:
        step = self.manifest.amounts.steps.get(amount.currency, 1)
        return Money(amount.minor * percent // 100 // step * step, amount.currency)

    def _options(self, url: str) -> BaseModel:
        options: type[BaseModel] = self.candidate.provider.Options
        return options.model_validate(dict(self.candidate.options(url)))

    def _new_session(self, scenario: Scenario, amount: Money) -> InitiateRequest:
        return InitiateRequest(
            attempt_key=self.key(),
            our_reference=f"payses_exam{next(_numbers)}{uuid4().hex[:8]}",
            amount=amount,
            data=scenario.data,
            shopper=SHOPPER,
        )

    def _about(self, payment: ExamPayment, key: str | None) -> dict[str, Any]:
        return {
            "attempt_key": key or self.key(),
            "our_reference": payment.our_reference,
            "provider_reference": payment.provider_reference,
            "data": payment.data,
        }

    def _heard(self, hook: str, request: Any) -> Any:
        with self._listening():
            return self._answer(hook, request)

    def _answer(self, hook: str, request: Any) -> Any:
        try:
            answer = getattr(self.provider, hook)(request)
        except Exception as error:
            self.heard.errors.append("".join(traceback.format_exception(error)))
            # The engine takes Unsupported, and nothing else that is raised, for proof that nothing was sent.
            if isinstance(error, Unsupported):
                return Declined(code="unsupported", reason=str(error))
            return Unknown(cause=f"raised {type(error).__name__}")
        if isinstance(answer, BaseModel):
            self.heard.outcomes.append(answer.model_dump_json())
        return answer

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Keep what is logged, and what is raised, while this lasts."""
        listening, root = _Listening(self.heard.log), logging.getLogger()
        level, others = root.level, {handler: handler.level for handler in root.handlers}
        # The exam listens to every word; whoever else listens hears as much as before.
        for handler in others:
            handler.setLevel(max(handler.level, level))
        root.addHandler(listening)
        root.setLevel(logging.DEBUG)
        try:
            yield
        except Exception as error:
            self.heard.errors.append("".join(traceback.format_exception(error)))
            raise
        finally:
            root.removeHandler(listening)
            root.setLevel(level)
            for handler, their_level in others.items():
                handler.setLevel(their_level)


def reached(kind: type[OutcomeT], step: str, outcome: object) -> OutcomeT:
    """The outcome, where it is of this kind; otherwise the check was not reached."""
    if not isinstance(outcome, kind):
        not_reached(step, described(outcome))
    return outcome


def agrees(found: Money, meant: Money, outcome: Outcome) -> bool:
    """Whether the server's books fit to an outcome; what is under way may not stand in them yet."""
    if found == meant:
        return True
    return isinstance(outcome, Pending) and found.currency == meant.currency and found < meant


def described(outcome: object) -> str:
    """An outcome in a few words."""
    detail = next((str(getattr(outcome, name)) for name in ("cause", "reason", "action") if hasattr(outcome, name)), "")
    return f"{type(outcome).__name__} ({detail})" if detail else type(outcome).__name__


def secrets_in(value: object) -> Iterable[str]:
    """Every secret in a value: a model, a container, a SecretStr."""
    if isinstance(value, SecretStr):
        if value.get_secret_value():
            yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from secrets_in(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from secrets_in(each)
