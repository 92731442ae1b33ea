"""The configuration: every mistake is told with its file, line, field and what was expected."""

from pathlib import Path

import pytest

from kassa import config
from kassa.errors import ConfigurationError

GOOD = """\
[database]
url = "sqlite:///kassa.db"

[providers.default]
plugin = "system"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE", "FR"]
providers = ["default"]

[[regions.eu.rules]]
provider = "default"
amount_max = "150.00"
reason = "Cash on delivery only up to 150 EUR"
"""


def mistakes(text: str) -> list[str]:
    """The mistakes in a configuration, as they are shown."""
    with pytest.raises(ConfigurationError) as caught:
        config.parse(text)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_good_configuration_is_read() -> None:
    settings = config.parse(GOOD).settings
    assert settings.providers["default"].plugin == "system"
    assert settings.regions["eu"].rules[0].amount_max == "150.00"


@pytest.mark.parametrize(
    ("written", "instead", "expected"),
    [
        ("[providers.default]", "[provders.default]", "kassa.toml:4: provders: unknown key; did you mean 'providers'?"),
        (
            'plugin = "system"',
            'plugn = "system"',
            "kassa.toml:5: providers.default.plugn: unknown key; did you mean 'plugin'?",
        ),
        (
            'currency = "EUR"',
            'currency = "EURO"',
            "kassa.toml:9: regions.eu.currency: 'EURO' is not a currency that can be paid with; "
            "expected an ISO 4217 code in capitals, such as 'EUR'",
        ),
        (
            '"DE", "FR"',
            '"Germany"',
            "kassa.toml:10: regions.eu.countries: 'Germany' is not a country; expected ISO 3166 codes such as 'DE'",
        ),
        (
            'providers = ["default"]',
            'providers = ["defualt", "default"]',
            "kassa.toml:11: regions.eu.providers: 'defualt' is not configured; did you mean 'default'?",
        ),
        (
            'providers = ["default"]',
            'providers = ["default", "default"]',
            "kassa.toml:11: regions.eu.providers: names a provider twice; name it once",
        ),
        (
            'amount_max = "150.00"',
            'amount_max = "150.005"',
            "kassa.toml:15: regions.eu.rules[0].amount_max: 150.005 EUR has 3 decimals; EUR has 2, "
            "and amounts are never rounded",
        ),
        (
            'provider = "default"',
            'provider = "cash"',
            "kassa.toml:14: regions.eu.rules[0].provider: 'cash' is not among this region's providers",
        ),
        ('name = "Europe"\n', "", "kassa.toml:7: regions.eu.name: is missing; add it"),
        (
            "[providers.default]",
            "[providers.Default_1]",
            "kassa.toml:4: providers.Default_1: an instance is named with lower-case letters, digits and '-', "
            "beginning with a letter",
        ),
        (
            "sqlite:///kassa.db",
            "postgresql://kassa:hunter2@db/kassa",
            "kassa.toml:2: database.url: has a password in it; put the whole URL into an environment variable and write "
            'url = "env:DATABASE_URL"',
        ),
        (
            "sqlite:///kassa.db",
            "kassa.db",
            "kassa.toml:2: database.url: expected sqlite:///FILE or postgresql://USER@HOST/NAME",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_expected(written: str, instead: str, expected: str) -> None:
    assert written in GOOD
    assert expected in mistakes(GOOD.replace(written, instead, 1))


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        GOOD.replace('plugin = "system"', 'plugn = "system"').replace("150.00", "150.005").replace('"FR"', '"France"')
    )
    lines = [message.split(":")[1] for message in mistakes(text)]
    assert lines == sorted(lines, key=int)
    assert {"5", "10", "15"} <= set(lines)


@pytest.mark.parametrize(
    "broken", ['[database]\nurl = "sqlite:///kassa.db"\nproviders = [\n\n', "[database]\n\nurl = = 1\n[carts]\n"]
)
def test_what_is_not_toml_is_told_with_the_line_of_its_statement(broken: str) -> None:
    assert mistakes(broken)[0].startswith("kassa.toml:3: is not TOML: ")


def test_a_missing_file_tells_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="kassa init"):
        config.read(tmp_path / "kassa.toml")


def test_one_country_belongs_to_one_region() -> None:
    second = '\n[regions.de]\nname = "Germany"\ncurrency = "EUR"\ncountries = ["DE"]\nproviders = ["default"]\n'
    assert mistakes(GOOD + second) == [
        "kassa.toml:21: regions.de.countries: DE is in region 'eu' already; keep it in one"
    ]


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KASSA_DATABASE__URL", "sqlite:////var/kassa.db")
    assert config.parse(GOOD).settings.database.url == "sqlite:////var/kassa.db"


def test_a_private_argument_of_the_settings_library_is_an_unknown_key() -> None:
    assert mistakes('_env_file = "x"\n' + GOOD) == ["kassa.toml:1: _env_file: unknown key; remove it"]
