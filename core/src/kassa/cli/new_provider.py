"""``kassa new-provider``: a provider package to begin with, whose tests run at once."""

from enum import StrEnum
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from kassa.cli.exits import says_mistakes
from kassa.cli.options import AsJson
from kassa.cli.output import facts, print_document, say
from kassa.errors import InvalidData, NotAllowed


class Shape(StrEnum):
    """How the payments of a provider go, which decides the hooks to begin with."""

    CARD = "card"
    REDIRECT = "redirect"
    BANK_TRANSFER = "bank-transfer"
    WALLET = "wallet"


@says_mistakes
def new_provider(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What configurations will call it, such as acme.", show_default=False)
    ],
    shape: Annotated[
        Shape,
        typer.Option(
            help="card: held, then captured, the bank may ask the shopper; redirect: approved on a page; bank-transfer: the"
            " money comes in later; wallet: a code is scanned."
        ),
    ] = Shape.CARD,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Where to write it; without it, kassa-NAME.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a provider package: hooks, translations, the exam as its tests, and what publishes it.

    Its tests run at once, against the simulator as a stand-in. They fail until you have written how your provider signs
    its webhooks: nothing is believed before.
    """
    target = folder if folder is not None else Path(f"kassa-{name}")
    with TemporaryDirectory() as private:
        # A folder inside of it, because the temporary one itself is for nobody else to read.
        rendered = Path(private) / "package"
        _render(rendered, name, shape)
        try:
            copytree(rendered, target)
        except FileExistsError:
            raise NotAllowed(f"{target} is there already; name another folder with --folder") from None
        except OSError as error:
            raise InvalidData("folder", f"{target} cannot be written ({error.strerror}); name another") from None
    written = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    if as_json:
        print_document({"folder": str(target), "shape": shape.value, "written": written})
        return
    say(f"Wrote {target}, a provider of the shape {shape.value}.")
    steps = [
        (f"cd {target}", "README.md there says what to make yours, and where"),
        ('pip install -e ".[test]"', "the package, and what examines it"),
        ("pytest", "the exam; it fails until the signature check is written"),
    ]
    say(facts(steps))


def _render(target: Path, name: str, shape: Shape) -> None:
    try:
        from copier import run_copy
    except ImportError as missing:
        raise NotAllowed(
            f"writing a provider needs {missing.name}; install: pip install 'kassa[new-provider]'"
        ) from None
    sdk = ".".join(version("kassa-sdk").split(".")[:2])
    answers = {"name": name, "shape": shape.value, "sdk": sdk}
    with as_file(files("kassa.cli") / "provider_template") as template:
        try:
            run_copy(str(template), target, data=answers, defaults=True, quiet=True)
        except ValueError as error:
            # The template says what a name must look like; copier puts words of its own before it.
            raise InvalidData("name", f"{name!r}: {str(error).rpartition(': ')[2]}") from None
