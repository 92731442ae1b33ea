"""The server: uvicorn around the application, with the worker in its process, until it is told to end."""

import gc
import logging
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack

import uvicorn

from kassa.engine import Engine
from kassa.http.app import create_app
from kassa.http.background import BackgroundWorker
from kassa.http.request_log import noting_request

PROXIES = "127.0.0.1,::1,::ffff:127.0.0.1"
"""Who is believed in ``X-Forwarded-For`` unless the environment says otherwise: this machine, by each of its names."""

GRACE_SECONDS = 40
"""How long requests that are under way may take at the end: longer than a provider takes as a rule."""


def serve(
    engine: Engine,
    host: str,
    port: int,
    *,
    works: bool,
    on_ready: Callable[[str], None],
    is_to_reload: Callable[[], bool],
) -> None:
    """Serve until SIGINT or SIGTERM.  Raises OSError.

    ``on_ready`` is told the URL once requests are answered; the worker reads the configuration again where ``is_to_reload``
    says so.
    """
    with ExitStack() as stack:
        for handler in logging.getLogger().handlers:
            # Before those that are there: what a client calls its request is scrubbed, too.
            handler.filters.insert(0, noting_request)
        listening = stack.enter_context(_listening(host, port))
        url = f"http://{_in_url(host)}:{listening.getsockname()[1]}"
        if works:
            worker = BackgroundWorker(engine, is_to_reload)
            worker.start()
            stack.callback(worker.stop)
        config = uvicorn.Config(
            create_app(engine),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", PROXIES),
        )
        # What is there by now stays: to look through it for garbage takes 100 ms each time, and every request waits.
        gc.freeze()
        _Server(config, lambda: on_ready(url)).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, and then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()
