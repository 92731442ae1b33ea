"""What is kept for customers who come back: what may be asked, and what the effects of it add up to.  No I/O, no clock."""

from typing import Any, Literal

from kassa_simulator.server.calls import Call, Refused
from kassa_simulator.server.effects import Effect

Keeping = Literal["create_account_holder", "save_payment_method", "delete_payment_method"]

LABELS = {
    "visa": "Visa ending 4242",
    "mastercard": "Mastercard ending 4444",
    "sepa_debit": "SEPA debit ending 3000",
}
"""The payment methods that can be saved, with what is shown of them."""

DECLINED = frozenset({"card_declined", "expired_card", "stolen_card"})
"""Payment methods that the bank does not let be saved."""


class SavedMethods:
    """The account holders, and the payment methods of each.  Nothing changes it but ``apply``."""

    def __init__(self) -> None:
        self._labels: dict[str, dict[str, str]] = {}

    def apply(self, effect: Effect) -> None:
        """Let one effect have happened; what is not about an account holder changes nothing."""
        holder_id, method_id = effect.holder_id or "", effect.method_id or ""
        if effect.type == "account_holder_created":
            self._labels[holder_id] = {}
        elif effect.type == "payment_method_saved":
            self._labels[holder_id][method_id] = effect.label or ""
        elif effect.type == "payment_method_deleted":
            del self._labels[holder_id][method_id]

    def of(self, holder_id: str | None) -> list[dict[str, Any]]:
        """The payment methods of this account holder, as the API tells them.  Raises Refused (404)."""
        return [method_json(method_id, label) for method_id, label in self._known(holder_id).items()]

    def draft(self, operation: Keeping, call: Call) -> Effect | None:
        """The effect that a call would have; None: what is to be deleted is not there.  Raises Refused."""
        match operation:
            case "create_account_holder":
                return Effect("account_holder_created")
            case "save_payment_method":
                return self._save(call)
            case "delete_payment_method":
                is_there = call.method_id in self._known(call.holder_id)
                gone = Effect("payment_method_deleted", holder_id=call.holder_id, method_id=call.method_id)
                return gone if is_there else None

    def _save(self, call: Call) -> Effect:
        self._known(call.holder_id)
        name = call.fields.text("payment_method")
        if name in DECLINED:
            return Effect("payment_method_declined", holder_id=call.holder_id, code=name)
        if name not in LABELS:
            known = ", ".join((*LABELS, *sorted(DECLINED)))
            message = f"there is no payment method {name[:60]!r}; there are: {known}"
            raise Refused(422, "unknown_payment_method", message)
        return Effect("payment_method_saved", holder_id=call.holder_id, label=LABELS[name])

    def _known(self, holder_id: str | None) -> dict[str, str]:
        if holder_id not in self._labels:
            raise Refused(404, "unknown_account_holder", "there is no account holder of this id")
        return self._labels[holder_id]


def method_json(method_id: str, label: str) -> dict[str, Any]:
    """A payment method as the API tells it."""
    return {"id": method_id, "label": label}
