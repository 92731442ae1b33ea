"""Ids: a prefix that names the kind, and 128 bits that sort by time (UUID version 7)."""

import re
from enum import StrEnum

import uuid_utils

from kassa.errors import InvalidData


class Kind(StrEnum):
    """What an id names; the value is its prefix, as in Medusa where Medusa has the thing."""

    PAYMENT_COLLECTION = "pay_col"
    PAYMENT_SESSION = "payses"
    PAYMENT = "pay"
    CAPTURE = "capt"
    REFUND = "ref"
    OPERATION = "op"
    EVENT = "evt"
    CART = "cart"
    LINE_ITEM = "cali"
    ORDER = "order"
    NOTICE = "notice"
    CASE = "case"
    DISPUTE = "dispute"
    DELIVERY = "delivery"
    PROVIDER_SWITCH = "switch"
    RECONCILIATION = "recon"
    API_KEY = "apk"
    REFUND_REASON = "refr"


_ID = re.compile(r"([a-z]+(?:_[a-z]+)*)_[0-9a-f]{32}")


def new_id(kind: Kind) -> str:
    """A new id of this kind."""
    return f"{kind.value}_{uuid_utils.uuid7().hex}"


def require_kind(kind: Kind, value: object, field: str) -> str:
    """The value, if it is an id of this kind.  Raises InvalidData, which names the field and what was given instead."""
    match = _ID.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[1] != kind.value:
        raise InvalidData(field, f"expected an id that starts with {kind.value}_, not {str(value)[:60]!r}")
    return match[0]
