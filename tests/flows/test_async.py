"""Async applications run the same verbs."""

import asyncio
import inspect

from kassa import AsyncEngine, Engine, Money, OrderPlaced

from ..conftest import CARDS, Shop


def test_a_checkout_runs_in_an_async_application(shop: Shop) -> None:
    async def checkout() -> Money:
        engine = AsyncEngine(shop.engine)
        cart = shop.cart("20.00")
        collection = await engine.create_payment_collection(cart.id)
        await engine.create_payment_session(collection.id, CARDS)
        completion = await engine.complete_cart(cart.id)
        assert isinstance(completion, OrderPlaced)
        (payment,) = (await engine.retrieve_payment_collection(collection.id)).payments
        return (await engine.capture_payment(payment.id)).captured

    assert asyncio.run(checkout()) == Money.parse("20.00", "EUR")


def test_a_client_that_goes_away_does_not_make_us_forget_what_the_provider_answers(shop: Shop) -> None:
    async def leave() -> str:
        engine = AsyncEngine(shop.engine)
        cart = shop.cart("20.00")
        shop.session(cart)
        completing = asyncio.ensure_future(engine.complete_cart(cart.id))
        await asyncio.sleep(0)
        completing.cancel()
        return cart.id

    cart_id = asyncio.run(leave())
    completion = shop.engine.complete_cart(cart_id)
    assert isinstance(completion, OrderPlaced)


def test_every_verb_of_the_engine_is_there() -> None:
    verbs = {name for name, _ in inspect.getmembers(Engine, inspect.isfunction) if not name.startswith("_")}
    wrapped = {name for name, _ in inspect.getmembers(AsyncEngine, inspect.isfunction) if not name.startswith("_")}
    assert verbs - {"for_store"} == wrapped
