"""The text of a configuration file: where in it something stands."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kassa.errors import Mistake

Location = tuple[str | int, ...]
"""The keys and indexes that lead to a value, from the top of the file."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The text of a configuration, to say where in it something stands."""

    name: str
    text: str

    def mistake(self, location: Location, message: str) -> Mistake:
        """A mistake at this place of the file."""
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
        return Mistake(file=self.name, line=self.line_of(location), field=field, message=message)

    def line_of(self, location: Location) -> int | None:
        """The line where this key, or the innermost part of it that is there, begins."""
        while location:
            for start, data in self._growing():
                if _has(data, location):
                    return start
            location = location[:-1]
        return None

    def _growing(self) -> Iterator[tuple[int, Any]]:
        # A TOML file cut after a whole statement is a TOML file: what a cut adds was written since the last good cut.
        lines = self.text.splitlines(keepends=True)
        start = 1
        for end in range(1, len(lines) + 1):
            try:
                data = tomllib.loads("".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue
            yield start, data
            start = end + 1


def _has(data: Any, location: Location) -> bool:
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
