"""A shop to try things with: a simulated provider in a process of its own, a database in a folder that is soon gone."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from kassa.cli.engines import opened
from kassa.cli.simulator_process import SimulatorProcess, running_simulator
from kassa.errors import NotFound

if TYPE_CHECKING:
    from kassa.engine import Engine
    from kassa.watching import Watcher

SIMULATED = """\
plugin = "simulator"
options = { base_url = "$url", api_key = "file:$folder/api_key", webhook_secret = "file:$folder/api_key" }
"""
"""What stands below ``[providers.NAME]`` for a simulated provider."""

DATABASE = """\
[database]
url = "sqlite:///$folder/kassa.db"
"""


@contextmanager
def running_shop(configuration: str, watchers: "Sequence[Watcher]" = ()) -> "Iterator[tuple[Engine, SimulatorProcess]]":
    """The engine of this configuration, in which ``$url`` is the simulated provider, and ``$folder`` a folder of its own.

    Raises NotFound where a plugin that it pays with is not installed.
    """
    _require_plugins()
    with tempfile.TemporaryDirectory(prefix="kassa-demo-") as name:
        folder = Path(name)
        with running_simulator(folder / "books.jsonl") as simulator:
            (folder / "api_key").write_text(simulator.api_key, encoding="utf-8")
            config = folder / "kassa.toml"
            text = Template(configuration).substitute(folder=folder.as_posix(), url=simulator.url)
            config.write_text(text, encoding="utf-8")
            with opened(config, watchers) as engine:
                yield engine, simulator


def _require_plugins() -> None:
    from kassa import discovery
    from kassa_sdk import PROVIDER_ENTRY_POINTS

    installed = {candidate.name for candidate in discovery.installed(PROVIDER_ENTRY_POINTS)}
    missing = [f"kassa-{name}" for name in ("system", "simulator") if name not in installed]
    if missing:
        raise NotFound(f"the demo pays with {' and '.join(missing)}; install: pip install {' '.join(missing)}")
