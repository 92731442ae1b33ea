"""The whole checkout through kassa's engine, Stripe's own SDK, and a Stripe that we did not write."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

kassa = pytest.importorskip("kassa", reason="kassa is not installed here: the plugin is tested without its engine")

from kassa import ActionNeeded, Engine, Money, NewItem, NotAllowed, OrderPlaced, Refused  # noqa: E402  # after the check
from kassa.model import Cart, Payment  # noqa: E402
from kassa.transitions import NoticeStatus, SessionStatus  # noqa: E402

if TYPE_CHECKING:
    from localstripe_server import LocalStripe, WebhookReceiver

STRIPE = "pp_stripe_stripe"
TOML = """
[database]
url = "sqlite:///{folder}/kassa.db"

[providers.stripe]
plugin = "stripe"

[providers.stripe.options]
secret_key = "env:STRIPE_SECRET_KEY"
publishable_key = "pk_test_1"
webhook_secret = "env:STRIPE_WEBHOOK_SECRET"
api_base = "{url}"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["stripe"]
"""


@pytest.fixture
def engine(tmp_path: Path, localstripe: "LocalStripe", monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine whose one provider is Stripe."""
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_1")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_1")
    (tmp_path / "kassa.toml").write_text(TOML.format(folder=tmp_path, url=localstripe.url), encoding="utf-8")
    engine = kassa.open(tmp_path / "kassa.toml")
    yield engine
    engine.close()


@pytest.fixture
def cart(engine: Engine) -> Cart:
    """A cart of 100.00 EUR with a Stripe session."""
    cart = engine.create_cart("eu", [NewItem(title="A thing", quantity=1, unit_price=Money.parse("100.00", "EUR"))])
    engine.create_payment_session(engine.create_payment_collection(cart.id).id, STRIPE)
    return cart


@pytest.fixture
def paid(engine: Engine, cart: Cart, localstripe: "LocalStripe") -> Payment:
    """The payment of 100.00 EUR of a placed order."""
    localstripe.shopper_pays(reference_of(engine, cart), "4242424242424242").raise_for_status()
    completion = engine.complete_cart(cart.id)
    assert isinstance(completion, OrderPlaced)
    assert completion.payment_collection is not None
    return completion.payment_collection.payments[0]


def reference_of(engine: Engine, cart: Cart) -> str:
    """What Stripe calls the cart's payment."""
    (session,) = engine.create_payment_collection(cart.id).live_sessions
    assert session.provider_reference is not None
    return session.provider_reference


def test_a_card_is_held_and_the_order_placed(engine: Engine, cart: Cart, localstripe: "LocalStripe") -> None:
    localstripe.shopper_pays(reference_of(engine, cart), "4242424242424242").raise_for_status()
    assert isinstance(engine.complete_cart(cart.id), OrderPlaced)


def test_a_challenged_card_is_shown_its_action_and_completed_after_it(
    engine: Engine, cart: Cart, localstripe: "LocalStripe"
) -> None:
    reference = reference_of(engine, cart)
    localstripe.shopper_pays(reference, "4000002760003184").raise_for_status()
    needed = engine.complete_cart(cart.id)
    assert isinstance(needed, ActionNeeded)
    assert needed.action.type == "challenge"
    client_secret = str(needed.payment_session.data["client_secret"])
    localstripe.shopper_authenticates(reference, client_secret, success=True)
    assert isinstance(engine.complete_cart(cart.id), OrderPlaced)


def test_a_failed_challenge_is_refused_and_the_shopper_tries_another_card(
    engine: Engine, cart: Cart, localstripe: "LocalStripe"
) -> None:
    reference = reference_of(engine, cart)
    localstripe.shopper_pays(reference, "4000002760003184").raise_for_status()
    needed = engine.complete_cart(cart.id)
    assert isinstance(needed, ActionNeeded)
    localstripe.shopper_authenticates(reference, str(needed.payment_session.data["client_secret"]), success=False)
    refused = engine.complete_cart(cart.id)
    assert isinstance(refused, Refused)
    assert refused.retryable
    localstripe.shopper_pays(reference, "4242424242424242").raise_for_status()
    assert isinstance(engine.complete_cart(cart.id), OrderPlaced)


def test_a_part_is_captured_once_and_a_part_of_that_refunded(engine: Engine, paid: Payment) -> None:
    engine.capture_payment(paid.id, Money.parse("60.00", "EUR"))
    engine.refund_payment(paid.id, Money.parse("15.00", "EUR"), "scratched")
    engine.refund_payment(paid.id, Money.parse("5.00", "EUR"))
    ledger = engine.retrieve_payment(paid.id)
    assert ledger.payment.captured == Money.parse("60.00", "EUR")
    assert [str(refund.amount) for refund in ledger.refunds] == ["15.00 EUR", "5.00 EUR"]


def test_what_stripe_would_take_twice_is_refused_before_it_is_asked(engine: Engine, paid: Payment) -> None:
    engine.capture_payment(paid.id, Money.parse("60.00", "EUR"))
    with pytest.raises(NotAllowed, match=r"has 0\.00 EUR left to capture"):
        engine.capture_payment(paid.id, Money.parse("40.00", "EUR"))
    with pytest.raises(NotAllowed, match=r"has 60\.00 EUR left to refund"):
        # localstripe accepts over-refunds, so this refusal is the engine's own.
        engine.refund_payment(paid.id, Money.parse("60.01", "EUR"))


def test_a_hold_is_released(engine: Engine, paid: Payment) -> None:
    assert engine.cancel_payment(paid.id).canceled == Money.parse("100.00", "EUR")


def test_a_session_that_is_given_up_is_closed_at_stripe(engine: Engine, cart: Cart, localstripe: "LocalStripe") -> None:
    reference = reference_of(engine, cart)
    session = engine.create_payment_collection(cart.id).sessions[0]
    engine.delete_payment_session(session.id)
    assert engine.retrieve_payment_session(session.id).status is SessionStatus.CANCELED
    assert localstripe.shopper_pays(reference, "4242424242424242").status_code >= 400


def test_what_stripe_tells_by_webhook_is_stored_once_and_changes_nothing_that_is_known(
    engine: Engine, paid: Payment, localstripe: "LocalStripe", receiver: "WebhookReceiver"
) -> None:
    localstripe.send_webhooks_to(receiver.url, "whsec_1")
    engine.capture_payment(paid.id, Money.parse("60.00", "EUR"))
    arrived = receiver.next_about(paid.provider_reference)
    for _ in range(3):
        engine.receive_notice("stripe", arrived.body, arrived.headers)
    engine.work()
    (notice,) = engine.list_notices()
    assert notice.status is NoticeStatus.APPLIED
    ledger = engine.retrieve_payment(paid.id)
    assert [str(capture.amount) for capture in ledger.captures] == ["60.00 EUR"]
    assert engine.list_cases() == ()
    with pytest.raises(kassa.Unverified):
        engine.receive_notice("stripe", arrived.body + b" ", arrived.headers)
