"""Ask twice, pay once: the same key and the same request get the same answer, and have one effect."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from kassa import (
    Engine,
    InvalidData,
    KassaError,
    KeyReused,
    Money,
    NewItem,
    NotAllowed,
    PaymentDeclined,
    ProviderUnavailable,
    Shopper,
    StillProcessing,
)
from kassa.config import parse
from kassa.model import Payment, PaymentCollection, PaymentSession
from kassa.opening import assemble
from kassa.transitions import OperationStatus
from kassa_simulator.server.faults import Fault

from ..conftest import CARDS, CASH, TOML, Shop
from .test_notices import receive, told

AnswerT = TypeVar("AnswerT")
CLIENTS = 32
TEA = [NewItem(title="Tea", quantity=1, unit_price=Money.parse("24.99", "EUR"))]


def eur(amount: str) -> Money:
    """An amount in EUR."""
    return Money.parse(amount, "EUR")


def books(shop: Shop, payment: Payment, *types: str) -> list[int]:
    """What the provider has in its books for a payment, in cents."""
    return shop.books(shop.engine.retrieve_payment_session(payment.payment_session_id), *types)


def answer_to(ask: Callable[[], AnswerT]) -> AnswerT | tuple[type[KassaError], str]:
    """What the client is told, as it can be compared."""
    try:
        return ask()
    except KassaError as error:
        return type(error), str(error)


def all_at_once(ask: Callable[[], AnswerT]) -> list[AnswerT]:
    """The answers of many clients that ask at the same moment, without those who are told to ask again later."""

    def one(_: int) -> AnswerT | None:
        try:
            return ask()
        except StillProcessing:
            return None

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [answer for answer in pool.map(one, range(CLIENTS)) if answer is not None]


@pytest.fixture
def later(configured: str, shop: Shop) -> Iterator[Engine]:
    """The same shop five minutes later: what was left alone until then is taken up."""
    engine = assemble(parse(configured), clock=lambda: datetime.now(UTC) + timedelta(minutes=5))
    yield engine
    engine.close()


# The same answer


@pytest.mark.parametrize("provider", [CARDS, CASH])
def test_a_capture_that_is_asked_for_again_is_answered_as_the_first_time_whatever_came_since(
    shop: Shop, provider: str
) -> None:
    payment = shop.paid(provider=provider)
    first = shop.engine.capture_payment(payment.id, eur("40.00"), idempotency_key="capture-1")
    shop.engine.capture_payment(payment.id, eur("60.00"))
    assert shop.engine.capture_payment(payment.id, eur("40.00"), idempotency_key="capture-1") == first
    assert first.captured == eur("40.00")
    assert shop.engine.retrieve_payment(payment.id).payment.captured == eur("100.00")


def test_a_refund_that_is_asked_for_again_gives_nothing_back_twice(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id)
    answers = {
        shop.engine.refund_payment(payment.id, eur("40.00"), "a chipped cup", idempotency_key="refund-1").refunded
        for _ in range(3)
    }
    assert answers == {eur("40.00")}
    assert books(shop, payment, "refunded") == [4000]


def test_all_that_is_left_means_what_was_left_when_it_was_first_asked_for(shop: Shop) -> None:
    payment = shop.paid()
    shop.engine.capture_payment(payment.id, eur("40.00"), idempotency_key="first")
    last = shop.engine.capture_payment(payment.id, idempotency_key="the rest")
    assert shop.engine.capture_payment(payment.id, idempotency_key="the rest") == last
    assert books(shop, payment, "captured") == [4000, 6000]


def test_a_cancellation_that_is_asked_for_again_is_answered_as_the_first_time(shop: Shop) -> None:
    payment = shop.paid()
    first = shop.engine.cancel_payment(payment.id, idempotency_key="cancel-1")
    assert shop.engine.cancel_payment(payment.id, idempotency_key="cancel-1") == first
    with pytest.raises(NotAllowed):
        shop.engine.cancel_payment(payment.id)


def test_what_was_created_under_a_key_is_created_once(shop: Shop) -> None:
    carts = {shop.engine.create_cart("eu", TEA, idempotency_key="cart-1").id for _ in range(3)}
    collections = {
        shop.engine.create_custom_payment_collection("eu", eur("20.00"), idempotency_key="deposit-1").id
        for _ in range(3)
    }
    assert (len(carts), len(collections)) == (1, 1)


def test_a_session_that_is_asked_for_again_is_the_same_one_even_when_another_replaced_it(shop: Shop) -> None:
    collection = shop.engine.create_payment_collection(shop.cart().id)
    first = shop.engine.create_payment_session(collection.id, CARDS, idempotency_key="session-1")
    shop.engine.create_payment_session(collection.id, CASH)
    again = shop.engine.create_payment_session(collection.id, CARDS, idempotency_key="session-1")
    assert again.id == first.id
    assert len(shop.engine.retrieve_payment_collection(collection.id).sessions) == 2


def test_a_session_that_stood_there_already_is_what_its_key_stands_for(shop: Shop) -> None:
    collection = shop.engine.create_payment_collection(shop.cart().id)
    standing = shop.engine.create_payment_session(collection.id, CARDS)
    first = shop.engine.create_payment_session(collection.id, CARDS, idempotency_key="session-1")
    shop.engine.create_payment_session(collection.id, CASH)
    again = shop.engine.create_payment_session(collection.id, CARDS, idempotency_key="session-1")
    assert standing.id == first.id == again.id


def test_a_decline_is_an_answer_and_is_kept(shop: Shop) -> None:
    payment = shop.paid(scenario="capture_declined")
    errors = []
    for _ in range(3):
        with pytest.raises(PaymentDeclined) as caught:
            shop.engine.capture_payment(payment.id, idempotency_key="capture-1")
        errors.append((str(caught.value), caught.value.code, caught.value.reason, caught.value.retryable))
    assert len(set(errors)) == 1
    assert len(books(shop, payment, "capture_declined")) == 1


def test_a_session_that_the_provider_declined_is_declined_again_without_asking_it(shop: Shop) -> None:
    collection = shop.engine.create_payment_collection(shop.cart().id)
    asked = {"scenario": "initiate_declined"}
    with pytest.raises(PaymentDeclined) as first:
        shop.engine.create_payment_session(collection.id, CARDS, asked, idempotency_key="session-1")
    with pytest.raises(PaymentDeclined) as second:
        shop.engine.create_payment_session(collection.id, CARDS, asked, idempotency_key="session-1")
    assert (str(first.value), first.value.code) == (str(second.value), second.value.code)
    assert len(shop.engine.list_operations(collection.id)) == 1


def test_a_pending_refund_is_answered_as_pending_and_then_as_it_ended(shop: Shop) -> None:
    payment = shop.paid(scenario="refund_pending")
    shop.engine.capture_payment(payment.id)
    first = shop.engine.refund_payment(payment.id, eur("40.00"), idempotency_key="refund-1")
    assert (first.refunding, first.refunded) == (eur("40.00"), eur("0.00"))
    assert shop.engine.refund_payment(payment.id, eur("40.00"), idempotency_key="refund-1") == first
    (operation,) = shop.engine.list_operations_in_doubt()
    shop.engine.resolve_operation(operation.id, has_succeeded=True, who="Ada", why="seen", provider_reference="x")
    settled = shop.engine.refund_payment(payment.id, eur("40.00"), idempotency_key="refund-1")
    assert (settled.refunding, settled.refunded) == (eur("0.00"), eur("40.00"))


def test_a_failure_that_turns_out_to_be_a_success_is_answered_as_what_it_is(shop: Shop, later: Engine) -> None:
    payment = shop.paid()
    shop.simulator.control.add_fault(Fault.ANSWER_LATE, "capture", seconds=0.8)
    with ThreadPoolExecutor(1) as pool:
        capture = pool.submit(lambda: shop.engine.capture_payment(payment.id, idempotency_key="capture-1"))
        while not shop.engine.list_operations_in_doubt():
            time.sleep(0.01)
        (operation,) = shop.engine.list_operations_in_doubt()
        later.resolve_operation(operation.id, has_succeeded=False, who="Ada", why="it is not in the dashboard")
        with pytest.raises(PaymentDeclined, match="it is not in the dashboard"):
            shop.engine.capture_payment(payment.id, idempotency_key="capture-1")
        first = capture.result()
    assert first.captured == eur("100.00")
    assert shop.engine.capture_payment(payment.id, idempotency_key="capture-1") == first


# Another request


def other_requests(engine: Engine, payment: Payment, key: str) -> list[Callable[[], object]]:
    """Requests that differ from a capture of 40.00 EUR in one thing each."""
    return [
        lambda: engine.capture_payment(payment.id, eur("40.01"), idempotency_key=key),
        lambda: engine.capture_payment(payment.id, idempotency_key=key),
        lambda: engine.refund_payment(payment.id, eur("40.00"), idempotency_key=key),
        lambda: engine.cancel_payment(payment.id, idempotency_key=key),
        lambda: engine.create_cart("eu", TEA, idempotency_key=key),
        lambda: engine.create_custom_payment_collection("eu", eur("40.00"), idempotency_key=key),
        lambda: engine.create_payment_session(payment.payment_collection_id, CARDS, idempotency_key=key),
    ]


def test_another_request_under_the_same_key_is_refused_and_has_no_effect(shop: Shop) -> None:
    payment, other = shop.paid(), shop.paid()
    captured = shop.engine.capture_payment(payment.id, eur("40.00"), idempotency_key="capture-1")
    elsewhere = [lambda: shop.engine.capture_payment(other.id, eur("40.00"), idempotency_key="capture-1")]
    for request in other_requests(shop.engine, payment, "capture-1") + elsewhere:
        with pytest.raises(KeyReused, match="'capture-1' stands for another request, a capture_payment; give each"):
            request()
    assert shop.engine.retrieve_payment(payment.id).payment == captured
    assert (books(shop, payment, "captured"), books(shop, other, "captured")) == ([4000], [])


@pytest.mark.parametrize("different", [{"a": None}, {"a": 1}, {"b": {}}])
def test_what_goes_to_the_provider_is_part_of_the_request(shop: Shop, different: dict[str, None]) -> None:
    collection = shop.engine.create_payment_collection(shop.cart().id)
    shop.engine.create_payment_session(collection.id, CASH, {}, idempotency_key="session-1")
    with pytest.raises(KeyReused):
        shop.engine.create_payment_session(collection.id, CASH, different, idempotency_key="session-1")


def test_a_shopper_who_comes_from_another_address_of_the_network_asks_for_the_same(shop: Shop) -> None:
    at_home = shop.engine.create_cart("eu", TEA, Shopper(ip_address="192.0.2.1"), idempotency_key="cart-1")
    on_a_train = shop.engine.create_cart("eu", TEA, Shopper(ip_address="192.0.2.2"), idempotency_key="cart-1")
    assert on_a_train == at_home


def test_another_store_s_key_is_another_key(shop: Shop) -> None:
    books_shop = shop.engine.for_store("books")
    ours = shop.engine.create_cart("eu", TEA, idempotency_key="cart-1")
    theirs = books_shop.create_cart("eu", TEA, idempotency_key="cart-1")
    assert ours.id != theirs.id
    assert (ours.store_id, theirs.store_id) == ("default", "books")


@pytest.mark.parametrize("key", ["", "k" * 256, "a\nb", "a\x00b", "\ud800"])
def test_what_cannot_be_a_key_is_refused(shop: Shop, key: str) -> None:
    with pytest.raises(InvalidData, match="idempotency_key: expected 1 to 255 printable characters"):
        shop.engine.create_cart("eu", TEA, idempotency_key=key)


@pytest.mark.parametrize("key", ["k", "k" * 255, "0190f0c2-0000-7000-8000-000000000000", "ключ 1 🔑"])
def test_any_words_may_be_a_key(shop: Shop, key: str) -> None:
    first = shop.engine.create_cart("eu", TEA, idempotency_key=key)
    assert shop.engine.create_cart("eu", TEA, idempotency_key=key) == first


# What leaves a key free


def test_a_request_that_was_refused_leaves_its_key_free(shop: Shop) -> None:
    payment = shop.paid()
    with pytest.raises(NotAllowed):
        shop.engine.refund_payment(payment.id, eur("40.00"), idempotency_key="refund-1")
    with pytest.raises(InvalidData):
        shop.engine.refund_payment(payment.id, eur("0.00"), idempotency_key="refund-1")
    assert shop.engine.find_idempotency_key("refund-1") is None
    shop.engine.capture_payment(payment.id)
    assert shop.engine.refund_payment(payment.id, eur("40.00"), idempotency_key="refund-1").refunded == eur("40.00")


def test_what_never_reached_the_provider_is_tried_again_under_the_same_key(shop: Shop) -> None:
    payment = shop.paid()
    shop.simulator.control.add_fault(Fault.TOO_MANY_REQUESTS, "capture")
    with pytest.raises(ProviderUnavailable, match="try again"):
        shop.engine.capture_payment(payment.id, idempotency_key="capture-1")
    with pytest.raises(KeyReused):
        shop.engine.cancel_payment(payment.id, idempotency_key="capture-1")
    first = shop.engine.capture_payment(payment.id, idempotency_key="capture-1")
    assert shop.engine.capture_payment(payment.id, idempotency_key="capture-1") == first
    assert books(shop, payment, "captured") == [10000]


def test_many_who_try_again_what_never_reached_the_provider_try_it_once(shop: Shop) -> None:
    payment = shop.paid()
    shop.simulator.control.add_fault(Fault.TOO_MANY_REQUESTS, "refund")
    shop.engine.capture_payment(payment.id)
    with pytest.raises(ProviderUnavailable):
        shop.engine.refund_payment(payment.id, eur("10.00"), idempotency_key="refund-1")
    answers = all_at_once(lambda: shop.engine.refund_payment(payment.id, eur("10.00"), idempotency_key="refund-1"))
    assert {answer.refunded for answer in answers} == {eur("10.00")}
    assert books(shop, payment, "refunded") == [1000]


# At the same moment


def test_many_clients_with_one_key_capture_once_and_are_told_the_same(shop: Shop) -> None:
    payment = shop.paid()
    answers = all_at_once(lambda: shop.engine.capture_payment(payment.id, eur("10.00"), idempotency_key="capture-1"))
    assert books(shop, payment, "captured") == [1000]
    settled = shop.engine.capture_payment(payment.id, eur("10.00"), idempotency_key="capture-1")
    assert answers
    assert all(answer == settled for answer in answers)


def test_many_clients_with_a_key_each_capture_once_each(shop: Shop) -> None:
    payment = shop.paid()

    def both(number: int) -> list[Payment | tuple[type[KassaError], str]]:
        key = f"capture-{number // 2}"
        return [answer_to(lambda: shop.engine.capture_payment(payment.id, eur("5.00"), idempotency_key=key))]

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(both, range(20)))
    assert books(shop, payment, "captured") == [500] * 10


def test_many_clients_with_one_key_create_one_session(shop: Shop) -> None:
    collection = shop.engine.create_payment_collection(shop.cart().id)
    answers: list[PaymentSession] = all_at_once(
        lambda: shop.engine.create_payment_session(collection.id, CARDS, idempotency_key="session-1")
    )
    (session,) = shop.engine.retrieve_payment_collection(collection.id).sessions
    assert {answer.id for answer in answers} == {session.id}


def test_many_clients_with_one_key_create_one_thing(shop: Shop) -> None:
    answers: list[PaymentCollection] = all_at_once(
        lambda: shop.engine.create_custom_payment_collection("eu", eur("20.00"), idempotency_key="deposit-1")
    )
    assert len(answers) == CLIENTS
    assert len({answer.id for answer in answers}) == 1


def test_of_two_payments_that_are_captured_under_one_key_at_the_same_moment_one_is(shop: Shop) -> None:
    payments = [shop.paid(), shop.paid()]

    def capture(number: int) -> Payment | tuple[type[KassaError], str]:
        return answer_to(
            lambda: shop.engine.capture_payment(payments[number % 2].id, eur("10.00"), idempotency_key="capture-1")
        )

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(capture, range(CLIENTS)))
    assert sorted(books(shop, payment, "captured") for payment in payments) == [[], [1000]]


# Crashes


@pytest.mark.parametrize("fault", [Fault.ACT_THEN_CUT, Fault.SERVER_ERROR_BEFORE_ACTING])
def test_a_lost_answer_is_still_processing_until_recovery_has_found_out(shop: Shop, fault: Fault) -> None:
    payment = shop.paid()
    shop.simulator.control.add_fault(fault, "capture")
    for _ in range(2):
        with pytest.raises(StillProcessing, match="nothing is lost, ask again later"):
            shop.engine.capture_payment(payment.id, idempotency_key="capture-1")
    shop.engine.work()
    answered = shop.engine.capture_payment(payment.id, idempotency_key="capture-1")
    assert answered.captured == eur("100.00")
    assert books(shop, payment, "captured") == [10000]


def test_a_client_that_was_killed_in_between_gets_its_answer_from_another_process(
    shop: Shop, later: Engine, tmp_path: Path
) -> None:
    payment = shop.paid()
    shop.simulator.control.add_fault(Fault.SILENCE_BEFORE_ACTING, "capture")
    _kill_while_capturing(shop, payment.id, tmp_path)
    shop.simulator.control.clear_faults()
    with pytest.raises(StillProcessing):
        shop.engine.capture_payment(payment.id, idempotency_key="capture-1")
    (settled,) = later.work().operations
    assert settled.status is OperationStatus.SUCCEEDED
    assert shop.engine.capture_payment(payment.id, idempotency_key="capture-1").captured == eur("100.00")
    assert books(shop, payment, "captured") == [10000]


def _kill_while_capturing(shop: Shop, payment_id: str, folder: Path) -> None:
    """Capture in another process, and SIGKILL it as soon as its intent is committed."""
    (folder / "kassa.toml").write_text(TOML.replace("timeout_seconds = 1.0", "timeout_seconds = 60.0"), "utf-8")
    program = f"import kassa; kassa.open('kassa.toml').capture_payment('{payment_id}', idempotency_key='capture-1')"
    with subprocess.Popen([sys.executable, "-c", program], cwd=folder) as sender:
        until = time.monotonic() + 30
        while not shop.engine.list_operations_in_doubt() and time.monotonic() < until:
            time.sleep(0.02)
        sender.kill()
    (operation,) = shop.engine.list_operations_in_doubt()
    assert operation.status is OperationStatus.IN_FLIGHT


@pytest.mark.parametrize(
    ("scenario", "refunding", "refunded"), [("approve", "0.00", "40.00"), ("refund_pending", "40.00", "0.00")]
)
def test_a_notice_that_tells_of_a_refund_answers_its_key(
    shop: Shop, scenario: str, refunding: str, refunded: str
) -> None:
    payment = shop.paid(scenario=scenario)
    shop.engine.capture_payment(payment.id)
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "refund")
    with pytest.raises(StillProcessing):
        shop.engine.refund_payment(payment.id, eur("40.00"), idempotency_key="refund-1")
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    for notice in told(shop, session):
        shop.engine.apply_notice(receive(shop.engine, notice).id)
    answered = shop.engine.refund_payment(payment.id, eur("40.00"), idempotency_key="refund-1")
    assert (answered.refunding, answered.refunded) == (eur(refunding), eur(refunded))
    assert books(shop, payment, "refunded") == [4000]


def test_what_a_person_decided_is_what_the_client_is_told(shop: Shop) -> None:
    payment = shop.paid()
    shop.simulator.control.add_fault(Fault.WRONG_AMOUNT, "capture")
    with pytest.raises(StillProcessing):
        shop.engine.capture_payment(payment.id, idempotency_key="capture-1")
    (operation,) = shop.engine.list_operations_in_doubt()
    shop.engine.resolve_operation(operation.id, has_succeeded=False, who="Ada", why="seen in the dashboard")
    with pytest.raises(PaymentDeclined, match="seen in the dashboard"):
        shop.engine.capture_payment(payment.id, idempotency_key="capture-1")


# To look


def test_a_key_tells_for_what_it_was_used_and_whether_it_is_answered(shop: Shop) -> None:
    payment = shop.paid()
    assert shop.engine.find_idempotency_key("capture-1") is None
    shop.simulator.control.add_fault(Fault.ACT_THEN_CUT, "capture")
    with pytest.raises(StillProcessing):
        shop.engine.capture_payment(payment.id, idempotency_key="capture-1")
    (operation,) = shop.engine.list_operations_in_doubt()
    key = shop.engine.find_idempotency_key("capture-1")
    assert key is not None
    assert (key.verb, key.operation_id, key.is_answered) == ("capture_payment", operation.id, False)
    assert operation.client_key == "capture-1"
    shop.engine.work()
    key = shop.engine.find_idempotency_key("capture-1")
    assert key is not None
    assert key.is_answered


def test_a_key_of_another_store_is_not_seen(shop: Shop) -> None:
    shop.engine.create_cart("eu", TEA, idempotency_key="cart-1")
    assert shop.engine.for_store("books").find_idempotency_key("cart-1") is None
