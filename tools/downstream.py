"""What a stranger does downstream of us: writes a provider, examines it, publishes it, is paid with it.

    python tools/downstream.py --wheels DIRECTORY

First the pages "Write a provider" and "Publish it" are followed, word for word, in an empty folder and a new environment.
Then each further shape of `kassa new-provider` is built, installed as a wheel, examined, and paid with.
"""

import argparse
from pathlib import Path

import pages
from strangers import Stranger, stranger, timed

OURS = ("sdk[http,exam]", "plugins/simulator", "core[new-provider]")
TUTORIAL = (Path("docs/extend/write-a-provider.md"), Path("docs/extend/publish.md"))
SHAPES = ("redirect", "bank-transfer", "wallet")
"""Those that the pages do not go through."""


def show(author: Stranger, shape: str, signature: str) -> None:
    """A package of this shape: written, built, installed as a wheel, examined, paid with."""
    name = f"acme-{shape}"
    package, module = author.folder / f"kassa-{name}", f"kassa_{name.replace('-', '_')}"
    author.run("kassa", "new-provider", name, "--shape", shape)
    (package / "src" / module / "signature.py").write_text(signature)
    author.install(package)
    author.run("kassa", "exam", folder=package)
    print(author.pay(name, "pending" if shape == "bank-transfer" else "authorized"), end="")


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
        for shape in SHAPES:
            with timed(f"kassa new-provider --shape {shape}"):
                show(author, shape, signature)


if __name__ == "__main__":
    main()
