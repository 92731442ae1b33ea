"""Five hundred providers are installed, three are configured."""

import json
import os
import subprocess
import sys
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


def write_providers(site: Path, count: int) -> None:
    """Install this many distributions with a provider each."""
    for number in range(count):
        name, module = f"provider-{number}", f"many_provider_{number}"
        (site / f"{module}.py").write_text(MODULE.format(name=name), encoding="utf-8")
        metadata = site / f"many_{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: many-{module}\nVersion: 1.0\n", encoding="utf-8"
        )
        entry = f"[kassa.providers]\n{name} = {module}:Provider\n"
        (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")


def test_only_the_configured_ones_are_imported(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    write_providers(site, 500)
    blocks = "".join(f'[providers.{name}]\nplugin = "{name}"\n' for name in CONFIGURED)
    (tmp_path / "kassa.toml").write_text(blocks, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "kassa", "--config", "kassa.toml", "providers", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    listed = {provider["id"] for provider in json.loads(run.stdout)["providers"]}
    assert listed == {f"pp_{name}_{name}" for name in CONFIGURED}
    imported = {path.stem for path in site.glob("*.imported")}
    assert imported == {f"many_{name.replace('-', '_')}" for name in CONFIGURED}
