"""Opening: what a configuration names is examined whole before anything is paid with it."""

from pathlib import Path

import pytest

from kassa import config, opening, providers
from kassa.errors import ConfigurationError
from kassa.world import utc_now

from .conftest import PROVIDER, Install

DRIVER = """
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class ShopOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: SecretStr | None = None
    folder: str = Field(default="carts", validate_default=True)


class ShopCarts:
    Options = ShopOptions
    shares_database = False

    def __init__(self, options):
        self.options = options

    def load(self, store_id, cart_id, connection):
        return None

    def place_order(self, store_id, order, connection):
        return "order-1"
"""
CARTS = '[carts]\ndriver = "shop"\n'
REGION = """\
[providers.shop]
plugin = "acme"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["shop"]
place_order = { shop = "pending" }
"""
AT_ONCE = REGION.replace('place_order = { shop = "pending" }\n', "")


def refusals(toml: str) -> list[str]:
    """The sentences with which carts are refused."""
    with pytest.raises(ConfigurationError) as caught:
        opening.cart_driver(config.parse(toml), utc_now)
    return [str(mistake) for mistake in caught.value.mistakes]


def install_driver(install: Install, source: str = DRIVER) -> None:
    """Install a cart driver."""
    install("shop-carts", source, plugin="shop", target="ShopCarts", group="kassa.carts")


def test_a_cart_driver_gets_its_options(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install_driver(install)
    monkeypatch.setenv("SHOP_KEY", "sk_canary")
    driver = opening.cart_driver(config.parse(CARTS + 'options = { key = "env:SHOP_KEY" }\n'), utc_now)
    assert driver.options.key.get_secret_value() == "sk_canary"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("written", "instead", "expected"),
    [
        ("    Options = ShopOptions\n", "", "has no pydantic model Options"),
        ('ConfigDict(extra="forbid")', "ConfigDict()", "must refuse unknown keys"),
        ("    shares_database = False\n", "", "does not say shares_database"),
        ("def load(", "def laod(", "lacks load"),
        ("def place_order(", "def place_oder(", "lacks place_order"),
        ("self.options = options", "raise SystemExit('bye')", "refuses its options: SystemExit: bye; change [carts]"),
        ("self.options = options", "raise KeyError('x')", "refuses its options: KeyError: 'x'; change [carts]"),
        (
            'folder: str = Field(default="carts", validate_default=True)\n',
            "folder: str = Field(default='carts', validate_default=True)\n"
            "    @field_validator('folder')\n    def f(cls, value): raise KeyError('x')\n",
            "fails at validating its options: KeyError: 'x'",
        ),
    ],
)
def test_a_cart_driver_that_breaks_the_contract_is_refused_and_names_its_distribution(
    install: Install, written: str, instead: str, expected: str
) -> None:
    assert written in DRIVER
    install_driver(install, DRIVER.replace(written, instead))
    (sentence,) = refusals(CARTS)
    assert sentence.startswith("kassa.toml:2: carts.driver: shop-carts 1.2.3")
    assert expected in sentence


def test_a_secret_of_a_cart_driver_in_the_file_is_refused(install: Install) -> None:
    install_driver(install)
    (sentence,) = refusals(CARTS + 'options = { key = "sk_live_1" }\n')
    assert sentence == (
        "kassa.toml:3: carts.options.key: is a secret; write it as env:NAME or file:PATH, "
        "so that it does not stand in this file"
    )


def test_an_option_that_the_embedded_carts_do_not_have_is_refused() -> None:
    assert refusals('[carts]\noptions = { folder = "x" }\n') == [
        "kassa.toml:2: carts.options.folder: unknown key; remove it"
    ]


def test_an_order_before_its_money_needs_a_provider_that_settles_later(install: Install) -> None:
    install("kassa-acme")
    configuration = config.parse(REGION)
    with pytest.raises(ConfigurationError) as caught:
        opening.regions(configuration, providers.load(configuration))
    assert str(caught.value) == (
        'kassa.toml:9: regions.eu.place_order.shop: Acme never settles later; leave it out, or write "authorized"'
    )


def test_an_order_may_come_before_the_money_of_a_provider_that_settles_later(install: Install) -> None:
    install("kassa-acme", PROVIDER.replace("idempotency=", "settles_later=True, idempotency="))
    configuration = config.parse(REGION)
    (region,) = opening.regions(configuration, providers.load(configuration)).values()
    assert region.orders_while_pending == {"pp_acme_shop"}


def test_a_reference_to_what_is_no_database_url_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE", "postgresql://kassa:hunter2@[bad")
    with pytest.raises(ConfigurationError) as caught:
        opening.assemble(config.parse('[database]\nurl = "env:SHOP_DATABASE"\n'))
    assert str(caught.value).startswith("kassa.toml:2: database.url: stands for what is no database URL")
    assert "hunter2" not in str(caught.value)


def test_opening_reports_every_mistake_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        opening.assemble(config.parse('[database]\nurl = "sqlite://"\n\n[carts]\ndriver = "nobodys"\n'))
    assert [mistake.field for mistake in caught.value.mistakes] == ["database.url", "carts.driver"]


def test_a_provider_that_moves_no_money_is_refused_in_production(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for_tests = PROVIDER.replace("contract_version=1", "contract_version=1, is_test=True")
    assert for_tests != PROVIDER
    install("acme", for_tests)
    opening.assemble(config.parse(AT_ONCE)).close()
    with pytest.raises(ConfigurationError) as refused:
        opening.assemble(config.parse("production = true\n" + AT_ONCE))
    (mistake,) = refused.value.mistakes
    assert mistake.field == "providers.shop.plugin"
    assert "move no money, and this is production" in mistake.message


def test_a_provider_with_live_keys_is_taken_in_production(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    install("acme", PROVIDER)
    opening.assemble(config.parse("production = true\n" + AT_ONCE)).close()
