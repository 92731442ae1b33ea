"""What comes in and what goes out: one call to the API, and the ways in which it can be answered."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

Operation = Literal[
    "initiate",
    "look_up",
    "list_payments",
    "authorize",
    "action",
    "update",
    "capture",
    "refund",
    "cancel",
    "create_account_holder",
    "save_payment_method",
    "list_payment_methods",
    "delete_payment_method",
]
"""What can be asked of the API; the words are those of kassa's hooks."""

LARGEST_AMOUNT = 2**63 - 1
LARGEST_NUMBER = 1e12
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class Refused(Exception):
    """A definitive no, with its HTTP status: nothing has happened.  ``payment_id`` names what it is about."""

    def __init__(self, status: int, code: str, message: str, payment_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.payment_id = payment_id


@dataclass(frozen=True, slots=True)
class Fields:
    """The JSON object of a request, read field by field; whatever has the wrong shape is refused with 422."""

    values: dict[str, Any]

    @classmethod
    def from_body(cls, body: bytes) -> "Fields":
        try:
            values = json.loads(body) if body else {}
        except (ValueError, RecursionError):
            raise Refused(400, "malformed_request", "the body is not JSON") from None
        if not isinstance(values, dict):
            raise Refused(400, "malformed_request", "the body is not a JSON object")
        return cls(values)

    def amount(self, name: str = "amount") -> int:
        amount = self.values.get(name)
        if type(amount) is not int or not 0 < amount <= LARGEST_AMOUNT:
            raise Refused(422, "invalid_amount", f"{name} must be a positive whole number of minor units")
        return amount

    def currency(self) -> str:
        currency = self.text("currency")
        if not _CURRENCY.fullmatch(currency):
            raise Refused(422, "invalid_currency", "currency must be three capital letters, such as EUR")
        return currency

    def text(self, name: str) -> str:
        text = self.values.get(name)
        if not isinstance(text, str) or not text:
            raise Refused(422, "invalid_field", f"{name} must be a text that is not empty")
        return text

    def text_or(self, name: str, default: str) -> str:
        return default if self.values.get(name) is None else self.text(name)

    def optional_text(self, name: str) -> str | None:
        return None if self.values.get(name) is None else self.text(name)

    def optional_amount(self, name: str = "amount") -> int | None:
        return None if self.values.get(name) is None else self.amount(name)

    def number(self, name: str, default: float) -> float:
        number = self.values.get(name, default)
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= LARGEST_NUMBER:
            raise Refused(422, "invalid_field", f"{name} must be a number from 0 to 10^12")
        return float(number)

    def written_number(self, name: str, default: float | None = None) -> float:
        """A number in a query, where everything is text."""
        if default is not None and name not in self.values:
            return default
        try:
            number = float(self.text(name))
        except ValueError:
            number = -1.0
        if not 0 <= number <= LARGEST_NUMBER:
            raise Refused(422, "invalid_field", f"{name} must be a number from 0 to 10^12")
        return number

    def flag(self, name: str, default: bool) -> bool:
        flag = self.values.get(name, default)
        if not isinstance(flag, bool):
            raise Refused(422, "invalid_field", f"{name} must be true or false")
        return flag


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API, as heard."""

    operation: Operation
    fields: Fields
    payment_id: str | None = None
    attempt_key: str | None = None
    holder_id: str | None = None
    method_id: str | None = None

    @property
    def fingerprint(self) -> str:
        """The same for two requests that ask the same, whatever the order of their fields."""
        about = self.payment_id if self.holder_id is None else [self.holder_id, self.method_id]
        asked = json.dumps([self.operation, about, self.fields.values], sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, body (JSON unless ``content_type`` says otherwise), further headers."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, status: int, values: Any, headers: tuple[tuple[str, str], ...] = ()) -> "Reply":
        return cls(status, json.dumps(values, separators=(",", ":")).encode(), headers=headers)


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer: the connection stays open until the caller gives up."""


@dataclass(frozen=True, slots=True)
class Cut:
    """No answer: the connection is reset."""


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer, after a while."""

    reply: Reply
    seconds: float


Answer = Reply | Silence | Cut | Slow
"""How the wire behaves; closed."""
