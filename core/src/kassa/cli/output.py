"""What the commands print: calm tables for people, one JSON document for programs."""

import json
from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from kassa_sdk import Money

Document = dict[str, Any]

GOOD, BAD, WAITING, QUIET, LOUD = "green", "red", "yellow", "dim", "bold"


def console() -> Console:
    """Where text for people goes.  Nothing is coloured by guess: ids and amounts look as they are."""
    return Console(highlight=False, markup=False, emoji=False)


def print_document(document: Document) -> None:
    """One JSON document on stdout."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=_in_json))


def print_line(document: Document) -> None:
    """One JSON document on one line of stdout, at once: somebody waits for it while the process goes on."""
    print(json.dumps(document, ensure_ascii=False, default=_in_json), flush=True)


def say(text: RenderableType = "", style: str = "") -> None:
    """One line, or something that rich can draw."""
    console().print(text, style=style)


def money_document(money: "Money | None") -> Document | None:
    """An amount for programs: decimal text, its currency, and its minor units."""
    if money is None:
        return None
    return {"amount": f"{money.major:f}", "currency": money.currency, "minor": money.minor}


def record_document(record: Any, *, without: Iterable[str] = ()) -> Document:
    """A record for programs: its fields, with amounts as ``money_document`` writes them."""
    return {name: getattr(record, name) for name in type(record).model_fields if name not in set(without)}


def moment(value: datetime) -> str:
    """A moment for people, in UTC."""
    return f"{value:%Y-%m-%d %H:%M:%S}"


def table(*headers: str, numbers: Iterable[str] = ()) -> Table:
    """A table with a quiet head and no frame; the columns of ``numbers`` are aligned on the right."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=QUIET)
    right = set(numbers)
    for header in headers:
        drawn.add_column(header, justify="right" if header in right else "left", overflow="fold")
    return drawn


def facts(rows: Iterable[tuple[str, RenderableType]], *, indent: int = 2) -> Padding:
    """Labels and values, aligned; rows without a value are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=QUIET, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in rows:
        if value:
            grid.add_row(label, value)
    return indented(grid, indent)


def indented(renderable: RenderableType, columns: int = 2) -> Padding:
    """Moved to the right."""
    return Padding(renderable, (0, 0, 0, columns), expand=False)


def mark(is_good: bool) -> Text:
    """✓ or –."""
    return Text("✓", GOOD) if is_good else Text("–", QUIET)


def _in_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(type(value), "model_fields"):
        return record_document(value)
    if hasattr(value, "minor"):
        return money_document(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")
