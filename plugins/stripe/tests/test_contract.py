"""The shape that every provider has to have, and the options of this one."""

from importlib.metadata import entry_points

import pluggy
import pytest
from pydantic import ValidationError
from stripe_requests import MakeProvider
from stripe_wire import Sent, specification

from kassa_sdk import CONTRACT_VERSION, OLDEST_CONTRACT_VERSION, PROVIDER_ENTRY_POINTS, ProviderHooks
from kassa_stripe import StripeOptions, StripeProvider

GOOD = {"secret_key": "sk_test_1", "publishable_key": "pk_test_1", "webhook_secret": "whsec_1"}


def test_the_entry_point_leads_to_the_provider() -> None:
    (found,) = entry_points(group=PROVIDER_ENTRY_POINTS, name="stripe")
    assert found.load() is StripeProvider
    assert StripeProvider.manifest.name == found.name


def test_every_hook_is_one_that_the_contract_knows_and_none_is_missing(make_provider: MakeProvider) -> None:
    hooks = pluggy.PluginManager("kassa")
    hooks.add_hookspecs(ProviderHooks)
    hooks.register(make_provider("http://127.0.0.1:1"))
    hooks.check_pending()
    implemented = {caller for caller in dir(ProviderHooks) if getattr(hooks.hook, caller, None)}
    missing = {
        name for name in StripeProvider.manifest.required_hooks() if not getattr(hooks.hook, name).get_hookimpls()
    }
    assert implemented
    assert missing == set()


def test_the_contract_that_it_was_written_for_is_still_spoken() -> None:
    assert OLDEST_CONTRACT_VERSION <= StripeProvider.manifest.contract_version <= CONTRACT_VERSION


def test_one_signing_secret_may_be_written_without_a_list() -> None:
    assert len(StripeOptions.model_validate(GOOD).webhook_secret) == 1
    both = StripeOptions.model_validate({**GOOD, "webhook_secret": ["whsec_1", "whsec_2"]})
    assert [secret.get_secret_value() for secret in both.webhook_secret] == ["whsec_1", "whsec_2"]


@pytest.mark.parametrize(
    "mistake",
    [
        {"secret_key": ""},
        {"secret_key": "pk_test_1"},
        {"publishable_key": "sk_test_1"},
        {"publishable_key": "pk_live_1"},
        {"webhook_secret": ""},
        {"webhook_secret": []},
        {"capture": "later"},
        {"timeout_seconds": 0},
        {"api_base": "stripe.com"},
        {"unknown": 1},
    ],
)
def test_options_that_cannot_work_are_refused(mistake: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StripeOptions.model_validate({**GOOD, **mistake})


def test_the_check_against_stripes_openapi_document_finds_mistakes() -> None:
    document = specification()
    if document is None:
        pytest.skip("seahaven-stripe-world is not installed: nothing is compared with Stripe's OpenAPI document")
    intents = "https://api.stripe.com/v1/payment_intents"
    good = "amount=1&currency=eur&metadata[a]=1&expand[0]=latest_charge"
    assert document.problems_with(Sent("post", intents, {}, good)) == []
    assert document.problems_with(Sent("post", intents, {}, "amount=1.5&currency=eur"))
    assert document.problems_with(Sent("post", intents, {}, "amount=1&currency=eur&misspelt=1"))
    assert document.problems_with(Sent("post", intents, {}, "amount=1"))
    assert document.problems_with(Sent("post", f"{intents}/pi_1/misspelt", {}, ""))
    assert document.problems_with(Sent("get", f"{intents}/search?limit=1", {}, ""))


def test_an_account_with_test_keys_says_so() -> None:
    live = {**GOOD, "secret_key": "sk_live_1", "publishable_key": "pk_live_1"}
    said = [StripeProvider(StripeOptions.model_validate(options)).manifest.is_test for options in (GOOD, live)]
    assert said == [True, False]
