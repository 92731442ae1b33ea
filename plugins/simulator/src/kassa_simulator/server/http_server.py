"""The wire: sockets on 127.0.0.1, and nothing else.

The standard library's server, for three reasons: it starts in a tenth of a second, it is one thread for each connection
with no event loop to reason about, and it lets a fault do to the socket what a network does (an ASGI server does not).
"""

import select
import socket
import struct
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, ClassVar, assert_never

from kassa_simulator.server.books import BooksUnwritable
from kassa_simulator.server.calls import Answer, Cut, Reply, Silence, Slow
from kassa_simulator.server.router import HttpRequest, Router

HOST = "127.0.0.1"
LARGEST_BODY_BYTES = 1_000_000
SILENCE_LASTS_SECONDS = 600.0


class SimulatorServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1 only; a restart may take the same port at once."""

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), _handler_without_router)

    def server_bind(self) -> None:
        """Bind without asking the name service what 127.0.0.1 is called, which can take seconds."""
        TCPServer.server_bind(self)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"

    def serve(self, router: Router) -> None:
        """Serve until the process ends."""
        self.RequestHandlerClass = type("Handler", (_Handler,), {"router": router})
        self.serve_forever(poll_interval=0.05)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is everyday life here; anything else is a bug, and is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    router: ClassVar[Router]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "kassa-simulator"
    sys_version = ""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Standard error is for bugs; what happened is in the books."""

    def _serve(self) -> None:
        length = self.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY_BYTES:
            self.close_connection = True
            self._write(Reply.of(413, {"error": {"code": "too_large", "reason": "the body is too large"}}))
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True  # cut on its way here: an incomplete request is not a request
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            answer = self.router.answer(HttpRequest(self.command, self.path, headers, body))
        except BooksUnwritable as error:
            answer = Reply.of(503, {"error": {"code": "books_unwritable", "reason": str(error)}})
        self._play(answer)

    def _play(self, answer: Answer) -> None:
        match answer:
            case Reply():
                self._write(answer)
            case Slow(reply, seconds):
                time.sleep(seconds)
                self._write(reply)
            case Silence():
                self._stay_silent()
            case Cut():
                self._cut()
            case _:
                assert_never(answer)

    def _write(self, reply: Reply) -> None:
        headers = [
            ("content-type", reply.content_type),
            ("content-length", str(len(reply.body))),
            ("connection", "close" if self.close_connection else "keep-alive"),
            *reply.headers,
        ]
        head = f"{self.protocol_version} {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers)
        # Headers and body in one write: two would wait for each other's acknowledgement on some systems.
        self.wfile.write(head.encode("latin-1") + b"\r\n" + reply.body)

    def _stay_silent(self) -> None:
        self.close_connection = True
        select.select([self.connection], [], [], SILENCE_LASTS_SECONDS)

    def _cut(self) -> None:
        self.close_connection = True
        # Lingering for zero seconds makes the close a reset, as when a machine in between drops the connection.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _handler_without_router(*_: Any) -> BaseHTTPRequestHandler:
    raise RuntimeError("the server was asked before it served")
