"""Installs many provider distributions into a folder, and measures what they cost at the start.

    python tools/many_plugins.py

prints the CPU time of ``kassa providers`` with 500 installed providers beside that with 3, three configured in both.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

MODULE = """
import pathlib

pathlib.Path(__file__).with_suffix(".imported").touch()

from kassa_sdk import Declined, Idempotency, Manifest, PaymentFacts, Succeeded, hookimpl
from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Provider:
    Options = Options
    manifest = Manifest(
        name="{name}", display_name="{name}", contract_version=1, idempotency=Idempotency(keys="none")
    )

    def __init__(self, options):
        pass

    @hookimpl
    def initiate(self, request):
        return Succeeded(facts=PaymentFacts(provider_reference=request.our_reference))

    @hookimpl
    def authorize(self, request):
        return Declined(code="no", reason="no")
"""
CONFIGURED = ("provider-7", "provider-77", "provider-377")


def install_providers(site: Path, numbers: Iterable[int]) -> None:
    """Install a distribution with one provider for each of these numbers."""
    for number in numbers:
        name, module = f"provider-{number}", f"many_provider_{number}"
        (site / f"{module}.py").write_text(MODULE.format(name=name), encoding="utf-8")
        metadata = site / f"many_{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: many-{module}\nVersion: 1.0\n", encoding="utf-8"
        )
        entry = f"[kassa.providers]\n{name} = {module}:Provider\n"
        (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")


def run_providers(folder: Path) -> str:
    """What ``kassa providers --json`` prints with these distributions, three of them configured."""
    blocks = "".join(f'[providers.{name}]\nplugin = "{name}"\n' for name in CONFIGURED)
    (folder / "kassa.toml").write_text(blocks, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "kassa", "providers", "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def _cpu_seconds(folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_providers(folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure in turn, so that a machine whose speed drifts does not favour one of them."""
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        install_providers(Path(few), [int(name.removeprefix("provider-")) for name in CONFIGURED])
        install_providers(Path(many), range(500))
        pairs = [(_cpu_seconds(Path(few)), _cpu_seconds(Path(many))) for _ in range(9)]
    ratio = statistics.median(many / few for few, many in pairs[1:])
    few_median, many_median = (statistics.median(column) for column in zip(*pairs[1:], strict=True))
    print(f"3 installed: {few_median:.3f} s CPU, 500 installed: {many_median:.3f} s CPU, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
