"""Extensions are told what happened, may speak against a provider, and change nothing when they raise."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kassa import Circumstances, Engine, Money, NotAllowed, OrderPlaced
from kassa.config import parse
from kassa.opening import assemble
from kassa.transitions import DeliveryStatus
from kassa_sdk import Unsupported
from kassa_simulator.process import SimulatorProcess

from ..conftest import CARDS, CASH, Shop
from .clock import Clock

LISTENER = """
from kassa_sdk import EligibilityRequest, EventTold, Money, hookimpl
from pydantic import BaseModel, ConfigDict, SecretStr


class ListenerOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = "listener"
    token: SecretStr = SecretStr("hunter2-hunter2")


TOLD = []
FAILING = []


class Listener:
    Options = ListenerOptions

    def __init__(self, options):
        self.options = options

    @hookimpl
    def kassa_event(self, event: EventTold):
        TOLD.append(event)
        if FAILING:
            raise FAILING[0](f"no, says {self.options.token.get_secret_value()}")

    @hookimpl
    def kassa_provider_eligible(self, request: EligibilityRequest):
        if FAILING:
            raise FAILING[0]("no")
        is_large = request.amount is not None and request.amount >= Money.parse("80.00", "EUR")
        if is_large and "simulator" in request.provider_id:
            return "Cards only below 80 EUR, says the risk department"
"""

TRACER = """
from kassa_sdk import hookimpl
from pydantic import BaseModel, ConfigDict


class TracerOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")


SEEN = []
FAILING = []


class Wrappers:
    @hookimpl(wrapper=True)
    def capture(self, request):
        SEEN.append(("begins", request.amount))
        outcome = yield
        if FAILING:
            raise FAILING[0]("the tracer is full")
        SEEN.append(("ends", type(outcome).__name__))
        return outcome

    @hookimpl(wrapper=True)
    def look_up(self, request):
        return (yield)


class Tracer:
    Options = TracerOptions
    provider_hooks = Wrappers()

    def __init__(self, options):
        pass
"""

CONFIGURED = """
[extensions.risk]
plugin = "{plugin}"
"""


def install(site: Path, name: str, source: str, target: str) -> None:
    """A distribution with one extension."""
    (site / f"{name}.py").write_text(source, encoding="utf-8")
    metadata = site / f"{name}-1.2.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n", encoding="utf-8")
    entry = f"[kassa.extensions]\n{name} = {name}:{target}\n"
    (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")


@pytest.fixture
def clock() -> Clock:
    """The engine's clock."""
    return Clock()


@pytest.fixture
def open_shop(
    configured: str, simulator: SimulatorProcess, clock: Clock, site: Path
) -> Iterator[Callable[[str], Shop]]:
    """Opens the shop with an extension."""
    install(site, "listener", LISTENER, "Listener")
    install(site, "tracer", TRACER, "Tracer")
    engines: list[Engine] = []

    def opened(plugin: str) -> Shop:
        engines.append(assemble(parse(configured + CONFIGURED.format(plugin=plugin)), clock=clock))
        return Shop(engines[-1], simulator)

    yield opened
    for engine in engines:
        engine.close()
    for name in ("listener", "tracer"):
        sys.modules.pop(name, None)


@pytest.fixture
def listened(open_shop: Callable[[str], Shop]) -> Shop:
    """The shop with an extension that listens."""
    return open_shop("listener")


def listener() -> Any:
    """The module of the extension that listens."""
    return sys.modules["listener"]


def test_an_extension_is_told_the_history_in_order_after_the_commit(listened: Shop) -> None:
    payment = listened.paid("50.00")
    assert listener().TOLD == []
    listened.engine.capture_payment(payment.id)
    listened.engine.work()
    history = listened.engine.list_events(payment.payment_collection_id)
    told = [event for event in listener().TOLD if event.payment_collection_id == payment.payment_collection_id]
    assert [event.model_dump() for event in told] == [event.model_dump() for event in history]
    (delivery,) = [each for each in listened.engine.list_deliveries() if each.event.name == "payment.captured"]
    assert (delivery.subscriber, delivery.status) == ("extension:risk", DeliveryStatus.SENT)


@pytest.mark.parametrize("error", [ValueError, AssertionError, SystemExit])
def test_an_extension_that_raises_changes_nothing_and_is_told_again(
    listened: Shop, clock: Clock, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    listener().FAILING.append(error)
    with caplog.at_level(logging.ERROR):
        payment = listened.paid("100.00")
        captured = listened.engine.capture_payment(payment.id)
        listened.engine.work()
    assert captured.captured == Money(10000, "EUR")
    assert "listener 1.2.3 was told evt_" in caplog.text
    assert "listener 1.2.3 was asked about pp_simulator_cards and raised" in caplog.text
    assert "hunter2" not in caplog.text
    (retry,) = listened.engine.list_deliveries(status=DeliveryStatus.RETRY)
    assert retry.cause == f"listener 1.2.3 raised {error.__name__}: no, says ***"
    listener().FAILING.clear()
    clock.forward(minutes=2)
    while listened.engine.work().deliveries:
        pass
    assert {each.status for each in listened.engine.list_deliveries()} == {DeliveryStatus.SENT}


def test_a_veto_is_a_reason_in_the_verdict(listened: Shop) -> None:
    circumstances = Circumstances(amount=Money.parse("90.00", "EUR"))
    verdicts = {each.provider_id: each.reasons for each in listened.engine.explain_providers("eu", circumstances)}
    assert verdicts == {CARDS: ("Cards only below 80 EUR, says the risk department",), CASH: ()}


def test_a_provider_with_a_veto_against_it_is_refused(listened: Shop) -> None:
    with pytest.raises(NotAllowed, match="not offered here: Cards only below 80 EUR"):
        listened.session(listened.cart("90.00"))
    assert isinstance(listened.complete(listened.cart("79.99")), OrderPlaced)


def test_a_wrapper_sees_every_call_and_its_outcome(open_shop: Callable[[str], Shop]) -> None:
    shop = open_shop("tracer")
    payment = shop.paid("50.00")
    shop.engine.capture_payment(payment.id)
    assert sys.modules["tracer"].SEEN == [("begins", Money(5000, "EUR")), ("ends", "Succeeded")]
    assert shop.engine.work().deliveries == ()


def test_a_wrapper_does_not_make_a_provider_implement_a_hook(open_shop: Callable[[str], Shop]) -> None:
    shop = open_shop("tracer")
    assert "look_up" not in shop.engine.providers[CASH].hooks


@pytest.mark.parametrize("error", [ValueError, Unsupported])
def test_a_wrapper_that_raises_leaves_the_call_in_doubt_and_the_money_taken_once(
    open_shop: Callable[[str], Shop], clock: Clock, error: type[Exception]
) -> None:
    shop = open_shop("tracer")
    payment = shop.paid("50.00")
    sys.modules["tracer"].FAILING.append(error)
    with pytest.raises(Exception, match="nothing is lost"):
        shop.engine.capture_payment(payment.id)
    sys.modules["tracer"].FAILING.clear()
    clock.forward(minutes=3)
    shop.engine.work()
    assert shop.engine.retrieve_payment(payment.id).payment.captured == Money(5000, "EUR")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    assert shop.books(session, "captured") == [5000]
