"""Who watches the calls to providers: metrics, traces.  Whatever a watcher does, the call is made and its outcome counts.

Pure: what is told, and how.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from kassa_sdk import ListPaymentsOutcome, LookUpOutcome, Outcome

AnswerT = TypeVar("AnswerT", bound=Outcome | LookUpOutcome | ListPaymentsOutcome)

RAISED = "raised"
"""In place of an outcome, where a call raised."""

_log = logging.getLogger("kassa.watching")


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One call that is about to be made.

    ``region_id`` is empty where it is about no payment; so are ``operation_id`` and ``payment_session_id``.
    """

    provider_id: str
    hook: str
    region_id: str = ""
    operation_id: str = ""
    payment_session_id: str = ""


Ended = Callable[[str], None]
"""Told what came of a call: the name of its outcome, ``raised`` for none."""


class Watcher(Protocol):
    """Is told of each call to a provider, by the thread that asks for it, just before and right after."""

    def begins(self, call: ProviderCall) -> Ended:
        """A call is made now; what is returned is told what came of it."""


def watched(watchers: Sequence[Watcher], call: ProviderCall, ask: Callable[[], AnswerT]) -> AnswerT:
    """What ``ask`` returns, with the watchers told.  Raises what it raises."""
    endings = [ending for watcher in watchers if (ending := _begun(watcher, call)) is not None]
    came_of_it = RAISED
    try:
        answer = ask()
        came_of_it = answer.outcome
        return answer
    finally:
        for ending in reversed(endings):
            _end(ending, came_of_it)


def _begun(watcher: Watcher, call: ProviderCall) -> Ended | None:
    try:
        return watcher.begins(call)
    except Exception as error:
        _log.error("%s failed at watching %s: %s", type(watcher).__name__, call.hook, type(error).__name__)
        return None


def _end(ending: Ended, came_of_it: str) -> None:
    try:
        ending(came_of_it)
    except Exception as error:
        _log.error("a watcher failed at the end of a call: %s", type(error).__name__)
