"""Who listens to events, what may come of telling one, and when it is told again.  Pure.

An event is told at least once to everybody who wants it.  Each listener is told in the order of the events; one that is not
taken is told again later, and is overtaken once the others have waited for it long enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from kassa.model import Event

DELIVERY_DEAD = "kassa.alarm.delivery_dead"
"""The event that tells of a delivery for which every try failed."""

LEASE = timedelta(seconds=120)
"""How long a worker that tells events is left alone before another one tells them again."""

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=6)
MOST_TRIES = 23
"""After these tries, about three days, a delivery is dead."""

LONGEST_REST = timedelta(minutes=5)
"""A listener that is not reached is left alone at most for so long."""

PATIENCE = timedelta(minutes=1)
"""How long later events wait for one that is not taken."""

FORGOTTEN_AFTER = timedelta(days=3)
"""A delivery to somebody whom no configuration names any more is dead after this."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The listener has the event."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """It may not have it; to be told again.  ``is_about_listener``: any other event would have fared no better."""

    cause: str
    is_about_listener: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """It will never take it."""

    cause: str


Answer = Taken | NotTaken | Gone


class Listener(Protocol):
    """Somebody who is told events: a subscriber over HTTP, or an extension.  Safe to call from several threads."""

    def wants(self, event_name: str) -> bool:
        """Whether it is to be told events of this name."""
        ...

    def tell(self, event: Event, now: datetime) -> Answer:
        """Tell one event.  Raises nothing but KeyboardInterrupt."""
        ...


def matches(patterns: Iterable[str], event_name: str) -> bool:
    """Whether a name is among these: ``payment.captured``, all that begin so (``payment.*``), or all (``*``)."""
    return any(
        event_name.startswith(pattern[:-1]) if pattern.endswith("*") else event_name == pattern for pattern in patterns
    )


def is_to_be_told(event: Event, name: str, listener: Listener) -> bool:
    """Whether this listener is told this event: the alarm about a dead delivery never goes where that was dead."""
    if event.name == DELIVERY_DEAD and event.data.get("subscriber") == name:
        return False
    return listener.wants(event.name)


def pause_after(tries: int) -> timedelta:
    """How long after so many tries the next one follows: soon at first, then ever more rarely."""
    # The exponent is bounded, because a power of a large number of tries does not fit into any clock.
    pause: timedelta = FIRST_PAUSE * 2 ** min(max(tries - 1, 0), 15)
    return min(pause, LONGEST_PAUSE)
