"""Which listeners are left alone for a while, because they were not reached.  What one process has learnt, and no more."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from kassa.listening import LONGEST_REST, Answer, NotTaken, pause_after


@dataclass(frozen=True, slots=True)
class _Rest:
    failures: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Rests:
    """Safe to call from several threads."""

    _by_name: dict[str, _Rest] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_resting(self, name: str, now: datetime) -> bool:
        """Whether this listener is to be left alone at this moment."""
        with self._lock:
            return name in self._by_name and now < self._by_name[name].until

    def note(self, name: str, answer: Answer, now: datetime) -> None:
        """One that was not reached rests, longer each time; whatever else it answered, it is there."""
        with self._lock:
            if not isinstance(answer, NotTaken) or not answer.is_about_listener:
                self._by_name.pop(name, None)
                return
            failures = self._by_name[name].failures + 1 if name in self._by_name else 1
            self._by_name[name] = _Rest(failures, now + min(pause_after(failures), LONGEST_REST))
