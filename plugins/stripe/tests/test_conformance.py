"""The Stripe provider takes the exam that every provider takes, with localstripe as the server."""

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from stripe_requests import SECRET_KEY, WEBHOOK_SECRET

from kassa_sdk import Action, Challenge, Money, RawNotice
from kassa_sdk.conformance import Candidate, ProviderConformance, Scenario, Scenarios, SentNotices, ServerBooks
from kassa_stripe import StripeProvider

if TYPE_CHECKING:
    from localstripe_server import LocalStripe, WebhookReceiver

CARD, DECLINED_CARD, CARD_WITH_3DS = "4242424242424242", "4000000000000341", "4000002760003184"


@pytest.fixture(scope="module")
def receiver_of_all(localstripe_server: "LocalStripe") -> "Iterator[WebhookReceiver]":
    """One endpoint for the whole exam: localstripe sends a second late, and would find a closed door in each test."""
    from localstripe_server import receiving

    with receiving() as endpoint:
        yield endpoint


class TestStripe(ProviderConformance):
    @pytest.fixture
    def candidate(self, localstripe: "LocalStripe", receiver_of_all: "WebhookReceiver") -> Candidate:
        receiver = receiver_of_all
        localstripe.send_webhooks_to(receiver.url, WEBHOOK_SECRET)

        def pays_with(card: str) -> Scenario:
            def pays(reference: str) -> None:
                localstripe.shopper_pays(reference, card)

            return Scenario(pays=pays)

        def authenticates(success: bool) -> Scenario:
            def answers(reference: str, action: Action) -> None:
                assert isinstance(action, Challenge)
                secret = str(action.parameters["client_secret"])
                localstripe.shopper_authenticates(reference, secret, success=success)

            return Scenario(pays=pays_with(CARD_WITH_3DS).pays, answers=answers)

        def books(reference: str) -> ServerBooks:
            intent = localstripe.get(f"/v1/payment_intents/{reference}")
            currency, captured = intent["currency"].upper(), intent["amount_received"]
            refunds = localstripe.get(f"/v1/refunds?payment_intent={reference}")["data"] if captured else []
            held = intent["amount"] if intent["status"] in {"requires_capture", "succeeded"} else 0
            # localstripe books what a partial capture leaves as a refund.
            refunded = sum(refund["amount"] for refund in refunds) - (held - captured if captured else 0)
            amounts = StripeProvider.manifest.amounts
            return ServerBooks(
                authorized=amounts.read(held, currency),
                captured=amounts.read(captured, currency),
                refunded=amounts.read(refunded, currency),
                is_canceled=intent["status"] == "canceled",
            )

        def about(reference: str) -> list[RawNotice]:
            arrived = []
            while not arrived or b'"payment_intent.succeeded"' not in arrived[-1].body:
                received = receiver.next_about(reference)
                notice = RawNotice(body=received.body, headers=received.headers, received_at=datetime.now(UTC))
                arrived.append(notice)
            return arrived

        def sign(body: bytes, at: datetime) -> RawNotice:
            timestamp = int(at.timestamp())
            signature = hmac.digest(WEBHOOK_SECRET.encode(), b"%d." % timestamp + body, "sha256").hex()
            header = {"stripe-signature": f"t={timestamp},v1={signature}"}
            return RawNotice(body=body, headers=header, received_at=at)

        return Candidate(
            provider=StripeProvider,
            server_url=localstripe.url,
            options=lambda url: {
                "secret_key": SECRET_KEY,
                "publishable_key": "pk_test_1",
                "webhook_secret": WEBHOOK_SECRET,
                "api_base": url,
                "timeout_seconds": 0.5,
            },
            scenarios=Scenarios(
                approve=pays_with(CARD),
                decline=pays_with(DECLINED_CARD),
                action=authenticates(True),
                action_refused=authenticates(False),
            ),
            books=books,
            notices=SentNotices(about=about, sign=sign),
            saved_method=lambda: {"payment_method": localstripe.card(CARD)},
            amount=Money(10_000, "EUR"),
            not_proven={
                "keys": "localstripe ignores idempotency keys",
                "pending": "localstripe settles every debit at once",
            },
        )
