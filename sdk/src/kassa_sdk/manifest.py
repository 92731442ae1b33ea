"""The manifest: what a provider can do, declared once.

The engine, the documentation, ``kassa explain`` and the conformance kit read this same declaration.  Whatever it says
*no* to, the engine refuses before the provider is called.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from kassa_sdk.actions import ActionType
from kassa_sdk.money import CurrencyCode, Money
from kassa_sdk.records import Record
from kassa_sdk.wire_amounts import WireAmounts


class Portions(StrEnum):
    """Into how many portions an amount may be captured or refunded."""

    NONE = "none"
    """Not at all."""
    FULL = "full"
    """Once, and all of it."""
    PARTIAL = "partial"
    """Once; it may be less than all."""
    MULTIPLE = "multiple"
    """Any number of times, until all of it is used."""


class Idempotency(Record):
    """How the provider recognises a repeated request.

    ``native``: it takes our attempt key and, within ``window``, answers a repetition with the first result.
    ``reference``: it stores our key, so that a look-up finds what became of it.  ``none``: not at all; such a provider
    gets each money request once, ever.  ``scope`` is who shares one space of keys.
    """

    keys: Literal["native", "reference", "none"]
    window: timedelta | None = None
    scope: Literal["account", "endpoint"] = "account"

    @model_validator(mode="after")
    def _a_window_belongs_to_native_keys(self) -> Self:
        if (self.keys == "native") != (self.window is not None):
            raise ValueError("a key window is given for native keys, and only for them")
        return self


class LookUp(Record):
    """By what the provider finds a payment, and whether "not found" proves that the call never happened.

    ``proves_absence_after`` is how long after the send an absence is proof; None: it never is.
    """

    by: frozenset[Literal["attempt_key", "our_reference", "provider_reference"]] = Field(min_length=1)
    proves_absence_after: timedelta | None = None


class AmountLimits(Record):
    """The smallest and the largest amount of one currency."""

    minimum: Money | None = None
    maximum: Money | None = None

    @model_validator(mode="after")
    def _the_smallest_is_not_above_the_largest(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class Manifest(Record):
    """What a provider is and can do.

    ``contract_version`` is the version of the contract that the provider was *written for*: write the number, do not
    import it.  ``currencies`` and ``countries`` (ISO codes) are None where there is no restriction.  ``is_test`` is set by
    an instance whose keys move no money, such as those of a sandbox: a configuration for production refuses it.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="the entry point's name")
    display_name: str = Field(min_length=1)
    contract_version: int = Field(ge=1)
    links: dict[str, str] = {}
    is_test: bool = False

    currencies: frozenset[CurrencyCode] | None = None
    countries: frozenset[str] | None = None
    amount_limits: dict[CurrencyCode, AmountLimits] = {}
    amounts: WireAmounts = WireAmounts()

    settles_later: bool = False
    actions: frozenset[ActionType] = frozenset()
    captures: Portions = Portions.NONE
    refunds: Portions = Portions.NONE
    cancel: bool = False

    idempotency: Idempotency
    look_up: LookUp | None = None
    lists_payments: bool = False
    notices: Literal["signed", "id_only", "none"] = "none"
    account_holders: bool = False

    def required_hooks(self) -> frozenset[str]:
        """The hooks that this declaration obliges a provider to implement."""
        declared = {
            "initiate": True,
            "authorize": True,
            "action": bool(self.actions),
            "capture": self.captures is not Portions.NONE,
            "refund": self.refunds is not Portions.NONE,
            "cancel": self.cancel,
            "look_up": self.look_up is not None,
            "list_payments": self.lists_payments,
            "read_notice": self.notices != "none",
            "create_account_holder": self.account_holders,
            "save_payment_method": self.account_holders,
            "list_payment_methods": self.account_holders,
            "delete_payment_method": self.account_holders,
        }
        return frozenset(hook for hook, required in declared.items() if required)
