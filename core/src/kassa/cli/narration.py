"""The demo's voice: who does what, with which Python call, as it happens; or kept, for one JSON document at the end."""

from typing import Literal

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kassa.cli.output import LOUD, QUIET, Document, console, indented

Actor = Literal["shop", "shopper", "provider", "kassa"]

COLOURS: dict[Actor, str] = {"shop": "cyan", "shopper": "magenta", "provider": "yellow", "kassa": "green"}
WIDTH_OF_ACTOR = 10


class Narration:
    """Tells the demo step by step; silent steps are only kept."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self._scene = ""
        self.steps: list[Document] = []

    def scene(self, title: str) -> None:
        """A new part of the story."""
        self._scene = title
        self._print(Text())
        self._print(Text(title, LOUD))

    def step(self, actor: Actor, text: str, *, code: str = "") -> None:
        """One thing that somebody did.  ``code`` is the call that did it."""
        self.steps.append({"scene": self._scene, "actor": actor, "text": text, "code": code})
        line = Table.grid()
        line.add_column(width=WIDTH_OF_ACTOR, style=COLOURS[actor])
        line.add_column(overflow="fold")
        line.add_row(actor, text)
        self._print(indented(line))
        for number, statement in enumerate(code.splitlines()):
            self.show(Text(f"{'>>>' if number == 0 or not statement.startswith(' ') else '...'} {statement}", QUIET))

    def show(self, drawn: RenderableType) -> None:
        """Something to look at, below the last step."""
        self._print(indented(drawn, 2 + WIDTH_OF_ACTOR))

    def say(self, text: RenderableType = "") -> None:
        """A line of its own."""
        self._print(text)

    def _print(self, drawn: RenderableType) -> None:
        if not self._silent:
            console().print(drawn)
