"""The fault proxy: real HTTP on loopback, between the provider and its server.

It stands where the network stands, so a provider is examined as it will be used: with its own client, its own time limits,
real connections that really break.  It keeps every request that came through.
"""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

LONGEST_SILENCE_SECONDS = 20.0
"""How long the proxy waits for a provider to lose patience."""

SERVER_TAKES_AT_MOST_SECONDS = 30.0

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OF_ONE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "host"})
_CONNECTIONS = {"http": HTTPConnection, "https": HTTPSConnection}
_RESET = struct.pack("ii", 1, 0)


class Fault(Enum):
    """What happens to a request that is to have an effect; the values are the words for it."""

    CUT_BEFORE = "the connection breaks before the server has read the request"
    CUT_AFTER = "the server acts, and the connection breaks before its answer"
    SILENCE_AFTER = "the server acts, and its answer does not come in time"
    ERROR_AFTER = "the server acts, and the answer is HTTP 500"
    HALF_AFTER = "the server acts, and the connection breaks in the middle of the answer"
    NONSENSE_AFTER = "the server acts, and the answer is HTTP 200 with a page of a proxy's"
    TURNED_AWAY = "the answer is HTTP 429, and the server has not read the request"
    TWICE = "the request arrives at the server twice"

    @property
    def is_acted_on(self) -> bool:
        """Whether the server acts all the same."""
        return self not in {Fault.CUT_BEFORE, Fault.TURNED_AWAY}


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request as it came from the provider; the names of the headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def has_effect(self) -> bool:
        """Whether it may change something at the server."""
        return self.method not in _READING

    def text(self) -> str:
        """All of it that can be read."""
        lines = (f"{name}: {value}" for name, value in self.headers.items())
        return "\n".join((self.target, *lines, self.body.decode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class FaultProxy:
    """A running proxy; ``url`` is what to configure in place of the server's.

    The provider speaks plain HTTP to it; it speaks to the server as the server's URL says, and verifies its certificate.
    """

    def __init__(self, server_url: str) -> None:
        server = urlsplit(server_url)
        if server.scheme not in _CONNECTIONS or not server.hostname:
            raise ValueError(f"server_url is {server_url!r}; give the URL of the server, as http://… or https://…")
        self._connect = partial(_CONNECTIONS[server.scheme], server.hostname, server.port)
        path = server.path.rstrip("/")
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}{path}"
        self.sent: list[SentRequest] = []
        self.hits = 0
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.003}, daemon=True)
        self._thread.start()

    @contextmanager
    def going_wrong(self, fault: Fault) -> Iterator[None]:
        """While this lasts, the fault happens to every request that is to have an effect; ``hits`` counts them."""
        with self._lock:
            self._fault, self.hits = fault, 0
        try:
            yield
        finally:
            with self._lock:
                self._fault = None

    @contextmanager
    def recording(self) -> Iterator[list[SentRequest]]:
        """The requests that came through while this lasts."""
        with self._lock:
            start, recorded = len(self.sent), list[SentRequest]()
        yield recorded
        with self._lock:
            recorded.extend(self.sent[start:])

    def close(self) -> None:
        """End it."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def arrived(self, request: SentRequest) -> Fault | None:
        """Note a request, and tell what is to happen to it."""
        with self._lock:
            self.sent.append(request)
            if self._fault is None or not request.has_effect:
                return None
            self.hits += 1
            return self._fault

    def forward(self, request: SentRequest) -> _Answer:
        """Ask the server."""
        connection = self._connect(timeout=SERVER_TAKES_AT_MOST_SECONDS)
        headers = {name: value for name, value in request.headers.items() if name not in _OF_ONE_CONNECTION}
        try:
            connection.request(request.method, request.target, body=request.body or None, headers=headers)
            response = connection.getresponse()
            told = tuple((n, v) for n, v in response.getheaders() if n.lower() not in _OF_ONE_CONNECTION)
            return _Answer(response.status, told, response.read())
        finally:
            connection.close()


@contextmanager
def fault_proxy(server_url: str) -> Iterator[FaultProxy]:
    """A proxy on loopback in front of this server."""
    proxy = FaultProxy(server_url)
    try:
        yield proxy
    finally:
        proxy.close()


def address_where_nobody_listens() -> str:
    """A URL on loopback to which no connection can be made."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; nobody is to wait 40 ms for the second one

    proxy: FaultProxy

    def read_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = SentRequest(self.command, self.path, headers, body)
        _let_happen(self, self.proxy, request, self.proxy.arrived(request))

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = read_request

    def answer(self, answer: _Answer) -> None:
        self.begin(answer)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def answer_half(self, answer: _Answer) -> None:
        # Where there is no body to break off in (HTTP 204), it breaks off in the head.
        if answer.body:
            self.begin(answer)
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) // 2])
        else:
            self.wfile.write(b"HTTP/1.1 2")
        self.hang_up()

    def begin(self, answer: _Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))

    def hang_up(self) -> None:
        """Reset the connection, as a network does: what was not read yet by the other side is gone."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()

    def wait_until_the_other_side_gives_up(self) -> None:
        deadline = time.monotonic() + LONGEST_SILENCE_SECONDS
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(1):
                break
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing on standard error: what went through is kept in ``sent``."""


def _let_happen(handler: _Handler, proxy: FaultProxy, request: SentRequest, fault: Fault | None) -> None:
    plain = (("content-type", "text/html"),)
    if fault is Fault.CUT_BEFORE:
        return handler.hang_up()
    if fault is Fault.TURNED_AWAY:
        return handler.answer(_Answer(429, plain, b"Too many requests"))
    if fault is Fault.TWICE:
        proxy.forward(request)
    answer = proxy.forward(request)
    match fault:
        case None | Fault.TWICE:
            handler.answer(answer)
        case Fault.CUT_AFTER:
            handler.hang_up()
        case Fault.SILENCE_AFTER:
            handler.wait_until_the_other_side_gives_up()
        case Fault.ERROR_AFTER:
            handler.answer(_Answer(500, plain, b"Internal server error"))
        case Fault.HALF_AFTER:
            handler.answer_half(answer)
        case Fault.NONSENSE_AFTER:
            handler.answer(_Answer(200, plain, b"<html><h1>It works!</h1></html>"))
