"""What operators do over HTTP: look at what is in doubt, decide it, read the history, replay, switch a provider off."""

import httpx
import pytest

from kassa.model import Scope
from kassa_simulator.control import NoticeSelection
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.server.faults import Fault

from .conftest import Shop, paid, refusal

WHO = {"who": "Ada", "why": "their books show it"}


def captured_in_doubt(shop: Shop, simulator: SimulatorProcess, backend: httpx.Client, fault: Fault) -> str:
    """The id of the operation of a capture that nobody knows the fate of."""
    paid(shop.storefront())
    payment = shop.engine.list_payments()[0].id
    simulator.control.add_fault(fault, "capture")
    assert backend.post(f"/admin/payments/{payment}/capture", json={"amount": 10}).status_code == 409
    (operation,) = backend.get("/admin/operations").json()["operations"]
    assert (operation["kind"], operation["status"], operation["amount"]) == ("capture", "unknown", 10)
    assert (operation["currency_code"], operation["region_id"]) == ("eur", "eu")
    operation_id: str = operation["id"]
    return operation_id


def disputed(shop: Shop, simulator: SimulatorProcess) -> str:
    """The id of a notice that tells of a dispute, as the provider delivered it, applied."""
    paid(shop.storefront())
    payment = shop.engine.list_payments()[0]
    shop.engine.capture_payment(payment.id)
    simulator.control.do("open_dispute", payment.provider_reference, amount=4000)
    simulator.control.set_webhook(f"{shop.url}/hooks/payment/simulator_cards")
    simulator.control.notices(NoticeSelection(payment_id=payment.provider_reference), deliver=True)
    shop.engine.work()
    return shop.engine.list_notices()[0].id


def test_what_is_in_doubt_is_looked_up_again(shop: Shop, simulator: SimulatorProcess) -> None:
    backend = shop.backend()
    operation = captured_in_doubt(shop, simulator, backend, Fault.ACT_THEN_CUT)
    settled = backend.post(f"/admin/operations/{operation}/look-again").json()["operation"]
    assert settled["status"] == "succeeded"
    assert backend.get("/admin/operations").json() == {"operations": []}


def test_a_person_decides_and_it_is_kept_with_who_and_why(shop: Shop, simulator: SimulatorProcess) -> None:
    backend = shop.backend()
    operation = captured_in_doubt(shop, simulator, backend, Fault.CUT_BEFORE_ACTING)
    path = f"/admin/operations/{operation}/resolve"
    assert refusal(backend.post(path, json={**WHO, "has_succeeded": "yes"}))[:2] == (400, "invalid_data")
    assert refusal(backend.post(path, json={"who": "Ada", "why": " ", "has_succeeded": True}))[:2] == (
        400,
        "invalid_data",
    )
    settled = backend.post(path, json={**WHO, "has_succeeded": False}).json()["operation"]
    assert settled["status"] == "failed"
    collection = settled["payment_collection_id"]
    events = backend.get(f"/admin/payment-collections/{collection}/events").json()["events"]
    assert any(event["data"].get("who") == "Ada" and "their books" in str(event["data"]) for event in events)
    operations = backend.get(f"/admin/payment-collections/{collection}/operations").json()["operations"]
    assert [each["kind"] for each in operations] == ["initiate", "authorize", "capture"]
    assert "request" not in operations[0]
    payment = shop.engine.list_payments()[0]
    assert not payment.captured.minor and not payment.capturing.minor


def test_notices_cases_and_deliveries_are_listed_and_done_again(shop: Shop, simulator: SimulatorProcess) -> None:
    notice = disputed(shop, simulator)
    backend = shop.backend()
    inbox = backend.get("/admin/notices", params={"status": "applied"}).json()
    assert notice in {each["id"] for each in inbox["notices"]}
    assert (inbox["offset"], inbox["limit"]) == (0, 20)
    assert backend.get(f"/admin/notices/{notice}").json()["notice"]["payment_collection_id"]
    assert backend.post(f"/admin/notices/{notice}/replay").json()["notice"]["status"] == "applied"
    (case,) = backend.get("/admin/cases").json()["cases"]
    assert (case["kind"], case["status"], case["amount"], case["currency_code"]) == ("disputed", "open", 40, "eur")
    closed = backend.post(f"/admin/cases/{case['id']}/close", json=WHO).json()["case"]
    assert (closed["status"], closed["closed_by"], closed["closed_why"]) == ("closed", "Ada", "their books show it")
    assert backend.get("/admin/cases").json()["cases"] == []
    assert len(backend.get("/admin/cases", params={"status": "closed"}).json()["cases"]) == 1
    deliveries = backend.get("/admin/deliveries").json()["deliveries"]
    assert {each["subscriber"] for each in deliveries} == {"books"}
    answer = backend.post(f"/admin/deliveries/{deliveries[0]['id']}/replay")
    assert (answer.status_code, answer.json()["type"]) == (400, "not_allowed"), "it is still being tried"


def test_why_a_provider_is_not_offered_is_said(shop: Shop) -> None:
    backend = shop.backend(Scope.READ)
    verdicts = backend.get("/admin/regions/eu/explain", params={"amount": "150.01", "country_code": "de"}).json()
    assert verdicts["verdicts"] == [
        {"provider_id": "pp_simulator_cards", "is_offered": True, "reasons": []},
        {
            "provider_id": "pp_system_default",
            "is_offered": False,
            "reasons": ["Cash on delivery only up to 150 EUR"],
        },
    ]
    status, _, message = refusal(backend.get("/admin/regions/eu/explain", params={"amount": "0.001"}))
    assert (status, "never rounded" in message) == (400, True)
    assert backend.get("/admin/regions/nowhere/explain").status_code == 404


def test_a_provider_is_switched_off_and_on_by_the_operator_of_all_stores_alone(shop: Shop) -> None:
    default = shop.engine.for_store("default")
    operator, somebody = shop.backend(engine=default), shop.backend()
    path, wish = "/admin/payment-providers/pp_system_default", {**WHO, "region_id": "kw"}
    for route in ("switch-off", "switch-on"):
        assert refusal(somebody.post(f"{path}/{route}", json=wish))[:2] == (403, "forbidden")
    for route in ("provider-switches", "reconciliations"):
        assert refusal(somebody.get(f"/admin/{route}"))[:2] == (403, "forbidden")
        assert operator.get(f"/admin/{route}").status_code == 200
    offered = ("/store/payment-providers", {"region_id": "kw"})
    try:
        switch = operator.post(f"{path}/switch-off", json=wish).json()["provider_switch"]
        assert (switch["off_by"], switch["reason"], switch["on_at"]) == ("Ada", "their books show it", None)
        listed = shop.storefront().get(*offered[:1], params=offered[1]).json()["payment_providers"]
        assert [each["id"] for each in listed] == ["pp_simulator_cards"]
    finally:
        turned = operator.post(f"{path}/switch-on", json=wish)
    assert turned.json()["provider_switch"]["on_by"] == "Ada"
    listed = shop.storefront().get(*offered[:1], params=offered[1]).json()["payment_providers"]
    assert [each["id"] for each in listed] == ["pp_simulator_cards", "pp_system_default"]


@pytest.mark.parametrize("scope", [Scope.READ, Scope.CAPTURE, Scope.REFUND])
def test_who_may_not_do_everything_decides_nothing(shop: Shop, scope: Scope) -> None:
    backend = shop.backend(scope)
    for path in ("operations/op_1/resolve", "operations/op_1/look-again", "notices/ntc_1/replay", "cases/case_1/close"):
        assert backend.post(f"/admin/{path}", json={**WHO, "has_succeeded": True}).status_code == 403
