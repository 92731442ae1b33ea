"""Saved payment methods: what a provider keeps for a customer who comes back."""

from typing import Annotated, Literal

from pydantic import Field

from kassa_sdk.outcomes import Declined, NotSent, Unknown
from kassa_sdk.records import JsonObject, Record, Reference


class AccountHolder(Record):
    """A customer as the provider knows them."""

    outcome: Literal["account_holder"] = "account_holder"
    provider_reference: Reference


class SavedPaymentMethod(Record):
    """A payment method that can be charged again; ``label`` is fit to be shown ("Visa ending 4242")."""

    outcome: Literal["saved_payment_method"] = "saved_payment_method"
    provider_reference: Reference
    label: str
    data: JsonObject = {}


class SavedPaymentMethods(Record):
    """All saved payment methods of an account holder."""

    outcome: Literal["saved_payment_methods"] = "saved_payment_methods"
    methods: tuple[SavedPaymentMethod, ...] = ()


class Deleted(Record):
    """The payment method is gone at the provider, or was gone before."""

    outcome: Literal["deleted"] = "deleted"


AccountHolderOutcome = Annotated[AccountHolder | Declined | NotSent | Unknown, Field(discriminator="outcome")]
SaveOutcome = Annotated[SavedPaymentMethod | Declined | NotSent | Unknown, Field(discriminator="outcome")]
ListOutcome = Annotated[SavedPaymentMethods | NotSent | Unknown, Field(discriminator="outcome")]
DeleteOutcome = Annotated[Deleted | Declined | NotSent | Unknown, Field(discriminator="outcome")]
