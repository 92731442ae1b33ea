"""A server on loopback that does exactly as it is told: the faults, and the answers that localstripe does not have."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

WAIT_SECONDS = 10

Behaviour = Callable[[socket.socket], None]
"""What the raw server does with a connection once it has read the request."""


@dataclass
class RawServer:
    """A server that does exactly what it is told with each connection, and keeps the bytes that it was sent."""

    url: str
    behaviours: list[Behaviour]
    requests: list[bytes] = field(default_factory=list)

    def then(self, *behaviours: Behaviour) -> "RawServer":
        """What to do with the next connections; the last one goes on for ever."""
        self.behaviours[:] = behaviours
        return self

    def bodies(self) -> list[bytes]:
        """The bodies that arrived."""
        return [request.partition(b"\r\n\r\n")[2] for request in self.requests]

    def headers(self, name: str) -> list[str]:
        """This header of each request that arrived."""
        lines = (request.partition(b"\r\n\r\n")[0].decode().split("\r\n") for request in self.requests)
        found = (line.partition(": ") for request in lines for line in request)
        return [value for header, _, value in found if header.lower() == name.lower()]

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(_read_request(connection))
                behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
                behaviour(connection)


def _read_request(connection: socket.socket) -> bytes:
    connection.settimeout(WAIT_SECONDS)
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536)
    head, _, body = request.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def raw_server() -> Iterator[RawServer]:
    """A raw server on loopback; until it is told otherwise it closes every connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(url=f"http://127.0.0.1:{listener.getsockname()[1]}", behaviours=[close])
    thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        # A closed listener alone does not wake a thread that is waiting in accept.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(WAIT_SECONDS)


def close(connection: socket.socket) -> None:
    """Read the request, then hang up without a word."""


def stay_silent(connection: socket.socket) -> None:
    """Read the request and say nothing until the client gives up."""
    connection.recv(1)


def answer(body: str | bytes, status: int = 200, headers: str = "") -> Behaviour:
    """Answer with this."""
    content = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{headers}"

    def send(connection: socket.socket) -> None:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + content)

    return send


def cut_within(body: str) -> Behaviour:
    """Begin to answer, and hang up in the middle of it."""

    def send(connection: socket.socket) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[: len(body) // 2].encode())

    return send
