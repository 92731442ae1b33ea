"""The whole checkout through kassa's HTTP server, with webhooks that a Stripe that we did not write signs and delivers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

kassa = pytest.importorskip("kassa", reason="kassa is not installed here: the plugin is tested without its engine")
pytest.importorskip("kassa.http", reason="kassa is installed without its HTTP server: pip install 'kassa[http]'")

from test_checkout_with_kassa import TOML  # noqa: E402

from kassa.model import Scope  # noqa: E402  # after the check

if TYPE_CHECKING:
    from localstripe_server import LocalStripe

PATIENCE_SECONDS = 30
CATALOGUE = """
[carts.options.catalogue.tea]
title = "Tea"
prices = { EUR = "100.00" }
"""


@dataclass(frozen=True)
class Served:
    """A running server, and its keys."""

    url: str
    publishable: str
    secret: str

    def store(self, path: str, body: object) -> Any:
        """What a storefront is answered."""
        headers = {"x-publishable-api-key": self.publishable}
        answer = requests.post(f"{self.url}/store{path}", json=body, headers=headers, timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def payment(self) -> Any:
        """The newest payment, as a backend sees it."""
        auth = (self.secret, "")
        answer = requests.get(f"{self.url}/admin/payments", auth=auth, timeout=PATIENCE_SECONDS)
        return answer.json()["payments"][0]

    def notices(self) -> Any:
        """The inbox."""
        answer = requests.get(f"{self.url}/admin/notices", auth=(self.secret, ""), timeout=PATIENCE_SECONDS)
        return answer.json()["notices"]


@pytest.fixture
def served(tmp_path: Path, localstripe: "LocalStripe", monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """``kassa serve``, with its worker, whose one provider is Stripe; Stripe delivers its webhooks to it."""
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_1")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_1")
    config = tmp_path / "kassa.toml"
    config.write_text(TOML.format(folder=tmp_path, url=localstripe.url) + CATALOGUE, encoding="utf-8")
    engine = kassa.open(config)
    publishable = engine.create_publishable_key("shop").token
    secret = engine.create_secret_key("backend", [Scope.ADMIN]).token
    engine.close()
    command = [sys.executable, "-m", "kassa", "serve", "--json", "--port", "0", "--config", str(config)]
    with subprocess.Popen(command, env=os.environ.copy(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "it is a pipe"
            url = json.loads(process.stdout.readline())["url"]
            localstripe.send_webhooks_to(f"{url}/hooks/payment/stripe_stripe", "whsec_1")
            yield Served(url, publishable, secret)
        finally:
            localstripe.send_webhooks_to("http://127.0.0.1:9/", "whsec_1")
            process.terminate()


def pay(served: Served, localstripe: "LocalStripe", number: str) -> tuple[str, Any]:
    """What Stripe calls the payment of a new cart, with which the shopper paid by this card; and what completing said."""
    item = {"variant_id": "tea", "quantity": 1}
    cart = served.store("/carts", {"region_id": "eu", "items": [item]})["cart"]["id"]
    collection = served.store("/payment-collections", {"cart_id": cart})["payment_collection"]["id"]
    path = f"/payment-collections/{collection}/payment-sessions"
    (session,) = served.store(path, {"provider_id": "pp_stripe_stripe"})["payment_collection"]["payment_sessions"]
    reference = str(session["data"]["client_secret"]).partition("_secret_")[0]
    localstripe.shopper_pays(reference, number).raise_for_status()
    return reference, served.store(f"/carts/{cart}/complete", {})


def eventually(look: Any) -> Any:
    """What it finds, once it finds something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("nothing came of it")


def test_what_is_captured_in_the_dashboard_is_booked_by_the_webhook_that_stripe_delivers(
    served: Served, localstripe: "LocalStripe"
) -> None:
    reference, completed = pay(served, localstripe, "4242424242424242")
    assert completed["type"] == "order"
    assert served.payment()["captures"] == []
    localstripe.post(f"/v1/payment_intents/{reference}/capture", amount_to_capture="6000").raise_for_status()
    captures = eventually(lambda: served.payment()["captures"])
    assert [capture["amount"] for capture in captures] == [60]
    (notice,) = served.notices()
    assert (notice["status"], notice["provider_reference"]) == ("applied", reference)


def test_a_challenged_card_is_shown_its_action_and_completed_after_it(
    served: Served, localstripe: "LocalStripe"
) -> None:
    reference, needed = pay(served, localstripe, "4000002760003184")
    assert (needed["type"], needed["error"]["type"]) == ("cart", "payment_requires_more_error")
    (session,) = needed["cart"]["payment_collection"]["payment_sessions"]
    assert session["data"]["action"]["type"] == "challenge"
    localstripe.shopper_authenticates(reference, session["data"]["client_secret"], success=True)
    completed = served.store(f"/carts/{needed['cart']['id']}/complete", {})
    assert completed["type"] == "order"


def test_what_stripe_did_not_sign_is_refused_and_not_kept(served: Served, localstripe: "LocalStripe") -> None:
    reference, _ = pay(served, localstripe, "4242424242424242")
    body = json.dumps({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": reference}}})
    for signature in ({}, {"stripe-signature": f"t={int(time.time())},v1={'0' * 64}"}):
        answer = requests.post(
            f"{served.url}/hooks/payment/stripe_stripe", data=body, headers=signature, timeout=PATIENCE_SECONDS
        )
        assert (answer.status_code, answer.json()["type"]) == (401, "unauthorized")
    assert served.notices() == []
