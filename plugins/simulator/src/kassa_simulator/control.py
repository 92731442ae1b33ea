"""The control API, typed: what a test or the demo tells a running simulator."""

from dataclasses import asdict
from typing import Any, Literal, TypedDict

import httpx

from kassa_simulator.server.calls import Operation
from kassa_simulator.server.control import Deed
from kassa_simulator.server.faults import Fault
from kassa_simulator.server.notices import NoticeSelection, NoticeTwist

__all__ = ["EffectRow", "Fault", "NoticeSelection", "NoticeTwist", "SimulatorControl", "WrittenNotice"]

EVERY_NOTICE = NoticeSelection()


class EffectRow(TypedDict, total=False):
    """One line of the books; ``number``, ``at`` and ``type`` are always there."""

    number: int
    at: float
    type: str
    payment_id: str
    our_reference: str
    attempt_key: str
    amount: int
    currency: str
    movement_id: str
    movement_status: str
    dispute_id: str
    code: str
    scenario: str
    return_url: str
    seconds: float
    holder_id: str
    method_id: str
    label: str
    heard: str
    answer_status: int


class WrittenNotice(TypedDict):
    """One notice: its exact body and headers, and what the receiver answered, where it was delivered."""

    event_id: str
    type: str
    body: str
    headers: dict[str, str]
    status: int | None


class SimulatorControl:
    """A client of the control API.  Raises httpx.HTTPStatusError when the simulator refuses."""

    def __init__(self, url: str, api_key: str) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {api_key}"},
            timeout=30.0,
            trust_env=False,
            verify=False,  # plain HTTP to this machine: there are no certificates, and loading them takes long
        )

    def close(self) -> None:
        self._client.close()

    def books(self) -> list[EffectRow]:
        """Everything that has happened, in order: the truth."""
        effects: list[EffectRow] = self._ask("GET", "/books")["effects"]
        return effects

    def effects(self, *types: str, attempt_key: str | None = None) -> list[EffectRow]:
        """The effects of these types (all, when none is given), with this key where one is given."""
        return [
            effect
            for effect in self.books()
            if (not types or effect["type"] in types) and attempt_key in (None, effect.get("attempt_key"))
        ]

    def payment(self, payment_id: str) -> dict[str, Any]:
        """The payment as the API tells it."""
        payment: dict[str, Any] = self._ask("GET", f"/payments/{payment_id}")["payment"]
        return payment

    def add_fault(
        self,
        fault: Fault,
        operation: Operation | None = None,
        *,
        calls: int | None = 1,
        payment_id: str | None = None,
        our_reference: str | None = None,
        attempt_key: str | None = None,
        seconds: float | None = None,
    ) -> None:
        """The next ``calls`` calls that match go wrong (None: until cleared)."""
        told = {
            "fault": fault.value,
            "operation": operation,
            "calls": calls,
            "payment_id": payment_id,
            "our_reference": our_reference,
            "attempt_key": attempt_key,
            "seconds": seconds,
        }
        self._ask("POST", "/control/faults", told)

    def faults(self) -> list[dict[str, Any]]:
        """The faults that have not happened yet."""
        faults: list[dict[str, Any]] = self._ask("GET", "/control/faults")["faults"]
        return faults

    def clear_faults(self) -> None:
        """From now on everything goes right."""
        self._ask("DELETE", "/control/faults")

    def act_late_calls(self) -> int:
        """What is still under way (fault ``act_late``) arrives now; says how many calls there were."""
        arrived: int = self._ask("POST", "/control/late_calls")["arrived"]
        return arrived

    def forget_keys(self) -> None:
        """The keys so far are as if never heard."""
        self._ask("POST", "/control/forget_keys")

    def advance_clock(self, *, days: float = 0, seconds: float = 0) -> None:
        """It is later now, at this provider; what has become due happens."""
        self._ask("POST", "/control/clock", {"days": days, "seconds": seconds})

    def do(
        self,
        deed: Deed,
        payment_id: str,
        *,
        amount: int | None = None,
        currency: str | None = None,
        code: str | None = None,
        movement_id: str | None = None,
    ) -> dict[str, Any]:
        """Let something happen to a payment without a call of the merchant's; the payment afterwards."""
        told = {"amount": amount, "currency": currency, "code": code, "movement_id": movement_id}
        payment: dict[str, Any] = self._ask("POST", f"/control/payments/{payment_id}/{deed}", told)["payment"]
        return payment

    def answer_challenge(self, payment_id: str, answer: Literal["approve", "decline"]) -> None:
        """Decide as the shopper, without a browser."""
        response = self._client.post(f"/challenge/{payment_id}", data={"answer": answer})
        if not response.is_redirect:
            response.raise_for_status()

    def set_webhook(self, url: str | None, *, automatic: bool = False) -> None:
        """Where notices go, and whether they go by themselves from now on."""
        self._ask("POST", "/control/webhook", {"url": url, "automatic": automatic})

    def notices(self, selection: NoticeSelection = EVERY_NOTICE, *, deliver: bool = False) -> list[WrittenNotice]:
        """The chosen notices, signed now; with ``deliver`` they are sent to the webhook, one after the other."""
        path = "/control/deliveries" if deliver else "/control/notices"
        notices: list[WrittenNotice] = self._ask("POST", path, asdict(selection))["notices"]
        return notices

    def _ask(self, method: str, path: str, told: dict[str, Any] | None = None) -> Any:
        response = self._client.request(method, path, json=told)
        response.raise_for_status()
        return response.json()
