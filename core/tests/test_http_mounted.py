"""The HTTP application inside of another one: what goes by the path does so wherever it is mounted."""

import asyncio
from collections.abc import Callable

import pytest

pytest.importorskip("fastapi", reason="the HTTP server is not installed: pip install 'kassa[http]'")

import httpx  # after the check
from starlette.applications import Starlette
from starlette.routing import Mount

from kassa import Engine
from kassa.http import create_app

SHOP = "https://shop.example.org"


@pytest.fixture
def mounted(open_shop: Callable[[str], Engine]) -> Starlette:
    """An application with kassa in it."""
    engine = open_shop(f'[http]\nstorefronts = ["{SHOP}"]\n')
    return Starlette(routes=[Mount("/payments/v1", create_app(engine))])


def ask(application: Starlette, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    """The answer of the application."""

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(answer())


def test_browsers_of_the_storefronts_may_ask_a_mounted_application(mounted: Starlette) -> None:
    wish = {"access-control-request-method": "POST", "access-control-request-headers": "x-publishable-api-key"}
    answer = ask(mounted, "OPTIONS", "/payments/v1/store/carts", {"origin": SHOP, **wish})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SHOP)
    other = ask(mounted, "OPTIONS", "/payments/v1/admin/payments", {"origin": SHOP, **wish})
    assert "access-control-allow-origin" not in other.headers


def test_a_mounted_application_says_which_methods_a_path_has(mounted: Starlette) -> None:
    answer = ask(mounted, "DELETE", "/payments/v1/store/regions", {})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
