"""What the simulator keeps for customers who come back."""

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
    Unsupported,
)
from kassa_simulator import SimulatorProvider


class Wallet:
    """One customer with an account at the simulator."""

    def __init__(self, shop) -> None:
        self._shop = shop
        self.provider = shop.provider
        holder = self.provider.create_account_holder(AccountHolderRequest(attempt_key=shop.key(), customer=Customer()))
        assert isinstance(holder, AccountHolder)
        self.holder = holder.provider_reference

    def save(self, name: object, key: str | None = None) -> object:
        data = {"payment_method": name}
        return self.provider.save_payment_method(
            SavePaymentMethodRequest.model_validate(
                {"attempt_key": key or self._shop.key(), "account_holder_reference": self.holder, "data": data}
            )
        )

    def saved(self) -> object:
        return self.provider.list_payment_methods(ListPaymentMethodsRequest(account_holder_reference=self.holder))

    def delete(self, reference: str) -> object:
        return self.provider.delete_payment_method(
            DeletePaymentMethodRequest(
                attempt_key=self._shop.key(),
                account_holder_reference=self.holder,
                payment_method_reference=reference,
            )
        )


@pytest.fixture
def wallet(shop) -> Wallet:
    return Wallet(shop)


def test_what_is_saved_is_listed_with_a_label_for_people(wallet):
    method = wallet.save("visa")
    assert isinstance(method, SavedPaymentMethod)
    assert method.label == "Visa ending 4242"
    assert wallet.saved() == SavedPaymentMethods(methods=(method,))


def test_what_is_deleted_is_gone_and_can_be_deleted_again(wallet):
    method = wallet.save("sepa_debit")
    assert wallet.delete(method.provider_reference) == Deleted()
    assert wallet.saved() == SavedPaymentMethods()
    assert wallet.delete(method.provider_reference) == Deleted()


def test_what_one_customer_has_another_neither_sees_nor_deletes(shop, wallet):
    method, stranger = wallet.save("mastercard"), Wallet(shop)
    assert stranger.saved() == SavedPaymentMethods()
    stranger.delete(method.provider_reference)
    assert wallet.saved() == SavedPaymentMethods(methods=(method,))


def test_a_repetition_with_the_same_key_saves_nothing_more(wallet):
    assert wallet.save("visa", key="save-once") == wallet.save("visa", key="save-once")
    assert len(wallet.saved().methods) == 1


def test_a_bank_can_refuse_to_let_a_card_be_saved(wallet):
    outcome = wallet.save("card_declined")
    assert isinstance(outcome, Declined)
    assert outcome.code == "card_declined"
    assert wallet.saved() == SavedPaymentMethods()


@pytest.mark.parametrize("name", [None, 7, "diners"])
def test_an_unknown_payment_method_is_declined_with_those_that_there_are(wallet, name):
    outcome = wallet.save(name)
    assert isinstance(outcome, Declined)
    assert "visa" in outcome.reason


def test_a_customer_whom_the_simulator_does_not_know_has_nothing(wallet):
    wallet.holder = "simcus_unknown"
    assert wallet.saved() == SavedPaymentMethods()
    assert wallet.delete("simpm_1") == Deleted()
    assert isinstance(wallet.save("visa"), Declined)


def test_a_restart_keeps_what_is_saved(own_simulator, shop_of):
    simulator = own_simulator()
    wallet = Wallet(shop_of(simulator))
    kept, gone = wallet.save("visa"), wallet.save("mastercard")
    wallet.delete(gone.provider_reference)
    simulator.restart()
    assert wallet.saved() == SavedPaymentMethods(methods=(kept,))


def test_no_notice_tells_of_what_is_saved(simulator, wallet):
    before = len(simulator.control.notices())
    wallet.delete(wallet.save("visa").provider_reference)
    assert len(simulator.control.notices()) == before


def test_a_simulator_without_account_holders_says_so_before_anything_is_sent(simulator):
    provider = SimulatorProvider(simulator.options(account_holders=False))
    assert not provider.manifest.account_holders
    with pytest.raises(Unsupported, match="account_holders = false"):
        provider.create_account_holder(AccountHolderRequest(attempt_key="a-1", customer=Customer()))
