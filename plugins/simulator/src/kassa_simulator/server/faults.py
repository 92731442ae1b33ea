"""Faults: how the next calls are to go wrong.  Kept in memory; a restart of the server forgets them, never the books."""

import json
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kassa_simulator.server.calls import Call, Reply


class Fault(StrEnum):
    """What can go wrong with one call."""

    ACT_THEN_SILENCE = "act_then_silence"
    ACT_THEN_CUT = "act_then_cut"
    CUT_BEFORE_ACTING = "cut_before_acting"
    SILENCE_BEFORE_ACTING = "silence_before_acting"
    ACT_LATE = "act_late"
    ANSWER_LATE = "answer_late"
    SERVER_ERROR_AFTER_ACTING = "server_error_after_acting"
    SERVER_ERROR_BEFORE_ACTING = "server_error_before_acting"
    STORED_SERVER_ERROR = "stored_server_error"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNAUTHORIZED = "unauthorized"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    MALFORMED_BODY = "malformed_body"
    NOT_FOUND_YET = "not_found_yet"


@dataclass(slots=True)
class FaultRule:
    """One fault, for the next ``calls`` calls that match (None: until cleared).  What is None matches everything."""

    fault: Fault
    operation: str | None = None
    payment_id: str | None = None
    our_reference: str | None = None
    attempt_key: str | None = None
    calls: int | None = 1
    seconds: float | None = None

    def matches(self, call: Call, our_reference: str | None) -> bool:
        pairs = (
            (self.operation, call.operation),
            (self.payment_id, call.payment_id),
            (self.our_reference, our_reference),
            (self.attempt_key, call.attempt_key),
        )
        is_a_read = call.operation in ("look_up", "list_payments")
        return all(wanted in (None, actual) for wanted, actual in pairs) and (
            is_a_read or self.fault is not Fault.NOT_FOUND_YET
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "fault": self.fault.value,
            "operation": self.operation,
            "payment_id": self.payment_id,
            "our_reference": self.our_reference,
            "attempt_key": self.attempt_key,
            "calls": self.calls,
            "seconds": self.seconds,
        }


@dataclass(slots=True)
class FaultBoard:
    """The faults that were asked for and have not happened yet, oldest first."""

    _rules: list[FaultRule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rule: FaultRule) -> None:
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def rules(self) -> list[dict[str, Any]]:
        with self._lock:
            return [rule.as_json() for rule in self._rules]

    def take(self, call: Call, our_reference: str | None) -> FaultRule | None:
        """The fault of this call, counted as used."""
        with self._lock:
            for rule in self._rules:
                if rule.matches(call, our_reference):
                    if rule.calls is not None:
                        rule.calls -= 1
                        if rule.calls <= 0:
                            self._rules.remove(rule)
                    return rule
        return None


WRONG_AMOUNT_IS_MORE_BY = 100

_AMOUNTS = frozenset({"amount", "authorized", "captured", "refunded"})


def with_wrong_amounts(values: Any) -> Any:
    """The same answer, with every amount that is not zero larger than it is."""
    if isinstance(values, dict):
        return {name: _more(name, value) for name, value in values.items()}
    return [with_wrong_amounts(value) for value in values] if isinstance(values, list) else values


def _more(name: str, value: Any) -> Any:
    if name in _AMOUNTS and isinstance(value, int) and value > 0:
        return value + WRONG_AMOUNT_IS_MORE_BY
    return with_wrong_amounts(value)


def with_wrong_currency(values: Any) -> Any:
    """The same answer, in another currency."""
    if isinstance(values, dict):
        return {
            name: _other_currency(value) if name == "currency" else with_wrong_currency(value)
            for name, value in values.items()
        }
    return [with_wrong_currency(value) for value in values] if isinstance(values, list) else values


def _other_currency(currency: str) -> str:
    return "EUR" if currency == "USD" else "USD"


def spoiled(reply: Reply, fault: Fault) -> Reply:
    """A true answer, made wrong in the way that the fault says."""
    if fault is Fault.MALFORMED_BODY:
        return Reply(reply.status, reply.body[: len(reply.body) // 2])
    values = json.loads(reply.body)
    wrong = with_wrong_amounts(values) if fault is Fault.WRONG_AMOUNT else with_wrong_currency(values)
    return Reply.of(reply.status, wrong)
