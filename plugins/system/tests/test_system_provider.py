"""What the system provider promises."""

from importlib.metadata import entry_points

import pluggy
import pytest
from pydantic import ValidationError

from kassa_sdk import (
    PROVIDER_ENTRY_POINTS,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    InitiateRequest,
    Money,
    Movement,
    ProviderHooks,
    RefundRequest,
    Succeeded,
    UpdateRequest,
)
from kassa_system import SystemOptions, SystemProvider

EUR_50 = Money(5000, "EUR")
EUR_20 = Money(2000, "EUR")


@pytest.fixture
def provider() -> SystemProvider:
    return SystemProvider(SystemOptions())


def an_initiate_request() -> InitiateRequest:
    return InitiateRequest(attempt_key="op_1-initiate-1", our_reference="payses_1", amount=EUR_50)


def an_authorize_request() -> AuthorizeRequest:
    return AuthorizeRequest(
        attempt_key="op_2-authorize-1", our_reference="payses_1", provider_reference="payses_1", amount=EUR_50
    )


def a_capture_request(attempt_key: str = "op_3-capture-1", amount: Money = EUR_20) -> CaptureRequest:
    return CaptureRequest(
        attempt_key=attempt_key,
        our_reference="payses_1",
        provider_reference="payses_1",
        amount=amount,
        is_whole=False,
    )


def a_refund_request(attempt_key: str = "op_4-refund-1") -> RefundRequest:
    return RefundRequest(
        attempt_key=attempt_key, our_reference="payses_1", provider_reference="payses_1", amount=EUR_20
    )


def test_it_is_found_under_the_name_in_its_manifest() -> None:
    (entry,) = entry_points(group=PROVIDER_ENTRY_POINTS, name=SystemProvider.manifest.name)
    assert entry.load() is SystemProvider


def test_it_implements_all_that_its_manifest_declares_and_no_hook_that_is_misspelt(provider: SystemProvider) -> None:
    manager = pluggy.PluginManager("kassa")
    manager.add_hookspecs(ProviderHooks)
    manager.register(provider)
    manager.check_pending()
    implemented = {caller.name for caller in manager.get_hookcallers(provider) or ()}
    assert provider.manifest.required_hooks() <= implemented


def test_initiating_uses_our_reference_as_theirs(provider: SystemProvider) -> None:
    outcome = provider.initiate(an_initiate_request())
    assert outcome.facts.provider_reference == "payses_1"
    assert outcome.data is None


def test_the_shopper_is_shown_the_configured_instructions() -> None:
    provider = SystemProvider(SystemOptions(instructions="Please pay the courier in cash."))
    assert provider.initiate(an_initiate_request()).data == {"instructions": "Please pay the courier in cash."}


def test_authorizing_promises_the_whole_amount_and_takes_nothing(provider: SystemProvider) -> None:
    facts = provider.authorize(an_authorize_request()).facts
    assert (facts.condition, facts.authorized, facts.captured, facts.captures) == ("authorized", EUR_50, None, ())


def test_changing_the_amount_keeps_the_reference(provider: SystemProvider) -> None:
    request = UpdateRequest(
        attempt_key="op_5-update-1", our_reference="payses_1", provider_reference="payses_1", amount=EUR_20
    )
    assert provider.update(request).facts.provider_reference == "payses_1"


def test_a_capture_is_one_movement_with_our_key(provider: SystemProvider) -> None:
    (movement,) = provider.capture(a_capture_request()).facts.captures
    assert (movement.amount, movement.attempt_key, movement.status) == (EUR_20, "op_3-capture-1", "succeeded")


def test_a_refund_is_one_movement_with_our_key(provider: SystemProvider) -> None:
    (movement,) = provider.refund(a_refund_request()).facts.refunds
    assert (movement.amount, movement.attempt_key, movement.status) == (EUR_20, "op_4-refund-1", "succeeded")


def test_two_captures_are_two_movements(provider: SystemProvider) -> None:
    references = {_capture(provider, key).provider_reference for key in ("op_3-capture-1", "op_6-capture-1")}
    assert len(references) == 2


def test_a_repetition_gets_the_same_answer_from_a_process_that_never_saw_the_first(provider: SystemProvider) -> None:
    restarted = SystemProvider(SystemOptions())
    assert restarted.capture(a_capture_request()) == provider.capture(a_capture_request())
    assert restarted.refund(a_refund_request()) == provider.refund(a_refund_request())
    assert restarted.authorize(an_authorize_request()) == provider.authorize(an_authorize_request())


def test_canceling_voids_the_promise(provider: SystemProvider) -> None:
    request = CancelRequest(attempt_key="op_7-cancel-1", our_reference="payses_1", provider_reference="payses_1")
    assert provider.cancel(request).facts.condition == "canceled"


@pytest.mark.parametrize("amount", [Money(1, "JPY"), Money(1, "EUR"), Money(1, "KWD")], ids=str)
def test_amounts_of_every_currency_pass_unchanged(provider: SystemProvider, amount: Money) -> None:
    (movement,) = provider.capture(a_capture_request(amount=amount)).facts.captures
    assert movement.amount == amount


def test_an_answer_survives_a_trip_through_json(provider: SystemProvider) -> None:
    outcome = provider.capture(a_capture_request())
    assert Succeeded.model_validate_json(outcome.model_dump_json()) == outcome


@pytest.mark.parametrize("options", [{"instruction": "misspelt"}, {"instructions": ""}])
def test_options_that_cannot_work_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SystemOptions.model_validate(options)


def _capture(provider: SystemProvider, attempt_key: str) -> Movement:
    (movement,) = provider.capture(a_capture_request(attempt_key)).facts.captures
    return movement
