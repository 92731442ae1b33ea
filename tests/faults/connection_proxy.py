"""A real proxy between us and a PostgreSQL server, which breaks a connection at its COMMIT."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""How the driver says it: a simple query of eleven bytes, in a packet of its own."""


class Cut(Enum):
    """What happens to a COMMIT."""

    REQUEST = "it never reaches the server, whose connection breaks too"
    ANSWER = "the server does it, and the answer is lost"
    FOR_GOOD = "the answer is lost, and nobody reaches the server afterwards"
    STUCK = "it never reaches the server, which does not notice"


class ConnectionProxy:
    """Listens on a Unix socket of its own, as PostgreSQL does, and passes everything on, except what ``cuts`` names."""

    def __init__(self, url: str, directory: Path) -> None:
        self._upstream = conninfo_to_dict(url)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / ".s.PGSQL.5432"))
        self._listener.listen()
        self._cuts: list[Cut | None] = []
        self._sockets: list[socket.socket] = [self._listener]
        self._stuck: list[socket.socket] = []
        self._is_closed_to_all = False
        self.commits_cut = 0
        parts = self._upstream
        self.url = f"postgresql://{parts.get('user', '')}@/{parts['dbname']}?host={directory}&port=5432"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *cuts: Cut | None) -> None:
        """What happens to the next COMMITs, in order; None: it passes."""
        self._cuts = list(cuts)

    def let_in(self) -> None:
        """Everybody reaches the server again."""
        self._is_closed_to_all = False

    def drop_stuck(self) -> None:
        """The server notices at last that nobody is there any more."""
        while self._stuck:
            _close(self._stuck.pop())

    def close(self) -> None:
        for each in self._sockets:
            _close(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_closed_to_all:
                    _close(client)
                    continue
                server = self._connect()
                self._sockets += [client, server]
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
                threading.Thread(target=_pump, args=(server, client), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = str(self._upstream.get("host") or "localhost"), int(self._upstream.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """From the client to the server."""
        with suppress(OSError):
            while data := client.recv(65536):
                cut = self._cuts.pop(0) if data == COMMIT and self._cuts else None
                if cut is not None:
                    self._break(cut, data, client, server)
                    return
                server.sendall(data)
        _close(server)

    def _break(self, cut: Cut, data: bytes, client: socket.socket, server: socket.socket) -> None:
        self.commits_cut += 1
        self._is_closed_to_all = cut is Cut.FOR_GOOD
        # First the way back, so that no answer slips through.
        client.shutdown(socket.SHUT_WR)
        if cut in (Cut.ANSWER, Cut.FOR_GOOD):
            server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        _close(client)
        if cut is Cut.REQUEST:
            _close(server)
        if cut is Cut.STUCK:
            self._stuck.append(server)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """From the server to the client; what the client does not take any more is read and thrown away."""
    with suppress(OSError):
        while data := source.recv(65536):
            with suppress(OSError):
                sink.sendall(data)
    _close(sink)


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def connection_proxy(url: str, directory: Path) -> Iterator[ConnectionProxy]:
    """A proxy in front of the database of this URL, as long as the context is open."""
    proxy = ConnectionProxy(url, directory)
    try:
        yield proxy
    finally:
        proxy.close()
