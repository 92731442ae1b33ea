"""Checks of what the network does: nobody may guess, and a repetition has one effect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import pytest

from kassa_sdk.conformance.candidate import ServerBooks
from kassa_sdk.conformance.exam import Exam, ExamPayment, described
from kassa_sdk.conformance.fault_proxy import Fault, SentRequest, address_where_nobody_listens
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, not_reached, proves, violation
from kassa_sdk.manifest import Manifest, Portions
from kassa_sdk.money import Money
from kassa_sdk.outcomes import ActionRequired, Declined, NotSent, Outcome, Pending, Succeeded, Unknown


@dataclass(frozen=True, slots=True)
class _Call:
    """A hook that moves money: the payment it needs, how much it is asked to move, and what the server's books say of it."""

    declared: Callable[[Manifest], bool]
    prepare: Callable[[Exam], ExamPayment]
    ask: Callable[[Exam, ExamPayment, str], Outcome]
    meant: Callable[[Exam, ExamPayment], Money]
    moved: Callable[[ServerBooks], Money]


def _part_to_capture(exam: Exam, payment: ExamPayment) -> Money:
    return _portion(exam, payment, exam.manifest.captures)


def _part_to_refund(exam: Exam, payment: ExamPayment) -> Money:
    return _portion(exam, payment, exam.manifest.refunds)


CALLS: Mapping[str, _Call] = {
    "authorize": _Call(
        lambda manifest: True,
        Exam.initiated,
        lambda exam, payment, key: exam.authorize(payment, key),
        lambda exam, payment: payment.amount,
        lambda books: books.authorized,
    ),
    "capture": _Call(
        lambda manifest: manifest.captures is not Portions.NONE,
        Exam.held,
        lambda exam, payment, key: exam.capture(payment, _part_to_capture(exam, payment), key),
        _part_to_capture,
        lambda books: books.captured,
    ),
    "refund": _Call(
        lambda manifest: manifest.refunds is not Portions.NONE,
        Exam.captured,
        lambda exam, payment, key: exam.refund(payment, _part_to_refund(exam, payment), key),
        _part_to_refund,
        lambda books: books.refunded,
    ),
    "cancel": _Call(
        lambda manifest: manifest.cancel,
        Exam.held,
        lambda exam, payment, key: exam.cancel(payment, key),
        lambda exam, payment: Money.zero(payment.amount.currency),
        lambda books: books.captured,
    ),
}

_MOVED = (Succeeded, Pending, ActionRequired)
"""What a call ends in that has arrived at the server and was not refused."""

_EACH_HOOK = pytest.mark.parametrize("hook", CALLS)
_EACH_LOSS = pytest.mark.parametrize(
    "fault", [fault for fault in Fault if fault is not Fault.TWICE], ids=lambda f: f.name
)


@proves("faults")
class FaultChecks:
    """Connections that break, answers that do not come, requests that are repeated."""

    @pytest.mark.parametrize("hook", ["initiate", *CALLS])
    def test_a_connection_that_was_never_made_is_not_sent(self, exam: Exam, hook: str) -> None:
        network, ask = exam.network(), _asking(exam, hook)
        outcome = ask(exam.at(address_where_nobody_listens()))
        if isinstance(outcome, NotSent):
            return
        with network.recording() as sent:
            ask(exam)
        if not sent:
            does_not_apply(f"{hook} sends nothing")
        violation(
            f"no connection to the server could be made, and {hook} ended in {described(outcome)}",
            "that is NotSent: it is proven that nothing happened, and the same request may go again",
        )

    @_EACH_LOSS
    @_EACH_HOOK
    def test_what_nobody_can_tell_is_unknown(self, exam: Exam, hook: str, fault: Fault) -> None:
        call, proxy = _declared(exam, hook), exam.network()
        payment = call.prepare(exam)
        with proxy.going_wrong(fault), proxy.recording() as sent:
            outcome = call.ask(exam, payment, exam.key())
        if not proxy.hits:
            does_not_apply(f"{hook} sends nothing that has an effect")
        legal = (Unknown, NotSent) if fault is Fault.TURNED_AWAY else (Unknown,)
        # Who asks the server afterwards what became of it, and is told, knows.
        asked_afterwards = fault.is_acted_on and not sent[-1].has_effect
        if not isinstance(outcome, legal) and not (asked_afterwards and isinstance(outcome, _MOVED)):
            violation(
                f"{fault.value}; {hook} ended in {described(outcome)}",
                f"that is Unknown: {_danger(outcome)}",
            )

    @_EACH_LOSS
    @_EACH_HOOK
    def test_a_repetition_with_the_same_key_has_one_effect(self, exam: Exam, hook: str, fault: Fault) -> None:
        call, proxy = _declared(exam, hook), exam.network()
        _keys_are_shown(exam)
        payment, key = call.prepare(exam), exam.key()
        with proxy.going_wrong(fault), proxy.recording() as first:
            call.ask(exam, payment, key)
        if not proxy.hits:
            does_not_apply(f"{hook} sends nothing that has an effect")
        with proxy.recording() as second:
            outcome = call.ask(exam, payment, key)
        if not isinstance(outcome, _MOVED):
            violation(
                f"{fault.value}; the same {hook} again, with the same key, ended in {described(outcome)}",
                "within the key's window a repetition gets the first result",
            )
        _is_the_same_request(hook, first, second)
        if (moved := _moved_too_much(exam, hook, payment)) is not None:
            violation(
                f"{fault.value}; the same {hook} again, with the same key, and the server's books say {moved}",
                "a provider with native keys has one effect for one key, however often it is sent, also by your own client",
                'idempotency=Idempotency(keys="none"), and each request is sent once, ever',
            )

    @_EACH_LOSS
    @_EACH_HOOK
    def test_what_has_no_key_is_sent_once(self, exam: Exam, hook: str, fault: Fault) -> None:
        if exam.manifest.idempotency.keys == "native":
            does_not_apply("the server tells a request that is sent again by its key")
        call, proxy = _declared(exam, hook), exam.network()
        payment = call.prepare(exam)
        with proxy.going_wrong(fault), proxy.recording() as sent:
            call.ask(exam, payment, exam.key())
        if not proxy.hits:
            does_not_apply(f"{hook} sends nothing that has an effect")
        requests = [_content(each) for each in sent if each.has_effect and _is_about(payment, each)]
        if len(set(requests)) < len(requests):
            violation(
                f"{fault.value}, and {hook} sent the same request a second time by itself",
                "nobody knows whether the server has acted, and without a key it acts again: return Unknown",
                'idempotency=Idempotency(keys="native", window=…), with the key on every request',
            )

    @_EACH_HOOK
    def test_a_request_that_arrives_twice_has_one_effect(self, exam: Exam, hook: str) -> None:
        call, proxy = _declared(exam, hook), exam.network()
        _keys_are_shown(exam)
        payment = call.prepare(exam)
        with proxy.going_wrong(Fault.TWICE):
            outcome = call.ask(exam, payment, exam.key())
        if not proxy.hits:
            does_not_apply(f"{hook} sends nothing that has an effect")
        if not isinstance(outcome, _MOVED):
            not_reached(hook, described(outcome))
        if (moved := _moved_too_much(exam, hook, payment)) is not None:
            violation(
                f"the network delivered the request of one {hook} twice, and the server's books say {moved}",
                "the key of the attempt goes along with every request, so that the server recognises it",
                'idempotency=Idempotency(keys="none")',
            )


def _asking(exam: Exam, hook: str) -> Callable[[Exam], Outcome]:
    """One request, to be asked of this provider, or of one that is configured for another address."""
    if hook == "initiate":
        return lambda asked: asked.initiate(exam.candidate.scenarios.approve)
    call = _declared(exam, hook)
    payment, key = call.prepare(exam), exam.key()
    return lambda asked: call.ask(asked, payment, key)


def _moved_too_much(exam: Exam, hook: str, payment: ExamPayment) -> str | None:
    """What the server's books say, where that is more than one call asks for.  Less may still be under way."""
    call = CALLS[hook]
    meant, moved = call.meant(exam, payment), call.moved(exam.books(payment))
    if moved.currency == meant.currency and moved <= meant:
        return None
    return f"{moved}, where {meant} was asked for"


def _danger(outcome: Outcome) -> str:
    match outcome:
        case Declined():
            return "what is called declined is paid a second time, while the first may have gone through"
        case NotSent():
            return "what is called not sent is sent again, while the first may have gone through"
        case _:
            return "nobody knows whether the server has acted"


def _is_the_same_request(hook: str, first: list[SentRequest], second: list[SentRequest]) -> None:
    before = [_content(each) for each in first if each.has_effect]
    after = [_content(each) for each in second if each.has_effect]
    if after and before[:1] != after[:1]:
        violation(
            f"a repeated {hook} sends another request than the first one",
            "a resend repeats the request exactly; a server that compares them refuses another one under the same key",
        )


def _content(request: SentRequest) -> tuple[str, str, bytes]:
    """What it asks for.  Headers are left out: a date or a trace is another one each time."""
    return request.method, request.target, request.body


def _is_about(payment: ExamPayment, request: SentRequest) -> bool:
    """Whether it names the payment; to fetch an access token a second time moves nothing."""
    said = f"{unquote(request.target)}\n{request.body.decode('utf-8', 'replace')}"
    return payment.provider_reference in said or payment.our_reference in said


def _declared(exam: Exam, hook: str) -> _Call:
    call = CALLS[hook]
    if not call.declared(exam.manifest):
        does_not_apply(f"the manifest does not list {hook}")
    return call


def _keys_are_shown(exam: Exam) -> None:
    exam.native_keys()
    if exam.candidate.books is None:
        not_proven("the exam was given no books of the server")


def _portion(exam: Exam, payment: ExamPayment, portions: Portions) -> Money:
    """So little, where the manifest allows it, that a second one would not be refused for want of money."""
    return payment.amount if portions is Portions.FULL else exam.share(payment, 30)
