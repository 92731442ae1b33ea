"""localstripe on loopback, and a receiver for its webhooks.

localstripe 1.15.10 is a Stripe that we did not write.  Where it lags behind Stripe's documented API, ``complete`` adds
what is missing; that, and what no test can show with it, is listed here:

added     capture takes ``metadata``                          localstripe refuses the parameter
added     ``amount_received``, ``amount_capturable``,         localstripe does not tell them
          ``amount_captured``
added     an updated amount is a number                       localstripe keeps the text of the form
added     payment methods are listed without a ``type``       localstripe demands one
added     PaymentIntents are listed by ``created``            localstripe refuses the parameter, and lists the oldest first
not shown idempotency keys, the search, disputes, pending     localstripe has none of them; a canned answer of Stripe's
          refunds, ``return_url``, redirects, decline codes   documented shape stands in, which proves the translation only
not shown what Stripe refuses: amounts that are too small,    localstripe accepts it
          refunds above the captured amount, capturing a
          cancelled hold, amount and key of another request
"""

import asyncio
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import requests
from aiohttp import web

with warnings.catch_warnings():
    # localstripe gives aiohttp plain functions as handlers, which still works.
    warnings.filterwarnings("ignore", "Bare functions are deprecated", DeprecationWarning)
    from localstripe import resources
    from localstripe.server import app, get_post_data, json_response

WAIT_SECONDS = 10


def _captured(charge: Any) -> int:
    return getattr(charge, "_amount_to_capture", charge.amount) if charge is not None and charge.captured else 0


def _received(intent: Any) -> int:
    return _captured(intent.latest_charge) if intent.status == "succeeded" else 0


def _capturable(intent: Any) -> int:
    return int(intent.amount) if intent.status == "requires_capture" else 0


@web.middleware
async def _capture_with_metadata(request: web.Request, handler: Any) -> web.StreamResponse:
    parts = request.path.split("/")
    if parts[2:3] != ["payment_intents"] or parts[-1] != "capture":
        return await handler(request)  # type: ignore[no-any-return]
    posted = await get_post_data(request)
    intent = resources.PaymentIntent._api_retrieve(parts[3])
    intent.metadata.update(posted.pop("metadata", {}))
    expand = posted.pop("expand", None)
    if intent.status == "requires_capture":
        # Known before the capture, because localstripe writes the event of its webhook during it.
        intent.latest_charge._amount_to_capture = int(posted.get("amount_to_capture", intent.amount))
    return json_response(resources.PaymentIntent._api_capture(parts[3], **posted)._export(expand=expand))


def complete() -> None:
    """Add to localstripe what the head of this file lists, and keep it from writing to the disk."""
    update_intent = resources.PaymentIntent._update
    list_methods = resources.PaymentMethod._api_list_all
    list_intents = resources.PaymentIntent._api_list_all

    def update(self: Any, **data: Any) -> None:
        update_intent(self, **{**data, "amount": int(data["amount"])} if "amount" in data else data)

    def list_all(cls: Any, url: str, type: str = "card", **filters: Any) -> Any:
        return list_methods(url, type=type, **filters)

    def list_created(cls: Any, url: str, created: Any = None, **filters: Any) -> Any:
        found = list_intents(url, **filters)
        times = created or {}
        since, until = int(times.get("gte", 0)), int(times.get("lt", 2**63))
        found._list = [intent for intent in reversed(found._list) if since <= intent.created < until]
        return found

    resources.Store.dump_to_disk = lambda self: None
    resources.PaymentIntent.amount_received = property(_received)
    resources.PaymentIntent.amount_capturable = property(_capturable)
    resources.Charge.amount_captured = property(_captured)
    resources.PaymentIntent._update = update
    resources.PaymentMethod._api_list_all = classmethod(list_all)
    resources.PaymentIntent._api_list_all = classmethod(list_created)
    app.middlewares.append(_capture_with_metadata)


@dataclass(frozen=True)
class LocalStripe:
    """A running localstripe, and what shoppers and operators do there."""

    url: str
    secret_key: str = "sk_test_1"

    def post(self, path: str, **form: str) -> requests.Response:
        """Any request with the secret key, such as one made in the dashboard."""
        return requests.post(self.url + path, data=form, auth=(self.secret_key, ""), timeout=WAIT_SECONDS)

    def get(self, path: str) -> Any:
        """Any question with the secret key."""
        answer = requests.get(self.url + path, auth=(self.secret_key, ""), timeout=WAIT_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def card(self, number: str) -> str:
        """A payment method, as stripe.js makes one of what the shopper types."""
        card = {"card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2040", "card[cvc]": "123"}
        answer = self.post("/v1/payment_methods", type="card", **card)
        return str(answer.json()["id"])

    def shopper_pays(self, reference: str, number: str) -> requests.Response:
        """stripe.js confirms with the shopper's card; localstripe wants it in two steps, and with the secret key."""
        self.post(f"/v1/payment_intents/{reference}", payment_method=self.card(number)).raise_for_status()
        return self.post(f"/v1/payment_intents/{reference}/confirm")

    def shopper_authenticates(self, reference: str, client_secret: str, *, success: bool) -> None:
        """What localstripe's own stripe.js sends when the shopper has answered the challenge."""
        requests.post(
            f"{self.url}/v1/payment_intents/{reference}/_authenticate?success={str(success).lower()}",
            json={"key": "pk_test_1", "client_secret": client_secret},
            timeout=WAIT_SECONDS,
        ).raise_for_status()

    def send_webhooks_to(self, url: str, secret: str) -> None:
        """Register an endpoint."""
        requests.post(
            f"{self.url}/_config/webhooks/tests", json={"url": url, "secret": secret}, timeout=WAIT_SECONDS
        ).raise_for_status()

    def forget_everything(self) -> None:
        """Empty books."""
        requests.delete(f"{self.url}/_config/data", timeout=WAIT_SECONDS).raise_for_status()


@contextmanager
def serving(application: web.Application) -> Iterator[str]:
    """Serve an aiohttp application on loopback from a thread; yields its URL."""
    loop = asyncio.new_event_loop()
    # The exam breaks connections in the middle of requests; nobody waits for the rest of them.
    runner = web.AppRunner(application, shutdown_timeout=1.0)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return int(runner.addresses[0][1])

    async def stop() -> None:
        await runner.cleanup()
        # What arrived at this very moment is let in first, and closed then.
        await asyncio.sleep(0.1)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(start(), loop).result(WAIT_SECONDS)
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(WAIT_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_SECONDS)
        loop.close()


@dataclass(frozen=True)
class Received:
    """A webhook as it arrived."""

    body: bytes
    headers: dict[str, str]


@dataclass
class WebhookReceiver:
    """An endpoint that keeps what it is sent."""

    url: str = ""
    arrived: SimpleQueue[Received] = field(default_factory=SimpleQueue)

    def next_about(self, reference: str) -> Received:
        """The next webhook about this; waits for it, and skips what earlier tests have caused."""
        while True:
            received = self.arrived.get(timeout=WAIT_SECONDS)
            if reference.encode() in received.body:
                return received

    async def receive(self, request: web.Request) -> web.Response:
        """The route."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.arrived.put(Received(await request.read(), headers))
        return web.Response()


@contextmanager
def receiving() -> Iterator[WebhookReceiver]:
    """A webhook receiver on loopback."""
    receiver = WebhookReceiver()
    application = web.Application()
    application.router.add_post("/hooks", receiver.receive)
    with serving(application) as url:
        receiver.url = f"{url}/hooks"
        yield receiver


@contextmanager
def running_localstripe() -> Iterator[LocalStripe]:
    """localstripe; its application can only be started once in a process."""
    complete()
    with serving(app) as url:
        yield LocalStripe(url)
