"""What all records of the contract have in common: frozen, nothing unknown, the same again after a trip through JSON."""

from pydantic import BaseModel, ConfigDict, JsonValue

JsonObject = dict[str, JsonValue]
"""A JSON object, for what one side stores or relays without reading it."""


class Record(BaseModel):
    """A frozen record.  Unknown fields are refused, so that a misspelt one cannot be lost silently.

    In JSON, bytes are base64; NaN and infinity are refused, because JSON has no word for them.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", allow_inf_nan=False
    )
