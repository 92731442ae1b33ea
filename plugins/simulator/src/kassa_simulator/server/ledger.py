"""The ledger: the books, and what they add up to.  Every change is written first and believed afterwards."""

import heapq
import secrets
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from kassa_simulator.server.books import Books
from kassa_simulator.server.effects import Effect
from kassa_simulator.server.payments import Payment
from kassa_simulator.server.saved_methods import SavedMethods
from kassa_simulator.server.scenarios import (
    ACTION_EXPIRES_AFTER_SECONDS,
    HOLD_EXPIRES_AFTER_SECONDS,
    MOVEMENT_SETTLES_AFTER_SECONDS,
    PENDING_SETTLES_AFTER_SECONDS,
    Scenario,
)

KeyMode = Literal["native", "reference", "none"]


@dataclass(frozen=True, slots=True)
class Happening:
    """One effect, and the payment (as the API tells it) right after it."""

    effect: Effect
    payment: dict[str, Any] | None


@dataclass(frozen=True, slots=True, order=True)
class _Due:
    at: float
    cause: int
    payment_id: str
    movement_id: str | None


class Ledger:
    """All payments of this provider.  Not thread-safe: whoever uses it holds the simulator's lock."""

    def __init__(self, books: Books, *, keys: KeyMode, key_window_seconds: float, base_url: str) -> None:
        self.keys = keys
        self.happenings: list[Happening] = []
        self.saved_methods = SavedMethods()
        self._books = books
        self._key_window_seconds = key_window_seconds
        self._base_url = base_url
        self._payments: dict[str, Payment] = {}
        self._first_by_key: dict[str, Happening] = {}
        self._due: list[_Due] = []
        self._clock_offset_seconds = 0.0
        for effect in books.read():
            self._believe(effect)

    @property
    def next_number(self) -> int:
        return len(self.happenings) + 1

    def now(self) -> float:
        """This provider's own clock: ours, and the days by which it was advanced."""
        return time.time() + self._clock_offset_seconds

    def payment(self, payment_id: str) -> Payment | None:
        return self._payments.get(payment_id)

    def find(self, *, attempt_key: str | None, our_reference: str | None) -> list[Payment]:
        """The payments that carry our reference, or that a call with this key has touched (where keys are stored)."""
        if attempt_key is not None and self.keys == "none":
            return []
        return [
            payment
            for payment in self._payments.values()
            if (attempt_key is None or attempt_key in payment.attempt_keys)
            and (our_reference is None or payment.our_reference == our_reference)
        ]

    def created_between(self, since: float, until: float) -> list[Payment]:
        """The payments that were created from ``since`` on and before ``until``, by this provider's own clock."""
        return [payment for payment in self._payments.values() if since <= payment.created_at < until]

    def first_answer(self, attempt_key: str) -> Happening | None:
        """What the first call with this key did, as long as keys are native and its window is open."""
        first = self._first_by_key.get(attempt_key)
        if self.keys != "native" or first is None or first.effect.at + self._key_window_seconds <= self.now():
            return None
        return first

    def record(self, draft: Effect, at: float | None = None) -> Happening:
        """Write an effect into the books; from then on it has happened.  Raises BooksUnwritable: then it has not."""
        number = self.next_number
        effect = replace(draft, number=number, at=self.now() if at is None else at)
        if effect.type == "payment_created":
            effect = replace(effect, payment_id=f"simpay_{number}_{secrets.token_hex(8)}")
        if effect.type in ("captured", "sold", "refunded"):
            prefix = "simref" if effect.type == "refunded" else "simcap"
            effect = replace(effect, movement_id=f"{prefix}_{number}")
        if effect.type == "account_holder_created":
            effect = replace(effect, holder_id=f"simcus_{number}_{secrets.token_hex(8)}")
        if effect.type == "payment_method_saved":
            effect = replace(effect, method_id=f"simpm_{number}")
        if effect.type == "dispute_opened":
            effect = replace(effect, dispute_id=f"simdis_{number}")
        self._books.append(effect)
        return self._believe(effect)

    def settle_what_is_due(self) -> None:
        """Let everything happen that has become due: waits end, holds expire, slow captures and refunds arrive."""
        now = self.now()
        while self._due and self._due[0].at <= now:
            due = heapq.heappop(self._due)
            effect = self._what_became_due(due)
            if effect is not None:
                self.record(effect, at=due.at)

    def as_json(self, payment: Payment) -> dict[str, Any]:
        """The payment as the API tells it now."""
        waits_for = None
        if payment.status == "requires_action":
            waits_for = payment.status_since + ACTION_EXPIRES_AFTER_SECONDS
        elif payment.status == "pending":
            waits_for = payment.status_since + PENDING_SETTLES_AFTER_SECONDS
        expected_by = None if waits_for is None else datetime.fromtimestamp(waits_for, UTC).isoformat()
        action = None if expected_by is None else self._action(payment, expected_by)
        return payment.as_json(tells_keys=self.keys != "none", action=action, expected_by=expected_by)

    def _action(self, payment: Payment, expires_at: str) -> dict[str, Any] | None:
        page = f"{self._base_url}/challenge/{payment.id}"
        match payment.script.action:
            case None:
                return None
            case "redirect" | "challenge" as kind:
                return {"type": kind, "url": page}
            case "qr_code":
                return {"type": "qr_code", "payload": page, "expires_at": expires_at}
            case "wait":
                return {"type": "wait", "poll_after_seconds": 1}
            case "instructions":
                lines = [
                    {"label": "Account holder", "value": "The simulated shop"},
                    {"label": "IBAN", "value": "DE02 0000 0000 0000 0000 00"},
                    {"label": "Reference", "value": payment.id},
                ]
                return {"type": "instructions", "lines": lines, "expires_at": expires_at}

    def _believe(self, effect: Effect) -> Happening:
        if effect.type == "clock_advanced":
            self._clock_offset_seconds += effect.seconds or 0.0
        elif effect.type == "keys_forgotten":
            self._first_by_key.clear()
        elif effect.type == "payment_created":
            self._payments[effect.payment_id or ""] = _created(effect)
        self.saved_methods.apply(effect)
        payment = self._payments.get(effect.payment_id or "")
        if payment is not None:
            payment.apply(effect)
            self._note_what_becomes_due(effect, payment)
        happening = Happening(effect, None if payment is None else self.as_json(payment))
        self.happenings.append(happening)
        if (
            effect.attempt_key is not None
            and effect.heard is not None
            and self.first_answer(effect.attempt_key) is None
        ):
            self._first_by_key[effect.attempt_key] = happening
        return happening

    def _note_what_becomes_due(self, effect: Effect, payment: Payment) -> None:
        after = {
            "action_required": ACTION_EXPIRES_AFTER_SECONDS,
            "pending": PENDING_SETTLES_AFTER_SECONDS,
            "authorized": HOLD_EXPIRES_AFTER_SECONDS,
        }.get(effect.type)
        if effect.movement_status == "pending":
            after = MOVEMENT_SETTLES_AFTER_SECONDS
        if after is not None:
            heapq.heappush(self._due, _Due(effect.at + after, effect.number, payment.id, effect.movement_id))

    def _what_became_due(self, due: _Due) -> Effect | None:
        payment = self._payments[due.payment_id]
        if due.movement_id is not None:
            return _movement_end(payment, due.movement_id)
        cause = self.happenings[due.cause - 1].effect
        # After a restart everything becomes due once more; what belongs to an earlier wait or hold is over.
        if payment.status_since != cause.at:
            return None
        if cause.type == "action_required" and payment.status == "requires_action":
            return Effect("expired", payment_id=payment.id)
        if cause.type == "pending" and payment.status == "pending":
            return end_of_wait(payment)
        if cause.type == "authorized" and payment.capturable > 0:
            return Effect("expired", payment_id=payment.id)
        return None


def end_of_wait(payment: Payment) -> Effect:
    """How a wait ends when nobody decides otherwise: as the scenario says."""
    match payment.script.then:
        case "hold":
            return Effect("authorized", payment_id=payment.id, amount=payment.amount, currency=payment.currency)
        case "sale":
            return Effect("sold", payment_id=payment.id, amount=payment.amount, currency=payment.currency)
        case "decline":
            return Effect("declined", payment_id=payment.id, code=payment.script.decline_code)
        case "expire":
            return Effect("expired", payment_id=payment.id)


def _movement_end(payment: Payment, movement_id: str) -> Effect | None:
    movement = payment.movement(movement_id)
    if movement.status != "pending":
        return None
    fails = payment.script.refund == "fails_later" and movement in payment.refunds
    return Effect(
        "movement_failed" if fails else "movement_settled",
        payment_id=payment.id,
        movement_id=movement_id,
        amount=movement.amount,
        currency=payment.currency,
    )


def _created(effect: Effect) -> Payment:
    return Payment(
        id=effect.payment_id or "",
        our_reference=effect.our_reference or "",
        amount=effect.amount or 0,
        currency=effect.currency or "",
        scenario=Scenario(effect.scenario or Scenario.APPROVE),
        return_url=effect.return_url,
        created_at=effect.at,
    )
