"""Nobody tries out cards: sessions, completions and declines are limited for each cart and each address."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

import kassa
from kassa_simulator.process import SimulatorProcess

from .conftest import configured, serving


@contextmanager
def limited(folder: Path, simulator: SimulatorProcess, limits: str) -> Iterator[httpx.Client]:
    """A storefront of a server with these limits."""
    with ExitStack() as stack:
        config = stack.enter_context(configured(folder, f"sqlite:///{folder / 'kassa.db'}", simulator))
        with config.open("a", encoding="utf-8") as file:
            file.write(f"\n[http.limits]\n{limits}\n")
        engine = kassa.open(config)
        key = engine.create_publishable_key("shop").token
        engine.close()
        told, _ = stack.enter_context(serving("--no-worker", "--config", str(config)))
        headers = {"x-publishable-api-key": key}
        yield stack.enter_context(httpx.Client(base_url=told["url"], headers=headers, timeout=30, trust_env=False))


def cart(storefront: httpx.Client) -> tuple[str, str]:
    """The ids of a cart and its payment collection."""
    body = {"region_id": "eu", "items": [{"variant_id": "tea", "quantity": 1}]}
    cart_id: str = storefront.post("/store/carts", json=body).json()["cart"]["id"]
    collection = storefront.post("/store/payment-collections", json={"cart_id": cart_id}).json()
    return cart_id, collection["payment_collection"]["id"]


def session(storefront: httpx.Client, collection_id: str, scenario: str, **headers: str) -> httpx.Response:
    """A session that ends so."""
    body = {"provider_id": "pp_simulator_cards", "data": {"scenario": scenario}}
    path = f"/store/payment-collections/{collection_id}/payment-sessions"
    return storefront.post(path, json=body, headers=headers)


def complete(storefront: httpx.Client, cart_id: str, **headers: str) -> httpx.Response:
    """What completing answers."""
    return storefront.post(f"/store/carts/{cart_id}/complete", headers=headers)


def test_declines_count_for_a_cart_whichever_way_they_come(simulator: SimulatorProcess, tmp_path: Path) -> None:
    with limited(tmp_path, simulator, 'declines_per_cart = "3 per hour"') as storefront:
        cart_id, collection_id = cart(storefront)
        answers = []
        for _ in range(4):
            session(storefront, collection_id, "challenge")
            waiting = complete(storefront, cart_id)
            if waiting.status_code == 429:
                answers.append(429)
                break
            (paying,) = waiting.json()["cart"]["payment_collection"]["payment_sessions"]
            simulator.control.answer_challenge(paying["data"]["action"]["parameters"]["payment_id"], "decline")
            answers.append(storefront.post(f"/store/payment-sessions/{paying['id']}/action", json={}).status_code)
        assert answers == [422, 422, 422, 429]


def test_many_tries_at_once_are_no_more_than_many_after_each_other(simulator: SimulatorProcess, tmp_path: Path) -> None:
    with limited(tmp_path, simulator, 'declines_per_address = "5 per hour"') as storefront:
        carts = [cart(storefront) for _ in range(12)]
        for _, collection_id in carts:
            session(storefront, collection_id, "decline").raise_for_status()
        with ThreadPoolExecutor(len(carts)) as pool:
            answers = [each.status_code for each in pool.map(lambda each: complete(storefront, each[0]), carts)]
        assert sorted(answers) == [200] * 5 + [429] * 7


def test_what_is_not_declined_does_not_count(simulator: SimulatorProcess, tmp_path: Path) -> None:
    with limited(tmp_path, simulator, 'declines_per_address = "1 per hour"') as storefront:
        for _ in range(3):
            cart_id, collection_id = cart(storefront)
            session(storefront, collection_id, "approve").raise_for_status()
            assert complete(storefront, cart_id).json()["type"] == "order"


def test_after_too_many_declines_a_cart_is_not_asked_for_at_the_provider(
    simulator: SimulatorProcess, tmp_path: Path
) -> None:
    with limited(tmp_path, simulator, 'declines_per_cart = "3 per hour"') as storefront:
        cart_id, collection_id = cart(storefront)
        session(storefront, collection_id, "decline").raise_for_status()
        answers = [complete(storefront, cart_id) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        asked = len(simulator.control.books())
        told = answers[-1]
        assert told.json()["type"] == "too_many_requests"
        assert told.json()["message"].startswith("declines of this cart: 3 per hour and no more; try again in ")
        assert 3000 < int(told.headers["retry-after"]) <= 3600
        assert complete(storefront, cart_id).status_code == 429
        assert len(simulator.control.books()) == asked
        other, its_collection = cart(storefront)
        session(storefront, its_collection, "approve").raise_for_status()
        assert complete(storefront, other).json()["type"] == "order"


def test_an_address_that_tries_out_cards_with_many_carts_is_stopped(
    simulator: SimulatorProcess, tmp_path: Path
) -> None:
    with limited(tmp_path, simulator, 'declines_per_address = "3 per hour"') as storefront:
        statuses = []
        for _ in range(5):
            cart_id, collection_id = cart(storefront)
            created = session(storefront, collection_id, "decline")
            statuses.append(created.status_code if created.is_error else complete(storefront, cart_id).status_code)
        assert statuses == [200, 200, 200, 429, 429]
        # A proxy on this machine is believed about who asks.
        cart_id, collection_id = cart(storefront)
        elsewhere = {"x-forwarded-for": "192.0.2.7"}
        assert session(storefront, collection_id, "approve", **elsewhere).status_code == 200
        assert complete(storefront, cart_id, **elsewhere).json()["type"] == "order"


def test_addresses_of_one_network_of_the_newer_kind_are_one(simulator: SimulatorProcess, tmp_path: Path) -> None:
    with limited(tmp_path, simulator, 'sessions_per_address = "2 per hour"') as storefront:
        statuses = []
        for host in ("2001:db8::1", "2001:db8::2", "2001:db8::ffff:3", "2001:db8:0:1::1"):
            _, collection_id = cart(storefront)
            answer = session(storefront, collection_id, "approve", **{"x-forwarded-for": host})
            statuses.append(answer.status_code)
        assert statuses == [200, 200, 429, 200]


@pytest.mark.parametrize(
    ("limit", "statuses"), [('sessions_per_cart = "2 per hour"', [200, 200, 429]), ("", [200, 200, 200])]
)
def test_a_cart_gets_so_many_sessions(
    simulator: SimulatorProcess, tmp_path: Path, limit: str, statuses: list[int]
) -> None:
    with limited(tmp_path, simulator, limit) as storefront:
        _, collection_id = cart(storefront)
        scenarios = ("approve", "decline", "approve")
        assert [session(storefront, collection_id, each).status_code for each in scenarios] == statuses


def test_a_cart_is_completed_so_often(simulator: SimulatorProcess, tmp_path: Path) -> None:
    with limited(tmp_path, simulator, 'completions_per_cart = "2 per minute"') as storefront:
        cart_id, collection_id = cart(storefront)
        session(storefront, collection_id, "approve").raise_for_status()
        assert [complete(storefront, cart_id).status_code for _ in range(3)] == [200, 200, 429]
