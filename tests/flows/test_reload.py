"""The configuration is reloaded without a restart: a new world for what begins, the old one for what is under way."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import kassa
from kassa import ConfigurationError, Engine, NotAllowed, OrderPlaced
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, CASH, Shop

CLIENTS = 12
ONLY_CASH = ('"FR"]\nproviders = ["cards", "default"]', '"FR"]\nproviders = ["default"]')
"""In Europe."""
Rewrite = Callable[..., None]


@pytest.fixture
def configured(configured: str) -> str:
    """The shop's configuration, patient with its provider."""
    return configured.replace("timeout_seconds = 1.0", "timeout_seconds = 20.0")


@pytest.fixture
def file(configured: str, tmp_path: Path) -> Path:
    """The shop's configuration in a file."""
    path = tmp_path / "kassa.toml"
    path.write_text(configured, encoding="utf-8")
    return path


@pytest.fixture
def shop(file: Path, simulator: SimulatorProcess) -> Iterator[Shop]:
    """The shop, opened from its file."""
    engine = kassa.open(file)
    yield Shop(engine, simulator)
    engine.close()


@pytest.fixture
def rewrite(file: Path, configured: str) -> Rewrite:
    """Writes the shop's configuration with these replacements."""

    def write(*replacements: tuple[str, str]) -> None:
        text = configured
        for written, instead in replacements:
            assert written in text
            text = text.replace(written, instead)
        file.write_text(text, encoding="utf-8")

    return write


def test_the_new_configuration_is_in_force(shop: Shop, rewrite: Rewrite) -> None:
    rewrite(ONLY_CASH, ("150.00", "20.00"))
    assert shop.engine.list_payment_providers("eu") == (CARDS, CASH)
    shop.engine.reload()
    assert shop.engine.list_payment_providers("eu") == (CASH,)
    with pytest.raises(NotAllowed, match="Cash on delivery"):
        shop.session(shop.cart("20.01"), provider=CASH)


def test_the_engines_of_every_store_see_it(shop: Shop, rewrite: Rewrite) -> None:
    books = shop.engine.for_store("books")
    rewrite(ONLY_CASH)
    books.reload()
    assert books.list_payment_providers("eu") == shop.engine.list_payment_providers("eu") == (CASH,)


def test_an_invalid_file_changes_nothing_and_every_mistake_is_reported(
    shop: Shop, rewrite: Rewrite, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(ONLY_CASH, ('"EUR"', '"EUX"'), ('plugin = "system"', 'plugin = "sistem"'))
    with caplog.at_level(logging.INFO, "kassa"), pytest.raises(ConfigurationError) as caught:
        shop.engine.reload()
    assert [mistake.field for mistake in caught.value.mistakes] == ["providers.default.plugin", "regions.eu.currency"]
    assert str(caught.value) in caplog.text
    assert "the one in force stays in force" in caplog.text
    assert shop.engine.list_payment_providers("eu") == (CARDS, CASH)
    assert shop.paid().provider_id == CARDS


def test_a_file_that_is_gone_changes_nothing(shop: Shop, file: Path) -> None:
    file.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        shop.engine.reload()
    assert shop.paid().provider_id == CARDS


def test_the_database_cannot_be_changed(shop: Shop, rewrite: Rewrite, tmp_path: Path) -> None:
    rewrite(("env:SHOP_DATABASE", f"sqlite:///{tmp_path / 'other.db'}"))
    with pytest.raises(ConfigurationError) as caught:
        shop.engine.reload()
    assert str(caught.value).endswith(
        "kassa.toml:3: database.url: is another database now, and payments are under way in the one in use; "
        "put it back, or restart"
    )
    assert shop.engine.list_payment_providers("eu") == (CARDS, CASH)
    assert not (tmp_path / "other.db").exists()


def test_a_provider_whose_settings_are_the_same_stays_as_it_is(shop: Shop, rewrite: Rewrite) -> None:
    before = shop.engine.providers
    rewrite(("timeout_seconds = 20.0", "timeout_seconds = 30.0"))
    shop.engine.reload()
    assert shop.engine.providers[CASH] is before[CASH]
    assert shop.engine.providers[CARDS] is not before[CARDS]


def test_secrets_are_read_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.engine.providers
    monkeypatch.setenv("SIMULATOR_API_KEY", "another key")
    shop.engine.reload()
    assert shop.engine.providers[CARDS] is not before[CARDS]
    with pytest.raises(kassa.KassaError):
        shop.paid()


def test_a_provider_may_come_and_go(shop: Shop, rewrite: Rewrite) -> None:
    rewrite(
        ('"cards", "default"', '"cards", "invoice"'),
        ("[providers.default]", "[providers.invoice]"),
        ('provider = "default"', 'provider = "invoice"'),
    )
    shop.engine.reload()
    assert set(shop.engine.providers) == {CARDS, "pp_system_invoice"}
    assert shop.paid(provider="pp_system_invoice").provider_id == "pp_system_invoice"


def test_a_call_that_is_under_way_ends_with_what_it_began_with(shop: Shop, rewrite: Rewrite) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    shop.simulator.control.add_fault(Fault.ANSWER_LATE, "authorize", seconds=0.5)
    with ThreadPoolExecutor(1) as pool:
        completing = pool.submit(shop.engine.complete_cart, cart.id)
        rewrite(ONLY_CASH, ("timeout_seconds = 20.0", "timeout_seconds = 30.0"))
        shop.engine.reload()
        assert isinstance(completing.result(), OrderPlaced)
    assert shop.books(session, "authorized") == [5000]


def test_an_engine_without_a_file_says_that_there_is_none_to_read(configured: str) -> None:
    from kassa.config import parse
    from kassa.opening import assemble

    engine = assemble(parse(configured))
    with pytest.raises(NotAllowed, match="not opened from a file"):
        engine.reload()
    engine.close()


def test_every_process_that_is_asked_reloads_once(shop: Shop, rewrite: Rewrite, file: Path) -> None:
    elsewhere = kassa.open(file)
    rewrite(ONLY_CASH)
    assert not elsewhere.reload_if_asked()
    shop.engine.request_reload("Ada")
    for engine in (shop.engine, elsewhere):
        assert engine.reload_if_asked()
        assert engine.list_payment_providers("eu") == (CASH,)
        assert not engine.reload_if_asked()
    elsewhere.close()


def test_a_request_is_heeded_once_also_where_the_file_is_invalid(shop: Shop, file: Path, rewrite: Rewrite) -> None:
    file.write_text("nonsense", encoding="utf-8")
    shop.engine.request_reload("Ada")
    with pytest.raises(ConfigurationError):
        shop.engine.reload_if_asked()
    assert not shop.engine.reload_if_asked()
    rewrite(ONLY_CASH)
    shop.engine.request_reload("Ada")
    assert shop.engine.reload_if_asked()


def test_a_request_of_long_before_the_start_is_none_to_a_process(shop: Shop, file: Path) -> None:
    shop.engine.request_reload("Ada")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    later = kassa.open(file, clock=lambda: tomorrow)
    assert not later.reload_if_asked()
    later.close()


@pytest.mark.parametrize("who", ["", "  ", "A" * 256])
def test_who_asks_is_kept_so_it_must_be_somebody(shop: Shop, who: str) -> None:
    with pytest.raises(kassa.InvalidData, match="who: expected 1 to 255 characters"):
        shop.engine.request_reload(who)


def test_reloads_while_many_pay_lose_nothing(shop: Shop, rewrite: Rewrite) -> None:
    def client(_: int) -> list[str]:
        """Takes three payments to the end; returns their sessions."""
        paid = [shop.paid("10.00") for _ in range(3)]
        for payment in paid:
            shop.engine.capture_payment(payment.id)
        return [payment.payment_session_id for payment in paid]

    done = threading.Event()

    def reload_until_done(engine: Engine) -> int:
        reloads = 0
        while not done.is_set():
            rewrite(("timeout_seconds = 20.0", f"timeout_seconds = {20 + reloads % 2}.0"))
            engine.reload()
            reloads += 1
        return reloads

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        reloading = pool.submit(reload_until_done, shop.engine)
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        try:
            sessions = [session for each in clients for session in each.result()]
        finally:
            done.set()
    assert reloading.result() > 1
    assert len(set(sessions)) == 3 * CLIENTS
    for session_id in sessions:
        assert shop.books(shop.engine.retrieve_payment_session(session_id), "captured") == [1000]
    assert shop.engine.list_operations_in_doubt() == ()
