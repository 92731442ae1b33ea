"""What a check is about, and what it can end in beside passing.

Each end is a sentence: an author reads it without our source at hand.
"""

from collections.abc import Callable
from typing import NoReturn, TypeVar

import pytest

DECLARED = "kassa_manifest"
"""The property of a check's report that holds the manifest under examination."""

NOT_PROVEN = "not proven: "
NOT_REACHED = "not reached: "
DOES_NOT_APPLY = "does not apply: "

ChecksT = TypeVar("ChecksT", bound=type)


def proves(capability: str) -> Callable[[ChecksT], ChecksT]:
    """What the checks of a class are about, as the matrix calls it.

    Written on each check, because pytest gives a class that inherits from several the marks of all of them.
    """

    def mark(checks: ChecksT) -> ChecksT:
        for name, check in vars(checks).items():
            if name.startswith("test_"):
                check.kassa_capability = capability
        return checks

    return mark


def violation(did: str, contract: str, legal: str | None = None) -> NoReturn:
    """The check fails: what the provider did, what the contract says, which line of the manifest would make it legal."""
    sentence = f"{did}\n  The contract: {contract}"
    pytest.fail(sentence if legal is None else f"{sentence}\n  To make it legal, declare: {legal}", pytrace=False)


def not_proven(reason: str) -> NoReturn:
    """Nothing is known: the exam was not given what it takes.  It is listed, with the reason."""
    pytest.skip(NOT_PROVEN + reason)


def does_not_apply(reason: str) -> NoReturn:
    """The check is about something that the manifest declares otherwise; another check examines that."""
    pytest.skip(DOES_NOT_APPLY + reason)


def not_reached(step: str, end: str) -> NoReturn:
    """What the check needs did not come about, which is another check's finding."""
    pytest.skip(f"{NOT_REACHED}{step} ended in {end}")
