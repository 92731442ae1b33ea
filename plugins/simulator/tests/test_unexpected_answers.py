"""What an answer that nobody expected proves."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kassa_sdk import NotSent, Unknown


@pytest.fixture
def answering(shop_of, simulator):
    """Opens a shop whose provider talks to a server that always gives the same answer."""
    servers = []

    def shop_answered_with(status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        servers.append((server, thread))
        return shop_of(simulator, base_url=f"http://127.0.0.1:{server.server_address[1]}")

    yield shop_answered_with
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("status", [204, 301, 302, 403, 405, 408, 418, 500, 502, 503, 504])
def test_a_status_that_was_not_agreed_on_is_unknown(answering, status):
    shop = answering(status, b"")
    assert isinstance(shop.capture("simpay_1", 100), Unknown)
    assert isinstance(shop.look_up(payment_id="simpay_1"), Unknown)


@pytest.mark.parametrize("status", [401, 429])
def test_a_request_that_was_turned_away_unread_was_not_sent(answering, status):
    assert isinstance(answering(status, b"").capture("simpay_1", 100), NotSent)


@pytest.mark.parametrize("status", [200, 201, 402, 404, 409])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"payment":null}', b'{"payment":{"id":1}}', b"\xff"])
def test_a_body_that_makes_no_sense_is_unknown(answering, status, body):
    shop = answering(status, body)
    assert isinstance(shop.authorize("simpay_1"), Unknown)
    assert isinstance(shop.capture("simpay_1", 100), Unknown)
    assert isinstance(shop.look_up(payment_id="simpay_1"), Unknown)


@pytest.mark.parametrize(
    "wrong", [{"currency": "XXX"}, {"authorized": -1}, {"captured": 2**70}, {"authorized": 1.0}, {"status": "fine"}]
)
def test_an_answer_with_an_amount_that_is_none_is_unknown(answering, shop, simulator, wrong):
    payment = simulator.control.payment(shop.captured())
    changed = payment | wrong
    outcome = answering(200, json.dumps({"payment": changed}).encode()).authorize(payment["id"])
    assert isinstance(outcome, Unknown)
