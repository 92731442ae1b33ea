"""What the callers of verbs give: accepted as it is, or refused with the name of the field and what was expected.  Pure."""

import re

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError

from kassa import card_numbers
from kassa.errors import InvalidData
from kassa_sdk import JsonObject, Shopper

LARGEST_PAGE = 1000
LONGEST_TEXT = 1000
TEXT = r"^[^\x00-\x08\x0b-\x1f]*$"
"""What people write: anything but control characters, in any number of lines."""
WORDS = r"^[^\x00-\x08\x0b-\x1f]*[^\x00-\x1f\s][^\x00-\x08\x0b-\x1f]*$"
"""The same, and not blank."""
LONGEST_STORE_ID = 64
_JSON_OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject, config=ConfigDict(allow_inf_nan=False))


def json_object(field: str, value: JsonObject | None) -> JsonObject:
    """A JSON object; None is an empty one.  Raises InvalidData."""
    try:
        found = _JSON_OBJECT.validate_python({} if value is None else value)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join((field, *map(str, problem["loc"])))
        raise InvalidData(place, f"expected a JSON object ({problem['msg']})") from None
    _refuse_card_numbers(field, found)
    return found


def text(field: str, value: str) -> str:
    """Words of a person.  Raises InvalidData."""
    if len(value) > LONGEST_TEXT or not re.fullmatch(TEXT, value):
        raise InvalidData(field, f"expected at most {LONGEST_TEXT} characters without control characters")
    refuse_card_number(field, value)
    return value


def refuse_card_number(field: str, value: str) -> None:
    """Raises InvalidData where the number of a card stands in a text."""
    if card_numbers.holds_one(value):
        raise InvalidData(
            field, "looks like the number of a card, and kassa takes none; the provider's own form or script takes it"
        )


def shopper(value: Shopper | None) -> Shopper:
    """Who pays; None is somebody.  Raises InvalidData where the number of a card stands in it."""
    found = value or Shopper()
    told = found.model_dump(mode="json", exclude={"ip_address": True})
    for address in (told["shipping_address"], told["billing_address"]):
        if address is not None:
            del address["phone"]  # many are as long, and every tenth has a true check digit
    _refuse_card_numbers("shopper", told)
    return found


def store_id(value: str) -> str:
    """What names a store (tenant).  Raises InvalidData."""
    if not value or len(value) > LONGEST_STORE_ID or not value.isprintable():
        raise InvalidData("store_id", f"expected 1 to {LONGEST_STORE_ID} printable characters")
    return value


def require_page(limit: int, offset: int) -> None:
    """Raises InvalidData for a page that nobody gets."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise InvalidData("limit", f"expected 1 to {LARGEST_PAGE}, not {limit}")
    if offset < 0:
        raise InvalidData("offset", f"expected zero or more, not {offset}")


def _refuse_card_numbers(place: str, value: JsonValue) -> None:
    """Raises InvalidData where the number of a card stands in a value or a name, however deep."""
    if isinstance(value, str | int | float):
        refuse_card_number(place, str(value))
    if isinstance(value, dict):
        for name, inner in value.items():
            refuse_card_number(place, name)
            _refuse_card_numbers(f"{place}.{name}", inner)
    if isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_card_numbers(f"{place}.{index}", inner)
