"""One payment as this provider sees it: what its effects add up to.  No I/O, no clock."""

from dataclasses import dataclass, field
from typing import Any, Literal, assert_never

from kassa_simulator.server.effects import Effect, MovementStatus
from kassa_simulator.server.scenarios import DECLINES, SCRIPTS, Scenario, Script

DisputeStatus = Literal["open", "won", "lost"]
PaymentStatus = Literal["created", "requires_action", "pending", "authorized", "declined", "canceled", "expired"]


@dataclass(slots=True)
class Movement:
    """One capture or one refund."""

    id: str
    amount: int
    status: MovementStatus
    attempt_key: str | None


@dataclass(slots=True)
class Dispute:
    """One dispute of the shopper with their bank."""

    id: str
    amount: int
    status: DisputeStatus = "open"


@dataclass(slots=True)
class Payment:
    """The sum of its effects.  Nothing changes it but ``apply``."""

    id: str
    our_reference: str
    amount: int
    currency: str
    scenario: Scenario
    return_url: str | None
    created_at: float
    status: PaymentStatus = "created"
    authorized: int = 0
    returned: int = 0
    decline_code: str | None = None
    status_since: float = 0.0
    captures: list[Movement] = field(default_factory=list)
    refunds: list[Movement] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    attempt_keys: set[str] = field(default_factory=set)

    @property
    def script(self) -> Script:
        return SCRIPTS[self.scenario]

    @property
    def captured(self) -> int:
        return sum(movement.amount for movement in self.captures if movement.status == "succeeded")

    @property
    def refunded(self) -> int:
        return sum(movement.amount for movement in self.refunds if movement.status == "succeeded")

    @property
    def disputed(self) -> int:
        """What disputes keep from the merchant: those that are undecided, and those that are lost."""
        return sum(dispute.amount for dispute in self.disputes if dispute.status != "won")

    @property
    def open_dispute(self) -> Dispute | None:
        """The oldest dispute that is undecided."""
        return next((dispute for dispute in self.disputes if dispute.status == "open"), None)

    @property
    def capturable(self) -> int:
        """What may still be taken; what is under way counts as taken."""
        if self.status != "authorized":
            return 0
        return self.authorized - sum(movement.amount for movement in self.captures if movement.status != "failed")

    @property
    def refundable(self) -> int:
        """What may still be given back; what is under way counts as given."""
        return self.captured - sum(movement.amount for movement in self.refunds if movement.status != "failed")

    def movement(self, movement_id: str) -> Movement:
        """The capture or refund of this id.  Raises KeyError."""
        for movement in (*self.captures, *self.refunds):
            if movement.id == movement_id:
                return movement
        raise KeyError(movement_id)

    def apply(self, effect: Effect) -> None:
        """Let one effect have happened."""
        if effect.attempt_key is not None:
            self.attempt_keys.add(effect.attempt_key)
        match effect.type:
            case "payment_created" | "amount_changed":
                self.amount = _amount(effect)
                self._decline_if_told(effect)
            case "action_required" | "pending":
                self.status = "requires_action" if effect.type == "action_required" else "pending"
                self.status_since = effect.at
            case "authorized" | "sold":
                self._take_hold(effect)
            case "declined" | "canceled" | "expired":
                self.status = effect.type
                self._decline_if_told(effect)
            case "captured" | "refunded" | "movement_settled" | "movement_failed":
                self._move(effect)
            case "debit_returned":
                self.returned += _amount(effect)
            case "dispute_opened" | "dispute_won" | "dispute_lost":
                self._dispute(effect)
            case (
                "capture_declined"
                | "refund_declined"
                | "account_holder_created"
                | "payment_method_saved"
                | "payment_method_declined"
                | "payment_method_deleted"
                | "clock_advanced"
                | "keys_forgotten"
            ):
                pass
            case _:
                assert_never(effect.type)

    def _move(self, effect: Effect) -> None:
        if effect.type == "captured":
            self.captures.append(_movement(effect))
        elif effect.type == "refunded":
            self.refunds.append(_movement(effect))
        else:
            movement = self.movement(effect.movement_id or "")
            movement.status = "succeeded" if effect.type == "movement_settled" else "failed"

    def _dispute(self, effect: Effect) -> None:
        if effect.type == "dispute_opened":
            self.disputes.append(Dispute(effect.dispute_id or "", _amount(effect)))
            return
        dispute = next(dispute for dispute in self.disputes if dispute.id == effect.dispute_id)
        dispute.status = "won" if effect.type == "dispute_won" else "lost"

    def _take_hold(self, effect: Effect) -> None:
        # Adds up on purpose: a repeated authorization that no key has stopped is a second hold, and must be seen as one.
        self.authorized += _amount(effect)
        self.status = "authorized"
        self.status_since = effect.at
        self.decline_code = None
        if effect.type == "sold":
            self.captures.append(_movement(effect))

    def _decline_if_told(self, effect: Effect) -> None:
        if effect.code is not None:
            self.status = "declined"
            self.decline_code = effect.code

    def as_json(self, *, tells_keys: bool, action: dict[str, Any] | None, expected_by: str | None) -> dict[str, Any]:
        """The payment as the API tells it."""
        decline = None if self.decline_code is None else decline_json(self.decline_code)
        return {
            "id": self.id,
            "our_reference": self.our_reference,
            "status": self.status,
            "scenario": self.scenario.value,
            "amount": self.amount,
            "currency": self.currency,
            "authorized": self.authorized,
            "captured": self.captured,
            "refunded": self.refunded,
            "returned": self.returned,
            "captures": [self._movement_json(movement, tells_keys) for movement in self.captures],
            "refunds": [self._movement_json(movement, tells_keys) for movement in self.refunds],
            "disputes": [self._dispute_json(dispute) for dispute in self.disputes],
            "decline": decline,
            "action": action,
            "expected_by": expected_by,
        }

    def _movement_json(self, movement: Movement, tells_keys: bool) -> dict[str, Any]:
        return {
            "id": movement.id,
            "amount": movement.amount,
            "currency": self.currency,
            "status": movement.status,
            "attempt_key": movement.attempt_key if tells_keys else None,
        }

    def _dispute_json(self, dispute: Dispute) -> dict[str, Any]:
        return {"id": dispute.id, "amount": dispute.amount, "currency": self.currency, "status": dispute.status}


def decline_json(code: str) -> dict[str, Any]:
    """A decline as the API tells it."""
    return {"code": code, "reason": DECLINES[code].reason, "retryable": DECLINES[code].retryable}


def _movement(effect: Effect) -> Movement:
    return Movement(
        id=effect.movement_id or "",
        amount=_amount(effect),
        status=effect.movement_status or "succeeded",
        attempt_key=effect.attempt_key,
    )


def _amount(effect: Effect) -> int:
    if effect.amount is None:
        raise ValueError(f"effect {effect.number} ({effect.type}) has no amount")
    return effect.amount
