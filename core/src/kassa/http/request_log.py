"""One line in the log for each request, and an id by which everything else that it caused is found there."""

import logging
import re
import time
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from kassa.http import errors

HEADER = "x-request-id"
LONGEST_PATH = 500
"""Characters of it that are logged."""

_log = logging.getLogger("kassa.requests")
_current: ContextVar[str] = ContextVar("request_id")
_ACCEPTED = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class RequestLog:
    """Gives each request an id (the one that a proxy before us gave it, if any), tells it, and logs how it was answered.

    The line has the path and no query, no header and no body: those are the shopper's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _ACCEPTED.fullmatch(given) else uuid7().hex
        began, status, has_begun = time.perf_counter(), 500, False
        token = _current.set(request_id)

        async def answered(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                status, has_begun = message["status"], True
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, answered)
        except Exception as error:
            # Here, and not outside, where a server would write the whole of it into the log.
            if has_begun:
                raise
            await errors.accident(error)(scope, receive, answered)
        finally:
            said = {
                "method": scope["method"],
                "path": _on_one_line(scope["path"][:LONGEST_PATH]),
                "status": status,
                "milliseconds": round(1000 * (time.perf_counter() - began), 1),
            }
            _log.info("%(method)s %(path)s: %(status)s in %(milliseconds)s ms", said, extra=said)
            _current.reset(token)


def _on_one_line(path: str) -> str:
    if path.isprintable():
        return path
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in path)


def noting_request(record: logging.LogRecord) -> bool:
    """A filter for a handler of logs: each record that a request caused says which one."""
    request_id = _current.get("")
    if request_id:
        record.request_id = request_id
    return True
