"""Five hundred providers are installed, three are configured."""

import json
from pathlib import Path

from many_plugins import CONFIGURED, install_providers, run_providers


def test_only_the_configured_ones_are_imported(tmp_path: Path) -> None:
    install_providers(tmp_path, range(500))
    listed = {provider["id"] for provider in json.loads(run_providers(tmp_path))["providers"]}
    assert listed == {f"pp_{name}_{name}" for name in CONFIGURED}
    imported = {path.stem for path in tmp_path.glob("*.imported")}
    assert imported == {f"many_{name.replace('-', '_')}" for name in CONFIGURED}
