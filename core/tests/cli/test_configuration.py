"""``kassa init`` and ``kassa check``: a configuration that is right, and every way in which one is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SHOP, Kassa

SECRET = (
    SHOP + '\n[providers.cards]\nplugin = "simulator"\n\n[providers.cards.options]\nbase_url = "http://127.0.0.1:1"\n'
)

MISTAKES = {
    "an unknown key": (
        SHOP.replace("amount_max =", "amont_max ="),
        "kassa.toml:15: regions.eu.rules[0].amont_max: ",
        "did you mean 'amount_max'?",
    ),
    "a provider that is not configured": (
        SHOP.replace('providers = ["default"]', 'providers = ["default", "defualt"]'),
        "kassa.toml:11: regions.eu.providers: ",
        "'defualt' is not configured; did you mean 'default'?",
    ),
    "a plugin that is not installed": (
        SHOP.replace('plugin = "system"', 'plugin = "sistem"'),
        "kassa.toml:5: providers.default.plugin: ",
        "did you mean 'system'?",
    ),
    "a secret that is not in the environment": (
        SECRET + 'api_key = "env:NOT_THERE"\nwebhook_secret = "env:HOME"\n',
        "kassa.toml:23: providers.cards.options.api_key: ",
        "the environment variable NOT_THERE is not set",
    ),
    "a secret that stands in the file": (
        SECRET + 'api_key = "sk_live_1"\nwebhook_secret = "env:HOME"\n',
        "kassa.toml:23: providers.cards.options.api_key: ",
        "write it as env:NAME or file:PATH",
    ),
    "a missing option of a plugin": (
        SECRET + 'api_key = "env:HOME"\n',
        "kassa.toml:21: providers.cards.options.webhook_secret: ",
        "is missing",
    ),
    "an amount that the currency cannot express": (
        SHOP.replace('"150.00"', '"150.005"'),
        "kassa.toml:15: regions.eu.rules[0].amount_max: ",
        "150.005 EUR has 3 decimals; EUR has 2",
    ),
    "a currency that does not exist": (
        SHOP.replace('"EUR"', '"EUX"'),
        "kassa.toml:9: regions.eu.currency: ",
        "expected an ISO 4217 code",
    ),
    "a database that is none of ours": (
        SHOP.replace("sqlite:///kassa.db", "mysql://localhost/kassa"),
        "kassa.toml:2: database.url: ",
        "postgresql",
    ),
    "a database in memory": (
        SHOP.replace("sqlite:///kassa.db", "sqlite://"),
        "kassa.toml:2: database.url: ",
        "name a file",
    ),
    "a password in the file": (
        SHOP.replace("sqlite:///kassa.db", "postgresql://kassa:secret@localhost/kassa"),
        "kassa.toml:2: database.url: ",
        "has a password in it",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_line_its_field_and_what_was_expected(
    name: str, kassa: Kassa, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "set")
    text, place, expectation = MISTAKES[name]
    write(text)
    ended = kassa("check")
    assert (ended.exit_code, ended.stdout) == (1, "")
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith(place)
    assert expectation.lower() in sentence.lower()
    assert "sk_live_1" not in sentence


def test_what_is_not_toml_is_named_with_its_place(kassa: Kassa, write: Callable[[str], None]) -> None:
    write("[database\nurl = 1")
    ended = kassa("check")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("kassa.toml")
    assert "is not TOML" in ended.stderr
    assert "line 1" in ended.stderr


def test_all_mistakes_are_listed_at_once_in_the_order_of_the_file(kassa: Kassa, write: Callable[[str], None]) -> None:
    mars = '\n[regions.mars]\nname = "Mars"\ncurrency = "MRS"\ncountries = ["MA"]\nproviders = ["default"]\n'
    write(SHOP.replace("amount_max =", "amont_max =") + mars)
    mistakes = kassa("check", "--json").document["error"]["mistakes"]
    assert [each["field"] for each in mistakes] == ["regions.eu.rules[0].amont_max", "regions.mars.currency"]


def test_mistakes_of_plugins_and_of_the_database_are_listed_at_once(kassa: Kassa, write: Callable[[str], None]) -> None:
    write(SHOP.replace('"system"', '"sistem"').replace("sqlite:///kassa.db", "env:NOT_THERE"))
    mistakes = kassa("check", "--json").document["error"]["mistakes"]
    assert [each["field"] for each in mistakes] == ["database.url", "providers.default.plugin"]


def test_a_cart_driver_that_is_not_installed_is_a_mistake(kassa: Kassa, write: Callable[[str], None]) -> None:
    write(SHOP + '\n[carts]\ndriver = "shopfloor"\n')
    ended = kassa("check")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("kassa.toml:19: carts.driver: no installed distribution offers a plugin 'shopfloor'")


def test_checking_creates_no_database(kassa: Kassa, shop: Path) -> None:
    assert kassa("check").exit_code == 0
    assert not (shop / "kassa.db").exists()


def test_a_password_is_never_shown(kassa: Kassa, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed here: PostgreSQL URLs cannot be checked")
    monkeypatch.setenv("DATABASE_URL", "postgresql://kassa:hunter2@127.0.0.1:1/kassa")
    write(SHOP.replace("sqlite:///kassa.db", "env:DATABASE_URL"))
    for command in ("check", "doctor", "payments"):
        ended = kassa(command)
        assert "hunter2" not in ended.stdout + ended.stderr


def test_a_provider_that_nobody_is_offered_is_remarked_on(kassa: Kassa, write: Callable[[str], None]) -> None:
    write(SHOP + '\n[providers.spare]\nplugin = "system"\n')
    ended = kassa("check", "--json")
    assert ended.exit_code == 0
    assert ended.document["remarks"] == ["pp_system_spare is in no region, so nobody is offered it"]


def test_what_init_writes_passes_the_check(kassa: Kassa, folder: Path) -> None:
    assert kassa("init").exit_code == 0
    checked = kassa("check", "--json")
    assert checked.exit_code == 0
    assert checked.document["remarks"] == []


def test_init_replaces_a_file_only_when_forced(kassa: Kassa, folder: Path) -> None:
    (folder / "kassa.toml").write_text("# mine\n", encoding="utf-8")
    ended = kassa("init")
    assert ended.exit_code == 1
    assert ended.stderr == "kassa.toml is there already; replace it with --force, or name another file\n"
    assert (folder / "kassa.toml").read_text(encoding="utf-8") == "# mine\n"
    assert kassa("init", "--force").exit_code == 0
    assert kassa("check").exit_code == 0


def test_init_says_where_it_could_not_write(kassa: Kassa, folder: Path) -> None:
    ended = kassa("init", "no/such/folder/kassa.toml")
    assert ended.exit_code == 1
    assert "cannot be written" in ended.stderr
