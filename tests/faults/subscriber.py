"""A subscriber in a process of its own: takes every event, and keeps the ids of those that it took in a file."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"


@dataclass(frozen=True)
class SubscriberProcess:
    """A running subscriber."""

    url: str
    file: Path

    def taken_since(self, offset: int) -> list[str]:
        """The ids of the events that it took, in the order in which they came."""
        return self.file.read_bytes()[offset:].decode().split()


@contextmanager
def running_subscriber(file: Path) -> Iterator[SubscriberProcess]:
    """As long as the context is open."""
    file.touch()
    with subprocess.Popen(
        [sys.executable, __file__, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield SubscriberProcess(f"http://127.0.0.1:{port}/events", file)
        finally:
            process.terminate()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file: Path
    lock = threading.Lock()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        with self.lock, self.file.open("a", encoding="utf-8") as file:
            file.write(f"{self.headers['webhook-id']}\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """What came is in the file."""


def _serve(file: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"file": file}))
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # It ends with the process that started it.
    sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
