"""Every event is told to the subscribers that want it: signed, in order, at least once, and never where it must not go."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kassa import Engine, Money, NotAllowed, NotFound
from kassa.config import parse
from kassa.model import Delivery
from kassa.opening import assemble
from kassa.store import events
from kassa.transitions import DeliveryStatus
from kassa_simulator.process import SimulatorProcess

pytest.importorskip("standardwebhooks", reason="kassa[webhooks] is not installed here: there are no subscribers")

import trustme
from standardwebhooks import WebhookVerificationError

from kassa import webhooks

from ..conftest import CASH, Shop
from .clock import Clock
from .receiver import SECRET, Receiver, answering, running

OLD_SECRET = "an old secret of the shop, in plain text"

ACCOUNTING = """
[subscribers.accounting]
url = "env:ACCOUNTING_URL"
secret = "env:ACCOUNTING_SECRET"
timeout_seconds = 1.0
allow_private = true
"""
CAPTURES_ONLY = ACCOUNTING + 'events = ["payment.captured", "order.*"]\n'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The subscriber."""
    with running() as receiver:
        yield receiver


@pytest.fixture
def open_shop(
    configured: str, simulator: SimulatorProcess, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Shop]]:
    """Opens the shop with more in its configuration."""
    monkeypatch.setenv("ACCOUNTING_URL", receiver.url)
    monkeypatch.setenv("ACCOUNTING_SECRET", SECRET)
    monkeypatch.setenv("OLD_SECRET", OLD_SECRET)
    engines: list[Engine] = []

    # Compared with books that several tests share, it would tell of orphans that are none of this test's.
    alone = configured.replace("timeout_seconds = 1.0", "timeout_seconds = 1.0\nlists_payments = false")

    def opened(more: str) -> Shop:
        engines.append(assemble(parse(alone + more), clock=clock))
        return Shop(engines[-1], simulator)

    yield opened
    for engine in engines:
        engine.close()


@pytest.fixture
def telling(open_shop: Callable[[str], Shop]) -> Shop:
    """The shop with a subscriber to everything."""
    return open_shop(ACCOUNTING)


def happens(shop: Shop, *names: str, about: str = "pay_1") -> None:
    """Something happens, as far as the history is concerned."""
    world = shop.engine._world

    def append(connection: Any) -> None:
        for name in names:
            events.append(connection, world.store_id, None, name, about, world.clock())

    world.database.transact(append)


def delivery_of(shop: Shop, status: DeliveryStatus | None = None) -> Delivery:
    """The one delivery of this status."""
    (delivery,) = shop.engine.list_deliveries(status=status)
    return delivery


def test_a_subscriber_is_told_what_happened_and_can_verify_it(telling: Shop, receiver: Receiver) -> None:
    payment = telling.paid("100.00", provider=CASH)
    telling.engine.capture_payment(payment.id)
    telling.engine.work()
    (captured,) = [request for request in receiver.requests if request.type == "payment.captured"]
    document = captured.verified()
    assert document["data"] == {
        "id": payment.id,
        "store_id": "default",
        "payment_collection_id": payment.payment_collection_id,
    }
    history = telling.engine.list_events(payment.payment_collection_id)
    assert captured.id == next(event.id for event in history if event.name == "payment.captured")
    assert receiver.ids == sorted(receiver.ids)
    assert {event.id for event in history} <= set(receiver.ids)


def test_a_subscriber_is_told_only_what_it_wants(open_shop: Callable[[str], Shop], receiver: Receiver) -> None:
    shop = open_shop(CAPTURES_ONLY)
    payment = shop.paid("100.00", provider=CASH)
    shop.engine.capture_payment(payment.id)
    shop.engine.work()
    assert receiver.told == ["order.placed", "payment.captured"]


def test_where_nobody_listens_an_event_has_no_delivery(shop: Shop) -> None:
    shop.paid("100.00", provider=CASH)
    assert not shop.engine.work().deliveries
    assert shop.engine.list_deliveries() == ()


def test_during_a_rotation_both_secrets_verify(open_shop: Callable[[str], Shop], receiver: Receiver) -> None:
    shop = open_shop(ACCOUNTING + 'previous_secret = "env:OLD_SECRET"\n')
    happens(shop, "payment.captured")
    shop.engine.work()
    (request,) = receiver.requests
    assert request.verified(SECRET) == request.verified(OLD_SECRET.encode())
    with pytest.raises(WebhookVerificationError):
        request.verified(b"a secret that nobody has told to the shop")


def test_one_changed_byte_does_not_verify(telling: Shop, receiver: Receiver) -> None:
    happens(telling, "payment.captured")
    telling.engine.work()
    (request,) = receiver.requests
    receiver.requests[0] = type(request)(request.path, request.headers, request.body.replace(b"pay_1", b"pay_2"))
    with pytest.raises(WebhookVerificationError):
        receiver.requests[0].verified()


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_what_is_not_taken_is_told_again_with_the_same_id(
    telling: Shop, receiver: Receiver, clock: Clock, status: int
) -> None:
    receiver.answers = [answering(status, b"not now"), answering(status)]
    happens(telling, "payment.captured")
    for _ in range(3):
        telling.engine.work()
        clock.forward(seconds=10)
    assert len(receiver.requests) == 3
    assert len({request.id for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert [request.verified()["type"] for request in receiver.requests] == ["payment.captured"] * 3
    sent = delivery_of(telling)
    assert (sent.status, sent.attempts, sent.cause, sent.due_at) == (DeliveryStatus.SENT, 3, None, None)


def test_what_the_subscriber_said_is_kept(telling: Shop, receiver: Receiver) -> None:
    receiver.answers = [answering(500, b"the ledger is closed, " + SECRET.encode())]
    happens(telling, "payment.captured")
    telling.engine.work()
    assert delivery_of(telling).cause == "it answered 500: the ledger is closed, ***"


def test_a_subscriber_that_was_down_is_told_everything_in_order(
    telling: Shop, receiver: Receiver, clock: Clock
) -> None:
    receiver.stop()
    happens(telling, "payment.captured", "payment.refunded", "order.placed")
    telling.engine.work()
    assert "did not answer" in str(telling.engine.list_deliveries(status=DeliveryStatus.RETRY)[0].cause)
    clock.forward(hours=2)
    telling.engine.work()
    receiver.start()
    for _ in range(4):
        clock.forward(minutes=10)
        telling.engine.work()
    assert receiver.told == ["payment.captured", "payment.refunded", "order.placed"]
    assert {each.status for each in telling.engine.list_deliveries()} == {DeliveryStatus.SENT}


def test_later_events_wait_for_one_that_is_tried_again(telling: Shop, receiver: Receiver, clock: Clock) -> None:
    receiver.answers = [answering(422)]
    happens(telling, "payment.captured", "payment.refunded")
    telling.engine.work()
    happens(telling, "order.placed")
    telling.engine.work()
    assert receiver.told == ["payment.captured"]
    clock.forward(seconds=6)
    telling.engine.work()
    assert receiver.told == ["payment.captured", "payment.captured", "payment.refunded", "order.placed"]


def test_an_event_that_is_never_taken_does_not_hold_the_others_for_ever(
    telling: Shop, receiver: Receiver, clock: Clock
) -> None:
    refuse, take = answering(422), answering(204)
    receiver.always = lambda handler, request: (refuse if request.type == "poison" else take)(handler, request)
    happens(telling, "poison", "payment.captured")
    for _ in range(5):
        telling.engine.work()
        clock.forward(seconds=20)
    assert receiver.told[-1] == "payment.captured"


def test_one_subscriber_does_not_wait_for_another(
    open_shop: Callable[[str], Shop], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as other:
        monkeypatch.setenv("OTHER_URL", other.url)
        second = ACCOUNTING.replace("accounting", "warehouse").replace("ACCOUNTING_URL", "OTHER_URL")
        shop = open_shop(ACCOUNTING + second)
        receiver.always = answering(500)
        happens(shop, "payment.captured", "order.placed")
        shop.engine.work()
        assert other.told == ["payment.captured", "order.placed"]
        assert receiver.told == ["payment.captured"]


def test_one_that_is_not_reached_is_left_alone_for_a_while(telling: Shop, receiver: Receiver, clock: Clock) -> None:
    receiver.always = answering(503)
    happens(telling, "payment.captured")
    telling.engine.work()
    clock.forward(minutes=2)
    happens(telling, "order.placed")
    telling.engine.work()
    assert len(receiver.requests) == 2
    for _ in range(5):
        telling.engine.work()
    assert len(receiver.requests) == 2


def test_after_about_three_days_a_delivery_is_dead_with_an_alarm_and_a_person_replays_it(
    telling: Shop, receiver: Receiver, clock: Clock
) -> None:
    receiver.always = answering(500)
    happens(telling, "payment.captured")
    began = clock.now
    while not telling.engine.list_deliveries(status=DeliveryStatus.DEAD):
        telling.engine.work()
        clock.forward(hours=1)
        assert clock.now - began < timedelta(days=5)
    assert clock.now - began > timedelta(days=2)
    receiver.always = answering(204)
    told_before = len(receiver.requests)
    telling.engine.work()
    assert len(receiver.requests) == told_before, "the alarm does not go where the delivery was dead"
    dead = delivery_of(telling, DeliveryStatus.DEAD)
    assert telling.engine.replay_delivery(dead.id).status is DeliveryStatus.NEW
    telling.engine.work()
    assert receiver.ids[-1] == dead.event.id
    assert delivery_of(telling).status is DeliveryStatus.SENT


def test_gone_is_dead_at_once(telling: Shop, receiver: Receiver) -> None:
    receiver.answers = [answering(410)]
    happens(telling, "payment.captured")
    telling.engine.work()
    dead = delivery_of(telling, DeliveryStatus.DEAD)
    assert (dead.attempts, dead.cause) == (1, "it answered 410")


def test_two_subscribers_that_are_gone_do_not_make_alarms_for_ever(
    open_shop: Callable[[str], Shop], receiver: Receiver
) -> None:
    shop = open_shop(ACCOUNTING + ACCOUNTING.replace("accounting", "warehouse"))
    receiver.always = answering(410)
    happens(shop, "payment.captured")
    for _ in range(10):
        shop.engine.work()
    assert (
        sorted(receiver.told) == ["kassa.alarm.delivery_dead", "kassa.alarm.delivery_dead"] + ["payment.captured"] * 2
    )


def test_what_was_taken_can_be_told_again(telling: Shop, receiver: Receiver) -> None:
    happens(telling, "payment.captured")
    telling.engine.work()
    telling.engine.replay_delivery(delivery_of(telling).id)
    telling.engine.work()
    assert receiver.ids == [receiver.ids[0]] * 2


def test_what_is_tried_anyway_is_not_replayed(telling: Shop, receiver: Receiver) -> None:
    receiver.answers = [answering(500)]
    happens(telling, "payment.captured")
    telling.engine.work()
    with pytest.raises(NotAllowed, match="is retry; the worker tries it anyway"):
        telling.engine.replay_delivery(delivery_of(telling).id)


def test_one_store_sees_no_delivery_of_another(telling: Shop) -> None:
    happens(telling, "payment.captured")
    telling.engine.work()
    other = telling.engine.for_store("other")
    assert other.list_deliveries() == ()
    with pytest.raises(NotFound):
        other.replay_delivery(delivery_of(telling).id)


def test_a_delivery_to_one_whom_nobody_configures_any_more_is_dead_after_days(
    open_shop: Callable[[str], Shop], receiver: Receiver, clock: Clock
) -> None:
    shop = open_shop(ACCOUNTING)
    receiver.always = answering(500)
    happens(shop, "payment.captured")
    shop.engine.work()
    without = open_shop("")
    clock.forward(days=1)
    without.engine.work()
    assert delivery_of(without).status is DeliveryStatus.RETRY
    clock.forward(days=3)
    without.engine.work()
    dead = delivery_of(without)
    assert (dead.status, dead.cause) == (DeliveryStatus.DEAD, "accounting is not configured any more")
    with pytest.raises(NotAllowed, match="configure it again"):
        without.engine.replay_delivery(dead.id)


def test_a_redirect_is_not_followed(telling: Shop, receiver: Receiver) -> None:
    with running() as elsewhere:
        receiver.answers = [answering(307, location=elsewhere.url)]
        happens(telling, "payment.captured")
        telling.engine.work()
        assert elsewhere.requests == []
    assert "redirects are not followed" in str(delivery_of(telling).cause)


def test_no_proxy_of_the_environment_is_asked(
    telling: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    happens(telling, "payment.captured")
    telling.engine.work()
    assert receiver.told == ["payment.captured"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_that_is_not_public_is_not_connected_to(
    open_shop: Callable[[str], Shop], receiver: Receiver, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("ACCOUNTING_URL", f"https://{host}:{receiver.port}/hook")
    shop = open_shop(ACCOUNTING.replace("allow_private = true", ""))
    happens(shop, "payment.captured")
    shop.engine.work()
    assert receiver.requests == []
    assert "which is no public address" in str(delivery_of(shop).cause)


def test_the_connection_goes_to_the_address_that_was_judged(
    open_shop: Callable[[str], Shop], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    real = socket.getaddrinfo

    def rebinding(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name != "shop.example":
            return real(host, *arguments, **options)
        asked.append(name)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setenv("ACCOUNTING_URL", f"http://shop.example:{receiver.port}/hook?of=shop")
    shop = open_shop(ACCOUNTING)
    happens(shop, "payment.captured")
    shop.engine.work()
    (request,) = receiver.requests
    assert asked == ["shop.example"]
    assert (request.headers["host"], request.path) == (f"shop.example:{receiver.port}", "/hook?of=shop")


@pytest.mark.parametrize(("name", "is_told"), [("localhost", True), ("other.example", False)])
def test_tls_is_verified_against_the_name(
    open_shop: Callable[[str], Shop], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, is_told: bool
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    webhooks._tls.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with running(context) as secure:
        monkeypatch.setenv("ACCOUNTING_URL", f"https://localhost:{secure.port}/hook")
        shop = open_shop(ACCOUNTING)
        happens(shop, "payment.captured")
        shop.engine.work()
        assert secure.told == ["payment.captured"] * is_told
    webhooks._tls.cache_clear()
    assert ("CERTIFICATE_VERIFY_FAILED" in str(delivery_of(shop).cause)) is not is_told


def test_an_answer_that_never_ends_is_not_read_to_its_end(telling: Shop, receiver: Receiver) -> None:
    def endless(handler: Any, _request: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        with pytest.raises(OSError):
            while True:
                handler.wfile.write(b"x" * 65536)

    receiver.answers = [endless]
    happens(telling, "payment.captured")
    telling.engine.work()
    assert delivery_of(telling).status is DeliveryStatus.SENT


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(telling: Shop, receiver: Receiver) -> None:
    over = threading.Event()

    def trickling(handler: Any, _request: Any) -> None:
        while not over.wait(0.1):
            handler.wfile.write(b"H")

    receiver.answers = [trickling]
    happens(telling, "payment.captured")
    telling.engine.work()
    over.set()
    assert delivery_of(telling).status is DeliveryStatus.RETRY


def test_a_worker_that_is_killed_before_it_notes_the_answer_has_the_event_told_again(
    telling: Shop, receiver: Receiver, clock: Clock, configured: str, tmp_path: Path
) -> None:
    (tmp_path / "kassa.toml").write_text(configured + ACCOUNTING, encoding="utf-8")
    happens(telling, "payment.captured")
    workers: list[subprocess.Popen[bytes]] = []
    answered = threading.Event()

    def kill_the_worker(handler: Any, request: Any) -> None:
        os.kill(workers[0].pid, signal.SIGKILL)
        answered.set()

    receiver.answers = [kill_the_worker]
    command = [sys.executable, "-m", "kassa", "worker", "--once", "--config", str(tmp_path / "kassa.toml")]
    workers.append(subprocess.Popen(command))
    assert answered.wait(60)
    assert workers[0].wait(60) == -signal.SIGKILL
    telling.engine.work()
    assert len(receiver.requests) == 1, "its lease is not over"
    clock.forward(minutes=10)
    telling.engine.work()
    assert receiver.ids == [receiver.ids[0]] * 2
    assert delivery_of(telling).status is DeliveryStatus.SENT


def test_several_workers_share_the_deliveries_and_keep_the_order(telling: Shop, receiver: Receiver) -> None:
    names = [f"payment.number-{number}" for number in range(100)]
    happens(telling, *names)
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        for _ in range(100):
            if len(receiver.requests) >= len(names):
                return
            telling.engine.work()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert receiver.told == names


def test_a_thousand_events_get_their_deliveries_in_batches(telling: Shop, receiver: Receiver) -> None:
    happens(telling, *["payment.captured"] * 1000)
    began = time.perf_counter()
    telling.engine.work()
    print(f"fan-out of 1,000 events and 20 deliveries: {time.perf_counter() - began:.2f} s")
    assert len(telling.engine.list_deliveries(limit=1000)) == 1000
    assert len(receiver.requests) == 20


def test_no_secret_is_in_the_causes_and_in_what_the_records_show(
    open_shop: Callable[[str], Shop], receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_shop(ACCOUNTING)
    receiver.always = lambda handler, request: answering(500, repr(request.headers).encode())(handler, request)
    happens(shop, "payment.captured")
    shop.engine.work()
    subscriber = shop.engine._world.subscribers["accounting"]
    shown = f"{delivery_of(shop)} {subscriber!r} {caplog.text}"
    assert SECRET not in shown
    assert SECRET.removeprefix("whsec_") not in shown


def test_money_is_not_in_what_is_told(telling: Shop, receiver: Receiver) -> None:
    payment = telling.paid("100.00", provider=CASH)
    telling.engine.capture_payment(payment.id, Money.parse("12.34", "EUR"))
    telling.engine.work()
    assert all(
        b"1234" not in request.body and b"12.34" not in request.body
        for request in receiver.requests
        if request.type == "payment.captured"
    )
