"""``python -m kassa_simulator --books FILE``: the simulated payment provider, until it is stopped.

Prints one line of JSON when it is ready: ``{"url": "http://127.0.0.1:…", …}``.  The API key and the webhook's secret come
from the environment, because a command line can be read by everybody on the machine.
"""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import get_args

from kassa_simulator.server.books import Books, BooksUnreadable
from kassa_simulator.server.control import Control
from kassa_simulator.server.http_server import SimulatorServer
from kassa_simulator.server.ledger import KeyMode, Ledger
from kassa_simulator.server.notices import PostOffice
from kassa_simulator.server.router import Router
from kassa_simulator.server.scenarios import DAY_SECONDS
from kassa_simulator.server.simulator import Simulator

API_KEY_VARIABLE = "KASSA_SIMULATOR_API_KEY"
WEBHOOK_SECRET_VARIABLE = "KASSA_SIMULATOR_WEBHOOK_SECRET"


def main() -> int:
    """Serve until terminated.  Returns 2 when the books or the port cannot be used."""
    arguments = _arguments()
    if arguments.until_stdin_closes:
        threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is to be tidied up: the books are whole at every moment
    try:
        books = Books(arguments.books, fsync=not arguments.no_fsync)
        server = SimulatorServer(arguments.port)
        ledger = Ledger(
            books, keys=arguments.keys, key_window_seconds=arguments.key_window_seconds, base_url=server.url
        )
    except (BooksUnreadable, OSError) as error:
        print(f"kassa-simulator: {error}", file=sys.stderr)
        return 2
    simulator = Simulator(ledger)
    post_office = PostOffice(
        simulator,
        webhook_secret=os.environ.get(WEBHOOK_SECRET_VARIABLE) or "simulator-webhook-secret",
        webhook_url=arguments.webhook_url,
        is_automatic=arguments.webhook_url is not None,
    )
    post_office.start()
    api_key = os.environ.get(API_KEY_VARIABLE) or "simulator-api-key"
    ready = {"url": server.url, "keys": arguments.keys, "effects": len(ledger.happenings), "pid": os.getpid()}
    print(json.dumps(ready), flush=True)
    server.serve(Router(simulator, Control(simulator, post_office), api_key))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m kassa_simulator",
        description="A simulated payment provider on 127.0.0.1.",
        epilog=f"Environment: {API_KEY_VARIABLE} (default simulator-api-key), "
        f"{WEBHOOK_SECRET_VARIABLE} (default simulator-webhook-secret).",
    )
    parser.add_argument("--books", type=Path, required=True, help="the append-only file; made when it is not there")
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free port")
    parser.add_argument("--keys", choices=get_args(KeyMode), default="native", help="how attempt keys are taken")
    parser.add_argument("--key-window-seconds", type=float, default=DAY_SECONDS, help="how long a native key is kept")
    parser.add_argument("--no-fsync", action="store_true", help="survive the death of the process, not of the machine")
    parser.add_argument("--webhook-url", help="deliver notices here, by themselves")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that started this one")
    return parser.parse_args()


def _end_with_stdin() -> None:
    # Unbuffered: a thread that holds the lock of a buffered stdin would make every other way to end a crash.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
