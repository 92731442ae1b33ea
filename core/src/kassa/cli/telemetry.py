"""What an operator sees of a process that runs for long: its log, its metrics, its traces."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kassa.cli.exits import refuse_usage
from kassa.cli.options import LogStyle
from kassa.errors import NotAllowed

if TYPE_CHECKING:
    from kassa.engine import Engine
    from kassa.metrics import Metrics
    from kassa.scrubbing import Scrubber
    from kassa.watching import Watcher

FIELDS = ("request_id", "store_id", "method", "path", "status", "milliseconds")
"""What records may say beside their sentence."""

LONGEST_TRACEBACK = 20_000
"""Characters of what an exception tells."""

LARGEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What is watched, and where it is told."""

    log: LogStyle
    metrics_at: tuple[str, int] | None
    metrics: "Metrics | None"
    watchers: "list[Watcher]" = field(default_factory=list)

    @contextmanager
    def told(self, engine: "Engine") -> "Iterator[str | None]":
        """Write the log and serve the metrics of this engine; the URL of its metrics, if there are any."""
        _write_log(self.log, lambda: engine.scrubber)
        if self.metrics is None or self.metrics_at is None:
            yield None
            return
        from prometheus_client import start_http_server

        self.metrics.follow(engine.backlog, engine.provider_health)
        address, port = self.metrics_at
        try:
            server, thread = start_http_server(port, address, self.metrics.registry)
        except OSError as error:
            raise NotAllowed(
                f"cannot listen on {address} port {port}: {error.strerror}; choose another with --metrics"
            ) from None
        try:
            yield f"http://{address}:{server.server_port}/metrics"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def telemetry(metrics: str | None, traces: bool, log: LogStyle) -> Telemetry:
    """What these options ask for.  Raises NotAllowed where something for it is not installed."""
    place = None if metrics is None else _place(metrics)
    try:
        watchers: list[Watcher] = []
        counting = None
        if place is not None:
            from kassa.metrics import Metrics

            counting = Metrics()
            watchers.append(counting)
        if traces:
            from kassa.tracing import Traces

            watchers.append(Traces())
        if log is LogStyle.JSON:
            import structlog  # noqa: F401
    except ImportError as missing:
        raise NotAllowed(f"this needs {missing.name}; install: pip install 'kassa[telemetry]'") from None
    return Telemetry(log, place, counting, watchers)


def _place(text: str) -> tuple[str, int]:
    address, separator, port = text.rpartition(":")
    if not separator or not address or not port.isdecimal() or int(port) > LARGEST_PORT:
        refuse_usage(f"--metrics: expected ADDRESS:PORT, such as 127.0.0.1:9464, not {text!r}")
    return address.strip("[]"), int(port)


def _write_log(style: LogStyle, scrubber: "Callable[[], Scrubber]") -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Scrubbed(scrubber))
    handler.setFormatter(_json_formatter() if style is LogStyle.JSON else logging.Formatter("%(message)s"))
    logging.basicConfig(
        level=logging.INFO if style is LogStyle.JSON else logging.WARNING, handlers=[handler], force=True
    )
    # A request to a provider is not worth a line each; metrics count it.
    for chatty in ("httpx", "httpcore", "stripe"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _json_formatter() -> logging.Formatter:
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(FIELDS),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


class _Scrubbed(logging.Filter):
    """Takes secrets and card numbers out of whatever anybody logs: sentences, paths, and the text of exceptions.

    Those of the configuration of the moment: it may be read again.
    """

    def __init__(self, scrubber: "Callable[[], Scrubber]") -> None:
        super().__init__()
        self._scrubber = scrubber

    def filter(self, record: logging.LogRecord) -> bool:
        """As logging wants it; lets every record through."""
        scrubber = self._scrubber()
        record.msg, record.args = scrubber.text(record.getMessage()), ()
        if record.exc_info is not None and record.exc_info[0] is not None:
            told = logging.Formatter().formatException(record.exc_info)
            record.msg += "\n" + scrubber.text(told, LONGEST_TRACEBACK)
            record.exc_info = record.exc_text = None
        for name in FIELDS:
            if isinstance(value := getattr(record, name, None), str):
                setattr(record, name, scrubber.text(value))
        return True
