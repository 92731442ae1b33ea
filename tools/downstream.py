"""What a stranger does downstream of us: writes a provider, examines it, publishes it, is paid with it.

    python tools/downstream.py --wheels DIRECTORY

First the pages "Write a provider" and "Publish it" are followed, word for word, in an empty folder and a new environment.
Then each further shape of `kassa new-provider` is built, installed as a wheel, examined, and paid with.  Nothing but
wheels is installed: ours, built here, and what they need, fetched from the package index before the stranger begins.
From then on nothing comes from anywhere, so no index can answer for our names.
"""

import argparse
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

OURS = ("sdk[http,exam]", "plugins/simulator", "core[new-provider]")
BUILDS = ("hatchling>=1.27", "editables")
"""What builds the stranger's package."""

TUTORIAL = (Path("docs/extend/write-a-provider.md"), Path("docs/extend/publish.md"))
PAYMENT = Path(__file__).with_name("downstream_payment.py")
SHAPES = ("redirect", "bank-transfer", "wallet")
"""Those that the pages do not go through."""

SHOP = """
[providers.mine]
plugin = "{name}"
options = {{ base_url = "{url}", api_key = "env:API_KEY", webhook_secret = "env:WEBHOOK_SECRET" }}

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["mine"]
place_order = {{ mine = "{place_order}" }}
"""
SECRETS = {"API_KEY": "simulator-api-key", "WEBHOOK_SECRET": "simulator-webhook-secret"}


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
            # Compiled files are kept: the pages start the same programs again and again.
            "PYTHONDONTWRITEBYTECODE": "",
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

    @contextmanager
    def server(self) -> Iterator[str]:
        """The stand-in, until the end."""
        command = ["python", "-m", "kassa_simulator", "--books", "books.jsonl", "--until-stdin-closes"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["url"])
            process.terminate()


def show(stranger: Stranger, shape: str, signature: str) -> None:
    """A package of this shape: written, built, installed as a wheel, examined, paid with."""
    name = f"acme-{shape}"
    package, module = stranger.folder / f"kassa-{name}", f"kassa_{name.replace('-', '_')}"
    stranger.run("kassa", "new-provider", name, "--shape", shape)
    (package / "src" / module / "signature.py").write_text(signature)
    stranger.run("pip", "wheel", "--no-deps", "--wheel-dir", "dist", ".", folder=package)
    (wheel,) = (package / "dist").glob("*.whl")
    stranger.run("pip", "install", str(wheel))
    stranger.run("kassa", "exam", folder=package)
    with stranger.server() as url:
        shop = stranger.folder / f"shop-{name}"
        shop.mkdir()
        place_order = "pending" if shape == "bank-transfer" else "authorized"
        (shop / "kassa.toml").write_text(SHOP.format(name=name, url=url, place_order=place_order))
        print(stranger.run("python", str(PAYMENT), url, folder=shop), end="")


def fill(wheelhouse: Path, built: Path, environment: Path) -> None:
    """Every wheel that this environment will be asked for: ours from their files, the others from the index."""
    wheels = [install_wheels.build(folder, built) for folder in OURS]
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


def main() -> None:
    """Follow the pages, then show each further shape."""
    parser = argparse.ArgumentParser(description="Does what a stranger does with our wheels.")
    parser.add_argument("--wheels", type=Path, required=True, help="the directory to build into")
    arguments = parser.parse_args()
    (signature,) = [block.text for block in pages.blocks(TUTORIAL[0]) if (block.title or "").endswith("signature.py")]
    with TemporaryDirectory() as folder, TemporaryDirectory() as wheelhouse:
        environment = Path(folder) / ".venv"
        with timed("a new environment"):
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        with timed("our wheels, and what they need"):
            fill(Path(wheelhouse), arguments.wheels, environment)
        stranger = Stranger(Path(folder), environment, Path(wheelhouse))
        for page in TUTORIAL:
            with timed(str(page)):
                stranger.follow(page)
        for shape in SHAPES:
            with timed(f"kassa new-provider --shape {shape}"):
                show(stranger, shape, signature)


if __name__ == "__main__":
    main()
