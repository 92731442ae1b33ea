"""The engine that a command works with: opened from its configuration, closed whatever happens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kassa.engine import Engine
    from kassa.watching import Watcher


@contextmanager
def opened(config: Path, watchers: "Sequence[Watcher]" = ()) -> "Iterator[Engine]":
    """The engine of this configuration.  Raises as ``kassa.open``."""
    import kassa

    engine = kassa.open(config, watchers=watchers)
    try:
        yield engine
    finally:
        engine.close()
