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


def told(text: str) -> list[str]:
    """The mistakes in a configuration, or none."""
    return [str(mistake) for mistake in config.examine(text, "kassa.toml")[1]]


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
            'plugin = "system"',
            'plugin = "system"\ntimeout_seconds = 90',
            "kassa.toml:6: providers.default.timeout_seconds: with wait_for_place_seconds it comes to 91; expected at most "
            "90, because recovery takes a call over after 120",
        ),
        (
            'plugin = "system"',
            'plugin = "system"\ntimeout_seconds = 0',
            "kassa.toml:6: providers.default.timeout_seconds: Input should be greater than 0",
        ),
        (
            'plugin = "system"',
            'plugin = "system"\nwait_for_place_seconds = inf',
            "kassa.toml:6: providers.default.wait_for_place_seconds: Input should be a finite number",
        ),
        (
            'plugin = "system"',
            'plugin = "system"\nmax_concurrent_calls = 0',
            "kassa.toml:6: providers.default.max_concurrent_calls: Input should be greater than or equal to 1",
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
            "kassa.toml:4: providers.Default_1: an instance is named with at most 40 lower-case letters, digits and '-', "
            "beginning with a letter",
        ),
        (
            "[regions.eu]",
            '[regions."Europe west"]',
            "kassa.toml:7: regions.Europe west: a region is named with at most 40 lower-case letters, digits and '-', "
            "beginning with a letter",
        ),
        (
            'amount_max = "150.00"',
            'countries = ["de"]',
            "kassa.toml:15: regions.eu.rules[0].countries: 'de' is not a country; expected ISO 3166 codes such as 'DE'",
        ),
        (
            'amount_max = "150.00"',
            "countries = []",
            "kassa.toml:15: regions.eu.rules[0].countries: has too few entries; name at least one",
        ),
        (
            'amount_max = "150.00"',
            "customer_groups = []",
            "kassa.toml:15: regions.eu.rules[0].customer_groups: has too few entries; name at least one",
        ),
        (
            'amount_max = "150.00"',
            'amount_max = "5.00"\namount_min = "10.00"',
            "kassa.toml:16: regions.eu.rules[0].amount_min: 10.00 EUR is above amount_max, 5.00 EUR; "
            "no amount is inside both",
        ),
        (
            'amount_max = "150.00"',
            'amount_max = "-5.00"',
            "kassa.toml:15: regions.eu.rules[0].amount_max: -5.00 is negative; no amount to be paid is",
        ),
        (
            'amount_max = "150.00"',
            'amount_max = "-0.00"',
            "kassa.toml:15: regions.eu.rules[0].amount_max: -0.00 is negative; no amount to be paid is",
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
        (
            "sqlite:///kassa.db",
            "postgresql://[bad",
            "kassa.toml:2: database.url: expected sqlite:///FILE or postgresql://USER@HOST/NAME",
        ),
        (
            "sqlite:///kassa.db",
            "postgresql://db:port/kassa",
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


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "kassa.toml"
    path.write_bytes(b"# caf\xe9\n" + GOOD.encode())
    with pytest.raises(ConfigurationError, match="is not UTF-8; save it as UTF-8"):
        config.read(path)


@pytest.mark.parametrize("section", ["providers.default", "regions.eu"])
def test_a_name_has_at_most_40_characters(section: str) -> None:
    table, _, name = section.partition(".")
    at_most = GOOD.replace(f"{table}.{name}", f"{table}.{'n' * 40}").replace(f'providers = ["{name}"]', "")
    too_long = at_most.replace("n" * 40, "n" * 41)
    assert not any("is named with" in each for each in told(at_most))
    assert any("is named with at most 40" in each for each in told(too_long))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db/kassa?password=hunter2",
        "postgresql://db/kassa?connect_timeout=3&Password=hunter2",
        "postgresql://kassa:hunter#2@db/kassa",
    ],
)
def test_a_password_is_refused_wherever_it_stands_in_the_url(url: str) -> None:
    (mistake,) = mistakes(GOOD.replace("sqlite:///kassa.db", url))
    assert mistake.startswith("kassa.toml:2: database.url: has a password in it")
    assert "hunter" not in mistake


def test_one_country_belongs_to_one_region() -> None:
    second = '\n[regions.de]\nname = "Germany"\ncurrency = "EUR"\ncountries = ["DE"]\nproviders = ["default"]\n'
    assert mistakes(GOOD + second) == [
        "kassa.toml:21: regions.de.countries: DE is in region 'eu' already; keep it in one"
    ]


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KASSA_DATABASE__URL", "sqlite:////var/kassa.db")
    assert config.parse(GOOD).settings.database.url == "sqlite:////var/kassa.db"


def test_a_password_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KASSA_DATABASE__URL", "postgresql://kassa:hunter2@db/kassa")
    assert config.parse(GOOD).settings.database.url == "postgresql://kassa:hunter2@db/kassa"


def test_a_password_in_the_file_is_refused_even_where_the_environment_goes_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KASSA_DATABASE__URL", "sqlite:////var/kassa.db")
    (mistake,) = mistakes(GOOD.replace("sqlite:///kassa.db", "postgresql://kassa:hunter2@db/kassa"))
    assert "has a password in it" in mistake


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("KASSA_DATABSE__URL", "sets nothing; did you mean KASSA_DATABASE__URL?"),
        ("KASSA_SHOE_SIZE__MAXIMUM", "sets nothing; unset it"),
    ],
)
def test_a_variable_that_looks_like_a_setting_and_sets_nothing_is_a_mistake(
    name: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "42")
    assert mistakes(GOOD) == [f"the environment: {name}: {expected}"]


@pytest.mark.parametrize("name", ["KASSA_CONFIG", "KASSA_TEST_PG__URL", "KASSA_SIMULATOR_A__B", "KASSA_SHOE_SIZE"])
def test_the_variables_of_other_people_are_theirs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "42")
    assert config.parse(GOOD).settings.regions["eu"].name == "Europe"


def test_a_section_in_the_environment_that_is_not_json_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KASSA_DATABASE", "sqlite:///x.db")
    (mistake,) = mistakes(GOOD)
    assert mistake.startswith('the environment: error parsing value for field "database"')


def test_a_private_argument_of_the_settings_library_is_an_unknown_key() -> None:
    assert mistakes('_env_file = "x"\n' + GOOD) == ["kassa.toml:1: _env_file: unknown key; remove it"]
