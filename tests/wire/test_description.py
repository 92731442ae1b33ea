"""schemathesis asks whatever the OpenAPI document allows, and what it forbids; every answer must be one that it tells of."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kassa import Money
from kassa.model import Scope
from kassa_simulator.process import SimulatorProcess

from .conftest import Shop, paid
from .test_operator import disputed

EXAMPLES = os.environ.get("KASSA_TEST_EXAMPLES", "5")
"""How many requests each route gets of each kind."""

SEED = "1"
LONGEST_SECONDS = 1200

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None,
    reason="schemathesis is not installed; `tox -e wire` does it",
)

GENERATION = """
[generation]
# No database keeps it; that it is refused, test_bad_input.py tests.
allow-x00 = false

[checks]
# What is too large is not read further.
negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429"]
# An idempotency key may stand for another request already.
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
"""

MAY_BE_REFUSED = """
[[operations]]
include-name = "{}"
# {}
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422", "429"]
"""

RULES = {
    "POST /store/payment-collections": "how the id of a cart begins, its driver decides",
    "POST /store/carts": "which regions and variants there are, no description tells",
    "POST /admin/refund-reasons": "a code belongs to one reason",
    "POST /admin/refund-reasons/{refund_reason_id}": "a code belongs to one reason",
}
"""Routes that refuse what fits the description also where nothing is there yet, and why."""

RULES_OF_WHAT_IS_THERE = {
    **RULES,
    "POST /store/carts/{cart_id}": "what is paid stays as it is",
    "POST /store/carts/{cart_id}/line-items": "which variants there are, no description tells",
    "POST /store/carts/{cart_id}/line-items/{line_item_id}": "what is paid stays as it is",
    "DELETE /store/carts/{cart_id}/line-items/{line_item_id}": "what is paid stays as it is",
    "POST /store/carts/{cart_id}/complete": "nothing is ordered without a session",
    "POST /store/payment-collections/{payment_collection_id}/payment-sessions": "what is paid is not paid again",
    "POST /store/payment-sessions/{payment_session_id}/action": "only what was asked for can be answered",
    "POST /admin/carts": "how many decimals there are, the currency decides",
    "POST /admin/payment-collections": "how many decimals there are, the currency decides",
    "DELETE /admin/payment-collections/{payment_collection_id}": "what is paid stays",
    "POST /admin/payment-collections/{payment_collection_id}/mark-as-paid": "what is paid is not paid again",
    "POST /admin/payment-collections/{payment_collection_id}/payment-sessions": "what is paid is not paid again",
    "POST /admin/payments/{payment_id}/capture": "never more than was authorized",
    "POST /admin/payments/{payment_id}/refund": "never more than was captured",
    "POST /admin/payments/{payment_id}/cancel": "only what was not captured is given up",
    "POST /admin/operations/{operation_id}/look-again": "what is settled is not looked for",
    "POST /admin/operations/{operation_id}/resolve": "what is settled is not decided",
    "POST /admin/notices/{notice_id}/replay": "what was applied is told as it is",
    "POST /admin/cases/{case_id}/close": "what is closed stays closed",
    "POST /admin/deliveries/{delivery_id}/replay": "what is still being tried is not tried beside",
    "POST /admin/payment-providers/{provider_id}/switch-on": "only what is off is switched on",
    "GET /admin/regions/{region_id}/explain": "how many decimals there are, the currency decides",
}
"""Routes that refuse what fits the description, because of what was done before."""


def test_every_answer_to_strangers_is_one_that_the_description_tells_of(shop: Shop, tmp_path: Path) -> None:
    nothing_learnt = "".join(
        f"[phases.{phase}.extra-data-sources]\nresponses = false\n" for phase in ("examples", "coverage", "fuzzing")
    )
    run(shop, tmp_path, nothing_learnt, RULES, "examples,coverage,fuzzing")


def test_every_answer_to_who_knows_the_ids_is_one_that_the_description_tells_of(
    shop: Shop, simulator: SimulatorProcess, tmp_path: Path
) -> None:
    run(shop, tmp_path, dictionaries(things(shop, simulator)), RULES_OF_WHAT_IS_THERE, "coverage,fuzzing,stateful")


def run(shop: Shop, folder: Path, settings: str, rules: Mapping[str, str], phases: str) -> None:
    """All checks of schemathesis, with the keys of this shop."""
    publishable = shop.engine.create_publishable_key("a stranger").token
    secret = shop.engine.create_secret_key("a stranger", [Scope.ADMIN]).token
    keys = (
        f'[auth.openapi."publishable key"]\napi_key = "{publishable}"\n'
        f'[auth.openapi."secret key"]\nusername = "{secret}"\npassword = ""\n'
    )
    config = folder / "schemathesis.toml"
    refusals = "".join(MAY_BE_REFUSED.format(route, why) for route, why in rules.items())
    config.write_text(GENERATION + settings + keys + refusals, encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    options = ["--checks", "all", "--max-examples", EXAMPLES, "--seed", SEED, "--phases", phases, "--workers", "2"]
    asked = subprocess.run(
        [*command, f"{shop.url}/openapi.json", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert asked.returncode == 0, asked.stdout[-20_000:]


def things(shop: Shop, simulator: SimulatorProcess) -> dict[str, list[str]]:
    """The ids of what there is in this shop: something of each kind, in several statuses."""
    notice = disputed(shop, simulator)
    storefront, backend = shop.storefront(), shop.backend()
    orders = [paid(storefront) for _ in range(4)]
    payments = [payment.id for payment in shop.engine.list_payments()]
    for payment in payments[:2]:
        backend.post(f"/admin/payments/{payment}/capture", json={}).raise_for_status()
    backend.post(f"/admin/payments/{payments[0]}/refund", json={"amount": 5}).raise_for_status()
    item = {"variant_id": "tea", "quantity": 2}
    carts = [storefront.post("/store/carts", json={"region_id": "eu", "items": [item]}).json()["cart"] for _ in "123"]
    collections = [shop.engine.create_payment_collection(cart["id"]).id for cart in carts[:2]]
    owed = shop.engine.create_payment_collection_for_order(orders[0]["id"], Money.parse("5.00", "EUR")).id
    session = shop.engine.create_payment_session(collections[0], "pp_simulator_cards", {"scenario": "approve"})
    return {
        "cart_id": [*(order["cart_id"] for order in orders), *(cart["id"] for cart in carts)],
        "line_item_id": [cart["items"][0]["id"] for cart in carts],
        "payment_collection_id": [*collections, owed],
        "payment_session_id": [session.id],
        "payment_id": payments,
        "refund_reason_id": [shop.engine.create_refund_reason("late", "Late").id],
        "operation_id": [operation.id for operation in shop.engine.list_operations(collections[0])],
        "notice_id": [notice],
        "case_id": [case.id for case in shop.engine.list_cases()],
        "delivery_id": [delivery.id for delivery in shop.engine.list_deliveries(limit=5)],
        "order_id": [order["id"] for order in orders],
        "region_id": ["eu", "jp"],
        "variant_id": ["tea"],
        "provider_id": ["pp_simulator_cards", "pp_system_default"],
    }


def dictionaries(known: Mapping[str, list[str]]) -> str:
    """Settings by which most requests are about what there is: in paths, in the query, and in bodies."""
    named = "".join(f"[dictionaries.{name}]\nvalues = {json.dumps(ids)}\n" for name, ids in known.items())
    places = {f"{where}.{name}": name for name in known for where in ("path", "query", "body")}
    bound = (f'"{place}" = {{ dictionary = "{name}", probability = 0.8 }}\n' for place, name in places.items())
    return f"{named}[parameters]\n{''.join(bound)}"
