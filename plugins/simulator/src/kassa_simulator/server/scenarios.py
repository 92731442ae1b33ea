"""Scenarios: what a shopper or a test may ask of a payment, as one table."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

ActionType = Literal["redirect", "challenge", "qr_code", "wait", "instructions"]
Holding = Literal["hold", "sale"]
MovementScript = Literal["succeeds", "declines", "settles_later", "fails_later"]

DAY_SECONDS = 86_400.0
ACTION_EXPIRES_AFTER_SECONDS = 1 * DAY_SECONDS
PENDING_SETTLES_AFTER_SECONDS = 2 * DAY_SECONDS
MOVEMENT_SETTLES_AFTER_SECONDS = 1 * DAY_SECONDS
HOLD_EXPIRES_AFTER_SECONDS = 7 * DAY_SECONDS


class Scenario(StrEnum):
    """What happens to a payment; chosen when it is created."""

    APPROVE = "approve"
    IMMEDIATE_SALE = "immediate_sale"
    DECLINE = "decline"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    STOLEN_CARD = "stolen_card"
    INITIATE_DECLINED = "initiate_declined"
    CHALLENGE = "challenge"
    REDIRECT = "redirect"
    REDIRECT_SALE = "redirect_sale"
    QR_CODE = "qr_code"
    WAIT = "wait"
    INSTRUCTIONS = "instructions"
    PENDING = "pending"
    PENDING_DECLINED = "pending_declined"
    PENDING_EXPIRED = "pending_expired"
    CAPTURE_DECLINED = "capture_declined"
    CAPTURE_PENDING = "capture_pending"
    REFUND_DECLINED = "refund_declined"
    REFUND_PENDING = "refund_pending"
    REFUND_FAILED = "refund_failed"


@dataclass(frozen=True, slots=True)
class Script:
    """How a scenario plays.  ``then`` is how an action or a wait ends when nobody decides otherwise."""

    authorize: Literal["hold", "sale", "decline", "action", "pending"] = "hold"
    then: Literal["hold", "sale", "decline", "expire"] = "hold"
    action: ActionType | None = None
    decline_code: str = "card_declined"
    initiate_declines: bool = False
    capture: MovementScript = "succeeds"
    refund: MovementScript = "succeeds"

    @property
    def approved(self) -> Holding:
        """What an approval brings: a hold to be captured later, or the money itself."""
        return "sale" if self.then == "sale" else "hold"


SCRIPTS: dict[Scenario, Script] = {
    Scenario.APPROVE: Script(),
    Scenario.IMMEDIATE_SALE: Script(authorize="sale"),
    Scenario.DECLINE: Script(authorize="decline"),
    Scenario.INSUFFICIENT_FUNDS: Script(authorize="decline", decline_code="insufficient_funds"),
    Scenario.EXPIRED_CARD: Script(authorize="decline", decline_code="expired_card"),
    Scenario.STOLEN_CARD: Script(authorize="decline", decline_code="stolen_card"),
    Scenario.INITIATE_DECLINED: Script(initiate_declines=True, decline_code="account_blocked"),
    Scenario.CHALLENGE: Script(authorize="action", action="challenge"),
    Scenario.REDIRECT: Script(authorize="action", action="redirect"),
    Scenario.REDIRECT_SALE: Script(authorize="action", action="redirect", then="sale"),
    Scenario.QR_CODE: Script(authorize="action", action="qr_code", then="sale"),
    Scenario.WAIT: Script(authorize="action", action="wait"),
    Scenario.INSTRUCTIONS: Script(authorize="pending", action="instructions", then="sale"),
    Scenario.PENDING: Script(authorize="pending"),
    Scenario.PENDING_DECLINED: Script(authorize="pending", then="decline", decline_code="debit_rejected"),
    Scenario.PENDING_EXPIRED: Script(authorize="pending", then="expire"),
    Scenario.CAPTURE_DECLINED: Script(capture="declines"),
    Scenario.CAPTURE_PENDING: Script(capture="settles_later"),
    Scenario.REFUND_DECLINED: Script(refund="declines"),
    Scenario.REFUND_PENDING: Script(refund="settles_later"),
    Scenario.REFUND_FAILED: Script(refund="fails_later"),
}


@dataclass(frozen=True, slots=True)
class Decline:
    """What a decline code means, for people; ``retryable`` by the shopper, with another card."""

    reason: str
    retryable: bool = True


DECLINES: dict[str, Decline] = {
    "card_declined": Decline("The card was declined."),
    "insufficient_funds": Decline("There is not enough money on the account."),
    "expired_card": Decline("The card has expired."),
    "stolen_card": Decline("The card was reported stolen.", retryable=False),
    "account_blocked": Decline("The merchant's account may not take this payment.", retryable=False),
    "authentication_failed": Decline("The shopper did not approve the payment."),
    "debit_rejected": Decline("The bank rejected the debit."),
    "capture_rejected": Decline("The bank refused to pay out the authorized amount.", retryable=False),
    "refund_rejected": Decline("The bank refused to take the refund.", retryable=False),
}
"""Every decline code there is."""
