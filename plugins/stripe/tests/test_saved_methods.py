"""Account holders and their saved payment methods, at localstripe."""

from typing import TYPE_CHECKING

import pytest

from kassa_sdk import (
    AccountHolder,
    AccountHolderRequest,
    Customer,
    Declined,
    Deleted,
    DeletePaymentMethodRequest,
    ListPaymentMethodsRequest,
    SavedPaymentMethod,
    SavedPaymentMethods,
    SavePaymentMethodRequest,
)
from kassa_stripe import StripeProvider

if TYPE_CHECKING:
    from localstripe_server import LocalStripe


def register(provider: StripeProvider, id: str = "cus_of_ours") -> str:
    customer = Customer(id=id, email="shopper@example.com")
    outcome = provider.create_account_holder(AccountHolderRequest(attempt_key=f"holder-{id}", customer=customer))
    assert isinstance(outcome, AccountHolder)
    return outcome.provider_reference


def save(provider: StripeProvider, holder: str, payment_method: object) -> object:
    return provider.save_payment_method(
        SavePaymentMethodRequest.model_validate(
            {
                "attempt_key": "save-1",
                "account_holder_reference": holder,
                "data": {"payment_method": payment_method},
            }
        )
    )


def saved(provider: StripeProvider, holder: str) -> object:
    return provider.list_payment_methods(ListPaymentMethodsRequest(account_holder_reference=holder))


def delete(provider: StripeProvider, holder: str, reference: str) -> object:
    return provider.delete_payment_method(
        DeletePaymentMethodRequest(
            attempt_key="delete-1", account_holder_reference=holder, payment_method_reference=reference
        )
    )


@pytest.fixture
def holder(provider: StripeProvider) -> str:
    return register(provider)


def test_a_saved_card_is_listed_with_a_label_for_people(
    provider: StripeProvider, localstripe: "LocalStripe", holder: str
) -> None:
    method = save(provider, holder, localstripe.card("4242424242424242"))
    assert isinstance(method, SavedPaymentMethod)
    assert method.label == "Visa ending 4242"
    assert saved(provider, holder) == SavedPaymentMethods(methods=(method,))


def test_a_deleted_card_is_gone_and_can_be_deleted_again(
    provider: StripeProvider, localstripe: "LocalStripe", holder: str
) -> None:
    reference = localstripe.card("4242424242424242")
    save(provider, holder, reference)
    assert delete(provider, holder, reference) == Deleted()
    assert saved(provider, holder) == SavedPaymentMethods()
    assert delete(provider, holder, reference) == Deleted()
    assert delete(provider, holder, "pm_neverexisted") == Deleted()


def test_nobody_deletes_the_card_of_somebody_else(
    provider: StripeProvider, localstripe: "LocalStripe", holder: str
) -> None:
    reference = localstripe.card("4242424242424242")
    save(provider, holder, reference)
    assert isinstance(delete(provider, register(provider, "another"), reference), Declined)
    assert saved(provider, holder) != SavedPaymentMethods()


def test_a_card_that_the_bank_does_not_let_be_saved_is_declined(
    provider: StripeProvider, localstripe: "LocalStripe", holder: str
) -> None:
    outcome = save(provider, holder, localstripe.card("4000000000000002"))
    assert isinstance(outcome, Declined)
    assert outcome.code == "card_declined"


@pytest.mark.parametrize("payment_method", [None, 7, "", "tok_visa", "pm_1/../../customers"])
def test_what_is_no_payment_method_is_declined_with_what_to_send(
    provider: StripeProvider, holder: str, payment_method: object
) -> None:
    outcome = save(provider, holder, payment_method)
    assert isinstance(outcome, Declined)
    assert "pm_" in outcome.reason
