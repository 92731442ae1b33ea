"""The settings: one TOML file, read once, validated whole.

Every mistake is reported with its file, line, field and what was expected.  Secrets stand in the file only as references
(``env:NAME``, ``file:PATH``).  Environment variables override single settings: ``KASSA_DATABASE__URL``.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from kassa.config_file import ConfigFile, Location, has
from kassa.errors import ConfigurationError, Mistake
from kassa.intents import LEASE, LONGEST_CALL
from kassa_sdk import Money, MoneyError, exponent_of

MISTAKEN = "mistaken"
"""Stands for the plugin of a provider whose own settings are mistaken."""

_NAME = r"^[a-z][a-z0-9-]{0,39}$"
_NAME_IN_WORDS = "at most 40 lower-case letters, digits and '-', beginning with a letter"

THE_ENVIRONMENT = "the environment"
"""Stands for the name of a file in a mistake that is in a variable."""

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")

_PREFIX = "KASSA_"
_OTHER_PEOPLES = ("KASSA_TEST_", "KASSA_SIMULATOR_")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Section):
    """Where payments are kept."""

    url: str = "sqlite:///kassa.db"


class CartSettings(_Section):
    """Whose carts are paid: kassa's own (``embedded``) or those of a driver that a shop brings."""

    driver: str = Field(default="embedded", pattern=_NAME)
    options: dict[str, JsonValue] = {}


Limit = Annotated[str, Field(pattern=r"^(|[1-9]\d{0,6} per ([1-9]\d{0,3} )?(second|minute|hour|day)s?)$")]


class LimitSettings(_Section):
    """How often one may try at the HTTP server, each such as ``20 per hour``; an empty text: as often as one likes.

    Declines are limited because stolen cards are tried out at checkouts.
    """

    sessions_per_cart: Limit = "30 per hour"
    sessions_per_address: Limit = "600 per hour"
    completions_per_cart: Limit = "60 per minute"
    declines_per_cart: Limit = "10 per hour"
    declines_per_address: Limit = "60 per hour"


class HttpSettings(_Section):
    """Whom the HTTP server answers beside those who have a key, and how often."""

    storefronts: tuple[str, ...] = ()
    limits: LimitSettings = LimitSettings()


class ProviderSettings(_Section):
    """One configured instance of a provider plugin."""

    plugin: str = Field(pattern=_NAME)
    options: dict[str, JsonValue] = {}
    if_close_unconfirmed: Literal["wait", "allow"] = "wait"
    surplus: Literal["refund", "keep"] = "refund"
    timeout_seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    max_concurrent_calls: int = Field(default=16, ge=1, le=1000)
    wait_for_place_seconds: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    circuit_failures: int = Field(default=5, ge=1, le=10_000)
    circuit_seconds: float = Field(default=30.0, gt=0, le=3600)

    @property
    def longest_call_seconds(self) -> float:
        """How long a caller waits at most."""
        return self.wait_for_place_seconds + self.timeout_seconds


class RuleSettings(_Section):
    """One condition under which a region offers a provider."""

    provider: str
    amount_min: str | None = None
    amount_max: str | None = None
    countries: tuple[str, ...] | None = Field(default=None, min_length=1)
    customer_groups: tuple[str, ...] | None = Field(default=None, min_length=1)
    reason: str = Field(min_length=1)


class RegionSettings(_Section):
    """One region: a currency, countries, and the providers it offers, in order."""

    name: str = Field(min_length=1)
    currency: str
    countries: tuple[str, ...] = Field(min_length=1)
    providers: tuple[str, ...] = Field(min_length=1)
    rules: tuple[RuleSettings, ...] = ()
    place_order: dict[str, Literal["authorized", "pending"]] = {}


class SubscriberSettings(_Section):
    """An address of yours that is told events over HTTP, in signed requests."""

    url: str
    secret: str
    previous_secret: str | None = None
    events: tuple[str, ...] = Field(default=("*",), min_length=1)
    timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    allow_private: bool = False


class ExtensionSettings(_Section):
    """A plugin that listens: it is told events, and may speak against offering a provider."""

    plugin: str = Field(pattern=_NAME)
    options: dict[str, JsonValue] = {}


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    production: bool = False
    database: DatabaseSettings = DatabaseSettings()
    carts: CartSettings = CartSettings()
    http: HttpSettings = HttpSettings()
    providers: dict[str, ProviderSettings] = {}
    regions: dict[str, RegionSettings] = {}
    subscribers: dict[str, SubscriberSettings] = {}
    extensions: dict[str, ExtensionSettings] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file; nothing else is read."""
        return env_settings, init_settings


_NAMED_SECTIONS: Mapping[str, type[BaseModel]] = {
    "providers": ProviderSettings,
    "regions": RegionSettings,
    "subscribers": SubscriberSettings,
    "extensions": ExtensionSettings,
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and the file that they came from."""

    settings: Settings
    file: ConfigFile


def read(path: Path) -> Configuration:
    """Read and validate a configuration file.  Raises ConfigurationError, which lists every mistake."""
    return parse(text_of(path), str(path))


def text_of(path: Path) -> str:
    """The text of a configuration file.  Raises ConfigurationError."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError([Mistake(str(path), None, "", "is not UTF-8; save it as UTF-8")]) from error
    except OSError as error:
        message = f"cannot be read ({error.strerror}); write one with `kassa init`"
        raise ConfigurationError([Mistake(str(path), None, "", message)]) from error


def parse(text: str, name: str = "kassa.toml") -> Configuration:
    """Validate a configuration's text.  Raises ConfigurationError, which lists every mistake."""
    configuration, mistakes = examine(text, name)
    if mistakes or configuration is None:
        raise ConfigurationError(mistakes)
    return configuration


def examine(text: str, name: str) -> tuple[Configuration | None, list[Mistake]]:
    """What of a configuration is whole, and every mistake in the rest, in the order of the file."""
    file = ConfigFile(name, text)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [Mistake(name, file.line_of_broken_statement(), "", f"is not TOML: {error}")]
    settings, mistakes = _validate(data, file)
    mistakes += _check_environment()
    if settings is None:
        return None, in_order(mistakes)
    mistakes += [*_check_password(data, file), *_cross_check(settings, file)]
    return Configuration(settings, file), in_order(mistakes)


def in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """The mistakes in the order of the file, each once."""
    return sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.line or 0)


def describe(
    error: ValidationError, location: Location, file: ConfigFile, scrubbed: Callable[[str], str] = str
) -> list[Mistake]:
    """The mistakes that pydantic found below this location, in words; ``scrubbed`` sees those of a plugin's validators."""
    return [
        file.mistake((*location, *problem["loc"]), _in_words(problem, location, scrubbed))
        for problem in error.errors(include_url=False, include_input=False)
    ]


def _validate(data: dict[str, Any], file: ConfigFile) -> tuple[Settings | None, list[Mistake]]:
    reserved = [file.mistake((key,), "unknown key; remove it") for key in data if key.startswith("_")]
    if reserved:
        return None, reserved
    try:
        return Settings(**data), []
    except SettingsError as error:
        message = f"{error}; expected JSON, or a variable for a single setting such as KASSA_DATABASE__URL"
        return None, [Mistake(THE_ENVIRONMENT, None, "", message)]
    except ValidationError as error:
        mistakes = describe(error, (), file)
        return _without_mistaken_parts(data, error), mistakes


def _without_mistaken_parts(data: dict[str, Any], error: ValidationError) -> Settings | None:
    """What is whole, so that it is checked further and one run reports every mistake."""
    whole = deepcopy(data)
    for problem in error.errors():
        # An unknown key is taken out alone; anything else takes the provider or the region with it that it is in.
        location = problem["loc"] if problem["type"] == "extra_forbidden" else problem["loc"][:2]
        if has(whole, location):
            _take_out(whole, location)
        if problem["loc"][0] == "providers" and len(problem["loc"]) > 1:
            # Regions may go on naming it.
            whole.setdefault("providers", {}).setdefault(problem["loc"][1], {"plugin": MISTAKEN})
    try:
        return Settings(**whole)
    except (ValidationError, TypeError):
        return None


def _take_out(data: Any, location: tuple[str | int, ...]) -> None:
    for part in location[:-1]:
        data = data[part]
    del data[location[-1]]


def names_a_database(url: str) -> bool:
    """Whether this is the URL of a database that kassa can keep payments in."""
    parsed = _parsed(url)
    if parsed is None or parsed.drivername.partition("+")[0] not in ("sqlite", "postgresql", "postgres"):
        return False
    return not re.search(r"[\[\]]", parsed.host or "")


def _parsed(url: str) -> URL | None:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        return None


def _in_words(problem: Mapping[str, Any], location: Location, scrubbed: Callable[[str], str]) -> str:
    key = str(problem["loc"][-1]) if problem["loc"] else ""
    match problem["type"]:
        case "extra_forbidden":
            known = _known_keys(problem["loc"][:-1]) if not location else ()
            close = get_close_matches(key, known, n=1)
            return f"unknown key; did you mean {close[0]!r}?" if close else "unknown key; remove it"
        case "missing":
            return "is missing; add it"
        case "string_pattern_mismatch":
            return f"expected {_NAME_IN_WORDS}, such as 'stripe-eu'"
        case "too_short":
            return "has too few entries; name at least one"
        case _:
            return scrubbed(str(problem["msg"]))


def _known_keys(location: tuple[str | int, ...]) -> tuple[str, ...]:
    names = tuple(part for part in location if isinstance(part, str))
    sections: dict[tuple[str, ...], type[BaseModel]] = {
        (): Settings,
        ("database",): DatabaseSettings,
        ("carts",): CartSettings,
        ("http",): HttpSettings,
    }
    depth_of_instances, depth_of_rules = 2, 3
    if len(names) == depth_of_instances and names[0] in _NAMED_SECTIONS:
        sections[names] = _NAMED_SECTIONS[names[0]]
    if len(names) == depth_of_rules:
        sections[names] = RuleSettings
    model = sections.get(names)
    return tuple(model.model_fields) if model else ()


def _cross_check(settings: Settings, file: ConfigFile) -> list[Mistake]:
    mistakes = [*_check_database(settings, file), *_check_names(settings, file), *_check_timeouts(settings, file)]
    mistakes += _check_origins(settings, file)
    countries: dict[str, str] = {}
    for region_id, region in settings.regions.items():
        mistakes += _check_region(region_id, region, settings, file)
        for country in region.countries:
            if country in countries:
                where = ("regions", region_id, "countries")
                mistakes.append(
                    file.mistake(where, f"{country} is in region {countries[country]!r} already; keep it in one")
                )
            countries[country] = region_id
    return mistakes


def _check_origins(settings: Settings, file: ConfigFile) -> Iterator[Mistake]:
    for index, origin in enumerate(settings.http.storefronts):
        if not _ORIGIN.fullmatch(origin):
            message = "expected an origin: https://HOST or https://HOST:PORT in small letters, and nothing behind it"
            yield file.mistake(("http", "storefronts", index), message)


def _check_environment() -> Iterator[Mistake]:
    """Variables that look like settings and set nothing."""
    for name in sorted(os.environ):
        section, separator, key = name.upper().removeprefix(_PREFIX).partition("__")
        is_ours = name.upper().startswith(_PREFIX) and not name.upper().startswith(_OTHER_PEOPLES)
        if is_ours and separator and section.lower() not in Settings.model_fields:
            close = get_close_matches(section.lower(), Settings.model_fields, n=1)
            hint = f"did you mean {_PREFIX}{close[0].upper()}__{key}?" if close else "unset it"
            yield Mistake(THE_ENVIRONMENT, None, name, f"sets nothing; {hint}")


def _check_database(settings: Settings, file: ConfigFile) -> Iterator[Mistake]:
    url = settings.database.url
    if not url.startswith(("env:", "file:")) and not names_a_database(url):
        yield file.mistake(("database", "url"), "expected sqlite:///FILE or postgresql://USER@HOST/NAME")


def _check_password(data: dict[str, Any], file: ConfigFile) -> Iterator[Mistake]:
    """Only what stands in the file: the environment is the right place for a password."""
    where: Location = ("database", "url")
    url = _parsed(str(data["database"]["url"])) if has(data, where) else None
    if url is not None and (
        url.password is not None or {"password", "sslpassword"} & {key.lower() for key in url.query}
    ):
        message = (
            'has a password in it; put the whole URL into an environment variable and write url = "env:DATABASE_URL"'
        )
        yield file.mistake(where, message)


def _check_names(settings: Settings, file: ConfigFile) -> Iterator[Mistake]:
    for section, names, what in (
        ("providers", settings.providers, "an instance"),
        ("regions", settings.regions, "a region"),
        ("subscribers", settings.subscribers, "a subscriber"),
        ("extensions", settings.extensions, "an extension"),
    ):
        for name in names:
            if not re.fullmatch(_NAME, name):
                yield file.mistake((section, name), f"{what} is named with {_NAME_IN_WORDS}")


def _check_timeouts(settings: Settings, file: ConfigFile) -> Iterator[Mistake]:
    longest = LONGEST_CALL.total_seconds()
    for instance, provider in settings.providers.items():
        if provider.longest_call_seconds > longest:
            message = (
                f"with wait_for_place_seconds it comes to {provider.longest_call_seconds:g}; expected at most {longest:g}, "
                f"because recovery takes a call over after {LEASE.total_seconds():g}"
            )
            yield file.mistake(("providers", instance, "timeout_seconds"), message)


def _check_region(region_id: str, region: RegionSettings, settings: Settings, file: ConfigFile) -> list[Mistake]:
    here: Location = ("regions", region_id)
    mistakes = []
    try:
        exponent_of(region.currency)
    except MoneyError as error:
        mistakes.append(file.mistake((*here, "currency"), str(error)))
        return mistakes
    mistakes += _check_countries((*here, "countries"), region.countries, file)
    for provider in sorted(set(region.providers) - set(settings.providers)):
        mistakes.append(file.mistake((*here, "providers"), _no_such_provider(provider, settings.providers)))
    if len(set(region.providers)) < len(region.providers):
        mistakes.append(file.mistake((*here, "providers"), "names a provider twice; name it once"))
    for provider in sorted(set(region.place_order) - set(region.providers)):
        mistakes.append(file.mistake((*here, "place_order", provider), "is not among this region's providers"))
    for index, rule in enumerate(region.rules):
        mistakes += _check_rule((*here, "rules", index), rule, region, file)
    return mistakes


def _check_rule(here: Location, rule: RuleSettings, region: RegionSettings, file: ConfigFile) -> Iterator[Mistake]:
    if rule.provider not in region.providers:
        yield file.mistake((*here, "provider"), f"{rule.provider!r} is not among this region's providers")
    yield from _check_countries((*here, "countries"), rule.countries or (), file)
    yield from _check_amounts(here, rule, region.currency, file)


def _check_countries(where: Location, countries: Iterable[str], file: ConfigFile) -> Iterator[Mistake]:
    for country in countries:
        if not re.fullmatch("[A-Z]{2}", country):
            yield file.mistake(where, f"{country!r} is not a country; expected ISO 3166 codes such as 'DE'")


def _check_amounts(here: Location, rule: RuleSettings, currency: str, file: ConfigFile) -> Iterator[Mistake]:
    bounds = {}
    for field, written in (("amount_min", rule.amount_min), ("amount_max", rule.amount_max)):
        try:
            if written is not None:
                bounds[field] = Money.parse(written, currency)
        except MoneyError as error:
            yield file.mistake((*here, field), str(error))
        if written is not None and field in bounds and written.startswith("-"):
            yield file.mistake((*here, field), f"{written} is negative; no amount to be paid is")
    if len(bounds) == len(("amount_min", "amount_max")) and bounds["amount_min"] > bounds["amount_max"]:
        message = f"{bounds['amount_min']} is above amount_max, {bounds['amount_max']}; no amount is inside both"
        yield file.mistake((*here, "amount_min"), message)


def _no_such_provider(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"add a block [providers.{name}]"
    return f"{name!r} is not configured; {hint}"
