"""The options that several commands share, with their help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LogStyle(StrEnum):
    """How a process that runs for long writes its log."""

    TEXT = "text"
    JSON = "json"


ConfigPath = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="KASSA_CONFIG", metavar="PATH", help="The configuration file."),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON document instead of text.")]
Amount = Annotated[
    str | None,
    typer.Option(
        "--amount",
        metavar="DECIMAL",
        help="In major units of the payment's currency, such as 10.00; without it, all that is left.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        metavar="KEY",
        help="Asked again with the same key, this is done once and answered the same; any words of yours, up to 255.",
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="ADDRESS:PORT",
        help="Where Prometheus scrapes, such as 127.0.0.1:9464; without it, nowhere.",
        show_default=False,
    ),
]
Traces = Annotated[
    bool, typer.Option("--traces", help="Make OpenTelemetry spans of calls to providers, for an SDK that is set up.")
]
LogFormat = Annotated[
    LogStyle, typer.Option("--log", help="How the log is written to stderr: warnings as text, or everything as JSON.")
]
PaymentId = Annotated[
    str, typer.Argument(metavar="PAYMENT_ID", help="The payment, such as pay_0190…", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many to list at most.")]
Offset = Annotated[int, typer.Option("--offset", min=0, help="How many of the newest to leave out.")]

DEFAULT_CONFIG = Path("kassa.toml")
