"""Extensions: found by name, loaded only where the configuration says so, refused where they break the contract."""

import sys

import pytest

from kassa import extensions
from kassa.config import parse
from kassa.errors import ConfigurationError

from .conftest import Install

SOURCE = """
from kassa_sdk import hookimpl
from pydantic import BaseModel, ConfigDict, SecretStr


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: SecretStr | None = None


class Ledger:
    Options = Options

    def __init__(self, options):
        self.options = options

    @hookimpl
    def kassa_event(self, event):
        pass
"""

WITH_PROVIDER_HOOKS = """

class Other:
    @hookimpl
    def capture(self, request):
        return (yield)


class Ledger:
    provider_hooks = Other()
"""

CONFIGURED = '[extensions.books]\nplugin = "ledger"\n'

BROKEN = {
    "a hook that the contract does not know": (
        SOURCE.replace("kassa_event", "kassa_evnt"),
        "has a hook that the contract does not know",
    ),
    "no hook at all": (SOURCE.replace("@hookimpl", ""), "listens to nothing"),
    "options that let anything pass": (SOURCE.replace('extra="forbid"', ""), "must refuse unknown keys"),
    "no options": (SOURCE.replace("    Options = Options\n", ""), "has no pydantic model Options"),
    "a constructor that raises": (
        SOURCE.replace("self.options = options", "raise ValueError('x')"),
        "refuses its options",
    ),
    "an answer in a provider's place": (
        SOURCE.replace("class Ledger:", WITH_PROVIDER_HOOKS),
        "would answer capture in the provider's place",
    ),
    "a wrapper of a hook that there is not": (
        SOURCE.replace("class Ledger:", WITH_PROVIDER_HOOKS.replace("capture", "captur")),
        "has a hook that the contract does not know",
    ),
}


def test_only_what_the_configuration_names_is_imported(install: Install) -> None:
    module = install("kassa-ledger", SOURCE, plugin="ledger", target="Ledger", group="kassa.extensions")
    assert extensions.load(parse("")) == {}
    assert module not in sys.modules
    loaded = extensions.load(parse(CONFIGURED))
    assert str(loaded["books"].candidate) == "kassa-ledger 1.2.3"


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_contract_is_refused_with_its_distribution(name: str, install: Install) -> None:
    source, sentence = BROKEN[name]
    install("kassa-ledger", source, plugin="ledger", target="Ledger", group="kassa.extensions")
    with pytest.raises(ConfigurationError) as refused:
        extensions.load(parse(CONFIGURED))
    (mistake,) = refused.value.mistakes
    assert (mistake.line, mistake.field) == (2, "extensions.books.plugin")
    assert "kassa-ledger 1.2.3" in mistake.message
    assert sentence in mistake.message


def test_one_that_is_not_installed_is_a_mistake(install: Install) -> None:
    with pytest.raises(ConfigurationError, match=r"extensions\.books\.plugin: no installed distribution offers"):
        extensions.load(parse(CONFIGURED))


def test_a_secret_option_stands_in_the_file_only_as_a_reference(install: Install) -> None:
    install("kassa-ledger", SOURCE, plugin="ledger", target="Ledger", group="kassa.extensions")
    with pytest.raises(ConfigurationError, match=r"extensions\.books\.options\.token: is a secret"):
        extensions.load(parse(CONFIGURED + 'options = { token = "written-out" }\n'))
