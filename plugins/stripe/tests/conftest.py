"""What the tests of this provider share.  Nothing here comes from outside of this folder and the test dependencies."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kassa_sdk import PaymentFacts, Succeeded
from kassa_stripe import StripeOptions, StripeProvider

# pytest's import mode leaves neighbouring modules out of the path on purpose; these belong to this folder alone.
sys.path.insert(0, str(Path(__file__).parent))

from stripe_requests import IMPATIENT_SECONDS, SECRET_KEY, WEBHOOK_SECRET, Ask, MakeProvider
from stripe_servers import RawServer, raw_server
from stripe_wire import RecordingClient, Wire

if TYPE_CHECKING:
    from localstripe_server import LocalStripe, WebhookReceiver


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine would answer in place of the servers of the tests."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Every request of the test, each of which has to fit Stripe's OpenAPI document."""
    wire = Wire()
    yield wire
    assert wire.problems == []


@pytest.fixture
def make_provider(wire: Wire) -> MakeProvider:
    """Makes a provider that talks to the server at ``api_base``."""

    def make(api_base: str, *, timeout_seconds: float = 10, **options: object) -> StripeProvider:
        validated = StripeOptions.model_validate(
            {
                "secret_key": SECRET_KEY,
                "publishable_key": "pk_test_1",
                "webhook_secret": WEBHOOK_SECRET,
                "api_base": api_base,
                "timeout_seconds": timeout_seconds,
                **options,
            }
        )
        return StripeProvider(validated, RecordingClient(wire, timeout_seconds))

    return make


@pytest.fixture(scope="session")
def localstripe_server() -> "Iterator[LocalStripe]":
    """localstripe, once for all tests."""
    pytest.importorskip("localstripe", reason="localstripe is not installed here: nothing is asked of a whole Stripe")
    from localstripe_server import running_localstripe

    with running_localstripe() as server:
        yield server


@pytest.fixture
def localstripe(localstripe_server: "LocalStripe") -> "LocalStripe":
    """localstripe with empty books."""
    localstripe_server.forget_everything()
    return localstripe_server


@pytest.fixture
def provider(make_provider: MakeProvider, localstripe: "LocalStripe") -> StripeProvider:
    """The provider at localstripe."""
    return make_provider(localstripe.url)


@pytest.fixture
def raw() -> Iterator[RawServer]:
    """A server that does as it is told."""
    with raw_server() as server:
        yield server


@pytest.fixture
def raw_provider(make_provider: MakeProvider, raw: RawServer) -> StripeProvider:
    """The provider at the raw server."""
    return make_provider(raw.url)


@pytest.fixture
def impatient_provider(make_provider: MakeProvider, raw: RawServer) -> StripeProvider:
    """The same, for servers that do not answer."""
    return make_provider(raw.url, timeout_seconds=IMPATIENT_SECONDS)


@pytest.fixture
def receiver() -> "Iterator[WebhookReceiver]":
    """A webhook endpoint."""
    pytest.importorskip("localstripe", reason="localstripe is not installed here: nobody sends webhooks")
    from localstripe_server import receiving

    with receiving() as endpoint:
        yield endpoint


@pytest.fixture
def ask() -> Ask:
    """The requests of the engine."""
    return Ask()


@pytest.fixture
def initiated(provider: StripeProvider, ask: Ask) -> PaymentFacts:
    """A payment of 100.00 EUR that waits for the shopper."""
    outcome = provider.initiate(ask.initiate())
    assert isinstance(outcome, Succeeded)
    return outcome.facts


@pytest.fixture
def authorized(provider: StripeProvider, ask: Ask, localstripe: "LocalStripe", initiated: PaymentFacts) -> str:
    """The reference of a payment of 100.00 EUR that is held."""
    localstripe.shopper_pays(initiated.provider_reference, "4242424242424242").raise_for_status()
    outcome = provider.authorize(ask.authorize(initiated.provider_reference))
    assert isinstance(outcome, Succeeded)
    return initiated.provider_reference
