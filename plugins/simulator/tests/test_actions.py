"""Each kind of action, and the page on which the shopper decides."""

import httpx
import pytest

from kassa_sdk import ActionRequired, Challenge, Declined, Redirect, ShowInstructions, ShowQrCode, Succeeded, Wait

ACTIONS = {"redirect": Redirect, "redirect_sale": Redirect, "challenge": Challenge, "qr_code": ShowQrCode, "wait": Wait}


@pytest.fixture
def browser(simulator):
    with httpx.Client(base_url=simulator.url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(("scenario", "action"), ACTIONS.items())
def test_each_kind_of_action_is_required_until_the_shopper_has_acted(shop, simulator, scenario, action):
    payment_id = shop.created(scenario)
    first = shop.authorize(payment_id)
    assert isinstance(first, ActionRequired) and isinstance(first.action, action)
    assert shop.action(payment_id) == first
    simulator.control.answer_challenge(payment_id, "approve")
    assert isinstance(shop.action(payment_id), Succeeded)


@pytest.mark.parametrize("scenario", ACTIONS)
def test_a_shopper_who_declines_ends_the_attempt(shop, simulator, scenario):
    payment_id = shop.created(scenario)
    shop.authorize(payment_id)
    simulator.control.answer_challenge(payment_id, "decline")
    outcome = shop.action(payment_id)
    assert isinstance(outcome, Declined) and outcome.code == "authentication_failed"


def test_instructions_are_shown_while_the_payment_is_pending(shop):
    outcome = shop.authorize(shop.created("instructions"))
    assert isinstance(outcome.action, ShowInstructions)
    assert [line.label for line in outcome.action.instructions] == ["Account holder", "IBAN", "Reference"]


def test_an_approved_redirect_sale_has_taken_the_money(shop, simulator):
    payment_id = shop.created("redirect_sale")
    shop.authorize(payment_id)
    simulator.control.answer_challenge(payment_id, "approve")
    assert shop.action(payment_id).facts.captured.minor == 10_000


def test_the_page_asks_with_two_buttons_and_no_script(shop, browser):
    payment_id = shop.created("redirect", minor=123_456)
    url = shop.authorize(payment_id, 123_456).action.url
    page = browser.get(url)
    assert page.status_code == 200
    assert "1,234.56 EUR" in page.text
    assert page.text.count("<button") == 2 and "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_embedded_challenge_leads_to_the_same_page(shop, browser):
    challenge = shop.authorize(shop.created("challenge")).action
    assert challenge.script == "simulator"
    assert "Approve" in browser.get(challenge.parameters["url"]).text


@pytest.mark.parametrize("answer", ["approve", "decline"])
def test_the_shopper_is_sent_back_to_the_shop(shop, browser, answer):
    payment_id = shop.created("redirect", return_url="https://shop.example/return?cart=1")
    shop.authorize(payment_id)
    back = browser.post(f"/challenge/{payment_id}", data={"answer": answer})
    assert (back.status_code, back.headers["location"]) == (303, "https://shop.example/return?cart=1")


def test_without_a_return_url_the_page_says_how_it_ended(shop, browser):
    payment_id = shop.created("redirect")
    shop.authorize(payment_id)
    page = browser.post(f"/challenge/{payment_id}", data={"answer": "approve"})
    assert page.status_code == 200 and "approved" in page.text


def test_a_decision_stands(shop, browser):
    payment_id = shop.created("redirect")
    shop.authorize(payment_id)
    browser.post(f"/challenge/{payment_id}", data={"answer": "approve"})
    assert "approved" in browser.post(f"/challenge/{payment_id}", data={"answer": "decline"}).text
    assert isinstance(shop.action(payment_id), Succeeded)


def test_the_page_of_an_unknown_payment_is_not_found(browser):
    assert browser.get("/challenge/simpay_0_nothing").status_code == 404


def test_an_answer_that_is_none_is_refused(shop, browser):
    payment_id = shop.created("redirect")
    shop.authorize(payment_id)
    assert browser.post(f"/challenge/{payment_id}", data={"answer": "perhaps"}).status_code == 422
    assert isinstance(shop.action(payment_id), ActionRequired)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://shop.example/\r\nset-cookie: a=b", "/relative"])
def test_a_return_url_that_is_no_web_address_is_refused(shop, url):
    outcome = shop.initiate(return_url=url)
    assert isinstance(outcome, Declined) and outcome.code == "invalid_return_url"
