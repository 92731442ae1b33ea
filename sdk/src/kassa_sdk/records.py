"""What all records of the contract have in common: frozen, nothing unknown, the same again after a trip through JSON."""

import json
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, StringConstraints

LONGEST_TEXT = 2_000
LARGEST_JSON = 65_536
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _fit_for_a_sentence(text: str) -> str:
    return _CONTROL_CHARACTERS.sub(" ", text)[:LONGEST_TEXT]


def _storable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    size = len(json.dumps(value))
    if size > LARGEST_JSON:
        raise ValueError(f"expected at most {LARGEST_JSON} characters of JSON, not {size}")
    return value


JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_storable)]
"""A JSON object of at most 64 KiB, for what one side stores or relays without reading it."""

Reference = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""What one side calls a thing: 1 to 255 characters, none of them a control character."""

Text = Annotated[str, AfterValidator(_fit_for_a_sentence)]
"""Words for people.  Cut to 2,000 characters, without control characters: a provider's text must never be what keeps an
outcome from being stored."""


class Record(BaseModel):
    """A frozen record.  Unknown fields are refused, so that a misspelt one cannot be lost silently.

    In JSON, bytes are base64; NaN and infinity are refused, because JSON has no word for them.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", allow_inf_nan=False
    )
