"""A cart in a JSON file: read without floats, validated whole, every mistake with its field."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, StrictInt, StrictStr, ValidationError

from kassa.carts import NewItem
from kassa.errors import CallerError, Mistake
from kassa_sdk import Address, Customer, JsonObject, Money, MoneyError, Shopper

STDIN = Path("-")
PRICE = "unit_price"
EXPECTATIONS = {
    "model_type": "expected a JSON object",
    "model_attributes_type": "expected a JSON object",
    "tuple_type": "expected a list",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "greater_than_equal": "expected one or more",
}
"""What pydantic's kinds of mistakes mean, for somebody who never saw pydantic."""


class CartFileUnusable(CallerError):
    """A cart file with mistakes; ``mistakes`` lists all of them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WrittenItem(_Section):
    """One line; the price in major units, as text or as a number whose digits are taken as they stand."""

    title: str = Field(min_length=1)
    quantity: StrictInt = Field(ge=1)
    unit_price: StrictStr | StrictInt | Annotated[Decimal, Strict()]
    variant_id: str | None = None


class WrittenCart(_Section):
    """A cart as people write it."""

    email: str | None = None
    customer_id: str | None = None
    customer_groups: tuple[str, ...] = ()
    items: tuple[WrittenItem, ...] = Field(min_length=1)
    billing_address: Address | None = None
    shipping_address: Address | None = None
    return_url: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class CartFile:
    """What a cart is made of, in the currency of its region."""

    items: tuple[NewItem, ...]
    shopper: Shopper


def read(path: Path, currency: str) -> CartFile:
    """The cart in this file (``-``: from stdin).  Raises CartFileUnusable, which lists every mistake."""
    name = "stdin" if path == STDIN else str(path)
    written = _validated(_text(path, name), name)
    items, mistakes = [], []
    for index, item in enumerate(written.items):
        try:
            price = _price(item, currency)
        except MoneyError as error:
            mistakes.append(Mistake(name, None, f"items[{index}].unit_price", str(error)))
            continue
        items.append(NewItem(title=item.title, quantity=item.quantity, unit_price=price, variant_id=item.variant_id))
    if mistakes:
        raise CartFileUnusable(mistakes)
    return CartFile(tuple(items), _shopper(written))


def _price(item: WrittenItem, currency: str) -> Money:
    price = Money.parse(item.unit_price, currency)
    if price.minor < 0:
        raise MoneyError(f"expected zero or more, not {price}")
    return price


def read_object(text: str | None, option: str) -> JsonObject | None:
    """The JSON object given with this option; None where it was not given.  Raises CartFileUnusable."""
    if text is None:
        return None
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    except ValueError as error:
        raise CartFileUnusable([Mistake(option, None, "", f"is not JSON: {error}")]) from None
    if not isinstance(value, dict):
        raise CartFileUnusable([Mistake(option, None, "", 'expected a JSON object, such as {"scenario": "challenge"}')])
    return value


def _text(path: Path, name: str) -> str:
    try:
        return sys.stdin.read() if path == STDIN else path.read_text(encoding="utf-8")
    except OSError as error:
        raise CartFileUnusable([Mistake(name, None, "", f"cannot be read ({error.strerror})")]) from None
    except UnicodeDecodeError:
        raise CartFileUnusable([Mistake(name, None, "", "is not UTF-8 text")]) from None


def _validated(text: str, name: str) -> WrittenCart:
    try:
        value = json.loads(
            text, parse_float=Decimal, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise CartFileUnusable([Mistake(name, error.lineno, "", f"is not JSON: {error.msg}")]) from None
    except (ValueError, RecursionError) as error:
        raise CartFileUnusable([Mistake(name, None, "", f"is not JSON: {error}")]) from None
    try:
        return WrittenCart.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        told = dict.fromkeys(
            (_field(each["loc"]), _in_words(each)) for each in problems if not _is_echo(each, problems)
        )
        raise CartFileUnusable([Mistake(name, None, field, words) for field, words in told]) from None


def _shopper(written: WrittenCart) -> Shopper:
    return Shopper(
        customer=Customer(id=written.customer_id, email=written.email, groups=written.customer_groups),
        billing_address=written.billing_address,
        shipping_address=written.shipping_address,
        return_url=written.return_url,
        locale=written.locale,
    )


def _field(location: tuple[str | int, ...]) -> str:
    # A price may be of three types, and pydantic names each that it tried.
    parts = location[: location.index(PRICE) + 1] if PRICE in location else location
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def _is_echo(problem: Any, problems: list[Any]) -> bool:
    """Whether this only says again that the items are mistaken: pydantic counts them after leaving those out."""
    inside = any(len(each["loc"]) > 1 and each["loc"][0] == "items" for each in problems)
    return bool(problem["loc"] == ("items",) and inside)


def _in_words(problem: Any) -> str:
    if PRICE in problem["loc"] and problem["type"] != "missing":
        return 'expected a price in major units, such as "24.99"'
    match problem["type"]:
        case "missing":
            return "is missing; add it"
        case "extra_forbidden":
            return "unknown key; remove it"
        case "too_short" | "string_too_short":
            return "is empty; put something there"
        case "string_pattern_mismatch":
            return "expected an ISO 3166 code in capitals, such as DE"
        case kind if kind in EXPECTATIONS:
            return EXPECTATIONS[kind]
        case _:
            return str(problem["msg"])


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no number that JSON has")
