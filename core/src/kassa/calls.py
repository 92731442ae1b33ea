"""How calls to one provider are made: so many at once, on threads of its own, each waited for so long, and none while its
circuit is open.

Fence the calls, never the evidence: an answer that nobody waits for any more is still taken.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from kassa.bulkhead import Bulkhead
from kassa.circuit import Admission, Circuit, Refusal
from kassa.config import ProviderSettings
from kassa_sdk import NotSent, Outcome, Record, Unknown

Clock = Callable[[], datetime]
Late = Callable[[Outcome], object]
"""Takes the answer to a call whose caller did not wait for it."""

_log = logging.getLogger("kassa.providers")


class ProviderHealth(Record):
    """How a provider has answered this process lately.

    ``calls_under_way`` includes those whose caller was told that nobody knows yet.  ``circuit_open_since`` is None while
    calls are let through; otherwise the next one is let through at ``tried_again_at``.
    """

    provider_id: str
    calls_under_way: int
    circuit_open_since: datetime | None
    tried_again_at: datetime | None


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Why a provider cannot be asked at this moment, and until when."""

    cause: str
    until: datetime


class Calls:
    """Makes the calls to one provider.  Safe to share between threads."""

    def __init__(self, provider_id: str, settings: ProviderSettings, clock: Clock) -> None:
        self._provider_id = provider_id
        self._settings = settings
        self._clock = clock
        self._bulkhead = Bulkhead(provider_id, settings.max_concurrent_calls)
        self._circuit = Circuit(
            settings.circuit_failures,
            pause=timedelta(seconds=settings.circuit_seconds),
            longest_call=timedelta(seconds=settings.longest_call_seconds),
        )
        self._is_closed = False

    @property
    def health(self) -> ProviderHealth:
        """How the provider has answered lately."""
        refusal = self._circuit.refusal(self._clock())
        return ProviderHealth(
            provider_id=self._provider_id,
            calls_under_way=self._bulkhead.under_way,
            circuit_open_since=None if refusal is None else refusal.since,
            tried_again_at=None if refusal is None else refusal.until,
        )

    def not_asked(self) -> NotAsked | None:
        """Why a call would not be made at this moment; None when it would."""
        now = self._clock()
        refusal = self._circuit.refusal(now)
        if refusal is not None:
            return NotAsked(self._in_words(refusal), refusal.until)
        if self._bulkhead.under_way >= self._bulkhead.places:
            return NotAsked(self._no_place(), now)
        return None

    def make(self, hook: str, ask: Callable[[], Any], late: Late | None) -> Any:
        """What ``ask`` returns; NotSent where it was not called, Unknown where it did not return in time.

        It goes on then, and ``late`` takes what it returns, on its own thread.  Raises what ``ask`` raises in time.
        """
        admission = self._circuit.admit(self._clock())
        if isinstance(admission, Refusal):
            return NotSent(cause=self._in_words(admission))
        call = self._bulkhead.begin(partial(copy_context().run, ask), self._settings.wait_for_place_seconds)
        if call is None:
            self._circuit.give_back(admission, self._clock())
            _log.warning("%s; %s is not sent", self._no_place(), hook)
            return NotSent(cause=self._no_place())
        outcome = self._awaited(call, hook, admission, late)
        self._judge(admission, outcome)
        return outcome

    def close(self) -> None:
        """End the idle threads.  Calls under way go on, but late answers are dropped from now on."""
        self._is_closed = True
        self._bulkhead.close()

    def _awaited(self, call: Future[Any], hook: str, admission: Admission, late: Late | None) -> Any:
        try:
            return call.result(self._settings.timeout_seconds)
        except TimeoutError:
            cause = f"{self._provider_id} did not answer {hook} within {self._settings.timeout_seconds:g} seconds"
            _log.warning("%s; the call goes on", cause)
            self._hear_later(call, hook, late)
            return Unknown(cause=cause)
        except BaseException:
            # The plugin refuses, or the caller is interrupted: that does not tell how the provider is.
            self._circuit.give_back(admission, self._clock())
            if not call.done():
                self._hear_later(call, hook, late)
            raise

    def _judge(self, admission: Admission, outcome: Any) -> None:
        if not isinstance(outcome, Unknown | NotSent):
            if self._circuit.succeeded(admission):
                _log.warning("%s answers again; its circuit is closed", self._provider_id)
            return
        opened = self._circuit.failed(admission, self._clock())
        if opened is not None:
            _log.warning("%s: %s", self._in_words(opened), outcome.cause)

    def _hear_later(self, call: Future[Any], hook: str, late: Late | None) -> None:
        context = copy_context()
        call.add_done_callback(lambda done: context.run(self._heard, done, hook, late))

    def _heard(self, call: Future[Any], hook: str, late: Late | None) -> None:
        error = call.exception()
        outcome = call.result() if error is None else Unknown(cause=type(error).__name__)
        if late is None or isinstance(outcome, Unknown):
            return
        _log.warning("%s answered %s after all: %s", self._provider_id, hook, outcome.outcome)
        if self._is_closed:
            _log.warning(
                "this answer of %s comes after the close and is dropped; recovery asks again", self._provider_id
            )
            return
        try:
            late(outcome)
        except Exception as failure:
            name = type(failure).__name__
            _log.error("this answer of %s was not merged (%s); recovery asks again", self._provider_id, name)

    def _in_words(self, refusal: Refusal) -> str:
        since, until = (_moment(each) for each in (refusal.since, refusal.until))
        return f"the circuit of {self._provider_id} is open since {since}, tried again at {until}"

    def _no_place(self) -> str:
        return f"{self._provider_id} is busy: {self._bulkhead.places} calls to it are under way, its most at once"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
