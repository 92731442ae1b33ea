"""A subscriber: a real HTTP server on loopback that verifies what it is told with the library of Standard Webhooks."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id of the event, the same for every try."""
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        """The name of the event."""
        name: str = json.loads(self.body)["type"]
        return name

    def verified(self, secret: str | bytes = SECRET) -> Any:
        """The body, if it is signed with this secret.  Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


Answer = Callable[[BaseHTTPRequestHandler, Request], None]


def answering(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Answers like this."""

    def answer(handler: BaseHTTPRequestHandler, _request: Request) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


class Receiver:
    """Keeps every request; answers 204, or what ``answers`` has next, or what ``always`` says."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.always: Answer = answering(204)
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def told(self) -> list[str]:
        """The names of the events, as they came."""
        return [request.type for request in self.requests]

    @property
    def ids(self) -> list[str]:
        """The ids of the events, as they came."""
        return [request.id for request in self.requests]

    def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen; on the same port as before, where there was one."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                receiver.requests.append(request)
                (receiver.answers.pop(0) if receiver.answers else receiver.always)(self, request)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                """The other side may go away, that is what the tests are about."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Nobody listens there any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    receiver.start(tls)
    try:
        yield receiver
    finally:
        receiver.stop()
