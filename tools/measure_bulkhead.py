"""Measures what a provider that hangs does to another one: the latency of the other's authorizations and captures.

    python tools/measure_bulkhead.py [ROUNDS] [WAITING]

Two simulated providers, each in a process of its own, one engine on SQLite.  In every round the healthy provider takes
payments alone, and then while WAITING calls (200) to the other one wait for an answer that never comes (30 seconds).  Both
sides are measured in one run, in turns.  It is printed and judged by people; no test fails by it.
"""

import logging
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import kassa
from kassa import Engine, KassaError, Money, NewItem, OrderPlaced
from kassa_simulator.process import SimulatorProcess, start_simulator
from kassa_simulator.server.faults import Fault

HUNG_SECONDS = 30
SAMPLES = 40
PRICE = Money.parse("24.99", "EUR")

TOML = """
[providers.hung]
plugin = "simulator"
timeout_seconds = {hung_seconds}
max_concurrent_calls = {waiting}
circuit_failures = 10000            # or it would not be asked again in the second round

[providers.hung.options]
base_url = "{hung_url}"
api_key = "env:MEASURED_API_KEY"
webhook_secret = "env:MEASURED_API_KEY"
timeout_seconds = {hung_seconds}

[providers.healthy]
plugin = "simulator"

[providers.healthy.options]
base_url = "{healthy_url}"
api_key = "env:MEASURED_API_KEY"
webhook_secret = "env:MEASURED_API_KEY"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["hung", "healthy"]
"""


def opened(folder: Path, hung: SimulatorProcess, healthy: SimulatorProcess, waiting: int) -> Engine:
    """An engine with both providers."""
    os.environ["MEASURED_API_KEY"] = hung.settings.api_key
    text = TOML.format(hung_url=hung.url, healthy_url=healthy.url, waiting=waiting, hung_seconds=HUNG_SECONDS)
    (folder / "kassa.toml").write_text(text, encoding="utf-8")
    return kassa.open(folder / "kassa.toml")


def cart_with_session(engine: Engine, provider: str) -> str:
    """The id of a cart that is ready to be completed."""
    cart = engine.create_cart("eu", [NewItem(title="Tea", quantity=1, unit_price=PRICE)])
    collection = engine.create_payment_collection(cart.id)
    engine.create_payment_session(collection.id, f"pp_simulator_{provider}", {"scenario": "approve"})
    return cart.id


def milliseconds(engine: Engine, samples: int = SAMPLES) -> tuple[list[float], list[float]]:
    """How long completions (authorize) and captures took at the healthy provider."""
    authorizations, captures = [], []
    for _ in range(samples):
        cart_id = cart_with_session(engine, "healthy")
        begun = time.perf_counter()
        completion = engine.complete_cart(cart_id)
        authorized = time.perf_counter()
        assert isinstance(completion, OrderPlaced), "the healthy provider takes every payment"
        assert completion.payment_collection is not None, "a paid cart has a collection"
        payment = completion.payment_collection.payments[0]
        before = time.perf_counter()
        engine.capture_payment(payment.id)
        captures.append(1000 * (time.perf_counter() - before))
        authorizations.append(1000 * (authorized - begun))
    return authorizations, captures


@contextmanager
def hanging(engine: Engine, waiting: int) -> Iterator[None]:
    """While this lasts, so many completions wait for the other provider; it ends when all have their answer."""
    carts = [cart_with_session(engine, "hung") for _ in range(waiting)]
    threads = [threading.Thread(target=_completed, args=(engine, cart_id)) for cart_id in carts]
    for thread in threads:
        thread.start()
    while _under_way(engine) < waiting:
        time.sleep(0.05)
    try:
        yield
        assert _under_way(engine) == waiting, "it was measured while all of them waited; measure fewer samples"
    finally:
        for thread in threads:
            thread.join()


def _completed(engine: Engine, cart_id: str) -> None:
    try:
        engine.complete_cart(cart_id)
    except KassaError as error:
        print(f"a waiting call ended in {type(error).__name__}: {error}", file=sys.stderr)


def _under_way(engine: Engine) -> int:
    return next(each.calls_under_way for each in engine.provider_health() if each.provider_id.endswith("_hung"))


def report(what: str, alone: list[float], beside: list[float]) -> None:
    """One line: both medians, and their ratio."""
    first, second = statistics.median(alone), statistics.median(beside)
    print(f"{what:12} p50 alone {first:7.1f} ms   beside the hung one {second:7.1f} ms   ratio {second / first:.2f}")


def main() -> None:
    """Print the figures."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    waiting = int(sys.argv[2]) if len(sys.argv) > 2 else 200  # noqa: PLR2004  # the second argument
    logging.getLogger("kassa.providers").setLevel(logging.ERROR)  # that the hung one hangs is known
    alone: tuple[list[float], list[float]] = ([], [])
    beside: tuple[list[float], list[float]] = ([], [])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        hung, healthy = (stack.enter_context(start_simulator(folder / f"{name}.jsonl")) for name in ("hung", "healthy"))
        engine = opened(folder, hung, healthy, waiting)
        stack.callback(engine.close)
        hung.control.add_fault(Fault.SILENCE_BEFORE_ACTING, "authorize", calls=None)
        milliseconds(engine, 5)  # the first ones import, connect and compile
        for _ in range(rounds):
            _add(alone, milliseconds(engine))
            with hanging(engine, waiting):
                _add(beside, milliseconds(engine))
    print(f"{rounds} rounds of {SAMPLES} payments each, {waiting} calls waiting {HUNG_SECONDS} s for the hung provider")
    report("authorize", alone[0], beside[0])
    report("capture", alone[1], beside[1])


def _add(kept: tuple[list[float], list[float]], more: tuple[list[float], list[float]]) -> None:
    for old, new in zip(kept, more, strict=True):
        old.extend(new)


if __name__ == "__main__":
    main()
