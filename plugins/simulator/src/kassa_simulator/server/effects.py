"""Effects: what happened at this provider.  One effect is one line of the books."""

import json
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

EffectType = Literal[
    "payment_created",
    "amount_changed",
    "action_required",
    "pending",
    "authorized",
    "sold",
    "declined",
    "canceled",
    "expired",
    "captured",
    "capture_declined",
    "refunded",
    "refund_declined",
    "movement_settled",
    "movement_failed",
    "debit_returned",
    "dispute_opened",
    "dispute_won",
    "dispute_lost",
    "account_holder_created",
    "payment_method_saved",
    "payment_method_declined",
    "payment_method_deleted",
    "clock_advanced",
    "keys_forgotten",
]

EFFECT_TYPES: frozenset[str] = frozenset(get_args(EffectType))

MovementStatus = Literal["pending", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that happened, for good.

    ``attempt_key`` is the caller's key as it was heard: the books keep it in every key mode, even where the API neither
    takes nor tells keys.  Without a key the effect came from the dashboard, the shopper or the passing of time.
    ``movement_id`` names a capture or refund, ``dispute_id`` a dispute, ``holder_id`` a customer for whom something is kept
    and ``method_id`` what.  ``number`` (from 1, without gaps) and ``at`` (this provider's own clock) are given when it is
    recorded.  ``heard`` is the fingerprint of the request and ``answer_status`` the stored answer, where it is not the true
    one.
    """

    type: EffectType
    number: int = 0
    at: float = 0.0
    payment_id: str | None = None
    our_reference: str | None = None
    attempt_key: str | None = None
    amount: int | None = None
    currency: str | None = None
    movement_id: str | None = None
    movement_status: MovementStatus | None = None
    dispute_id: str | None = None
    code: str | None = None
    scenario: str | None = None
    return_url: str | None = None
    seconds: float | None = None
    holder_id: str | None = None
    method_id: str | None = None
    label: str | None = None
    heard: str | None = None
    answer_status: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields that say something."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_line(cls, line: bytes) -> "Effect":
        """Read one line of the books.  Raises ValueError or TypeError when it is not an effect."""
        effect = cls(**json.loads(line))
        if effect.type not in EFFECT_TYPES:
            raise ValueError(f"there is no effect of the type {effect.type!r}")
        return effect

    def as_line(self) -> bytes:
        return json.dumps(self.as_json(), separators=(",", ":")).encode() + b"\n"
