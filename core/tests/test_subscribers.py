"""The settings of subscribers: what is refused, and in which words."""

import sys

import pytest

pytest.importorskip("standardwebhooks", reason="kassa[webhooks] is not installed here: there are no subscribers")

from kassa import subscribers
from kassa.config import parse
from kassa.errors import ConfigurationError

GOOD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SUBSCRIBER = """
[subscribers.accounting]
url = "https://shop.example/kassa"
secret = "env:ACCOUNTING_SECRET"
"""

MISTAKES = {
    "a URL that is none": (SUBSCRIBER.replace("https://", ""), "url", "expected the URL of one address"),
    "another scheme": (SUBSCRIBER.replace("https", "ftp"), "url", "expected the URL of one address"),
    "a port that is none": (SUBSCRIBER.replace(".example", ".example:x"), "url", "expected the URL of one address"),
    "a name that is not in ASCII": (SUBSCRIBER.replace("shop", "bücher"), "url", "expected the URL of one address"),
    "a password": (SUBSCRIBER.replace("shop", "ada:hunter2@shop"), "url", "has a user name or a password in it"),
    "a fragment": (SUBSCRIBER.replace("kassa", "kassa#x"), "url", "has a fragment"),
    "plain http": (SUBSCRIBER.replace("https", "http"), "url", "plain http is for private addresses"),
    "a secret that is written out": (
        SUBSCRIBER.replace("env:ACCOUNTING_SECRET", "hunter2" * 5),
        "secret",
        "write it as env:NAME or file:PATH",
    ),
    "a secret that is not there": (SUBSCRIBER.replace("ACCOUNTING_SECRET", "NOT_SET"), "secret", "NOT_SET is not set"),
    "a short secret": (SUBSCRIBER.replace("ACCOUNTING_SECRET", "SHORT"), "secret", "24 to 64 random bytes"),
    "a secret that is no base64": (SUBSCRIBER.replace("ACCOUNTING_SECRET", "CUT"), "secret", "no secret to sign with"),
    "a short previous secret": (SUBSCRIBER + 'previous_secret = "env:SHORT"\n', "previous_secret", "24 to 64"),
    "a name that no event has": (SUBSCRIBER + 'events = ["payment.capt*"]\n', "events", "'payment.capt*' is no name"),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the settings refer to."""
    monkeypatch.setenv("ACCOUNTING_SECRET", GOOD_SECRET)
    monkeypatch.setenv("SHORT", "hunter2")
    monkeypatch.setenv("CUT", "whsec_this is no base64 of anything")
    monkeypatch.delenv("NOT_SET", raising=False)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "standardwebhooks", None)
    with pytest.raises(ConfigurationError, match=r"subscribers\.accounting: .* pip install 'kassa\[webhooks\]'"):
        subscribers.load(parse(SUBSCRIBER))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_the_field_and_what_was_expected(name: str) -> None:
    text, field, expectation = MISTAKES[name]
    with pytest.raises(ConfigurationError) as refused:
        subscribers.load(parse(text))
    (mistake,) = refused.value.mistakes
    assert mistake.field == f"subscribers.accounting.{field}"
    assert mistake.line is not None
    assert expectation in mistake.message
    assert "hunter2" not in str(mistake)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("timeout_seconds = 0", "timeout_seconds"),
        ("timeout_seconds = 61", "timeout_seconds"),
        ("events = []", "events"),
        ("evnts = []", "evnts"),
    ],
)
def test_settings_have_bounds(more: str, field: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"subscribers\.accounting\.{field}"):
        parse(SUBSCRIBER + more)


def test_a_misspelt_key_is_recognised() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'timeout_seconds'"):
        parse(SUBSCRIBER + "timeout_second = 1\n")


def test_a_good_one_is_loaded_and_shows_no_secret() -> None:
    loaded = subscribers.load(parse(SUBSCRIBER + 'events = ["payment.*", "order.placed"]\n'))["accounting"]
    assert loaded.wants("payment.captured")
    assert not loaded.wants("order.canceled")
    assert GOOD_SECRET not in repr(loaded)
    assert GOOD_SECRET.removeprefix("whsec_") not in repr(loaded)
