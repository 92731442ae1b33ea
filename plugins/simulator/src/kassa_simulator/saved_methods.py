"""Answers about what is kept for a customer, translated into the contract's words."""

from kassa_sdk import (
    AccountHolder,
    AccountHolderOutcome,
    Declined,
    Deleted,
    DeleteOutcome,
    ListOutcome,
    SavedPaymentMethod,
    SavedPaymentMethods,
    SaveOutcome,
    Unknown,
)
from kassa_simulator.answers import ToldAnswer, ToldPaymentMethod, declined


def registered(told: ToldAnswer) -> AccountHolderOutcome:
    """The account of a customer."""
    if told.account_holder is None:
        return _refused(told)
    return AccountHolder(provider_reference=told.account_holder.id)


def saved(told: ToldAnswer) -> SaveOutcome:
    """The payment method that is kept now."""
    return _refused(told) if told.payment_method is None else _method(told.payment_method)


def listed(told: ToldAnswer) -> ListOutcome:
    """All that is kept; nothing for a customer that the simulator does not know."""
    if told.error is not None and told.error.code == "unknown_account_holder":
        return SavedPaymentMethods()
    if told.payment_methods is None:
        return _NOTHING_TOLD
    return SavedPaymentMethods(methods=tuple(map(_method, told.payment_methods)))


def deleted(told: ToldAnswer) -> DeleteOutcome:
    """It is gone; a customer that the simulator does not know has nothing."""
    return Deleted() if told.error is None or told.error.code == "unknown_account_holder" else _refused(told)


def _refused(told: ToldAnswer) -> Declined | Unknown:
    if told.error is None:
        return _NOTHING_TOLD
    if told.error.code == "key_reused":
        return Unknown(cause="the simulator knows this attempt key from another request")
    return declined(told.error, None)


def _method(told: ToldPaymentMethod) -> SavedPaymentMethod:
    return SavedPaymentMethod(provider_reference=told.id, label=told.label)


_NOTHING_TOLD = Unknown(cause="the simulator's answer does not say what it keeps")
