"""What a stranger does downstream of us: writes a provider, examines it, publishes it, is paid with it.

    python tools/downstream.py --wheels DIRECTORY

First the pages "Write a provider" and "Publish it" are followed, word for word, in an empty folder and a new environment.
Then each further shape of `kassa new-provider` is built, installed as a wheel, examined, and paid with.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from textwrap import indent

import pages
from strangers import Stranger, stranger, timed

OURS = ("sdk[http,exam]", "plugins/simulator", "core[new-provider]")
TUTORIAL = (Path("docs/extend/write-a-provider.md"), Path("docs/extend/publish.md"))
SHAPES = ("redirect", "bank-transfer", "wallet")
"""Those that the pages do not go through."""


def install(author: Stranger, shape: str, signature: str) -> Path:
    """A package of this shape: written, its signature check too, built, and installed as a wheel."""
    package = author.folder / f"kassa-acme-{shape}"
    author.run("kassa", "new-provider", f"acme-{shape}", "--shape", shape)
    (package / "src" / f"kassa_acme_{shape.replace('-', '_')}" / "signature.py").write_text(signature)
    author.install(package)
    return package


def show(author: Stranger, package: Path, shape: str) -> str:
    """It passes its exam, and is paid with; what was told on the way."""
    author.run("kassa", "exam", folder=package)
    return author.pay(f"acme-{shape}", "pending" if shape == "bank-transfer" else "authorized")


def main() -> None:
    """Follow the pages, then show each further shape."""
    parser = argparse.ArgumentParser(description="Does what a stranger does with our wheels.")
    parser.add_argument("--wheels", type=Path, required=True, help="the directory to build into")
    arguments = parser.parse_args()
    (signature,) = [block.text for block in pages.blocks(TUTORIAL[0]) if (block.title or "").endswith("signature.py")]
    with stranger(OURS, arguments.wheels) as author:
        for page in TUTORIAL:
            with timed(str(page)):
                author.follow(page)
        with timed("the further shapes, written and installed"):
            packages = [install(author, shape, signature) for shape in SHAPES]
        # Beside each other, because an exam mostly waits, for answers that do not come.
        with timed("examined, and paid with"), ThreadPoolExecutor() as pool:
            for shape, told in zip(SHAPES, pool.map(show, repeat(author), packages, SHAPES), strict=True):
                print(f"  {shape}\n{indent(told, '    ')}", end="")


if __name__ == "__main__":
    main()
