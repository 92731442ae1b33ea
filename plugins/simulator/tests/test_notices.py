"""Notices: told for every effect on a payment, believed only with a signature."""

import itertools
import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from kassa_sdk import BadSignature, Money, ProviderError, RawNotice, Unsupported
from kassa_simulator.control import NoticeSelection, NoticeTwist
from kassa_simulator.signature import SIGNATURE_HEADER, sign


class Receiver:
    """A webhook that keeps what it gets, and answers with the next of its statuses."""

    def __init__(self):
        self.received = []
        self.statuses = itertools.repeat(200)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(RawNotice(body=body, headers=headers, received_at=datetime.now(UTC)))
                self.send_response(next(receiver.statuses))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks/payment/simulator"

    @property
    def event_ids(self):
        return [json.loads(raw.body)["id"] for raw in self.received]


@pytest.fixture
def receiver():
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


def raw_of(written):
    return RawNotice(body=written["body"].encode(), headers=written["headers"], received_at=datetime.now(UTC))


def signed(body, *, secret="simulator-webhook-secret", age_seconds=0):
    now = datetime.now(UTC)
    header = sign(body, secret, int(now.timestamp()) - age_seconds)
    return RawNotice(body=body, headers={SIGNATURE_HEADER: header}, received_at=now)


def read_all(shop, simulator, **selection):
    written = simulator.control.notices(NoticeSelection(**selection))
    return [notice for one in written for notice in shop.provider.read_notice(raw_of(one))]


def test_each_effect_is_told_with_its_own_id_and_the_totals_of_that_moment(shop, simulator):
    payment_id = shop.authorized()
    shop.capture(payment_id, 4_000)
    shop.capture(payment_id, 6_000)
    notices = read_all(shop, simulator, payment_id=payment_id)
    assert [notice.type for notice in notices] == ["payment.authorized", "payment.captured", "payment.captured"]
    assert [notice.facts.captured.minor for notice in notices] == [0, 4_000, 10_000]
    assert len({notice.event_id for notice in notices}) == 3
    assert {notice.provider_reference for notice in notices} == {payment_id}


def test_a_notice_and_a_look_up_say_the_same(shop, simulator):
    payment_id = shop.captured()
    shop.refund(payment_id, 2_500)
    assert read_all(shop, simulator, payment_id=payment_id)[-1].facts == shop.look_up(payment_id=payment_id).facts


def test_notices_are_the_same_after_a_restart(own_simulator, shop_of):
    simulator = own_simulator()
    shop_of(simulator).captured()
    before = [(notice["event_id"], notice["body"]) for notice in simulator.control.notices()]
    simulator.restart()
    assert [(notice["event_id"], notice["body"]) for notice in simulator.control.notices()] == before


@pytest.mark.parametrize("twist", [NoticeTwist.FORGED, NoticeTwist.UNSIGNED, NoticeTwist.TAMPERED])
def test_a_notice_that_the_simulator_did_not_sign_is_not_believed(shop, simulator, twist):
    payment_id = shop.captured()
    with pytest.raises(BadSignature):
        read_all(shop, simulator, payment_id=payment_id, twist=twist)


@pytest.mark.parametrize("position", [0, 10, -1])
def test_one_changed_byte_spoils_the_signature(shop, position):
    raw = signed(b'{"id":"evt_1","type":"payout.paid"}')
    body = bytearray(raw.body)
    body[position] ^= 1
    with pytest.raises(BadSignature):
        shop.provider.read_notice(raw.model_copy(update={"body": bytes(body)}))


@pytest.mark.parametrize(
    "header",
    ["", "t=,v1=", "v1=00", "t=1", "t=1,v1=zz", "t=1e3,v1=" + "0" * 64, "t=1,v1=" + "0" * 64, "t=١,v1=" + "0" * 64],
)
def test_a_signature_that_is_none_is_refused(shop, header):
    raw = RawNotice(body=b"{}", headers={SIGNATURE_HEADER: header}, received_at=datetime.now(UTC))
    with pytest.raises(BadSignature):
        shop.provider.read_notice(raw)


@pytest.mark.parametrize("age_seconds", [-290, 0, 290])
def test_a_notice_is_believed_within_five_minutes(shop, age_seconds):
    assert shop.provider.read_notice(signed(b'{"id":"evt_1","type":"payout.paid"}', age_seconds=age_seconds)) == ()


@pytest.mark.parametrize("age_seconds", [-310, 310, 86_400])
def test_an_old_or_a_future_timestamp_is_refused(shop, age_seconds):
    with pytest.raises(BadSignature, match="300 seconds"):
        shop.provider.read_notice(signed(b'{"id":"evt_1","type":"payout.paid"}', age_seconds=age_seconds))


def test_the_simulator_can_sign_with_an_old_timestamp(shop, simulator):
    payment_id = shop.captured()
    with pytest.raises(BadSignature):
        read_all(shop, simulator, payment_id=payment_id, age_seconds=400)


def test_the_previous_secret_is_accepted_while_it_is_being_changed(shop_of, simulator):
    shop = shop_of(simulator, webhook_secret="new", previous_webhook_secret="old")
    for secret in ("new", "old"):
        assert shop.provider.read_notice(signed(b'{"id":"evt_1","type":"payout.paid"}', secret=secret)) == ()
    with pytest.raises(BadSignature):
        shop.provider.read_notice(signed(b'{"id":"evt_1","type":"payout.paid"}', secret="older"))


def test_a_signed_notice_that_makes_no_sense_is_an_error_and_not_a_forgery(shop, simulator):
    payment_id = shop.captured()
    with pytest.raises(ProviderError, match="signed correctly") as error:
        read_all(shop, simulator, payment_id=payment_id, twist=NoticeTwist.MALFORMED)
    assert not isinstance(error.value, BadSignature)


def test_a_notice_about_something_else_says_nothing(shop, simulator):
    payment_id = shop.captured()
    assert read_all(shop, simulator, payment_id=payment_id, twist=NoticeTwist.UNRELATED) == []


@pytest.mark.parametrize(
    ("twist", "authorized"),
    [(NoticeTwist.WRONG_AMOUNT, Money(10_100, "EUR")), (NoticeTwist.WRONG_CURRENCY, Money(10_000, "USD"))],
)
def test_an_authentic_notice_with_a_wrong_amount_is_passed_on_for_the_engine_to_see(shop, simulator, twist, authorized):
    payment_id = shop.authorized()
    (notice,) = read_all(shop, simulator, payment_id=payment_id, twist=twist)
    assert notice.facts.authorized == authorized


def test_an_id_only_provider_says_which_payment_to_look_up(shop_of, simulator):
    shop = shop_of(simulator, notices="id_only")
    payment_id = shop.authorized()
    (notice,) = read_all(shop, simulator, payment_id=payment_id)
    assert (notice.provider_reference, notice.facts) == (payment_id, None)


def test_a_provider_without_notices_takes_none(shop_of, simulator):
    with pytest.raises(Unsupported):
        shop_of(simulator, notices="none").provider.read_notice(signed(b"{}"))


def test_notices_are_delivered_when_told(shop, simulator, receiver):
    payment_id = shop.captured()
    simulator.control.set_webhook(receiver.url)
    delivered = simulator.control.notices(NoticeSelection(payment_id=payment_id), deliver=True)
    assert [notice["status"] for notice in delivered] == [200, 200]
    assert [shop.provider.read_notice(raw)[0].event_id for raw in receiver.received] == receiver.event_ids


@pytest.mark.parametrize("order", ["as_happened", "reversed", "shuffled"])
def test_notices_can_be_delivered_twice_and_in_another_order(shop, simulator, receiver, order):
    payment_id = shop.captured()
    simulator.control.set_webhook(receiver.url)
    simulator.control.notices(NoticeSelection(payment_id=payment_id, times=2, order=order), deliver=True)
    happened = [notice["event_id"] for notice in simulator.control.notices(NoticeSelection(payment_id=payment_id))]
    expected = {"as_happened": happened * 2, "reversed": (happened * 2)[::-1], "shuffled": receiver.event_ids}[order]
    assert receiver.event_ids == expected
    assert sorted(receiver.event_ids) == sorted(happened * 2)


def test_notices_are_delivered_by_themselves_from_the_moment_that_was_told(shop, simulator, receiver, eventually):
    shop.captured()
    simulator.control.set_webhook(receiver.url, automatic=True)
    payment_id = shop.captured()
    assert eventually(lambda: len(receiver.received) == 2)
    bodies = [json.loads(raw.body) for raw in receiver.received]
    assert [body["payment"]["id"] for body in bodies] == [payment_id] * 2


def test_what_could_not_be_delivered_to_one_address_is_not_delivered_to_the_next(
    own_simulator, shop_of, receiver, eventually
):
    simulator = own_simulator(webhook_url="http://127.0.0.1:9/nobody")
    shop_of(simulator).captured()
    simulator.control.set_webhook(receiver.url, automatic=True)
    payment_id = shop_of(simulator).captured()
    assert eventually(lambda: len(receiver.received) == 2)
    assert {json.loads(raw.body)["payment"]["id"] for raw in receiver.received} == {payment_id}


def test_a_server_that_is_started_with_a_webhook_delivers_by_itself(own_simulator, shop_of, receiver, eventually):
    shop_of(own_simulator(webhook_url=receiver.url)).captured()
    assert eventually(lambda: len(receiver.received) == 2)


def test_a_notice_that_is_refused_is_delivered_again(shop, simulator, receiver, eventually):
    receiver.statuses = itertools.chain([500, 503], itertools.repeat(200))
    simulator.control.set_webhook(receiver.url, automatic=True)
    shop.authorized()
    assert eventually(lambda: len(receiver.received) == 3)
    assert len(set(receiver.event_ids)) == 1


def test_a_payment_does_not_wait_for_a_receiver_that_is_gone(shop, simulator):
    simulator.control.set_webhook("http://127.0.0.1:9/nobody", automatic=True)
    begun = time.monotonic()
    shop.captured()
    assert time.monotonic() - begun < 2


def test_delivering_without_an_address_is_refused(simulator):
    with pytest.raises(httpx.HTTPStatusError):
        simulator.control.notices(deliver=True)
