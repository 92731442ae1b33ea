"""The command line as its users have it: a folder with a configuration, real plugins, a real database."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from kassa.cli import app
from kassa_simulator.process import SimulatorProcess, start_simulator

SHOP = """\
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

CARDS = """\
[database]
url = "sqlite:///kassa.db"

[providers.cards]
plugin = "simulator"
options = { base_url = "env:SIMULATOR_URL", api_key = "env:SIMULATOR_KEY", webhook_secret = "env:SIMULATOR_SECRET" }

[providers.default]
plugin = "system"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["cards", "default"]

[regions.jp]
name = "Japan"
currency = "JPY"
countries = ["JP"]
providers = ["cards"]
"""

RISK = """
from kassa_sdk import hookimpl
from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Risk:
    Options = Options

    def __init__(self, options):
        pass

    @hookimpl
    def kassa_provider_eligible(self, request):
        return "the risk department says no"
"""
"""An extension that speaks against every provider."""

CART = {"email": "ada@example.org", "items": [{"title": "Tea", "quantity": 2, "unit_price": "24.99"}]}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """What it printed with --json: on stdout when it could, else on stderr."""
        return json.loads(self.stdout or self.stderr)


class Kassa(Protocol):
    """Runs one command in this process."""

    def __call__(self, *arguments: str, stdin: str = "") -> Ended: ...


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, on a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("KASSA_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def kassa(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Kassa:
    """The command line, run in this process."""

    def run(*arguments: str, stdin: str = "") -> Ended:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            app(list(arguments), prog_name="kassa")
        captured = capsys.readouterr()
        return Ended(int(end.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def shop(folder: Path) -> Path:
    """A folder with a shop that takes cash."""
    (folder / "kassa.toml").write_text(SHOP, encoding="utf-8")
    (folder / "cart.json").write_text(json.dumps(CART), encoding="utf-8")
    return folder


@pytest.fixture
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A simulated provider in a process of its own."""
    with start_simulator(tmp_path_factory.mktemp("simulator") / "books.jsonl") as simulator:
        yield simulator


@pytest.fixture
def card_shop(shop: Path, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a shop that takes cards of the simulated provider, and cash."""
    monkeypatch.setenv("SIMULATOR_URL", simulator.url)
    monkeypatch.setenv("SIMULATOR_KEY", simulator.settings.api_key)
    monkeypatch.setenv("SIMULATOR_SECRET", simulator.settings.webhook_secret)
    (shop / "kassa.toml").write_text(CARDS, encoding="utf-8")
    return shop


@pytest.fixture
def paid(shop: Path, kassa: Kassa) -> str:
    """The id of a payment of 49.98 EUR for a placed order, nothing of it captured."""
    placed = kassa("pay", "cart.json", "--region", "eu", "--provider", "default", "--json").document
    payment_id: str = placed["payment_ids"][0]
    return payment_id


@pytest.fixture
def write(folder: Path) -> Callable[[str], None]:
    """Writes kassa.toml."""
    return lambda text: (folder / "kassa.toml").write_text(text, encoding="utf-8") and None
