"""``kassa init``: a first configuration, with a comment at every choice."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from kassa.cli.exits import says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson
from kassa.cli.output import facts, print_document, say
from kassa.errors import InvalidData, NotAllowed


@says_mistakes
def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write.")] = DEFAULT_CONFIG,
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Replace the file if it is there already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a configuration to begin with, commented line by line.

    It pays in cash (the plugin kassa-system) in one region, and passes `kassa check` as it is.
    """
    _write(path, files("kassa.cli").joinpath("starter.toml").read_text(encoding="utf-8"), force=force)
    if as_json:
        print_document({"written": str(path)})
        return
    say(f"Wrote {path}.")
    option = "" if path == DEFAULT_CONFIG else f" --config {path}"
    steps = [(f"kassa check{option}", "is all of it right?"), (f"kassa regions{option}", "who pays where with what")]
    say(facts(steps))


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        # "x" refuses in one step with writing: nobody's file is lost in between.
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise NotAllowed(f"{path} is there already; replace it with --force, or name another file") from None
    except OSError as error:
        raise InvalidData("path", f"{path} cannot be written ({error.strerror}); name another file") from error
