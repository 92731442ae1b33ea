"""What callers were told, and that it stays true: a success is never taken back, behind a failure nothing has happened."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from databases import Row
from invariants import CLOSED_AT_PROVIDER, OPEN, Settled
from provider_books import Effect

from kassa import KassaError, OrderPlaced
from kassa.checkout import Refused
from kassa.errors import CallerError, KeyReused, PaymentDeclined, ProviderFailure, StillProcessing
from kassa.model import Payment, PaymentSession
from kassa.transitions import SessionStatus

KIND_OF = {
    # What it closes first may be in doubt, where the configuration allows that: the failure is not about that.
    "create_payment_session": "initiate",
    "plan_payment_sessions": "initiate",
    "complete_cart": "authorize",
    "authorize_payment_session": "authorize",
    "answer_action": "authorize",
    "capture_payment": "capture",
    "refund_payment": "refund",
    "cancel_payment": "cancel",
}
"""The kind of operation by which each verb is done."""

AFTER_THE_ORDER = ("capture_payment", "refund_payment", "cancel_payment")


@dataclass(frozen=True)
class Request:
    """Something that a client asks for, and may ask for again."""

    verb: str
    arguments: tuple[tuple[str, Any], ...]
    key: str | None = None

    @property
    def keywords(self) -> dict[str, Any]:
        return dict(self.arguments) | ({} if self.key is None else {"idempotency_key": self.key})


@dataclass(frozen=True)
class Answer:
    """What the client is told: a value, or one of the engine's errors."""

    value: Any
    error: KassaError | None = None

    @property
    def name(self) -> str:
        said = self.value if self.error is None else self.error
        if isinstance(said, PaymentSession):
            return f"session {said.status.value}"
        return "done" if said is None else type(said).__name__

    @property
    def is_failure(self) -> bool:
        """Whether the client was told that definitively nothing was done."""
        return isinstance(self.error, ProviderFailure) or isinstance(self.value, Refused)


@dataclass
class Told:
    """Everything that was told in one story.  ``lies`` are the sentences that turned out not to be true."""

    orders: dict[str, str] = field(default_factory=dict)
    succeeded: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    requests: dict[str, Request] = field(default_factory=dict)
    """What was asked for under each key."""
    answers: dict[str, object] = field(default_factory=dict)
    """The last word on each key."""
    lies: list[str] = field(default_factory=list)

    def hear(self, request: Request, answer: Answer | None, before: Settled, after: Settled) -> None:
        """The client was told this (None: nothing), and meanwhile the books went from ``before`` to ``after``."""
        touched = [row for key, row in after.operations.items() if before.operations.get(key) != row]
        if request.key is not None:
            self.lies += self._under_a_key(request.key, request, answer, touched, after)
        if answer is None:
            return
        if answer.is_failure:
            self.lies += self._failure(request, _meant(answer, touched))
        elif request.verb in AFTER_THE_ORDER:
            self.lies += self._movement(request, answer, touched, after)
        if isinstance(answer.value, OrderPlaced):
            self.lies += self._order(dict(request.arguments)["cart_id"], answer.value, after)
        if isinstance(answer.value, PaymentSession):
            self.lies += _session(answer.value, after)

    def untrue(self, now: Settled) -> list[str]:
        """What was told and is not true any more, or never was."""
        return [*self.lies, *self._taken_back(now), *self._done_after_all(now)]

    def _failure(self, request: Request, touched: list[Row]) -> Iterator[str]:
        kind = KIND_OF.get(request.verb)
        for row in touched:
            if row["status"] in OPEN and kind in (None, row["kind"]):
                yield f"{request.verb} was told to have failed, but {row['id']} ({row['kind']}) is {row['status']}"
            if row["status"] == "failed":
                self.failed.add(row["id"])

    def _movement(self, request: Request, answer: Answer, touched: list[Row], after: Settled) -> Iterator[str]:
        mine = [row for row in touched if row["kind"] == KIND_OF[request.verb]]
        if isinstance(answer.value, Payment):
            for row in mine:
                if row["status"] not in ("succeeded", "pending"):
                    yield f"{request.verb} was told to be done, but {row['id']} is {row['status']}"
            self.succeeded |= {row["id"] for row in mine if row["status"] == "succeeded"}
        elif isinstance(answer.error, StillProcessing):
            status = after.operations[answer.error.operation_id]["status"]
            if status not in OPEN:
                yield f"{request.verb} was told to be under way, but {answer.error.operation_id} is {status}"
        elif isinstance(answer.error, CallerError) and mine:
            yield f"{request.verb} was refused ({answer.error}), but has begun {mine[0]['id']}"

    def _order(self, cart_id: str, placed: OrderPlaced, after: Settled) -> Iterator[str]:
        known = self.orders.setdefault(cart_id, placed.order_id)
        if known != placed.order_id:
            yield f"{cart_id} was told to be order {known}, and now to be order {placed.order_id}"
        if placed.is_paid and placed.payment_collection is not None:
            for session in placed.payment_collection.sessions:
                yield from _session(session, after)

    def _under_a_key(
        self, key: str, request: Request, answer: Answer | None, touched: list[Row], after: Settled
    ) -> Iterator[str]:
        known = self.requests.get(key)
        if known is not None and known != request:
            if answer is not None and not isinstance(answer.error, KeyReused):
                yield f"the key {key} stands for {known.verb}, and {request.verb} under it was told {answer.name}"
            if touched:
                yield f"the key {key} stands for {known.verb}, and {request.verb} under it has begun {touched[0]['id']}"
            return
        if any(row["client_key"] == key for row in after.tables["idempotency_keys"]):
            self.requests[key] = request
        word = None if answer is None else _last_word(answer, key, after)
        if word is None:
            return
        if key in self.answers and self.answers[key] != word:
            yield f"{request.verb} under {key} was told {self.answers[key]}, and later {word}"
        self.answers[key] = word

    def _taken_back(self, now: Settled) -> Iterator[str]:
        orders = {row["cart_id"]: row["id"] for row in now.tables["orders"]}
        for cart_id, order_id in self.orders.items():
            if orders.get(cart_id) != order_id:
                yield f"{cart_id} was told to be order {order_id}, which is {orders.get(cart_id)} now"
        for operation_id in self.succeeded:
            row = now.operations[operation_id]
            if row["status"] != "succeeded":
                yield f"{operation_id} ({row['kind']}) was told to have succeeded, and is {row['status']} now"
            if not is_done(now, row):
                yield f"{operation_id} ({row['kind']}) was told to have succeeded, and the provider has not done it"

    def _done_after_all(self, now: Settled) -> Iterator[str]:
        for operation_id in self.failed:
            row = now.operations[operation_id]
            if row["status"] != "failed" and not _was_paid_without_us(now, row):
                yield f"{operation_id} ({row['kind']}) was told to have failed, and is {row['status']} now"
            if has_effect(now, row):
                yield f"{operation_id} ({row['kind']}) was told to have failed, and the provider has done it"


def _meant(answer: Answer, touched: list[Row]) -> list[Row]:
    """Whom the failure is about: of a split payment, the part that was declined; others may still be on their way."""
    if not isinstance(answer.value, Refused):
        return touched
    return [row for row in touched if row["payment_session_id"] == answer.value.payment_session_id]


def _session(session: PaymentSession, after: Settled) -> Iterator[str]:
    """Who is told that a session is authorized can rely on the provider."""
    if session.status is not SessionStatus.AUTHORIZED or "simulator" not in session.provider_id:
        return
    there = after.provider_payments.get(session.provider_reference or "")
    if there is None or not there.authorized:
        yield f"{session.id} was told to be authorized, and the provider has promised nothing"


def _last_word(answer: Answer, key: str, after: Settled) -> object | None:
    """What must be told again whenever the same is asked under its key; None where that is not final."""
    if isinstance(answer.error, PaymentDeclined):
        return (answer.error.code, answer.error.reason)
    if answer.error is not None:
        return None
    behind = [row for row in after.operations.values() if row["client_key"] == key]
    if any(row["status"] in OPEN for row in behind):
        return None
    return answer.value if isinstance(answer.value, Payment) else answer.value.id


def has_effect(now: Settled, operation: Row) -> bool:
    """Whether the provider's books have what this operation asked for, done or under way."""
    return any(_stands(now, effect) in ("succeeded", "pending") for effect in now.effects_of[operation["id"]])


def is_done(now: Settled, operation: Row) -> bool:
    """Whether what it asked for is done for good.  What needs no simulated provider is."""
    if "simulator" not in operation["provider_id"]:
        return True
    if operation["kind"] == "cancel":
        # What was closed already is not closed again.
        session = now.sessions[operation["payment_session_id"]]
        return now.provider_payments[session["provider_reference"]].status in CLOSED_AT_PROVIDER
    return any(_stands(now, effect) == "succeeded" for effect in now.effects_of[operation["id"]])


def _was_paid_without_us(now: Settled, operation: Row) -> bool:
    """Whether the shopper has paid with the provider alone, after the call had failed."""
    references = [
        reference
        for reference, there in now.provider_payments.items()
        if there.our_reference == operation["payment_session_id"] and there.authorized
    ]
    return bool(references) and not has_effect(now, operation)


def _stands(now: Settled, effect: Effect) -> str | None:
    """What has become of an effect; None for one that moves and closes nothing."""
    there = now.provider_payments[effect.payment_id or ""]
    match effect.type:
        case "captured" | "refunded":
            return there.movements[effect.movement_id or ""][2]
        case "authorized" | "sold":
            return "succeeded" if there.status == "authorized" or there.taken("capture") else "over"
        case "amount_changed" | "canceled":
            return "succeeded"
    return None
