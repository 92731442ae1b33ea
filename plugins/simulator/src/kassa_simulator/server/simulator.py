"""The simulator without its wire: takes calls, plays faults, answers.  One lock around everything that changes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from kassa_simulator.server import desk
from kassa_simulator.server.calls import Answer, Call, Cut, Refused, Reply, Silence, Slow
from kassa_simulator.server.effects import Effect
from kassa_simulator.server.faults import Fault, FaultBoard, FaultRule, spoiled
from kassa_simulator.server.ledger import Happening, Ledger
from kassa_simulator.server.payments import Payment, decline_json
from kassa_simulator.server.saved_methods import method_json

SECONDS_UNTIL_A_LATE_ANSWER = 1.0
LONGEST_PAGE = 100


@dataclass(slots=True)
class Simulator:
    """What the provider does with a call.  ``after_effect`` hears of every effect, once it is in the books."""

    ledger: Ledger
    faults: FaultBoard = field(default_factory=FaultBoard)
    after_effect: Callable[[], None] = lambda: None
    lock: threading.RLock = field(default_factory=threading.RLock)
    late_calls: list[Call] = field(default_factory=list)

    def answer(self, call: Call) -> Answer:
        """Answer one call, or misbehave as told."""
        rule = self.faults.take(call, self._reference_behind(call))
        return self.perform(call) if rule is None else self._misbehave(call, rule)

    def perform(self, call: Call, *, stored_status: int | None = None) -> Reply:
        """Do what the call asks, exactly once, and answer truthfully.  ``stored_status``: keep this as the key's answer."""
        with self.lock:
            try:
                self.ledger.settle_what_is_due()
                reply = self._read(call) or self._act(call, stored_status)
            except Refused as refused:
                return self.refusal(refused)
        self.after_effect()
        return reply

    def record(self, draft: Effect) -> Happening:
        """An effect without a caller: from the dashboard, or from the shopper."""
        with self.lock:
            self.ledger.settle_what_is_due()
            happening = self.ledger.record(draft)
        self.after_effect()
        return happening

    def payment(self, payment_id: str | None) -> Payment:
        """The payment of this id.  Raises Refused (404)."""
        payment = self.ledger.payment(payment_id or "")
        if payment is None:
            raise Refused(404, "unknown_payment", "there is no payment of this id")
        return payment

    def refusal(self, refused: Refused) -> Reply:
        """The answer that tells a refusal, with the payment as it stands."""
        payment = self.ledger.payment(refused.payment_id or "")
        body = {
            "error": {"code": refused.code, "reason": refused.message, "retryable": False},
            "payment": None if payment is None else self.ledger.as_json(payment),
        }
        return Reply.of(refused.status, body)

    def act_late_calls(self) -> int:
        """Let every call that is still under way arrive now; says how many there were."""
        with self.lock:
            arrived, self.late_calls[:] = list(self.late_calls), []
        for call in arrived:
            self.perform(call)
        return len(arrived)

    def _act(self, call: Call, stored_status: int | None) -> Reply:
        first = None if call.attempt_key is None else self.ledger.first_answer(call.attempt_key)
        if first is not None:
            if first.effect.heard != call.fingerprint:
                raise Refused(422, "key_reused", "this key was used for another request")
            return replace(_reply_to(first), headers=(("idempotent-replayed", "true"),))
        draft = self._draft(call)
        if draft is None:
            about_a_payment = call.payment_id is not None
            body = {"payment": self.ledger.as_json(self.payment(call.payment_id))} if about_a_payment else {}
            return Reply.of(200, body)
        heard = replace(draft, attempt_key=call.attempt_key, heard=call.fingerprint, answer_status=stored_status)
        return _reply_to(self.ledger.record(heard))

    def _draft(self, call: Call) -> Effect | None:
        fields = call.fields
        match call.operation:
            case "initiate":
                return desk.initiate(fields)
            case "authorize":
                native = self.ledger.keys == "native"
                return desk.authorize(self.payment(call.payment_id), fields, keys_are_native=native)
            case "update":
                return desk.update(self.payment(call.payment_id), fields)
            case "capture":
                return desk.capture(self.payment(call.payment_id), fields)
            case "refund":
                return desk.refund(self.payment(call.payment_id), fields)
            case "cancel":
                return desk.cancel(self.payment(call.payment_id))
            case "create_account_holder" | "save_payment_method" | "delete_payment_method" as operation:
                return self.ledger.saved_methods.draft(operation, call)
            case "action" | "look_up" | "list_payments" | "list_payment_methods":
                return None
            case _:
                assert_never(call.operation)

    def _read(self, call: Call) -> Reply | None:
        match call.operation:
            case "look_up":
                return self._look_up(call)
            case "list_payments":
                return self._list(call)
            case "list_payment_methods":
                return Reply.of(200, {"payment_methods": self.ledger.saved_methods.of(call.holder_id)})
            case _:
                return None

    def _list(self, call: Call) -> Reply:
        fields = call.fields
        since, until = fields.written_number("created_from"), fields.written_number("created_until")
        length = max(1, int(min(fields.written_number("limit", LONGEST_PAGE), LONGEST_PAGE)))
        after = int(fields.written_number("cursor", 0))
        created = self.ledger.created_between(since, until)
        page, end = created[after : after + length], after + length
        told = [self.ledger.as_json(payment) for payment in page]
        # Payments are never deleted and later ones come last, so a place in the list keeps its meaning.
        return Reply.of(200, {"payments": told, "next_cursor": str(end) if end < len(created) else None})

    def _look_up(self, call: Call) -> Reply:
        if call.payment_id is not None:
            return Reply.of(200, {"payment": self.ledger.as_json(self.payment(call.payment_id))})
        key, reference = call.fields.optional_text("attempt_key"), call.fields.optional_text("our_reference")
        if key is None and reference is None:
            raise Refused(422, "invalid_field", "look up by attempt_key, by our_reference or by the payment's id")
        found = self.ledger.find(attempt_key=key, our_reference=reference)
        return Reply.of(200, {"payments": [self.ledger.as_json(payment) for payment in found]})

    def _reference_behind(self, call: Call) -> str | None:
        reference = call.fields.values.get("our_reference")
        payment = self.ledger.payment(call.payment_id or "")
        return reference if payment is None else payment.our_reference

    def _misbehave(self, call: Call, rule: FaultRule) -> Answer:
        match rule.fault:
            case (
                Fault.CUT_BEFORE_ACTING
                | Fault.SILENCE_BEFORE_ACTING
                | Fault.SERVER_ERROR_BEFORE_ACTING
                | Fault.TOO_MANY_REQUESTS
                | Fault.UNAUTHORIZED
            ):
                return _INSTEAD_OF_AN_ANSWER[rule.fault]
            case Fault.ACT_THEN_SILENCE | Fault.ACT_THEN_CUT | Fault.SERVER_ERROR_AFTER_ACTING:
                self.perform(call)
                return _INSTEAD_OF_AN_ANSWER[rule.fault]
            case Fault.STORED_SERVER_ERROR:
                self.perform(call, stored_status=500)
                return _SERVER_ERROR
            case Fault.ACT_LATE:
                self._act_later(call, rule.seconds)
                return Silence()
            case Fault.ANSWER_LATE:
                return Slow(self.perform(call), SECONDS_UNTIL_A_LATE_ANSWER if rule.seconds is None else rule.seconds)
            case Fault.WRONG_AMOUNT | Fault.WRONG_CURRENCY | Fault.MALFORMED_BODY:
                return spoiled(self.perform(call), rule.fault)
            case Fault.NOT_FOUND_YET:
                return self._hidden(call)
            case _:
                assert_never(rule.fault)

    def _act_later(self, call: Call, seconds: float | None) -> None:
        with self.lock:
            self.late_calls.append(call)
        if seconds is not None:
            timer = threading.Timer(seconds, self._act_if_still_late, (call,))
            timer.daemon = True
            timer.start()

    def _act_if_still_late(self, call: Call) -> None:
        with self.lock:
            still_late = any(late is call for late in self.late_calls)
            self.late_calls[:] = [late for late in self.late_calls if late is not call]
        if still_late:
            self.perform(call)

    def _hidden(self, call: Call) -> Reply:
        if call.payment_id is None:
            return Reply.of(200, {"payments": []})
        return self.refusal(Refused(404, "unknown_payment", "there is no payment of this id"))


def _turned_away(status: int, code: str, reason: str) -> Reply:
    return Reply.of(status, {"error": {"code": code, "reason": reason, "retryable": False}})


UNAUTHORIZED = _turned_away(401, "unauthorized", "the API key is missing or wrong; nothing was done")

_SERVER_ERROR = _turned_away(500, "server_error", "something went wrong here")

_INSTEAD_OF_AN_ANSWER: dict[Fault, Answer] = {
    Fault.ACT_THEN_SILENCE: Silence(),
    Fault.ACT_THEN_CUT: Cut(),
    Fault.SERVER_ERROR_AFTER_ACTING: _SERVER_ERROR,
    Fault.CUT_BEFORE_ACTING: Cut(),
    Fault.SILENCE_BEFORE_ACTING: Silence(),
    Fault.SERVER_ERROR_BEFORE_ACTING: _SERVER_ERROR,
    Fault.TOO_MANY_REQUESTS: _turned_away(429, "too_many_requests", "slow down; nothing was done"),
    Fault.UNAUTHORIZED: UNAUTHORIZED,
}

_STATUS_OF: dict[str, int] = {
    "payment_created": 201,
    "captured": 201,
    "refunded": 201,
    "account_holder_created": 201,
    "payment_method_saved": 201,
    "action_required": 202,
    "pending": 202,
}


def _reply_to(happening: Happening) -> Reply:
    """What a caller is told of its own effect, now or when the key is repeated."""
    effect, payment = happening.effect, happening.payment
    if effect.answer_status is not None:
        return _SERVER_ERROR
    if effect.code is not None:
        return Reply.of(402, {"error": decline_json(effect.code), "payment": payment})
    body: dict[str, Any] = {} if payment is None else {"payment": payment}
    if effect.type == "account_holder_created":
        body["account_holder"] = {"id": effect.holder_id}
    if effect.type == "payment_method_saved":
        body["payment_method"] = method_json(effect.method_id or "", effect.label or "")
    if payment is not None and effect.type in ("captured", "refunded"):
        movements = payment["captures"] if effect.type == "captured" else payment["refunds"]
        body["movement"] = next(movement for movement in movements if movement["id"] == effect.movement_id)
    return Reply.of(_STATUS_OF.get(effect.type, 200), body)
