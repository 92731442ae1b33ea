"""Many at once: the second click, the other tab, the impatient operator."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kassa import Conflict, Money, NotAllowed, OrderPlaced, Processing

from ..conftest import Shop

AnswerT = TypeVar("AnswerT")
CLIENTS = 12


def at_once(work: Callable[[], AnswerT], clients: int = CLIENTS) -> list[AnswerT | Exception]:
    """What everyone gets who asks at the same time."""

    def one(_: int) -> AnswerT | Exception:
        try:
            return work()
        except (Conflict, NotAllowed) as error:
            return error

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(clients)))


def test_all_get_the_same_collection(shop: Shop) -> None:
    cart = shop.cart()
    answers = at_once(lambda: shop.engine.create_payment_collection(cart.id).id)
    assert len(set(answers)) == 1


def test_one_session_is_created(shop: Shop) -> None:
    cart = shop.cart()
    at_once(lambda: shop.session(cart).id)
    assert len(shop.collection_of(cart).sessions) == 1


def test_one_order_is_placed_and_one_authorization_made(shop: Shop) -> None:
    cart = shop.cart()
    session = shop.session(cart)
    answers = at_once(lambda: shop.engine.complete_cart(cart.id))
    assert {type(answer) for answer in answers} <= {OrderPlaced, Processing}
    assert len({answer.order_id for answer in answers if isinstance(answer, OrderPlaced)}) == 1
    assert len(shop.engine.list_orders()) == 1
    assert shop.books(session, "authorized") == [5000]


def test_captures_never_take_more_than_was_authorized(shop: Shop) -> None:
    payment = shop.paid("100.00")
    answers = at_once(lambda: shop.engine.capture_payment(payment.id, Money.parse("30.00", "EUR")))
    assert sum(isinstance(answer, NotAllowed) for answer in answers) == CLIENTS - 3
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    assert shop.books(session, "captured") == [3000, 3000, 3000]
    assert shop.engine.retrieve_payment(payment.id).payment.captured == Money.parse("90.00", "EUR")


def test_refunds_never_return_more_than_was_captured(shop: Shop) -> None:
    payment = shop.paid("100.00")
    shop.engine.capture_payment(payment.id)
    at_once(lambda: shop.engine.refund_payment(payment.id, Money.parse("60.00", "EUR")))
    session = shop.engine.retrieve_payment_session(payment.payment_session_id)
    assert shop.books(session, "refunded") == [6000]
    assert shop.engine.retrieve_payment(payment.id).payment.refunded == Money.parse("60.00", "EUR")
