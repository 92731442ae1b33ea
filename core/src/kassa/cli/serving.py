"""``kassa serve``: the HTTP server, from a configuration or as a demo shop."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from kassa.cli.demo_shop import DATABASE, SIMULATED, running_shop
from kassa.cli.engines import opened
from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, LogFormat, LogStyle, Metrics, Traces
from kassa.cli.output import GOOD, facts, print_line, say
from kassa.cli.reloading import hang_ups_noted
from kassa.cli.telemetry import Telemetry, telemetry
from kassa.errors import NotAllowed

if TYPE_CHECKING:
    from kassa.engine import Engine

PORT = 9000

_log = logging.getLogger("kassa.configuration")

CONFIGURATION = (
    f"{DATABASE}[providers.card]\n{SIMULATED}"
    + """
[providers.default]
plugin = "system"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE", "FR", "NL"]
providers = ["card", "default"]

[regions.jp]
name = "Japan"
currency = "JPY"
countries = ["JP"]
providers = ["card", "default"]

[regions.kw]
name = "Kuwait"
currency = "KWD"
countries = ["KW"]
providers = ["card", "default"]

[carts.options.catalogue.tea-set]
title = "Tea set"
prices = { EUR = "24.99", JPY = "4500", KWD = "8.250" }

[carts.options.catalogue.tea-bowl]
title = "Tea bowl"
prices = { EUR = "12.00", JPY = "2100", KWD = "3.905" }

[carts.options.catalogue.tea-towel]
title = "Tea towel"
prices = { EUR = "5.50", JPY = "980", KWD = "1.800" }
"""
)


@says_mistakes
def serve(  # noqa: PLR0913, PLR0917  # a command has as many options as it has
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; this machine alone, unless told.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = PORT,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="A shop with a catalogue, keys and a simulated provider; it is gone at the end."),
    ] = False,
    worker: Annotated[bool, typer.Option(help="Do what is due in this process, too.")] = True,
    metrics: Metrics = None,
    traces: Traces = False,
    log: LogFormat = LogStyle.TEXT,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Serve the store, admin and hook routes over HTTP, until Ctrl-C.

    Storefronts that use Medusa's JS SDK ask it with a publishable key (`kassa keys create`).
    """
    try:
        from kassa.http.serving import serve as serve_http
    except ImportError as missing:
        raise NotAllowed(f"the server needs {missing.name}; install: pip install 'kassa[http]'") from None
    watched = telemetry(metrics, traces, log)
    shop = _demo_shop(watched) if demo else opened(config, watched.watchers)
    with hang_ups_noted() as hang_up, shop as engine, watched.told(engine) as metrics_url:
        ready = _demo_document(engine) if demo else {}
        if metrics_url is not None:
            ready["metrics"] = metrics_url

        def tell(url: str) -> None:
            if as_json:
                print_line({"url": url, **ready})
            else:
                say(f"Serving on {url}; stop with Ctrl-C at any moment.", GOOD)
                say(facts([("providers", _loaded(engine))]))
                say(
                    facts(
                        [
                            (name.replace("_", " "), str(value))
                            for name, value in ready.items()
                            if name.endswith(("key", "metrics"))
                        ]
                    )
                )

        _log.info("serving with %s", _loaded(engine))
        try:
            serve_http(engine, host, port, works=worker, on_ready=tell, is_to_reload=hang_up.has_come)
        except OSError as error:
            raise NotAllowed(
                f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port"
            ) from None


def _loaded(engine: "Engine") -> str:
    """Every provider that is in force, which are those that the configuration names."""
    return ", ".join(f"{each.id} (test)" if each.manifest.is_test else each.id for each in engine.providers.values())


@contextmanager
def _demo_shop(watched: Telemetry) -> "Iterator[Engine]":
    with running_shop(CONFIGURATION, watched.watchers) as (engine, _):
        yield engine


def _demo_document(engine: "Engine") -> dict[str, object]:
    from kassa.model import Scope

    return {
        "publishable_key": engine.create_publishable_key("demo storefront").token,
        "secret_key": engine.create_secret_key("demo backend", [Scope.ADMIN]).token,
        "regions": [region.id for region in engine.regions],
        "catalogue": [
            {"variant_id": variant_id, "title": variant.title} for variant_id, variant in engine.catalogue.items()
        ],
    }
