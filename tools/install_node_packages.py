"""Install what the programs of a folder need from npm: ``python tools/install_node_packages.py tests/wire``.

Without npm on this machine it says so, and the tests that need them are skipped.  No lock file is written: it would hold the
addresses of a registry.
"""

import shutil
import subprocess
import sys

PATIENCE_SECONDS = 300


def main() -> int:
    """Install into the folder's node_modules.  Returns npm's status, 0 where there is no npm."""
    (folder,) = sys.argv[1:]
    npm = shutil.which("npm")
    if npm is None:
        print(f"there is no npm on this machine; what {folder} needs of it is not installed, and not tested")
        return 0
    command = [npm, "install", "--prefix", folder, "--no-package-lock", "--no-audit", "--no-fund"]
    try:
        return subprocess.run(command, check=False, timeout=PATIENCE_SECONDS).returncode
    except subprocess.TimeoutExpired:
        print(f"npm has not installed what {folder} needs in {PATIENCE_SECONDS} seconds; is its registry reached?")
        return 1


if __name__ == "__main__":
    sys.exit(main())
