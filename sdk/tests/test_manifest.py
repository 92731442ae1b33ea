"""The manifest is declared once, and refused where it contradicts itself."""

from datetime import timedelta
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from kassa_sdk import AmountLimits, Idempotency, LookUp, Manifest, Money, Portions, ProviderHooks
from kassa_sdk.actions import ActionType

SMALLEST = frozenset({"initiate", "authorize"})
SAVED_METHOD_HOOKS = {
    "create_account_holder",
    "save_payment_method",
    "list_payment_methods",
    "delete_payment_method",
}


def manifest(**fields: Any) -> Manifest:
    declared = {"name": "acme", "display_name": "Acme", "contract_version": 1, "idempotency": Idempotency(keys="none")}
    return Manifest(**(declared | fields))


def test_a_manifest_that_declares_nothing_says_no_to_everything() -> None:
    smallest = manifest()
    assert (smallest.captures, smallest.refunds, smallest.cancel) == (Portions.NONE, Portions.NONE, False)
    assert (smallest.settles_later, smallest.actions, smallest.look_up) == (False, frozenset(), None)
    assert (smallest.lists_payments, smallest.notices, smallest.account_holders) == (False, "none", False)
    assert smallest.required_hooks() == SMALLEST


@pytest.mark.parametrize(
    ("declared", "hooks"),
    [
        ({"actions": {"redirect"}}, {"action"}),
        ({"captures": Portions.FULL}, {"capture"}),
        ({"captures": Portions.PARTIAL}, {"capture"}),
        ({"captures": Portions.MULTIPLE}, {"capture"}),
        ({"refunds": Portions.FULL}, {"refund"}),
        ({"cancel": True}, {"cancel"}),
        ({"look_up": LookUp(by=frozenset({"attempt_key"}))}, {"look_up"}),
        ({"lists_payments": True}, {"list_payments"}),
        ({"notices": "signed"}, {"read_notice"}),
        ({"notices": "id_only"}, {"read_notice"}),
        ({"account_holders": True}, SAVED_METHOD_HOOKS),
        ({"settles_later": True}, set()),
    ],
    ids=lambda value: str(sorted(value)),
)
def test_each_yes_requires_its_hooks_and_no_others(declared: dict[str, Any], hooks: set[str]) -> None:
    assert manifest(**declared).required_hooks() == SMALLEST | hooks


def test_a_manifest_that_says_yes_to_everything_requires_every_hook_but_update() -> None:
    everything = manifest(
        actions={"redirect"},
        captures=Portions.MULTIPLE,
        refunds=Portions.MULTIPLE,
        cancel=True,
        look_up=LookUp(by=frozenset({"our_reference"})),
        lists_payments=True,
        notices="signed",
        account_holders=True,
    )
    all_hooks = {name for name in vars(ProviderHooks) if not name.startswith("_")}
    assert everything.required_hooks() == all_hooks - {"update"}


def test_actions_are_declared_by_the_types_of_the_action_union() -> None:
    assert manifest(actions=set(get_args(ActionType))).actions == set(get_args(ActionType))
    with pytest.raises(ValidationError):
        manifest(actions={"telepathy"})


@pytest.mark.parametrize("name", ["acme", "acme-eu", "a1"])
def test_a_name_is_a_short_word_in_lower_case(name: str) -> None:
    assert manifest(name=name).name == name


@pytest.mark.parametrize("name", ["", "Acme", "1acme", "acme_eu", "acme eu", "-acme", "a" * 41, "acmé", "acme\n"])
def test_a_name_that_does_not_fit_into_an_id_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        manifest(name=name)


@pytest.mark.parametrize("version", [0, -1, "one", None])
def test_a_contract_version_is_a_number_from_one_on(version: object) -> None:
    with pytest.raises(ValidationError):
        manifest(contract_version=version)


@pytest.mark.parametrize("missing", ["name", "display_name", "contract_version", "idempotency"])
def test_what_nobody_can_guess_has_to_be_declared(missing: str) -> None:
    fields = manifest().model_dump()
    del fields[missing]
    with pytest.raises(ValidationError, match=missing):
        Manifest(**fields)


@pytest.mark.parametrize("currency", ["eur", "EURO", "XXX"])
def test_a_currency_that_nobody_can_pay_with_is_refused_where_it_is_declared(currency: str) -> None:
    with pytest.raises(ValidationError, match="ISO 4217"):
        manifest(currencies={currency})
    with pytest.raises(ValidationError, match="ISO 4217"):
        manifest(amount_limits={currency: AmountLimits()})


def test_a_misspelt_capability_is_refused() -> None:
    with pytest.raises(ValidationError, match="refund\n"):
        manifest(refund=Portions.FULL)


def test_native_keys_need_a_window() -> None:
    assert Idempotency(keys="native", window=timedelta(hours=24)).window == timedelta(hours=24)
    with pytest.raises(ValidationError, match="key window"):
        Idempotency(keys="native")


@pytest.mark.parametrize("keys", ["reference", "none"])
def test_a_window_without_native_keys_is_refused(keys: Any) -> None:
    with pytest.raises(ValidationError, match="key window"):
        Idempotency(keys=keys, window=timedelta(hours=24))


def test_a_look_up_finds_by_something() -> None:
    with pytest.raises(ValidationError):
        LookUp(by=frozenset())


def test_the_smallest_amount_is_not_above_the_largest() -> None:
    limits = AmountLimits(minimum=Money(50, "EUR"), maximum=Money(50, "EUR"))
    assert limits.minimum == limits.maximum
    with pytest.raises(ValidationError, match=r"minimum 0\.51 EUR is above maximum 0\.50 EUR"):
        AmountLimits(minimum=Money(51, "EUR"), maximum=Money(50, "EUR"))


def test_limits_in_two_currencies_are_refused() -> None:
    with pytest.raises(ValidationError, match="different currencies"):
        AmountLimits(minimum=Money(1, "EUR"), maximum=Money(2, "USD"))


def test_a_manifest_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        manifest().cancel = True
