"""kassa: payments through any provider, region by region; never a double charge, never a lost payment.

    engine = kassa.open("kassa.toml")

The names here are the public ones; everything else may move between releases.  They are imported when they are first used,
so that the command line answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kassa.answers import IdempotencyKey
    from kassa.asynchronous import AsyncEngine
    from kassa.carts import NewItem
    from kassa.checkout import ActionNeeded, Completion, OrderPlaced, Processing, Refused
    from kassa.engine import Engine
    from kassa.errors import (
        CallerError,
        CommitUnknown,
        ConfigurationError,
        Conflict,
        InvalidData,
        KassaError,
        KeyReused,
        NotAllowed,
        NotFound,
        PaymentDeclined,
        ProviderFailure,
        ProviderUnavailable,
        StillProcessing,
        StoreUnavailable,
        Unverified,
    )
    from kassa.opening import open
    from kassa.regions import Circumstances
    from kassa.sessions import PlannedSession
    from kassa_sdk import Address, Customer, Money, Shopper

_HOMES = {
    "kassa.answers": ("IdempotencyKey",),
    "kassa.asynchronous": ("AsyncEngine",),
    "kassa.carts": ("NewItem",),
    "kassa.checkout": ("ActionNeeded", "Completion", "OrderPlaced", "Processing", "Refused"),
    "kassa.engine": ("Engine",),
    "kassa.errors": (
        "CallerError",
        "CommitUnknown",
        "ConfigurationError",
        "Conflict",
        "InvalidData",
        "KassaError",
        "KeyReused",
        "NotAllowed",
        "NotFound",
        "PaymentDeclined",
        "ProviderFailure",
        "ProviderUnavailable",
        "StillProcessing",
        "StoreUnavailable",
        "Unverified",
    ),
    "kassa.opening": ("open",),
    "kassa.regions": ("Circumstances",),
    "kassa.sessions": ("PlannedSession",),
    "kassa_sdk": ("Address", "Customer", "Money", "Shopper"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ActionNeeded",
    "Address",
    "AsyncEngine",
    "CallerError",
    "Circumstances",
    "CommitUnknown",
    "Completion",
    "ConfigurationError",
    "Conflict",
    "Customer",
    "Engine",
    "IdempotencyKey",
    "InvalidData",
    "KassaError",
    "KeyReused",
    "Money",
    "NewItem",
    "NotAllowed",
    "NotFound",
    "OrderPlaced",
    "PaymentDeclined",
    "PlannedSession",
    "Processing",
    "ProviderFailure",
    "ProviderUnavailable",
    "Refused",
    "Shopper",
    "StillProcessing",
    "StoreUnavailable",
    "Unverified",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'kassa' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
