"""What went wrong elsewhere over HTTP (Medusa 2.21.2), and must never here: the same cases, asked over HTTP.

The books of the provider are the truth.  The cases themselves are told in docs/reliability.md.
"""

import json
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

import kassa
from kassa_simulator.control import NoticeSelection
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from .conftest import Shop, configured, paid, refusal, serving

PROVIDER = "pp_simulator_cards"
HOOK = "/hooks/payment/simulator_cards"


def at_once(ask: Callable[[], httpx.Response], clients: int) -> list[httpx.Response]:
    """What so many clients are answered who ask at the same time."""
    with ThreadPoolExecutor(clients) as pool:
        return [each.result() for each in [pool.submit(ask) for _ in range(clients)]]


def statuses(answers: list[httpx.Response]) -> dict[int, int]:
    """How often each status was answered."""
    return {
        status: [each.status_code for each in answers].count(status)
        for status in {each.status_code for each in answers}
    }


def moved(simulator: SimulatorProcess, reference: str, effect: str) -> list[int]:
    """The amounts of these effects in the provider's books."""
    books = simulator.control.books()
    return [each["amount"] for each in books if each["type"] == effect and each.get("payment_id") == reference]


@pytest.fixture
def payment(shop: Shop) -> kassa.model.Payment:
    """A payment of 49.98 EUR for a placed order."""
    paid(shop.storefront())
    return shop.engine.list_payments()[0]


def test_20_captures_at_once_take_no_more_than_was_authorized(
    shop: Shop, payment: kassa.model.Payment, simulator: SimulatorProcess
) -> None:
    backend = shop.backend()
    answers = at_once(lambda: backend.post(f"/admin/payments/{payment.id}/capture", json={"amount": 4.5}), 20)
    taken = moved(simulator, payment.provider_reference, "captured")
    assert sum(taken) <= 4998
    assert statuses(answers).get(200, 0) == len(taken)
    assert shop.engine.retrieve_payment(payment.id).payment.captured.minor == sum(taken)


def test_20_who_complete_at_once_get_one_order_and_none_undoes_what_another_did(
    shop: Shop, simulator: SimulatorProcess
) -> None:
    storefront = shop.storefront()
    body = {"region_id": "eu", "items": [{"variant_id": "tea", "quantity": 2}]}
    cart = storefront.post("/store/carts", json=body).json()["cart"]["id"]
    collection = shop.engine.create_payment_collection(cart)
    session = shop.engine.create_payment_session(collection.id, PROVIDER, {"scenario": "approve"})
    answers = at_once(lambda: storefront.post(f"/store/carts/{cart}/complete"), 20)
    assert set(statuses(answers)) <= {200, 409}
    told = [answer.json() for answer in answers if answer.status_code == 200]
    orders = {each["order"]["id"] for each in told if each["type"] == "order"}
    assert {each["error"]["type"] for each in told if each["type"] == "cart"} <= {"payment_requires_more_error"}
    assert orders == {order.id for order in shop.engine.list_orders()}
    assert len(orders) == 1
    reference = session.provider_reference or ""
    assert moved(simulator, reference, "authorized") == [4998]
    assert moved(simulator, reference, "canceled") == []


def test_20_refunds_at_once_give_back_no_more_than_was_taken(
    shop: Shop, payment: kassa.model.Payment, simulator: SimulatorProcess
) -> None:
    backend = shop.backend()
    backend.post(f"/admin/payments/{payment.id}/capture", json={}).raise_for_status()
    answers = at_once(lambda: backend.post(f"/admin/payments/{payment.id}/refund", json={"amount": 10}), 20)
    returned = moved(simulator, payment.provider_reference, "refunded")
    assert sum(returned) <= 4998
    assert statuses(answers).get(200, 0) == len(returned)


def test_32_clients_with_the_same_key_move_money_once_and_get_the_same_answer(
    shop: Shop, payment: kassa.model.Payment, simulator: SimulatorProcess
) -> None:
    backend, key = shop.backend(), {"Idempotency-Key": f"capture {payment.id}"}
    path = f"/admin/payments/{payment.id}/capture"
    answers = at_once(lambda: backend.post(path, json={"amount": 10}, headers=key), 32)
    assert set(statuses(answers)) <= {200, 409}
    assert all("retry-after" in each.headers for each in answers if each.status_code == 409)
    again = backend.post(path, json={"amount": 10}, headers=key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert moved(simulator, payment.provider_reference, "captured") == [1000]
    other = backend.post(path, json={"amount": 11}, headers=key)
    assert refusal(other)[:2] == (422, "duplicate_error")
    assert moved(simulator, payment.provider_reference, "captured") == [1000]


def test_a_refund_whose_answer_is_lost_and_that_is_asked_for_again_is_one_refund(
    shop: Shop, payment: kassa.model.Payment, simulator: SimulatorProcess
) -> None:
    backend, key = shop.backend(), {"Idempotency-Key": f"refund {payment.id}"}
    backend.post(f"/admin/payments/{payment.id}/capture", json={}).raise_for_status()
    simulator.control.add_fault(Fault.ACT_THEN_CUT, "refund")
    for _ in range(3):
        answer = backend.post(f"/admin/payments/{payment.id}/refund", json={"amount": 40}, headers=key)
        assert refusal(answer)[:2] == (409, "conflict")
    assert moved(simulator, payment.provider_reference, "refunded") == [4000]


def test_capture_10_asks_the_provider_for_10(
    shop: Shop, payment: kassa.model.Payment, simulator: SimulatorProcess
) -> None:
    shop.backend().post(f"/admin/payments/{payment.id}/capture", json={"amount": 10}).raise_for_status()
    assert moved(simulator, payment.provider_reference, "captured") == [1000]


def test_a_new_session_on_the_collection_of_a_placed_order_is_refused(
    shop: Shop, payment: kassa.model.Payment, simulator: SimulatorProcess
) -> None:
    path = f"/store/payment-collections/{payment.payment_collection_id}/payment-sessions"
    answer = shop.storefront().post(path, json={"provider_id": "pp_system_default"})
    assert refusal(answer)[:2] == (400, "not_allowed")
    assert moved(simulator, payment.provider_reference, "canceled") == []


def test_ten_who_mark_as_paid_at_once_take_it_once(shop: Shop) -> None:
    order, backend = paid(shop.storefront()), shop.backend()
    debt = backend.post("/admin/payment-collections", json={"order_id": order["id"], "amount": 50}).json()
    path = f"/admin/payment-collections/{debt['payment_collection']['id']}/mark-as-paid"
    answers = at_once(lambda: backend.post(path, json={"order_id": order["id"]}), 10)
    assert 200 in statuses(answers)
    assert backend.post(path, json={"order_id": order["id"]}).status_code == 200
    listed = backend.get("/admin/payments", params={"q": debt["payment_collection"]["id"], "fields": "captured_amount"})
    assert [each["captured_amount"] for each in listed.json()["payments"]] == [50]


def test_ten_who_create_a_collection_and_a_session_at_once_get_the_same_ones(shop: Shop) -> None:
    storefront = shop.storefront()
    item = {"variant_id": "tea", "quantity": 1}
    cart = storefront.post("/store/carts", json={"region_id": "eu", "items": [item]}).json()["cart"]
    created = at_once(lambda: storefront.post("/store/payment-collections", json={"cart_id": cart["id"]}), 10)
    (collection_id,) = {each.json()["payment_collection"]["id"] for each in created}
    path = f"/store/payment-collections/{collection_id}/payment-sessions"
    answers = at_once(lambda: storefront.post(path, json={"provider_id": PROVIDER}), 10)
    assert set(statuses(answers)) <= {200, 409}
    assert len(shop.engine.retrieve_payment_collection(collection_id).live_sessions) == 1


def written(simulator: SimulatorProcess, reference: str) -> dict[str, Any]:
    """The last message about a payment, as the provider would deliver it."""
    return dict(simulator.control.notices(NoticeSelection(payment_id=reference))[-1])


def test_the_same_webhook_five_times_is_applied_once(
    shop: Shop, payment: kassa.model.Payment, simulator: SimulatorProcess
) -> None:
    simulator.control.do("capture", payment.provider_reference, amount=4000, currency="EUR")
    notice = written(simulator, payment.provider_reference)
    for _ in range(5):
        answer = shop.client().post(HOOK, content=notice["body"], headers=notice["headers"])
        assert (answer.status_code, answer.json()) == (200, {"received": 1})
    shop.engine.work()
    assert shop.engine.retrieve_payment(payment.id).payment.captured.minor == 4000


def test_a_webhook_that_its_provider_did_not_sign_is_refused_and_not_kept(
    shop: Shop, payment: kassa.model.Payment, simulator: SimulatorProcess
) -> None:
    simulator.control.do("capture", payment.provider_reference, amount=4000, currency="EUR")
    notice, client = written(simulator, payment.provider_reference), shop.client()
    changed = notice["body"].replace("4000", "4001")
    assert refusal(client.post(HOOK, content=changed, headers=notice["headers"]))[:2] == (401, "unauthorized")
    assert refusal(client.post(HOOK, content=notice["body"]))[:2] == (401, "unauthorized")
    assert refusal(client.post("/hooks/payment/simulator_nobody", content=notice["body"]))[:2] == (404, "not_found")
    assert all(each.payment_session_id != payment.payment_session_id for each in shop.engine.list_notices())


class _Mortal:
    """A server that is killed, and one that comes after it on the same database."""

    def __init__(self, config: Path, stack: ExitStack) -> None:
        self.config, self._stack = config, stack
        self.engine = kassa.open(config)
        stack.callback(self.engine.close)
        self.start()

    def start(self, *options: str) -> None:
        """Serve; the worker works only where it is wanted."""
        ready, self.process = self._stack.enter_context(
            serving("--config", str(self.config), *(options or ("--no-worker",)))
        )
        shop = Shop(ready["url"], self.engine, self._stack)
        self.storefront, self.backend, self.anybody = shop.storefront(), shop.backend(), shop.client()

    def kill(self) -> None:
        """SIGKILL, at whatever it is doing."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


@pytest.fixture
def mortal(database_url: str, simulator: SimulatorProcess, tmp_path: Path) -> Any:
    """A server of its own, to be killed: once on SQLite, once on PostgreSQL."""
    with ExitStack() as stack:
        yield _Mortal(stack.enter_context(configured(tmp_path, database_url, simulator)), stack)


def killed_while_it_asks(mortal: _Mortal, simulator: SimulatorProcess, hook: str, ask: Callable[[], object]) -> None:
    """The provider acts and says nothing; meanwhile the server is killed."""
    simulator.control.add_fault(Fault.ACT_THEN_SILENCE, hook)  # type: ignore[arg-type]  # one of its operations
    before = len(simulator.control.books())
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        while len(simulator.control.books()) == before:
            pass
        mortal.kill()
        with suppress(httpx.HTTPError):
            asked.result()


def test_a_server_that_is_killed_while_it_authorizes_ends_in_one_order_with_its_payment(
    mortal: _Mortal, simulator: SimulatorProcess
) -> None:
    item = {"variant_id": "tea", "quantity": 2}
    cart = mortal.storefront.post("/store/carts", json={"region_id": "eu", "items": [item]}).json()["cart"]
    collection = mortal.storefront.post("/store/payment-collections", json={"cart_id": cart["id"]}).json()
    path = f"/store/payment-collections/{collection['payment_collection']['id']}/payment-sessions"
    mortal.storefront.post(path, json={"provider_id": PROVIDER}).raise_for_status()
    complete = f"/store/carts/{cart['id']}/complete"
    killed_while_it_asks(mortal, simulator, "authorize", lambda: mortal.storefront.post(complete))
    mortal.start()
    answer = mortal.storefront.post(complete)
    # Nobody knows yet: neither an order nor a refusal.
    assert answer.status_code == 409 or answer.json()["error"]["type"] == "payment_requires_more_error"
    (session,) = mortal.engine.retrieve_payment_collection(collection["payment_collection"]["id"]).live_sessions
    assert len(mortal.engine.list_operations_in_doubt()) == 1
    later(mortal)
    completed = mortal.storefront.post(complete).json()
    assert completed["type"] == "order"
    assert [order.id for order in mortal.engine.list_orders()] == [completed["order"]["id"]]
    assert moved(simulator, session.provider_reference or "", "authorized") == [4998]
    assert len(mortal.engine.list_payments()) == 1


def test_a_server_that_is_killed_while_it_captures_has_taken_it_once_and_refunds_nothing_before(
    mortal: _Mortal, simulator: SimulatorProcess
) -> None:
    paid(mortal.storefront)
    (payment,) = mortal.engine.list_payments()
    path = f"/admin/payments/{payment.id}"
    killed_while_it_asks(
        mortal, simulator, "capture", lambda: mortal.backend.post(f"{path}/capture", json={"amount": 40})
    )
    mortal.start()
    refund = mortal.backend.post(f"{path}/refund", json={"amount": 40})
    assert refund.status_code in (400, 409), refund.text
    later(mortal)
    assert mortal.backend.get(path).json()["payment"]["captures"][0]["amount"] == 40
    assert moved(simulator, payment.provider_reference, "captured") == [4000]
    assert moved(simulator, payment.provider_reference, "refunded") == []


def later(mortal: _Mortal) -> None:
    """A worker comes an hour later: nobody waits for an answer any more."""
    worker = kassa.open(mortal.config, clock=lambda: datetime.now(UTC) + timedelta(hours=1))
    try:
        worker.work()
    finally:
        worker.close()


def test_a_webhook_that_was_answered_with_200_outlives_the_server(mortal: _Mortal, simulator: SimulatorProcess) -> None:
    paid(mortal.storefront)
    (payment,) = mortal.engine.list_payments()
    simulator.control.do("capture", payment.provider_reference, amount=4000, currency="EUR")
    notice = written(simulator, payment.provider_reference)
    assert mortal.anybody.post(HOOK, content=notice["body"], headers=notice["headers"]).status_code == 200
    mortal.kill()
    mortal.engine.work()
    assert mortal.engine.retrieve_payment(payment.id).payment.captured.minor == 4000


def test_a_shopper_takes_no_key_away_from_the_shop(shop: Shop, simulator: SimulatorProcess) -> None:
    storefront, backend, key = shop.storefront(), shop.backend(), {"idempotency-key": "capture-1042"}
    taken = storefront.post("/store/carts", json={"region_id": "eu"}, headers=key)
    assert taken.status_code == 200
    paid(storefront)
    (payment,) = backend.get("/admin/payments").json()["payments"]
    path = f"/admin/payments/{payment['id']}/capture?fields=id,captured_amount"
    captured = backend.post(path, json={"amount": 1}, headers=key)
    assert captured.json()["payment"]["captured_amount"] == 1
    again = backend.post(path, json={"amount": 1}, headers=key)
    assert (again.json(), again.headers["idempotent-replayed"]) == (captured.json(), "true")


def test_blanks_around_a_key_are_none_of_it(shop: Shop) -> None:
    storefront, carts = shop.storefront(), []
    for key in ("new-cart", "new-cart "):
        # As it is: an ordinary client refuses to send it.
        with closing(HTTPConnection(urlsplit(shop.url).netloc, timeout=30)) as connection:
            headers = {
                "x-publishable-api-key": storefront.headers["x-publishable-api-key"],
                "idempotency-key": key,
                "content-type": "application/json",
            }
            connection.request("POST", "/store/carts", '{"region_id": "eu"}', headers)
            carts.append(json.load(connection.getresponse())["cart"]["id"])
    assert carts[0] == carts[1]


def test_several_keys_and_a_key_that_is_not_heeded_are_refused(shop: Shop) -> None:
    storefront = shop.storefront()
    cart = storefront.post("/store/carts", json={"region_id": "eu"}).json()["cart"]["id"]
    two = storefront.post(
        "/store/carts", json={"region_id": "eu"}, headers=[("idempotency-key", "a"), ("idempotency-key", "b")]
    )
    assert refusal(two) == (400, "invalid_data", "Idempotency-Key: expected one, not several")
    line = {"variant_id": "tea", "quantity": 1}
    added = storefront.post(f"/store/carts/{cart}/line-items", json=line, headers={"idempotency-key": "a"})
    assert refusal(added)[2].startswith("Idempotency-Key: expected none")
    assert shop.engine.retrieve_cart(cart).items == ()
