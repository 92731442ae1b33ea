"""``kassa deliveries`` and ``kassa redeliver``: who was told which event, and who was not."""

from pathlib import Path

import pytest

from .conftest import SHOP, Kassa

SUBSCRIBER = """
[subscribers.accounting]
url = "https://127.0.0.1:1/hook"
secret = "env:ACCOUNTING_SECRET"
events = ["order.placed"]
"""

pytest.importorskip("standardwebhooks", reason="kassa[webhooks] is not installed here: there are no subscribers")


@pytest.fixture
def subscribed(shop: Path, kassa: Kassa, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a delivery to a subscriber at a private address, which is refused."""
    monkeypatch.setenv("ACCOUNTING_SECRET", "a secret of the shop, in plain text")
    (shop / "kassa.toml").write_text(SHOP + SUBSCRIBER, encoding="utf-8")
    assert kassa("pay", "cart.json", "--region", "eu", "--provider", "default").exit_code == 0
    worked = kassa("worker", "--once", "--json")
    delivery_id: str = worked.document["deliveries"][0]["id"]
    return delivery_id


def test_without_deliveries_that_is_said(shop: Path, kassa: Kassa) -> None:
    assert kassa("deliveries").stdout.strip() == "No deliveries yet."
    assert kassa("deliveries", "--dead").stdout.strip() == "No dead deliveries."


def test_a_delivery_is_listed_with_what_stands_in_the_way_and_what_is_next(subscribed: str, kassa: Kassa) -> None:
    (delivery,) = kassa("deliveries", "--json").document["deliveries"]
    assert (delivery["id"], delivery["status"], delivery["attempts"]) == (subscribed, "retry", 1)
    assert delivery["event"]["name"] == "order.placed"
    shown = kassa("deliveries").stdout
    assert f"{subscribed}  order.placed to accounting: retry" in " ".join(shown.split("\n"))
    assert "no public address" in " ".join(shown.split())
    assert "`kassa worker` tries it at" in " ".join(shown.split())
    assert kassa("deliveries", "--dead", "--json").document == {"deliveries": []}


def test_what_is_tried_anyway_is_not_redelivered(subscribed: str, kassa: Kassa) -> None:
    ended = kassa("redeliver", subscribed)
    assert (ended.exit_code, "the worker tries it anyway" in ended.stderr) == (1, True)


def test_a_redelivery_of_nothing_names_what_was_expected(shop: Path, kassa: Kassa) -> None:
    ended = kassa("redeliver", "evt_1")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("delivery_id: expected an id that starts with delivery_")


def test_check_names_who_is_told(subscribed: str, kassa: Kassa) -> None:
    assert "subscribers  accounting" in kassa("check").stdout
    assert kassa("check", "--json").document["subscribers"] == [{"name": "accounting", "events": ["order.placed"]}]


def test_check_reports_a_mistaken_subscriber_beside_all_other_mistakes(shop: Path, kassa: Kassa) -> None:
    broken = SHOP.replace('plugin = "system"', 'plugin = "sistem"') + SUBSCRIBER.replace("env:", "")
    (shop / "kassa.toml").write_text(broken + '\n[extensions.risk]\nplugin = "risk"\n', encoding="utf-8")
    mistakes = kassa("check", "--json").document["error"]["mistakes"]
    assert [each["field"] for each in mistakes] == [
        "providers.default.plugin",
        "subscribers.accounting.secret",
        "extensions.risk.plugin",
    ]
