"""Metrics for Prometheus: what providers answer, how long it takes, and what waits.

    metrics = Metrics()
    engine = kassa.open("kassa.toml", watchers=[metrics])
    metrics.follow(engine.backlog, engine.provider_health)

Each object has a registry of its own: serve ``metrics.registry``, or register it in the one that you serve.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from kassa.calls import ProviderHealth
from kassa.model import Waiting, WaitingKind
from kassa.watching import Ended, ProviderCall

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""The buckets of the latency: a provider takes a second as a rule, and its timeout is half a minute."""


class Metrics:
    """Counts the calls to providers, by provider, region, hook and outcome.  Safe to share between threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        call = ("provider", "region", "hook")
        self._outcomes = Counter(
            "kassa_provider_calls",
            "Calls to providers, by what came of them.",
            (*call, "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "kassa_provider_call_seconds",
            "How long a call to a provider was waited for.",
            call,
            buckets=SECONDS,
            registry=self.registry,
        )

    def begins(self, call: ProviderCall) -> Ended:
        """A call is made now."""
        began = time.perf_counter()
        labels = (call.provider_id, call.region_id, call.hook)

        def ended(outcome: str) -> None:
            self._seconds.labels(*labels).observe(time.perf_counter() - began)
            self._outcomes.labels(*labels, outcome).inc()

        return ended

    def follow(self, backlog: Callable[[], Sequence[Waiting]], health: Callable[[], Sequence[ProviderHealth]]) -> None:
        """Ask an engine, at each scrape, how much waits, and how its providers are."""
        self.registry.register(_Gauges(backlog, health))


class _Gauges(Collector):
    def __init__(
        self, backlog: Callable[[], Sequence[Waiting]], health: Callable[[], Sequence[ProviderHealth]]
    ) -> None:
        self._backlog = backlog
        self._health = health

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """At each scrape."""
        waiting = self._backlog()
        yield from _numbers(waiting, WaitingKind.OPERATION, "kassa_operations_in_doubt", "Operations not settled")
        yield from _numbers(waiting, WaitingKind.NOTICE, "kassa_notices_waiting", "Messages of providers not applied")
        yield from _numbers(waiting, WaitingKind.DELIVERY, "kassa_deliveries_waiting", "Events not told")
        yield from _numbers(waiting, WaitingKind.CASE, "kassa_cases_open", "Cases for a person")
        under_way = GaugeMetricFamily("kassa_provider_calls_under_way", "Calls being made.", labels=["provider"])
        is_open = GaugeMetricFamily("kassa_provider_circuit_open", "1: it is not asked.", labels=["provider"])
        for health in self._health():
            under_way.add_metric([health.provider_id], health.calls_under_way)
            is_open.add_metric([health.provider_id], health.circuit_open_since is not None)
        yield under_way
        yield is_open


def _numbers(waiting: Sequence[Waiting], kind: WaitingKind, name: str, what: str) -> Iterator[GaugeMetricFamily]:
    labels = ["of", "region", "status"]
    count = GaugeMetricFamily(name, f"{what}, in every store.", labels=labels)
    oldest = GaugeMetricFamily(f"{name}_oldest_timestamp_seconds", f"{what}: when the oldest began.", labels=labels)
    for each in waiting:
        if each.kind is kind:
            values = [each.of, each.region_id, each.status]
            count.add_metric(values, each.count)
            oldest.add_metric(values, each.oldest_at.timestamp())
    yield count
    yield oldest
