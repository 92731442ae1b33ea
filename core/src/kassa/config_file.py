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
            for start, _, data in self._growing():
                if has(data, location):
                    return start
            location = location[:-1]
        return None

    def line_of_broken_statement(self) -> int:
        """The line where the statement begins that makes this no TOML."""
        return 1 + max((end for _, end, _ in self._growing()), default=0)

    def _growing(self) -> Iterator[tuple[int, int, Any]]:
        # A TOML file cut after a whole statement is a TOML file: what a cut adds was written since the last good cut.
        lines = self.text.splitlines(keepends=True)
        start = 1
        for end in range(1, len(lines) + 1):
            try:
                data = tomllib.loads("".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue
            yield start, end, data
            start = end + 1


def has(data: Any, location: Location) -> bool:
    """Whether there is a value at this location."""
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
