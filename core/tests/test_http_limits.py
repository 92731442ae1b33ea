"""How often one may ask, by the address that asks."""

import asyncio
from collections.abc import Callable

import pytest

pytest.importorskip("fastapi", reason="the HTTP server is not installed: pip install 'kassa[http]'")

import httpx  # after the check

from kassa import Engine
from kassa.http import create_app


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        # A server that listens on both kinds of addresses is told those of the older kind so.
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"),
    ],
)
def test_an_address_is_one_shopper_and_another_address_another(
    open_shop: Callable[[str], Engine], one: str, same: str, other: str
) -> None:
    engine = open_shop('[http.limits]\nsessions_per_address = "2 per hour"\n')
    application, key = create_app(engine), engine.create_publishable_key("shop").token

    async def ask(address: str) -> int:
        transport = httpx.ASGITransport(application, client=(address, 50000))
        headers = {"x-publishable-api-key": key}
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test", headers=headers) as client:
            path = "/store/payment-collections/pay_col_0/payment-sessions"
            return (await client.post(path, json={"provider_id": "pp_system_default"})).status_code

    async def all_of_them() -> list[int]:
        return [await ask(each) for each in (one, one, same, other)]

    first, second, third, fourth = asyncio.run(all_of_them())
    assert third == 429
    assert 429 not in (first, second, fourth)
