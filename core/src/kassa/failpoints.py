"""Failpoints: the seams to the database and to the providers say which point they pass, to whoever watches.

In a shop nobody watches, and a point costs one comparison.  The fault tests watch, and kill the process at a point of their
choice.  A point is named by what happens there: ``commit:after``, ``call:capture:before``, and, told by
``store/watched.py``, ``statement:insert operations:before``.
"""

from collections.abc import Callable

Watcher = Callable[[str], None]

_watcher: Watcher | None = None


def watch(watcher: Watcher | None) -> None:
    """From now on this watcher hears of every point of this process; None: nobody does."""
    global _watcher  # noqa: PLW0603  # the process is what is watched
    _watcher = watcher


def passing(point: str) -> None:
    """This process is at this point."""
    if _watcher is not None:
        _watcher(point)
