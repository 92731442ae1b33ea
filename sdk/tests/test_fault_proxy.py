"""The fault proxy stands before a server of http or of https, and breaks every answer, also one without a body."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

httpx = pytest.importorskip("httpx", reason='httpx is not installed: it comes with the extra "http"')

from kassa_sdk.conformance import Fault, fault_proxy  # noqa: E402


@contextmanager
def serving(context: ssl.SSLContext | None = None, status: int = 200, body: bytes = b"paid") -> Iterator[str]:
    """A server that says in a header by which name it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response_only(status)
            self.send_header("asked-for", self.headers["host"])
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_server_with_a_certificate_is_asked_by_its_own_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with serving(context) as server, fault_proxy(server) as proxy:
        answer = httpx.post(f"{proxy.url}/payments", content=b"1", trust_env=False)
    assert (answer.text, answer.headers["asked-for"]) == ("paid", server.removeprefix("https://"))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:8000", "https://", ""])
def test_an_address_that_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"give the URL of the server, as http://… or https://…"):
        fault_proxy(url).__enter__()


@pytest.mark.parametrize(("status", "body"), [(200, b"paid"), (204, b""), (200, b"")])
def test_an_answer_breaks_off_also_where_it_has_no_body(status: int, body: bytes) -> None:
    with serving(status=status, body=body) as server, fault_proxy(server) as proxy:
        with proxy.going_wrong(Fault.HALF_AFTER), pytest.raises(httpx.TransportError):
            httpx.post(f"{proxy.url}/payments", content=b"1", trust_env=False)
