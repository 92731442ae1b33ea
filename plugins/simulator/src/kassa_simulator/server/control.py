"""The control API: what a test tells the simulator to do wrong, and what happens at it without a caller."""

from collections.abc import Iterable
from typing import Literal, assert_never, cast, get_args

from kassa_simulator.server import desk
from kassa_simulator.server.calls import Fields, Refused, Reply
from kassa_simulator.server.effects import Effect
from kassa_simulator.server.faults import Fault, FaultRule
from kassa_simulator.server.ledger import end_of_wait
from kassa_simulator.server.notices import NoticeOrder, NoticeSelection, NoticeTwist, PostOffice
from kassa_simulator.server.payments import Payment
from kassa_simulator.server.scenarios import DAY_SECONDS, DECLINES
from kassa_simulator.server.simulator import Simulator

Deed = Literal[
    "settle",
    "decline",
    "expire",
    "cancel",
    "capture",
    "refund",
    "return",
    "open_dispute",
    "win_dispute",
    "lose_dispute",
    "settle_movement",
    "fail_movement",
]
"""What can happen to a payment without a call that carries our key."""


class Control:
    """Everything below ``/control``."""

    def __init__(self, simulator: Simulator, post_office: PostOffice) -> None:
        self._simulator = simulator
        self._post_office = post_office

    def add_fault(self, fields: Fields) -> Reply:
        """The next calls that match go wrong."""
        fault = Fault(_one_of("fault", fields.text("fault"), [fault.value for fault in Fault]))
        until_cleared = "calls" in fields.values and fields.values["calls"] is None
        self._simulator.faults.add(
            FaultRule(
                fault=fault,
                operation=fields.optional_text("operation"),
                payment_id=fields.optional_text("payment_id"),
                our_reference=fields.optional_text("our_reference"),
                attempt_key=fields.optional_text("attempt_key"),
                calls=None if until_cleared else int(fields.number("calls", 1)),
                seconds=None if fields.values.get("seconds") is None else fields.number("seconds", 0),
            )
        )
        return self.faults()

    def faults(self) -> Reply:
        """The faults that have not happened yet."""
        return Reply.of(200, {"faults": self._simulator.faults.rules()})

    def clear_faults(self) -> Reply:
        """From now on everything goes right."""
        self._simulator.faults.clear()
        return self.faults()

    def act_late_calls(self) -> Reply:
        """What is still under way arrives now."""
        return Reply.of(200, {"arrived": self._simulator.act_late_calls()})

    def forget_keys(self) -> Reply:
        """The keys so far are as if never heard."""
        self._simulator.record(Effect("keys_forgotten"))
        return Reply.of(200, {})

    def advance_clock(self, fields: Fields) -> Reply:
        """It is later now, at this provider; what has become due happens."""
        seconds = fields.number("days", 0) * DAY_SECONDS + fields.number("seconds", 0)
        with self._simulator.lock:
            self._simulator.record(Effect("clock_advanced", seconds=seconds))
            self._simulator.ledger.settle_what_is_due()
            now = self._simulator.ledger.now()
        self._simulator.after_effect()
        return Reply.of(200, {"now": now})

    def do(self, name: str, payment_id: str, fields: Fields) -> Reply:
        """Let something happen to a payment without a call of the merchant's."""
        deed = cast(Deed, _one_of("deed", name, get_args(Deed)))
        with self._simulator.lock:
            payment = self._simulator.payment(payment_id)
            happening = self._simulator.record(_effect_of(deed, payment, fields))
        return Reply.of(200, {"payment": happening.payment})

    def set_webhook(self, fields: Fields) -> Reply:
        """Where notices go, and whether they go by themselves."""
        self._post_office.address(fields.optional_text("url"), is_automatic=fields.flag("automatic", False))
        return Reply.of(200, {})

    def write_notices(self, fields: Fields) -> Reply:
        """The notices as they would be delivered, for a test that carries them itself."""
        letters = self._post_office.letters(_selection(fields))
        return Reply.of(200, {"notices": [letter.as_json() for letter in letters]})

    def deliver_notices(self, fields: Fields) -> Reply:
        """Deliver notices now, one after the other."""
        address = self._post_office.webhook_url
        if address is None:
            raise Refused(409, "no_webhook", "no address is known; set one with POST /control/webhook")
        letters = [
            self._post_office.deliver(letter, address) for letter in self._post_office.letters(_selection(fields))
        ]
        return Reply.of(200, {"notices": [letter.as_json() for letter in letters]})


def _one_of(kind: str, name: str, known: Iterable[str]) -> str:
    known = tuple(known)
    if name not in known:
        raise Refused(422, f"unknown_{kind}", f"there is no {kind} {name[:60]!r}; there are: {', '.join(known)}")
    return name


def _selection(fields: Fields) -> NoticeSelection:
    twist = _one_of("twist", fields.text_or("twist", NoticeTwist.TRUE.value), [twist.value for twist in NoticeTwist])
    order = _one_of("order", fields.text_or("order", "as_happened"), get_args(NoticeOrder))
    return NoticeSelection(
        payment_id=fields.optional_text("payment_id"),
        event_id=fields.optional_text("event_id"),
        after=int(fields.number("after", 0)),
        times=int(fields.number("times", 1)),
        order=cast(NoticeOrder, order),
        twist=NoticeTwist(twist),
        age_seconds=fields.number("age_seconds", 0),
    )


def _effect_of(deed: Deed, payment: Payment, fields: Fields) -> Effect:
    match deed:
        case "settle":
            return _settlement(payment, fields.optional_amount())
        case "decline":
            return Effect("declined", payment_id=payment.id, code=_decline_code(fields))
        case "expire":
            return Effect("expired", payment_id=payment.id)
        case "cancel":
            return Effect("canceled", payment_id=payment.id)
        case "capture" | "refund":
            return desk.capture(payment, fields) if deed == "capture" else desk.refund(payment, fields)
        case "return" | "open_dispute":
            return _taken_back(deed, payment, fields)
        case "win_dispute" | "lose_dispute":
            return _dispute_end(deed, payment)
        case "settle_movement" | "fail_movement":
            return _movement_end(deed, payment, fields)
        case _:
            assert_never(deed)


def _settlement(payment: Payment, amount: int | None) -> Effect:
    # Also of a payment that was declined, canceled or expired: late money is one of the things to be tested.
    if amount is None and payment.status == "pending":
        planned = end_of_wait(payment)
        if planned.amount is not None:
            return planned
    return desk.approval(payment, sale=payment.script.approved == "sale", amount=amount)


def _decline_code(fields: Fields) -> str:
    return _one_of("code", fields.text_or("code", "card_declined"), DECLINES)


def _taken_back(deed: Literal["return", "open_dispute"], payment: Payment, fields: Fields) -> Effect:
    amount = fields.optional_amount() or payment.captured
    untouched = payment.captured - payment.returned - payment.disputed
    if not 0 < amount <= untouched:
        raise Refused(
            409, "over_return", f"{amount} asked for, {untouched} was captured and is not back yet", payment.id
        )
    done: Literal["debit_returned", "dispute_opened"] = "debit_returned" if deed == "return" else "dispute_opened"
    return Effect(done, payment_id=payment.id, amount=amount, currency=payment.currency)


def _dispute_end(deed: Literal["win_dispute", "lose_dispute"], payment: Payment) -> Effect:
    dispute = payment.open_dispute
    if dispute is None:
        raise Refused(409, "no_dispute", "no dispute of this payment is undecided", payment.id)
    return Effect(
        "dispute_won" if deed == "win_dispute" else "dispute_lost",
        payment_id=payment.id,
        dispute_id=dispute.id,
        amount=dispute.amount,
        currency=payment.currency,
    )


def _movement_end(deed: Literal["settle_movement", "fail_movement"], payment: Payment, fields: Fields) -> Effect:
    movement_id = fields.text("movement_id")
    try:
        movement = payment.movement(movement_id)
    except KeyError:
        raise Refused(404, "unknown_movement", "this payment has no such capture or refund", payment.id) from None
    return Effect(
        "movement_settled" if deed == "settle_movement" else "movement_failed",
        payment_id=payment.id,
        movement_id=movement_id,
        amount=movement.amount,
        currency=payment.currency,
    )
