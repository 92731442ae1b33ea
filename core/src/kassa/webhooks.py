"""One request to one address: the part of telling subscribers that touches the network.  Needs the extra ``webhooks``.

httpcore, and not httpx above it: it follows no redirects, takes no proxy from the environment, and lets us make the
connection, so that it goes to the address that was judged.
"""

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import httpcore

LARGEST_ANSWER = 4_096
"""So much of an answer is read, for a person to see what was said."""

NEVER_CONNECTED = (httpcore.ConnectError, httpcore.ConnectTimeout)

SocketOptions = Iterable[httpcore.SOCKET_OPTION] | None


@dataclass(frozen=True, slots=True)
class Response:
    """A status, and the beginning of the body."""

    status: int
    beginning: bytes


def post(url: str, addresses: tuple[str, ...], headers: Mapping[str, str], body: bytes, seconds: float) -> Response:
    """Post to the first of these addresses that can be connected to, within so many seconds for all of it.

    TLS is verified against the name in the URL.  Raises what httpcore raises.
    """
    deadline = time.monotonic() + seconds
    for address in addresses[:-1]:
        try:
            return _post_to(address, url, headers, body, deadline)
        except NEVER_CONNECTED:
            continue
    return _post_to(addresses[-1], url, headers, body, deadline)


def _post_to(address: str, url: str, headers: Mapping[str, str], body: bytes, deadline: float) -> Response:
    network = _OneAddress(address, deadline)
    with (
        httpcore.ConnectionPool(ssl_context=_tls(), network_backend=network) as connections,
        connections.stream("POST", url, headers=list(headers.items()), content=body) as response,
    ):
        beginning = b""
        for part in response.iter_stream():
            beginning += part
            if len(beginning) >= LARGEST_ANSWER:
                break
        return Response(response.status, beginning[:LARGEST_ANSWER])


@cache
def _tls() -> ssl.SSLContext:
    return httpcore.default_ssl_context()


class _OneAddress(httpcore.NetworkBackend):
    """Connects to one address, whatever the name, and is done by the deadline, however slowly the other side speaks."""

    def __init__(self, address: str, deadline: float) -> None:
        self._address = address
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.NetworkStream:
        """A connection to the one address."""
        seconds = _left(self._deadline, httpcore.ConnectTimeout)
        stream = httpcore.SyncBackend().connect_tcp(self._address, port, seconds, local_address, socket_options)
        return _Hurried(stream, self._deadline)


class _Hurried(httpcore.NetworkStream):
    """A connection whose every step must be done by the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come."""
        return self._stream.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send it."""
        self._stream.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same connection under TLS."""
        seconds = _left(self._deadline, httpcore.ConnectTimeout)
        return _Hurried(self._stream.start_tls(ssl_context, server_hostname, seconds), self._deadline)

    def get_extra_info(self, info: str) -> object:
        """What the connection itself says."""
        return self._stream.get_extra_info(info)


def _left(deadline: float, too_late: type[httpcore.TimeoutException]) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise too_late("the time was up")
    return seconds
