"""A running simulator for the tests, and a shop that pays with it.  Real processes, real HTTP, no mocks."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kassa_sdk import (
    ActionRequest,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    InitiateRequest,
    LookUpOutcome,
    LookUpRequest,
    Money,
    Outcome,
    RefundRequest,
    Shopper,
    Succeeded,
    UpdateRequest,
)
from kassa_simulator import SimulatorProvider
from kassa_simulator.process import SimulatorProcess, start_simulator

_numbers = itertools.count(1)


class Shop:
    """Calls the provider as an engine would: a key for each attempt, given only where a test repeats one."""

    def __init__(self, provider: SimulatorProvider, currency: str = "EUR") -> None:
        self.provider = provider
        self.currency = currency
        self.references: dict[str, str] = {}

    def key(self) -> str:
        return f"op_{next(_numbers)}-1"

    def money(self, minor: int) -> Money:
        return Money(minor, self.currency)

    def initiate(
        self, scenario: str | None = None, minor: int = 10_000, return_url: str | None = None, key: str | None = None
    ) -> Outcome:
        outcome = self.provider.initiate(
            InitiateRequest(
                attempt_key=key or self.key(),
                our_reference=f"payses_{next(_numbers)}" if key is None else f"payses_{key}",
                amount=self.money(minor),
                data={} if scenario is None else {"scenario": scenario},
                shopper=Shopper(return_url=return_url),
            )
        )
        if isinstance(outcome, Succeeded):
            self.references[outcome.facts.provider_reference] = outcome.facts.our_reference or ""
        return outcome

    def created(self, scenario: str = "approve", minor: int = 10_000, return_url: str | None = None) -> str:
        """The simulator's reference of a payment that was initiated."""
        outcome = self.initiate(scenario, minor, return_url)
        assert isinstance(outcome, Succeeded)
        return outcome.facts.provider_reference

    def authorized(self, scenario: str = "approve", minor: int = 10_000) -> str:
        """The simulator's reference of a payment that was authorized."""
        payment_id = self.created(scenario, minor)
        assert isinstance(self.authorize(payment_id, minor), Succeeded)
        return payment_id

    def captured(self, scenario: str = "approve", minor: int = 10_000) -> str:
        """The simulator's reference of a payment that was captured."""
        payment_id = self.authorized(scenario, minor)
        assert isinstance(self.capture(payment_id, minor), Succeeded)
        return payment_id

    def authorize(self, payment_id: str, minor: int = 10_000, key: str | None = None) -> Outcome:
        return self.provider.authorize(AuthorizeRequest(amount=self.money(minor), **self._about(payment_id, key)))

    def action(self, payment_id: str, minor: int = 10_000) -> Outcome:
        return self.provider.action(ActionRequest(amount=self.money(minor), **self._about(payment_id, None)))

    def update(self, payment_id: str, minor: int) -> Outcome:
        return self.provider.update(UpdateRequest(amount=self.money(minor), **self._about(payment_id, None)))

    def capture(self, payment_id: str, minor: int, key: str | None = None) -> Outcome:
        about = self._about(payment_id, key)
        return self.provider.capture(CaptureRequest(amount=self.money(minor), is_whole=False, **about))

    def refund(self, payment_id: str, minor: int, key: str | None = None) -> Outcome:
        return self.provider.refund(RefundRequest(amount=self.money(minor), **self._about(payment_id, key)))

    def cancel(self, payment_id: str, key: str | None = None) -> Outcome:
        return self.provider.cancel(CancelRequest(**self._about(payment_id, key)))

    def look_up(
        self, *, payment_id: str | None = None, key: str = "op_unknown-1", our_reference: str = "payses_unknown"
    ) -> LookUpOutcome:
        return self.provider.look_up(
            LookUpRequest(hook="capture", attempt_key=key, our_reference=our_reference, provider_reference=payment_id)
        )

    def _about(self, payment_id: str, key: str | None) -> dict[str, Any]:
        return {
            "attempt_key": key or self.key(),
            "our_reference": self.references.get(payment_id, "payses_unknown"),
            "provider_reference": payment_id,
        }


@pytest.fixture(scope="session")
def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with start_simulator(tmp_path_factory.mktemp("simulator") / "books.jsonl") as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: SimulatorProcess) -> Iterator[SimulatorProcess]:
    """A simulator with native keys that other tests use too: it is never killed, and nothing is left going wrong."""
    yield shared_simulator
    shared_simulator.control.clear_faults()
    shared_simulator.control.set_webhook(None)


@pytest.fixture
def own_simulator(tmp_path: Path) -> Iterator[Callable[..., SimulatorProcess]]:
    """Starts a simulator for this test alone."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(start_simulator(tmp_path / "books.jsonl", **settings))


@pytest.fixture
def shop_of() -> Iterator[Callable[..., Shop]]:
    """Opens a shop that pays with a simulator; the connections are closed after the test."""
    with ExitStack() as stack:

        def open_shop(simulator: SimulatorProcess, currency: str = "EUR", **options: Any) -> Shop:
            provider = SimulatorProvider(simulator.options(**{"timeout_seconds": 5.0} | options))
            stack.callback(provider.close)
            return Shop(provider, currency)

        yield open_shop


@pytest.fixture
def shop(shop_of: Callable[..., Shop], simulator: SimulatorProcess) -> Shop:
    """A shop at the shared simulator."""
    return shop_of(simulator)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Waits until a condition holds; False when it does not within ten seconds."""

    def wait(condition: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + 10
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    return wait
