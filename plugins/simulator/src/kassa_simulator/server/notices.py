"""Notices: each effect on a payment, told to the merchant; as it happened, or twisted as a test wants it."""

import json
import random
import secrets
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, assert_never

from kassa_simulator.server.effects import EffectType
from kassa_simulator.server.faults import with_wrong_amounts, with_wrong_currency
from kassa_simulator.server.ledger import Happening
from kassa_simulator.server.simulator import Simulator
from kassa_simulator.signature import SIGNATURE_HEADER, sign

_NOT_TOLD: frozenset[EffectType] = frozenset({"payment_created", "amount_changed"})
_PAUSES_BEFORE_TRIES_SECONDS = (0.0, 0.2, 1.0, 3.0)
_TIMEOUT_SECONDS = 10.0
_ACCEPTED = range(200, 300)


class NoticeTwist(StrEnum):
    """What is wrong with a notice."""

    TRUE = "true"
    FORGED = "forged"
    UNSIGNED = "unsigned"
    TAMPERED = "tampered"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    MALFORMED = "malformed"
    UNRELATED = "unrelated"


NoticeOrder = Literal["as_happened", "reversed", "shuffled"]


@dataclass(frozen=True, slots=True)
class Letter:
    """One notice, ready to be sent; ``status`` is what the receiver answered, once it was (None: it did not)."""

    event_id: str
    type: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "type": self.type,
            "body": self.body.decode(),
            "headers": dict(self.headers),
            "status": self.status,
        }


@dataclass(frozen=True, slots=True)
class NoticeSelection:
    """Which notices, how often, in which order, how wrong and how old."""

    payment_id: str | None = None
    event_id: str | None = None
    after: int = 0
    times: int = 1
    order: NoticeOrder = "as_happened"
    twist: NoticeTwist = NoticeTwist.TRUE
    age_seconds: float = 0.0


@dataclass(slots=True)
class PostOffice:
    """Writes the notices, signs them, and delivers them to one address."""

    simulator: Simulator
    webhook_secret: str
    webhook_url: str | None = None
    is_automatic: bool = False
    _told_up_to: int = 0
    _something_happened: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """From now on, deliver by itself what happens, as long as ``is_automatic``."""
        self.address(self.webhook_url, is_automatic=self.is_automatic)
        self.simulator.after_effect = self._something_happened.set
        threading.Thread(target=self._deliver_what_happens, name="notices", daemon=True).start()

    def address(self, webhook_url: str | None, *, is_automatic: bool) -> None:
        """Where notices go from now on, and whether by themselves; what happened before is not sent there by itself."""
        with self.simulator.lock:
            self.webhook_url, self.is_automatic = webhook_url, is_automatic
            self._told_up_to = len(self.simulator.ledger.happenings)

    def letters(self, selection: NoticeSelection) -> list[Letter]:
        """The chosen notices, signed now (or ``age_seconds`` ago)."""
        with self.simulator.lock:
            chosen = [happening for happening in self.simulator.ledger.happenings if _is_chosen(happening, selection)]
        chosen = chosen * selection.times
        if selection.order == "reversed":
            chosen.reverse()
        elif selection.order == "shuffled":
            random.shuffle(chosen)
        timestamp = int(time.time() - selection.age_seconds)
        return [self._letter(happening, selection.twist, timestamp) for happening in chosen]

    def deliver(self, letter: Letter, webhook_url: str) -> Letter:
        """Send one notice; the same again, with the receiver's status."""
        request = urllib.request.Request(webhook_url, data=letter.body, headers=dict(letter.headers), method="POST")
        # Without the environment's proxies: the receiver is on this machine, or at the address that was told.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                return replace(letter, status=int(response.status))
        except urllib.error.HTTPError as error:
            with error:
                return replace(letter, status=error.code)
        except (OSError, ValueError):
            return letter

    def _letter(self, happening: Happening, twist: NoticeTwist, timestamp: int) -> Letter:
        event_id, event_type = f"evt_{happening.effect.number}", f"payment.{happening.effect.type}"
        event = {
            "id": event_id,
            "type": event_type,
            "created": datetime.fromtimestamp(happening.effect.at, UTC).isoformat(),
            "payment": happening.payment,
        }
        body, signature = self._written(event, twist, timestamp)
        headers = [("content-type", "application/json")]
        if signature is not None:
            headers.append((SIGNATURE_HEADER, signature))
        return Letter(event_id, event_type, body, tuple(headers))

    def _written(self, event: dict[str, Any], twist: NoticeTwist, timestamp: int) -> tuple[bytes, str | None]:
        body = json.dumps(event, separators=(",", ":")).encode()
        match twist:
            case NoticeTwist.TRUE:
                pass
            case NoticeTwist.FORGED:
                return body, sign(body, secrets.token_hex(16), timestamp)
            case NoticeTwist.UNSIGNED:
                return body, None
            case NoticeTwist.TAMPERED:
                return body + b" ", sign(body, self.webhook_secret, timestamp)
            case NoticeTwist.WRONG_AMOUNT:
                body = json.dumps(with_wrong_amounts(event), separators=(",", ":")).encode()
            case NoticeTwist.WRONG_CURRENCY:
                body = json.dumps(with_wrong_currency(event), separators=(",", ":")).encode()
            case NoticeTwist.MALFORMED:
                body = body[: len(body) // 2]
            case NoticeTwist.UNRELATED:
                body = json.dumps({"id": event["id"], "type": "payout.paid"}).encode()
            case _:
                assert_never(twist)
        return body, sign(body, self.webhook_secret, timestamp)

    def _deliver_what_happens(self) -> None:
        while True:
            self._something_happened.wait()
            self._something_happened.clear()
            while (due := self._next()) is not None:
                self._deliver_with_patience(*due)

    def _next(self) -> tuple[Letter, str] | None:
        """The first notice that was not told yet, and its address; it counts as told."""
        with self.simulator.lock:
            for happening in self.simulator.ledger.happenings[self._told_up_to :]:
                self._told_up_to = happening.effect.number
                if self.is_automatic and self.webhook_url is not None and _is_told(happening):
                    return self._letter(happening, NoticeTwist.TRUE, int(time.time())), self.webhook_url
        return None

    def _deliver_with_patience(self, letter: Letter, webhook_url: str) -> None:
        for pause_seconds in _PAUSES_BEFORE_TRIES_SECONDS:
            time.sleep(pause_seconds)
            if webhook_url != self.webhook_url or self.deliver(letter, webhook_url).status in _ACCEPTED:
                return


def _is_told(happening: Happening) -> bool:
    """Notices are about payments, from the authorization on."""
    return happening.payment is not None and happening.effect.type not in _NOT_TOLD


def _is_chosen(happening: Happening, selection: NoticeSelection) -> bool:
    effect = happening.effect
    return (
        _is_told(happening)
        and effect.number > selection.after
        and selection.payment_id in (None, effect.payment_id)
        and selection.event_id in (None, f"evt_{effect.number}")
    )
