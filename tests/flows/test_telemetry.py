"""What operators look at: calls to providers are counted and traced, what waits is told; watching changes nothing."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest

import kassa
from kassa import PaymentDeclined, StillProcessing
from kassa.config import parse
from kassa.http import create_app
from kassa.metrics import Metrics
from kassa.opening import assemble
from kassa.tracing import Traces
from kassa.watching import Ended, ProviderCall, Watcher
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, Clock, Shop


@contextmanager
def watched(configured: str, simulator: SimulatorProcess, *watchers: Watcher) -> Iterator[Shop]:
    """The shop, watched."""
    engine = assemble(parse(configured), watchers=watchers)
    try:
        yield Shop(engine, simulator)
    finally:
        engine.close()


def value(metrics: Metrics, name: str, labels: Mapping[str, str]) -> float | None:
    """One number of the page that Prometheus scrapes."""
    return metrics.registry.get_sample_value(name, dict(labels))


def calls(metrics: Metrics, region: str, hook: str, outcome: str) -> float | None:
    """How often the simulated provider has answered so."""
    labels = {"provider": CARDS, "region": region, "hook": hook, "outcome": outcome}
    return value(metrics, "kassa_provider_calls_total", labels)


def test_every_call_is_counted_by_provider_region_hook_and_outcome(
    configured: str, simulator: SimulatorProcess
) -> None:
    metrics = Metrics()
    with watched(configured, simulator, metrics) as shop:
        shop.engine.capture_payment(shop.paid().id)
        shop.paid("5000", "JPY")
        with pytest.raises(PaymentDeclined):
            shop.engine.authorize_payment_session(shop.session(shop.cart(), "decline").id)
    assert calls(metrics, "eu", "authorize", "succeeded") == 1
    assert calls(metrics, "eu", "authorize", "declined") == 1
    assert calls(metrics, "jp", "authorize", "succeeded") == 1
    assert calls(metrics, "eu", "capture", "succeeded") == 1
    waited = {"provider": CARDS, "region": "eu", "hook": "authorize"}
    assert value(metrics, "kassa_provider_call_seconds_count", waited) == 2


def test_what_is_in_doubt_is_told_with_its_provider_region_and_age(
    configured: str, simulator: SimulatorProcess
) -> None:
    metrics = Metrics()
    with watched(configured, simulator, metrics) as shop:
        metrics.follow(shop.engine.backlog, shop.engine.provider_health)
        payment = shop.paid()
        labels = {"of": CARDS, "region": "eu", "status": "unknown"}
        assert value(metrics, "kassa_operations_in_doubt", labels) is None
        simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
        with pytest.raises(StillProcessing):
            shop.engine.capture_payment(payment.id)
        assert calls(metrics, "eu", "capture", "unknown") == 1
        assert value(metrics, "kassa_operations_in_doubt", labels) == 1
        (operation,) = shop.engine.list_operations_in_doubt()
        oldest = value(metrics, "kassa_operations_in_doubt_oldest_timestamp_seconds", labels)
        assert oldest == pytest.approx(operation.created_at.timestamp())
        assert value(metrics, "kassa_provider_circuit_open", {"provider": CARDS}) == 0
        page = generate_latest(metrics.registry).decode()
        assert "kassa_cases_open" in page
        assert simulator.settings.api_key not in page


def spans_of(exporter: InMemorySpanExporter) -> Sequence[ReadableSpan]:
    """What was traced, in the order in which it ended."""
    return exporter.get_finished_spans()


def test_every_call_is_a_span_inside_of_the_span_of_who_asks(
    configured: str, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    with watched(configured, simulator, Traces()) as shop:
        session = shop.session(shop.cart(), "decline")
        exporter.clear()
        with provider.get_tracer("shop").start_as_current_span("checkout"), pytest.raises(PaymentDeclined):
            shop.engine.authorize_payment_session(session.id)
    call, checkout = spans_of(exporter)
    assert (call.name, checkout.name) == (f"authorize {CARDS}", "checkout")
    assert call.parent is not None and call.parent.span_id == checkout.context.span_id
    assert call.attributes is not None
    told = {name: call.attributes[f"kassa.{name}"] for name in ("provider", "hook", "region", "outcome")}
    assert told == {"provider": CARDS, "hook": "authorize", "region": "eu", "outcome": "declined"}
    assert call.attributes["kassa.payment_session"] == session.id


def test_a_request_makes_no_span_that_quotes_it(
    configured: str, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)

    async def ask(shop: Shop) -> int:
        transport = httpx.ASGITransport(create_app(shop.engine))
        async with httpx.AsyncClient(transport=transport, base_url="http://kassa.test") as client:
            return (await client.get("/admin/payments", params={"q": "private"})).status_code

    with watched(configured, simulator) as shop:
        assert asyncio.run(ask(shop)) == 401
    assert spans_of(exporter) == ()


class Broken:
    """A watcher that fails, at the beginning or at the end."""

    def __init__(self, *, at_the_end: bool) -> None:
        self._at_the_end = at_the_end

    def begins(self, call: ProviderCall) -> Ended:
        """Fails, or what it returns does."""
        if not self._at_the_end:
            raise RuntimeError(call.hook)
        return self._fail

    def _fail(self, outcome: str) -> None:
        raise RuntimeError(outcome)


def test_a_watcher_that_fails_changes_nothing(configured: str, simulator: SimulatorProcess) -> None:
    metrics = Metrics()
    with watched(configured, simulator, Broken(at_the_end=False), Broken(at_the_end=True), metrics) as shop:
        assert shop.engine.capture_payment(shop.paid().id).captured.minor == 10000
    assert calls(metrics, "eu", "capture", "succeeded") == 1


def test_the_counts_outlive_a_reload(configured: str, simulator: SimulatorProcess, tmp_path: Path) -> None:
    metrics, config = Metrics(), tmp_path / "kassa.toml"
    config.write_text(configured, encoding="utf-8")
    engine = kassa.open(config, watchers=[metrics])
    try:
        shop = Shop(engine, simulator)
        shop.paid()
        engine.reload()
        shop.paid()
    finally:
        engine.close()
    assert calls(metrics, "eu", "initiate", "succeeded") == 2


class Slow:
    """A watcher in which so much time passes before a capture that another sender may have taken it over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def begins(self, call: ProviderCall) -> Ended:
        """It is an hour later."""
        if call.hook == "capture":
            self._clock.forward(hours=1)
        return lambda _outcome: None


def test_what_a_watcher_has_held_up_for_longer_than_its_lease_is_not_sent(
    configured: str, simulator: SimulatorProcess, clock: Clock
) -> None:
    engine = assemble(parse(configured), watchers=[Slow(clock)], clock=clock)
    try:
        shop = Shop(engine, simulator)
        payment = shop.paid()
        session = engine.retrieve_payment_session(payment.payment_session_id)
        with pytest.raises(StillProcessing):
            engine.capture_payment(payment.id)
        assert shop.books(session, "captured") == []
        assert engine.retrieve_payment(payment.id).payment.capturing == payment.amount, "recovery decides"
    finally:
        engine.close()
