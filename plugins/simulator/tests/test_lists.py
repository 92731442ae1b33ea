"""The list of payments: complete, page by page, by the simulator's own clock."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from kassa_sdk import ListPaymentsRequest, PaymentPage, Unknown, Unsupported
from kassa_simulator.control import Fault

A_DAY = timedelta(days=1)


@pytest.fixture
def simulator(own_simulator):
    """A simulator of its own for each test here: its list has the payments of this test, and no others."""
    return own_simulator()


def listed(shop, since, until):
    """The references on all pages, and how many pages there were."""
    references, pages, cursor = [], 0, None
    while pages == 0 or cursor is not None:
        page = shop.provider.list_payments(ListPaymentsRequest(since=since, until=until, cursor=cursor))
        assert isinstance(page, PaymentPage)
        references += [facts.provider_reference for facts in page.facts]
        cursor, pages = page.next_cursor, pages + 1
    return references, pages


def test_every_payment_is_listed_however_it_stands_as_a_look_up_tells_it(shop, simulator):
    payments = [shop.created(), shop.captured(), shop.created("decline")]
    shop.authorize(payments[2])
    simulator.control.do("refund", payments[1], amount=500, currency="EUR")
    simulator.control.do("open_dispute", payments[1], amount=700)
    now = datetime.now(UTC)
    page = shop.provider.list_payments(ListPaymentsRequest(since=now - A_DAY, until=now + A_DAY))
    assert page == PaymentPage(facts=tuple(shop.look_up(payment_id=payment).facts for payment in payments))


@pytest.mark.parametrize(("per_page", "pages"), [(1, 5), (2, 3), (4, 2), (5, 1), (100, 1)])
def test_a_long_list_is_told_page_by_page_and_each_payment_once(shop_of, simulator, per_page, pages):
    shop = shop_of(simulator, payments_per_page=per_page)
    payments = [shop.created() for _ in range(5)]
    now = datetime.now(UTC)
    assert listed(shop, now - A_DAY, now + A_DAY) == (payments, pages)


def test_windows_that_meet_list_each_payment_in_exactly_one_of_them(shop, simulator):
    payments = [shop.created(), shop.created()]
    between = datetime.fromtimestamp(simulator.control.effects("payment_created")[1]["at"], UTC)
    assert listed(shop, between - A_DAY, between)[0] + listed(shop, between, between + A_DAY)[0] == payments
    assert listed(shop, between, between) == ([], 1)


def test_the_list_goes_by_the_clock_of_the_simulator(shop, simulator):
    simulator.control.advance_clock(days=3)
    payment, now = shop.created(), datetime.now(UTC)
    assert listed(shop, now - A_DAY, now + A_DAY) == ([], 1)
    assert listed(shop, now + 2 * A_DAY, now + 4 * A_DAY) == ([payment], 1)


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR_BEFORE_ACTING, Fault.ACT_THEN_CUT, Fault.MALFORMED_BODY])
def test_a_list_that_did_not_arrive_is_unknown_and_never_an_empty_one(shop, simulator, fault):
    simulator.control.add_fault(fault, "list_payments")
    now = datetime.now(UTC)
    assert isinstance(shop.provider.list_payments(ListPaymentsRequest(since=now - A_DAY, until=now)), Unknown)


def test_a_simulator_without_a_list_says_so(shop_of, simulator):
    now = datetime.now(UTC)
    with pytest.raises(Unsupported, match="lists_payments"):
        shop_of(simulator, lists_payments=False).provider.list_payments(ListPaymentsRequest(since=now, until=now))


@pytest.mark.parametrize(
    "query", ["created_from=yesterday&created_until=1", "created_from=1", "created_from=1&created_until=2&cursor=-1"]
)
def test_a_list_of_no_time_is_refused(simulator, query):
    headers = {"authorization": "Bearer simulator-api-key"}
    with httpx.Client(base_url=simulator.url, headers=headers, trust_env=False) as client:
        assert client.get(f"/payments?{query}").status_code == 422
