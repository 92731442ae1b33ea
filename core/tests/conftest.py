"""What the core's tests share: distributions that are installed for one test only, and a small shop."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

import kassa
from kassa import Engine

PROVIDER = """
from datetime import timedelta

from kassa_sdk import *
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class AcmeOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: SecretStr | None = None
    greeting: str = "hello"


class Acme:
    Options = AcmeOptions
    manifest = Manifest(
        name="acme", display_name="Acme", contract_version=1, idempotency=Idempotency(keys="none")
    )

    def __init__(self, options):
        self.options = options

    @hookimpl
    def initiate(self, request):
        return Succeeded(facts=PaymentFacts(provider_reference="acme-1"), data={"greeting": self.options.greeting})

    @hookimpl
    def authorize(self, request):
        return Declined(code="no", reason="Acme says no to everybody")
"""
"""A small provider; tests change what they are about."""


class Install(Protocol):
    """Installs a distribution with one module and one entry point."""

    def __call__(
        self,
        name: str,
        source: str = ...,
        *,
        plugin: str = ...,
        target: str = ...,
        group: str = ...,
        version: str = ...,
    ) -> str: ...


def write_distribution(  # what a distribution is made of
    site: Path,
    name: str,
    source: str = PROVIDER,
    *,
    plugin: str = "acme",
    target: str = "Acme",
    group: str = "kassa.providers",
    version: str = "1.2.3",
) -> str:
    """Write an installed distribution into a folder; returns the name of its module."""
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(source, encoding="utf-8")
    metadata = site / f"{module}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{plugin} = {module}:{target}\n", encoding="utf-8")
    return module


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs distributions that this test alone can see."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)
    yield lambda name, source=PROVIDER, **details: write_distribution(site, name, source, **details)
    for module in set(sys.modules) - before:
        del sys.modules[module]


SHOP = """
[database]
url = "sqlite:///kassa.db"

[providers.default]
plugin = "system"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["default"]
"""


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Callable[[str], Engine]]:
    """Opens a shop of one region on a database of this test's own, with these settings besides."""
    with ExitStack() as stack:

        def opened(settings: str) -> Engine:
            config = tmp_path / "kassa.toml"
            config.write_text(SHOP + settings, encoding="utf-8")
            engine = kassa.open(config)
            stack.callback(engine.close)
            return engine

        yield opened
