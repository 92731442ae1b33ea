"""Strangers: environments in which somebody else works with our wheels, and with nothing else of ours.

Nothing but wheels is installed: ours, built here, and what they need, fetched from the package index before the stranger
begins.  From then on nothing comes from anywhere, so no index can answer for our names.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import install_wheels
import pages

BUILDS = ("hatchling>=1.27", "editables")
"""What builds the stranger's own packages."""

SECRETS = {"API_KEY": "simulator-api-key", "WEBHOOK_SECRET": "simulator-webhook-secret"}
SHOP = """
[providers.mine]
plugin = "{plugin}"
options = {{ base_url = "{url}", api_key = "env:API_KEY", webhook_secret = "env:WEBHOOK_SECRET" }}

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["mine"]
place_order = {{ mine = "{place_order}" }}
"""
PAYMENT = Path(__file__).with_name("downstream_payment.py")


class Stranger:
    """An empty folder, and an environment with nothing but pip in it."""

    def __init__(self, folder: Path, environment: Path, wheelhouse: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("KASSA", "PYTEST", "PIP_"))},
            **SECRETS,
            "PATH": os.pathsep.join([str(environment / "bin"), os.environ["PATH"]]),
            "VIRTUAL_ENV": str(environment),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheelhouse),
            "PIP_QUIET": "2",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }

    def follow(self, page: Path) -> None:
        """Do what a page says."""
        pages.execute(page, self.folder, self.environment, seconds=300)

    def run(self, *command: str, folder: Path | None = None, expected: int = 0) -> str:
        """One command; exits with what it printed when it ends otherwise than expected."""
        ended = subprocess.run(
            command,
            cwd=folder or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ended.returncode != expected:
            raise SystemExit(f"$ {' '.join(command)}\n{ended.stdout}\nended with {ended.returncode}, not {expected}")
        return ended.stdout

    def install(self, package: Path) -> None:
        """Build the wheel of a package, and install that."""
        self.run("pip", "wheel", "--no-deps", "--wheel-dir", "dist", ".", folder=package)
        (wheel,) = (package / "dist").glob("*.whl")
        self.run("pip", "install", str(wheel))

    def pay(self, plugin: str, place_order: str = "authorized") -> str:
        """Enable a provider that speaks to the stand-in, and pay with it; returns what was told on the way."""
        shop = self.folder / f"shop-{time.monotonic_ns()}"
        shop.mkdir()
        with self.server() as url:
            (shop / "kassa.toml").write_text(SHOP.format(plugin=plugin, url=url, place_order=place_order))
            return self.run("python", str(PAYMENT), url, folder=shop)

    @contextmanager
    def server(self) -> Iterator[str]:
        """The stand-in, until the end."""
        books = f"books-{time.monotonic_ns()}.jsonl"
        command = ["python", "-m", "kassa_simulator", "--books", books, "--until-stdin-closes"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["url"])
            process.terminate()


@contextmanager
def stranger(folders: tuple[str, ...], built: Path) -> Iterator[Stranger]:
    """One who has the wheels of these folders of ours at hand, and has installed none; ``built`` is where they are built."""
    with TemporaryDirectory() as folder, TemporaryDirectory() as wheelhouse:
        environment = Path(folder) / ".venv"
        with timed("a new environment, our wheels, and what they need"):
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
            fill(Path(wheelhouse), folders, built, environment)
        yield Stranger(Path(folder), environment, Path(wheelhouse))


def fill(wheelhouse: Path, folders: tuple[str, ...], built: Path, environment: Path) -> None:
    """Every wheel that this environment will be asked for: ours from their files, the others from the index."""
    wheels = [install_wheels.build(folder, built) for folder in folders]
    install_wheels.refuse_strangers(wheels)
    wanted = [*(wheel.pinned_to_file for wheel in wheels), *BUILDS]
    options = ("--quiet", "--only-binary=:all:", "--dest", str(wheelhouse))
    subprocess.run([environment / "bin" / "pip", "download", *options, *wanted], check=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Says what begins, and how long it took."""
    print(f"{what} …", flush=True)
    began = time.monotonic()
    yield
    print(f"    done in {time.monotonic() - began:.0f} s", flush=True)
