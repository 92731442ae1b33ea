"""What became of a request, as far as the network tells: a real server on loopback that does as it is told."""

import inspect
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme

httpx = pytest.importorskip("httpx", reason='httpx is not installed: it comes with the extra "http"')

from pydantic import BaseModel, ConfigDict  # noqa: E402

from kassa_sdk import NotSent, Unknown  # noqa: E402
from kassa_sdk.http_client import WHAT_AN_ERROR_PROVES, HttpAnswer, HttpClient, what_it_proves  # noqa: E402

WAIT_SECONDS = 10


class Paid(BaseModel):
    model_config = ConfigDict(strict=True)

    amount: int


@contextmanager
def serving(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads one request, and then does this with the connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(WAIT_SECONDS)
            while b"\r\n\r\n" not in connection.recv(65536):
                pass
            behave(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(WAIT_SECONDS)
    listener.close()


def ask(url: str, timeout_seconds: float = WAIT_SECONDS) -> HttpAnswer | NotSent | Unknown:
    client = HttpClient(url, server="Acme", timeout_seconds=timeout_seconds, trust_env=False)
    try:
        return client.send("GET", "/payments/1")
    finally:
        client.close()


def saying(text: str) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text.encode())


def test_the_table_knows_every_exception_of_httpx() -> None:
    exported = {thing for thing in vars(httpx).values() if inspect.isclass(thing) and issubclass(thing, Exception)}
    assert set(WHAT_AN_ERROR_PROVES) == exported


@pytest.mark.parametrize("error_type", sorted(WHAT_AN_ERROR_PROVES, key=lambda error_type: error_type.__name__))
def test_only_errors_from_before_the_first_byte_prove_that_nothing_was_sent(error_type: type[Exception]) -> None:
    nothing_sent = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL"}
    outcome = what_it_proves(error_type.__new__(error_type), server="Acme")
    assert isinstance(outcome, NotSent if error_type.__name__ in nothing_sent else Unknown)
    assert error_type.__name__ in outcome.cause
    assert "Acme" in outcome.cause


def test_a_connection_that_was_never_made_sent_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert isinstance(ask(f"http://127.0.0.1:{port}"), NotSent)


@pytest.mark.parametrize(
    "behave",
    [
        lambda connection: None,
        saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        saying("nonsense\r\n\r\n"),
    ],
    ids=["hangs up", "hangs up in the middle", "speaks no HTTP"],
)
def test_after_the_first_byte_nobody_can_tell(behave: Callable[[socket.socket], None]) -> None:
    with serving(behave) as url:
        assert isinstance(ask(url), Unknown)


def test_an_answer_that_does_not_come_in_time_is_unknown() -> None:
    with serving(lambda connection: connection.recv(1) and None) as url:
        assert isinstance(ask(url, timeout_seconds=0.2), Unknown)


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "Https"])
def test_a_server_with_a_certificate_that_nobody_vouches_for_is_sent_nothing(scheme: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    received = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(ssl.SSLError, OSError), context.wrap_socket(connection, server_side=True) as secured:
            received.append(secured.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        outcome = ask(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(WAIT_SECONDS)
    assert isinstance(outcome, NotSent)
    assert b"".join(received) == b""


def test_what_is_sent_goes_to_the_base_url_alone() -> None:
    client = HttpClient("http://127.0.0.1:1", server="Acme", timeout_seconds=WAIT_SECONDS, trust_env=False)
    with pytest.raises(ValueError, match="begins with '/'"):
        client.send("GET", "https://elsewhere.example/payments")
    client.close()


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with serving(saying("HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")) as url:
        answer = ask(url)
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 307


def test_an_answer_is_read_as_a_model() -> None:
    answer = HttpAnswer(200, b'{"amount": 12}', {})
    assert answer.read(Paid, server="Acme") == Paid(amount=12)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"amount": "12"}', b'{"amount": 1.0}', b"\xff"])
def test_an_answer_that_is_not_the_model_is_unknown_and_not_repeated(body: bytes) -> None:
    outcome = HttpAnswer(200, body, {}).read(Paid, server="Acme")
    assert isinstance(outcome, Unknown)
    assert outcome.cause == "the answer of Acme makes no sense (ValidationError)"
