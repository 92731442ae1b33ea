"""Medusa's own JS SDK, from npm, asks the server as a storefront and as a backend; its types are checked as well."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import serving

HERE = Path(__file__).parent
INSTALL = "python tools/install_node_packages.py tests/wire"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled programs; compiling checks them against the types that the SDK ships."""
    compiler = HERE / "node_modules" / ".bin" / "tsc"
    if shutil.which("node") is None or not compiler.exists():
        give_up = pytest.fail if os.environ.get("KASSA_TEST_NODE_REQUIRED") else pytest.skip
        give_up(f"Medusa's SDK is not installed; with Node on this machine, run: {INSTALL}")
    folder = tmp_path_factory.mktemp("compiled")
    command = [compiler, "--project", HERE, "--outDir", folder]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    return folder


@pytest.mark.parametrize("who", ["storefront", "backend"])
def test_medusas_own_sdk_gets_the_answers_that_it_expects(database_url: str, compiled: Path, who: str) -> None:
    with serving("--demo", KASSA_DATABASE__URL=database_url) as (ready, _):
        program = subprocess.run(
            ["node", "--test", "--test-reporter=tap", compiled / f"{who}.test.js"],
            env={**os.environ, "KASSA_SHOP": json.dumps(ready)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert program.returncode == 0, program.stdout
