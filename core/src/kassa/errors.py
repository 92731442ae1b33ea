"""Errors, by whose fault they are.  Each says who, what, and the next step.

KassaError
├── CallerError                 it cannot be done as asked; nothing was changed
│   ├── InvalidData             a value is not what was expected; names the field
│   ├── NotFound                there is no such thing in this store
│   ├── Unverified              a message that is not proven to come from its provider
│   ├── NotAllowed              the rules, or the status of the thing, forbid it
│   ├── KeyReused               the idempotency key stands for another request
│   └── Conflict                something else about the same thing is under way
│       └── StillProcessing     a provider call whose fate is not known yet; never "failed"
├── ProviderFailure             the provider did not do it; definitively
│   ├── PaymentDeclined         it said no
│   └── ProviderUnavailable     it was never reached; try again
├── ConfigurationError          the integrator's; lists every mistake
└── InternalError               ours
    ├── IllegalTransition       a status move that no table allows
    ├── NoticeUnreadable        a plugin failed at reading a message; the provider sends it again
    └── StoreUnavailable        the database cannot be used
        └── CommitUnknown       it is not known whether a transaction was committed
"""

from collections.abc import Sequence
from dataclasses import dataclass


class KassaError(Exception):
    """Root of all errors of the engine."""


class CallerError(KassaError):
    """It cannot be done as asked; nothing was changed."""


class InvalidData(CallerError):
    """A value is not what was expected.  ``field`` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class NotFound(CallerError):
    """There is no such thing in this store."""


class Unverified(CallerError):
    """A message that is not proven to come from its provider; nothing of it was kept."""


class NotAllowed(CallerError):
    """The rules, or the status of the thing, forbid it."""


class KeyReused(CallerError):
    """The idempotency key stands for another request already.  ``verb`` is the one that it was used for."""

    def __init__(self, client_key: str, verb: str) -> None:
        super().__init__(
            f"idempotency_key: {client_key!r} stands for another request, a {verb}; give each request a key of its own, "
            f"and the same key only to the same request again"
        )
        self.verb = verb


class Conflict(CallerError):
    """Something else about the same thing is under way; ask again afterwards."""


class StillProcessing(Conflict):
    """A provider call is under way, or its fate is not known yet.  ``operation_id`` names it.

    It is *not* failed: asking again later is right, and begins nothing a second time while nobody knows.
    """

    def __init__(self, operation_id: str, message: str) -> None:
        super().__init__(message)
        self.operation_id = operation_id


class ProviderFailure(KassaError):
    """The provider did not do it; definitively: no money has moved."""


class PaymentDeclined(ProviderFailure):
    """The provider said no.  ``code`` and ``reason`` are the provider's, ``retryable`` whether the shopper may try again."""

    def __init__(self, code: str, reason: str, *, retryable: bool) -> None:
        super().__init__(f"declined ({code}): {reason}")
        self.code = code
        self.reason = reason
        self.retryable = retryable


class ProviderUnavailable(ProviderFailure):
    """The provider was never reached; try again."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with the configuration: where, which field, and what was expected there."""

    file: str
    line: int | None
    field: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


class ConfigurationError(KassaError):
    """The configuration, or a plugin that it names, cannot be used.  ``mistakes`` lists all that was found."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


class PluginUnusable(KassaError):
    """An installed plugin cannot be used; the sentence names its distribution and the next step."""


class InternalError(KassaError):
    """A fault of kassa itself or of what it runs on."""


class IllegalTransition(InternalError):
    """A status move that no table allows."""


class NoticeUnreadable(InternalError):
    """A plugin failed at reading a message.  Nothing was kept: answer with a server error, so that it is sent again."""


class StoreUnavailable(InternalError):
    """The database cannot be used as it is; the message has the next step."""


class CommitUnknown(StoreUnavailable):
    """It is not known whether a transaction was committed, and the database cannot be asked now.

    No provider is called after it.  What was committed is seen when it is asked for under the same idempotency key; without
    one, look first (``list_operations_in_doubt``): recovery sends what was committed.
    """
