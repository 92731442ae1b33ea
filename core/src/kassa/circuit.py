"""A circuit: after several failures in a row a provider is left alone for a while.  Pure: the time comes in as an argument.

Closed, it lets every call through.  Open, it lets none through until its pause is over; then one, to find out.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Admission:
    """A call was let through, in this period: what becomes of it counts only as long as the period lasts."""

    period: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """No call is let through: the circuit is open since one moment, and tries again at another."""

    since: datetime
    until: datetime


class Circuit:
    """The circuit of one provider.  Safe to share between threads."""

    def __init__(self, failures: int, pause: timedelta, longest_call: timedelta) -> None:
        """Opens after so many failures in a row, for this long.

        A call that nobody tells the end of counts as ended after ``longest_call``.
        """
        self._most_failures = failures
        self._pause = pause
        self._longest_call = longest_call
        self._failures = 0
        self._period = 0
        self._open: Refusal | None = None
        self._lock = threading.Lock()

    def refusal(self, now: datetime) -> Refusal | None:
        """Why a call would not be let through at this moment; None when it would."""
        is_open = self._open
        # A clock that was put back does not make the pause longer.
        return is_open if is_open is not None and is_open.since <= now < is_open.until else None

    def admit(self, now: datetime) -> Admission | Refusal:
        """Let a call through, or not.  Tell afterwards how it ended: ``succeeded``, ``failed`` or ``give_back``."""
        with self._lock:
            refusal = self.refusal(now)
            if refusal is not None:
                return refusal
            if self._open is not None:
                # This call finds out; the others are refused until it has.
                self._open = Refusal(min(self._open.since, now), now + self._longest_call)
            return Admission(self._period)

    def succeeded(self, admission: Admission) -> bool:
        """The provider answered, whatever it said.  Returns whether that closed the circuit."""
        with self._lock:
            if admission.period != self._period:
                return False
            self._failures = 0
            was_open = self._open is not None
            if was_open:
                self._open = None
                self._period += 1
            return was_open

    def failed(self, admission: Admission, now: datetime) -> Refusal | None:
        """The provider was not reached, or gave no answer that makes sense.  Returns the refusal of others that follows."""
        with self._lock:
            if admission.period != self._period:
                return None
            self._failures += 1
            if self._open is not None:
                self._open = Refusal(self._open.since, now + self._pause)
            elif self._failures >= self._most_failures:
                self._open = Refusal(now, now + self._pause)
                self._period += 1
                self._failures = 0
            return self._open

    def give_back(self, admission: Admission, now: datetime) -> None:
        """The call was not made after all, or tells nothing about the provider; the next one may find out."""
        with self._lock:
            if admission.period == self._period and self._open is not None:
                self._open = Refusal(self._open.since, now)
