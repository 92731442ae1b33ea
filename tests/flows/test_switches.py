"""An operator switches a provider off: nobody is offered it any more, and what is under way goes on."""

import itertools
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, text

from kassa import Engine, InvalidData, KassaError, Money, NotAllowed, NotFound, OrderPlaced
from kassa.config import parse
from kassa.model import ProviderSwitch
from kassa.opening import assemble
from kassa.store.database import Database
from kassa.store.switches import in_force
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, CASH, Shop

CLIENTS = 6


def off(engine: Engine, region_id: str | None = None, why: str = "an outage at the acquirer") -> ProviderSwitch:
    """Ada switches the cards off."""
    return engine.switch_provider_off(CARDS, region_id, who="Ada", why=why)


def on(engine: Engine, region_id: str | None = None) -> ProviderSwitch:
    """Grace switches them on again."""
    return engine.switch_provider_on(CARDS, region_id, who="Grace", why="they are back")


def test_a_provider_that_is_off_is_not_offered_and_the_reason_is_told(shop: Shop) -> None:
    off(shop.engine)
    assert shop.engine.list_payment_providers("eu") == (CASH,)
    verdict = shop.engine.explain_providers("eu")[0]
    assert verdict.reasons == ("switched off everywhere: an outage at the acquirer",)


def test_a_provider_may_be_off_in_one_region_only(shop: Shop) -> None:
    off(shop.engine, "eu")
    assert CARDS not in shop.engine.list_payment_providers("eu")
    assert CARDS in shop.engine.list_payment_providers("jp")
    assert shop.engine.explain_providers("eu")[0].reasons == ("switched off in region eu: an outage at the acquirer",)


def test_every_switch_that_is_off_is_a_reason(shop: Shop) -> None:
    off(shop.engine)
    off(shop.engine, "eu", "a bank holiday")
    on(shop.engine)
    assert shop.engine.explain_providers("eu")[0].reasons == ("switched off in region eu: a bank holiday",)
    assert CARDS in shop.engine.list_payment_providers("jp")


def test_a_new_session_is_refused_with_the_reason(shop: Shop) -> None:
    off(shop.engine)
    with pytest.raises(NotAllowed) as caught:
        shop.session(shop.cart())
    assert str(caught.value) == (
        f"provider_id: {CARDS} is not offered here: switched off everywhere: an outage at the acquirer"
    )


def test_it_holds_for_every_store_and_every_process(shop: Shop, configured: str) -> None:
    elsewhere = assemble(parse(configured))
    off(shop.engine.for_store("books"))
    assert CARDS not in elsewhere.for_store("flowers").list_payment_providers("eu")
    on(elsewhere)
    assert CARDS in shop.engine.list_payment_providers("eu")
    elsewhere.close()


def test_a_session_that_exists_is_paid_captured_and_refunded_as_before(shop: Shop) -> None:
    cart = shop.cart("50.00")
    session = shop.session(cart)
    off(shop.engine)
    completion = shop.engine.complete_cart(cart.id)
    assert isinstance(completion, OrderPlaced)
    (payment,) = shop.collection_of(cart).payments
    shop.engine.capture_payment(payment.id, Money.parse("30.00", "EUR"))
    shop.engine.refund_payment(payment.id, Money.parse("10.00", "EUR"))
    assert shop.engine.cancel_payment(payment.id).canceled == Money.parse("20.00", "EUR")
    assert (shop.books(session, "captured"), shop.books(session, "refunded")) == ([3000], [1000])


def test_an_action_that_the_shopper_was_given_is_answered_as_before(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart, "challenge")
    shop.engine.complete_cart(cart.id)
    off(shop.engine)
    assert session.provider_reference is not None
    shop.simulator.control.answer_challenge(session.provider_reference, "approve")
    assert isinstance(shop.engine.complete_cart(cart.id), OrderPlaced)


def test_what_is_in_doubt_is_recovered_as_before(shop: Shop) -> None:
    payment = shop.paid("20.00")
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
    with pytest.raises(KassaError):
        shop.engine.capture_payment(payment.id)
    off(shop.engine)
    (operation,) = shop.engine.list_operations_in_doubt()
    assert shop.engine.look_again(operation.id).status.value == "succeeded"


def test_the_same_session_again_is_no_new_one(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    off(shop.engine)
    assert shop.session(cart) == session


def test_the_shopper_changes_from_a_provider_that_is_off_to_another(shop: Shop) -> None:
    cart = shop.cart()
    shop.session(cart)
    off(shop.engine)
    assert shop.session(cart, provider=CASH).provider_id == CASH
    with pytest.raises(NotAllowed, match="switched off everywhere"):
        shop.session(cart)


def test_off_again_for_the_same_reason_changes_nothing(shop: Shop) -> None:
    first = off(shop.engine)
    assert shop.engine.switch_provider_off("cards", who="Grace", why=" an outage at the acquirer ") == first
    assert shop.engine.list_provider_switches() == (first,)


def test_off_again_for_another_reason_is_refused_and_the_first_one_stays(shop: Shop) -> None:
    first = off(shop.engine)
    with pytest.raises(NotAllowed) as caught:
        off(shop.engine, why="fraud")
    assert str(caught.value) == (
        f"{CARDS} is switched off everywhere already, by Ada at {first.off_at:%Y-%m-%d %H:%M:%S} UTC: "
        "an outage at the acquirer; that stays the reason"
    )
    assert shop.engine.list_provider_switches() == (first,)


def test_operators_who_act_at_once_turn_one_switch(shop: Shop) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        turned = set(pool.map(lambda _: off(shop.engine).id, range(CLIENTS)))
    assert [each.id for each in shop.engine.list_provider_switches()] == list(turned)


def test_a_switch_is_kept_when_it_is_on_again(shop: Shop) -> None:
    first = off(shop.engine)
    again = on(shop.engine)
    assert (again.id, again.is_off, again.reason, again.off_by) == (first.id, False, first.reason, "Ada")
    assert (again.on_by, again.on_why) == ("Grace", "they are back")
    second = off(shop.engine)
    assert shop.engine.list_provider_switches() == (second, again)


def test_each_turn_is_an_event_with_who_and_why(shop: Shop, database_url: str) -> None:
    switch = off(shop.engine, "eu")
    off(shop.engine, "eu")
    on(shop.engine, "eu")
    database = Database(database_url)
    names = "SELECT name FROM events WHERE entity_id = :switch ORDER BY id"
    appended = database.read(lambda c: c.execute(text(names), {"switch": switch.id}).scalars().all())
    database.dispose()
    assert appended == ["kassa.provider.switched_off", "kassa.provider.switched_on"]


def test_what_is_not_off_cannot_be_switched_on_and_where_it_is_off_is_told(shop: Shop) -> None:
    with pytest.raises(NotAllowed) as caught:
        on(shop.engine)
    assert str(caught.value) == f"{CARDS} is not switched off everywhere"
    off(shop.engine)
    with pytest.raises(NotAllowed) as caught:
        on(shop.engine, "eu")
    assert str(caught.value) == f"{CARDS} is not switched off in region eu; it is switched off everywhere"


def test_a_provider_that_is_not_configured_any_more_can_be_switched_on(shop: Shop, configured: str) -> None:
    off(shop.engine)
    without = assemble(
        parse(
            configured.replace("[providers.cards", "[providers.other")
            .replace('"cards"', '"other"')
            .replace("cards =", "other =")
        )
    )
    assert not on(without).is_off
    without.close()


@pytest.mark.parametrize(
    ("provider_id", "region_id", "who", "why", "expected", "sentence"),
    [
        ("paypal", None, "Ada", "x", NotFound, f"provider_id: 'paypal' is not configured; there are {CARDS}, {CASH}"),
        (CARDS, "mars", "Ada", "x", NotFound, "region_id: 'mars' is not configured; there are eu, jp, kw"),
        (CASH, "jp", "Ada", "x", NotAllowed, f"provider_id: {CASH} is not enabled in region jp; it enables {CARDS}"),
        (
            CARDS,
            None,
            "Ada",
            " ",
            InvalidData,
            "why: expected some words: a switch is kept with who turned it, and why",
        ),
        (CARDS, None, "", "x", InvalidData, "who: expected some words: a switch is kept with who turned it, and why"),
        (CARDS, None, "A" * 256, "x", InvalidData, "who: expected at most 255 characters"),
        (
            CARDS,
            None,
            "Ada",
            "\x1b[2J",
            InvalidData,
            "why: expected at most 1000 characters without control characters",
        ),
    ],
)
def test_a_slip_of_the_pen_switches_nothing_off(  # a switch is this many facts
    shop: Shop,
    provider_id: str,
    region_id: str | None,
    who: str,
    why: str,
    expected: type[KassaError],
    sentence: str,
) -> None:
    with pytest.raises(expected) as caught:
        shop.engine.switch_provider_off(provider_id, region_id, who=who, why=why)
    assert str(caught.value) == sentence
    assert shop.engine.list_provider_switches() == ()


@pytest.mark.parametrize(
    ("provider_id", "region_id", "sentence"),
    [
        ("paypal", None, f"provider_id: 'paypal' is not configured; there are {CARDS}, {CASH}"),
        (CARDS, "mars", "region_id: 'mars' is not configured; there are eu, jp, kw"),
    ],
)
def test_what_is_not_there_cannot_be_switched_on(
    shop: Shop, provider_id: str, region_id: str | None, sentence: str
) -> None:
    with pytest.raises(NotFound) as caught:
        shop.engine.switch_provider_on(provider_id, region_id, who="Ada", why="x")
    assert str(caught.value) == sentence


def test_once_it_is_off_no_session_begins_however_many_ask(shop: Shop, database_url: str) -> None:
    database = Database(database_url)
    begun = threading.Event()

    def sessions() -> object:
        return database.read(lambda c: c.execute(text("SELECT count(*) FROM payment_sessions")).scalar())

    def client(_: int) -> int:
        """Begins sessions until it is refused; returns how many it got."""
        for number in itertools.count():
            try:
                shop.session(shop.cart())
            except NotAllowed:
                return number
            begun.set()
        raise AssertionError("unreachable: it ends when it is refused")

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        begun.wait(30)
        off(shop.engine)
        when_off = sessions()
        begun_in_all = sum(each.result() for each in clients)
    assert sessions() == when_off == begun_in_all
    database.dispose()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_who_switches_waits_for_the_sessions_that_are_about_to_begin(shop: Shop, database_url: str) -> None:
    """SQLite has one writer, who waits anyway."""
    database, bystander = Database(database_url), Database(database_url)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")

    def about_to_begin(connection: Connection) -> bool:
        in_force(connection, until_commit=True)
        switching.append(pool.submit(off, shop.engine))
        while not (switching[0].done() or bystander.read(lambda c: c.execute(waiting).scalar())):
            pass
        return switching[0].done()

    switching: list[Future[ProviderSwitch]] = []
    with ThreadPoolExecutor(1) as pool:
        assert not database.transact(about_to_begin)
    assert switching[0].result().is_off
    database.dispose()
    bystander.dispose()
