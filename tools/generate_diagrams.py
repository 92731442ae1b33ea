"""Draws the state tables of the engine as pictures for the documentation.

    python tools/generate_diagrams.py

The pictures are checked in; tests/test_docs.py fails when one is stale.  Where the boxes stand is chosen here; which arrows
there are comes from ``kassa.transitions`` alone.  A move that every status of the group can make is drawn once, from the
frame of the group.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from kassa.transitions import DELIVERY_MOVES, OPERATION_MOVES, SESSION_MOVES

FOLDER = Path(__file__).parents[1] / "docs" / "concepts"

Point = tuple[float, float]
Moves = Mapping[str, frozenset[str]]

StatusT = TypeVar("StatusT", bound=StrEnum)

HEIGHT = 34.0
MARGIN = 26.0
ROOM_FOR_BENDS = 30.0
LETTER = 8.2
"""How wide one letter of a status is, at most."""

STYLE = """
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
         text-anchor: middle; dominant-baseline: central; fill: #1f2430 }
  .status { fill: #ffffff; stroke: #4a5568; stroke-width: 1.3 }
  .end { fill: #e8edf3 }
  .group { fill: #f6f8fa; stroke: #a0aec0; stroke-dasharray: 5 4 }
  .move { fill: none; stroke: #4a5568; stroke-width: 1.3; marker-end: url(#head) }
  .both { marker-start: url(#head) }
  .head { fill: #4a5568 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e9ef }
    .status { fill: #1d2129; stroke: #a0aec0 }
    .end { fill: #2d3440 }
    .group { fill: #16191f; stroke: #5b6472 }
    .move { stroke: #a0aec0 }
    .head { fill: #a0aec0 }
  }
"""


@dataclass(frozen=True)
class Box:
    """A rectangle around its centre."""

    x: float
    y: float
    width: float
    height: float

    def border_towards(self, target: Point) -> Point:
        """Where the line from the centre to the target crosses the border."""
        dx, dy = target[0] - self.x, target[1] - self.y
        scale = min(
            self.width / 2 / abs(dx) if dx else float("inf"), self.height / 2 / abs(dy) if dy else float("inf"), 1.0
        )
        return self.x + dx * scale, self.y + dy * scale


@dataclass(frozen=True)
class Drawing:
    """Where each status of a table stands, which of them share a frame, and how far some arrows bend aside."""

    name: str
    title: str
    moves: Moves
    places: Mapping[str, Point]
    group: frozenset[str]
    bends: Mapping[tuple[str, str], float]

    def svg(self) -> str:
        """The picture."""
        boxes = [*self._boxes().values(), self._frame()]
        width = max(box.x + box.width / 2 for box in boxes) + MARGIN + ROOM_FOR_BENDS
        height = max(box.y + box.height / 2 for box in boxes) + MARGIN
        body = "\n".join([*self._drawn_frame(), *self._drawn_moves(), *self._drawn_statuses()])
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">\n'
            f"<title>{self.title}</title>\n<style>{STYLE}</style>\n"
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
            'orient="auto-start-reverse"><path class="head" d="M0,0.8 L8,4 L0,7.2 z"/></marker></defs>\n'
            f"{body}\n</svg>\n"
        )

    def _boxes(self) -> dict[str, Box]:
        # A status without a place is a KeyError here: give it one.
        return {status: Box(*self.places[status], len(status) * LETTER + 24, HEIGHT) for status in self.moves}

    def _frame(self) -> Box:
        members = [box for name, box in self._boxes().items() if name in self.group]
        left = min(box.x - box.width / 2 for box in members) - MARGIN
        right = max(box.x + box.width / 2 for box in members) + MARGIN
        top = min(box.y - box.height / 2 for box in members) - MARGIN
        bottom = max(box.y + box.height / 2 for box in members) + MARGIN
        return Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)

    def _shared(self) -> frozenset[str]:
        """What every status of the group can become, outside of it."""
        return frozenset.intersection(*(self.moves[status] for status in self.group)) - self.group

    def _arrows(self) -> Iterator[tuple[str, str]]:
        for status, followers in self.moves.items():
            for following in sorted(followers):
                if not (status in self.group and following in self._shared()):
                    yield status, following

    def _drawn_frame(self) -> Iterator[str]:
        frame = self._frame()
        yield _rectangle(frame, "group", 14)
        boxes = self._boxes()
        for name in sorted(self._shared()):
            target = boxes[name]
            # Straight across where the target stands beside the frame, so that the arrow leaves it at a right angle.
            inside = abs(target.y - frame.y) < frame.height / 2
            start = (frame.x + frame.width / 2, target.y) if inside else frame.border_towards((target.x, target.y))
            yield _line(start, target.border_towards(start), "move", 0)

    def _drawn_moves(self) -> Iterator[str]:
        boxes, arrows = self._boxes(), list(self._arrows())
        for start, end in arrows:
            back = (end, start) in arrows
            if back and start > end:
                continue  # drawn with its opposite
            bend = self.bends.get((start, end), 0.0)
            first, last = boxes[start], boxes[end]
            middle = _bent((first.x, first.y), (last.x, last.y), bend)
            style = "move both" if back else "move"
            yield _line(first.border_towards(middle), last.border_towards(middle), style, bend)

    def _drawn_statuses(self) -> Iterator[str]:
        for status, followers in self.moves.items():
            box = self._boxes()[status]
            yield _rectangle(box, "status" if followers else "status end", 8)
            yield f'<text x="{box.x:.1f}" y="{box.y:.1f}">{status}</text>'


def _rectangle(box: Box, style: str, radius: int) -> str:
    return (
        f'<rect class="{style}" x="{box.x - box.width / 2:.1f}" y="{box.y - box.height / 2:.1f}" '
        f'width="{box.width:.1f}" height="{box.height:.1f}" rx="{radius}"/>'
    )


def _line(start: Point, end: Point, style: str, bend: float) -> str:
    middle = _bent(start, end, bend)
    path = f"M{start[0]:.1f},{start[1]:.1f} Q{middle[0]:.1f},{middle[1]:.1f} {end[0]:.1f},{end[1]:.1f}"
    return f'<path class="{style}" d="{path}"/>'


def _bent(start: Point, end: Point, bend: float) -> Point:
    """The middle between two points, moved to the left of the way by ``bend``."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    return (start[0] + end[0]) / 2 + dy / length * bend, (start[1] + end[1]) / 2 - dx / length * bend


def _by_name(moves: Mapping[StatusT, frozenset[StatusT]]) -> Moves:
    return {status.value: frozenset(each.value for each in followers) for status, followers in moves.items()}


OPERATION = Drawing(
    name="operation",
    title="The statuses of an operation, and every move between them",
    moves=_by_name(OPERATION_MOVES),
    places={
        "planned": (80, 100),
        "canceled": (80, 250),
        "in_flight": (260, 100),
        "requires_more": (450, 100),
        "unknown": (260, 250),
        "pending": (450, 250),
        "succeeded": (720, 90),
        "failed": (720, 175),
        "review": (720, 260),
    },
    group=frozenset({"in_flight", "requires_more", "unknown", "pending"}),
    bends={("review", "succeeded"): -130},
)

SESSION = Drawing(
    name="session",
    title="The statuses of a payment session, and every move between them",
    moves=_by_name(SESSION_MOVES),
    places={
        "pending": (140, 90),
        "requires_more": (140, 175),
        "pending_authorization": (140, 260),
        "authorized": (470, 90),
        "error": (470, 175),
        "canceled": (470, 260),
    },
    group=frozenset({"pending", "requires_more", "pending_authorization"}),
    bends={("pending", "pending_authorization"): 150, ("authorized", "canceled"): 110},
)

DELIVERY = Drawing(
    name="delivery",
    title="The statuses of a delivery, and every move between them",
    moves=_by_name(DELIVERY_MOVES),
    places={"new": (140, 130), "retry": (140, 215), "sent": (420, 130), "dead": (420, 215)},
    group=frozenset({"new", "retry"}),
    bends={("sent", "new"): -90},
)

DRAWINGS = (OPERATION, SESSION, DELIVERY)


def main() -> None:
    """Write every picture."""
    for drawing in DRAWINGS:
        (FOLDER / f"{drawing.name}.svg").write_text(drawing.svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
