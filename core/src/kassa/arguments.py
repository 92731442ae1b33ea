"""What the callers of verbs give: accepted as it is, or refused with the name of the field and what was expected.  Pure."""

import re

from pydantic import ConfigDict, TypeAdapter, ValidationError

from kassa.errors import InvalidData
from kassa_sdk import JsonObject

LARGEST_PAGE = 1000
LONGEST_TEXT = 1000
TEXT = r"^[^\x00-\x08\x0b-\x1f]*$"
"""What people write: anything but control characters, in any number of lines."""
WORDS = r"^[^\x00-\x08\x0b-\x1f]*\S[^\x00-\x08\x0b-\x1f]*$"
"""The same, and not blank."""
LONGEST_STORE_ID = 64
_JSON_OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject, config=ConfigDict(allow_inf_nan=False))


def json_object(field: str, value: JsonObject | None) -> JsonObject:
    """A JSON object; None is an empty one.  Raises InvalidData."""
    try:
        return _JSON_OBJECT.validate_python({} if value is None else value)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join((field, *map(str, problem["loc"])))
        raise InvalidData(place, f"expected a JSON object ({problem['msg']})") from None


def text(field: str, value: str) -> str:
    """Words of a person.  Raises InvalidData."""
    if len(value) > LONGEST_TEXT or not re.fullmatch(TEXT, value):
        raise InvalidData(field, f"expected at most {LONGEST_TEXT} characters without control characters")
    return value


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
